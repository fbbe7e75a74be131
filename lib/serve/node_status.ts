/** What the status tells of the nodes that share an archive. @module */
import { differencesOf } from "../config/shared_settings.ts";
import type { Database } from "../store/connection/database.ts";
import { readLiveNodes, type StoredNode } from "../store/live_nodes.ts";

/** A process that works on the archive. Times are ISO 8601 UTC, by the database's clock. */
export interface NodeStatus {
  /** Its id, another one after each start. */
  readonly node: string;
  /** For people: the host, and the port of its page. */
  readonly name: string;
  /** `backfill` is a `titan10 backfill`, which works until it is done and never leads. */
  readonly kind: "daemon" | "backfill";
  /** By which it reaches most exchanges; null before it knows of any. */
  readonly egress: string | null;
  readonly version: string;
  readonly startedAt: string;
  /** When it renewed its leases the last time. */
  readonly seenAt: string;
  /** False once it has not been seen for as long as a lease lasts: it was killed, or cannot reach the database. */
  readonly isLive: boolean;
  /** Whether it does what is done once for the whole archive. */
  readonly isLeader: boolean;
  /** How many symbols it works on. */
  readonly leases: number;
  /** Those that it may ask. */
  readonly exchanges: readonly NodeExchange[];
  /** In which settings it differs from the leader: `SYMBOLS: top:10 here, top:20 there`. Such a node does not lead. */
  readonly differs: readonly string[];
}

/** An exchange as one node reaches it. */
export interface NodeExchange {
  readonly exchange: string;
  readonly egress: string;
  /** How many of its symbols the node works on. */
  readonly leases: number;
  readonly breaker: "closed" | "open" | "half_open";
  readonly bannedUntil: string | null;
  /** Since when the exchange refuses this egress; null while it does not. */
  readonly deniedSince: string | null;
}

/** What a document with the nodes has, as the status and `titan10 nodes --json`. */
export interface NodesDocument {
  /** None with the embedded database. */
  readonly nodes: readonly NodeStatus[];
}

/**
 * The nodes that live, and those that have ended within a day without handing over: the leader first, the others by name,
 * those that have ended last. None with the embedded database.
 *
 * @throws StoreError
 */
export async function readNodes(
  database: Database,
  nowMs: number,
): Promise<readonly NodeStatus[]> {
  if (database.kind === "embedded") return [];
  const nodes = await readLiveNodes(database);
  const leader = nodes.find(({ isLeader }) => isLeader);
  const rank = ({ isLeader, isLive }: NodeStatus): number => isLeader ? 0 : isLive ? 1 : 2;
  return nodes.map((node) => statusOf(node, { leader, nowMs })).sort((one, other) =>
    rank(one) - rank(other) || (one.name < other.name ? -1 : one.name > other.name ? 1 : 0)
  );
}

function statusOf(
  { exchanges, settings, ...node }: StoredNode,
  { leader, nowMs }: { readonly leader: StoredNode | undefined; readonly nowMs: number },
): NodeStatus {
  return {
    node: node.node,
    name: node.name,
    kind: node.kind,
    egress: node.egress ?? null,
    version: node.version,
    startedAt: iso(node.startedMs)!,
    seenAt: iso(node.seenMs)!,
    isLive: node.isLive,
    isLeader: node.isLeader,
    leases: exchanges.reduce((sum, { symbols }) => sum + symbols, 0),
    exchanges: exchanges.map(({ exchange, egress, symbols, breaker, ...said }) => ({
      exchange,
      egress,
      leases: symbols,
      breaker,
      bannedUntil: (said.bannedUntilMs ?? 0) > nowMs ? iso(said.bannedUntilMs) : null,
      deniedSince: iso(said.deniedSinceMs),
    })),
    differs: leader === undefined || !node.isLive || node.kind === "backfill"
      ? []
      : differencesOf(settings, leader.settings),
  };
}

function iso(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}
