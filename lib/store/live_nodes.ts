/** Reads which nodes work on an archive, and what each of them holds. @module */
import type { Database } from "./connection/database.ts";
import { epochMs } from "./parameters.ts";

export interface StoredNode {
  readonly node: string;
  readonly name: string;
  readonly kind: "daemon" | "backfill";
  readonly version: string;
  readonly startedMs: number;
  readonly seenMs: number;
  /** False of one that has ended without handing over what it held. */
  readonly isLive: boolean;
  readonly isLeader: boolean;
  /** By name of the variable. */
  readonly settings: Readonly<Record<string, string>>;
  /** By which it reaches most exchanges; undefined before it knows of any. */
  readonly egress: string | undefined;
  /** Those that it may ask, by name. */
  readonly exchanges: readonly StoredNodeExchange[];
}

interface StoredNodeExchange {
  readonly exchange: string;
  readonly egress: string;
  /** How many of its symbols the node holds. */
  readonly symbols: number;
  readonly breaker: "closed" | "open" | "half_open";
  readonly bannedUntilMs: number | undefined;
  /** Since when the exchange refuses the egress; undefined when it does not. */
  readonly deniedSinceMs: number | undefined;
}

/** More are not told of. */
const NODES_MAX = 100;

/**
 * The nodes that live, and those that have ended within a day without a successor.
 *
 * @throws StoreError
 */
export async function readLiveNodes(database: Database): Promise<readonly StoredNode[]> {
  return await database.run("read the nodes", async (sql) => {
    const rows = await sql<NodeRow[]>`
      with known as (
        select node, name, nodes.kind, version, nodes.started, seen, settings, live.node is not null as is_live
        from nodes left join titan10_live_nodes(clock_timestamp()) as live using (node)
        where not leaving order by until desc, nodes.started limit ${NODES_MAX}
      )
      select known.*,
             is_live and exists (
               select from leases where exchange = '' and symbol = '' and holder = known.node) as is_leader,
             (select egress from node_symbols as wanted where wanted.node = known.node
              group by egress order by count(*) desc, egress limit 1) as egress,
             coalesce(asked.exchanges, '[]') as exchanges
      from known
      left join lateral (
        select jsonb_agg(jsonb_build_object(
                 'exchange', slot.exchange,
                 'egress', slot.egress,
                 'symbols', (select count(*) from leases
                             where leases.exchange = slot.exchange and leases.holder = known.node),
                 'breaker', coalesce(said.breaker, 'closed'),
                 'banned_until', extract(epoch from said.banned_until) * 1000,
                 'denied_since', case when said.denied_until > clock_timestamp()
                                      then extract(epoch from said.denied_since) * 1000 end)
               order by slot.exchange, slot.egress) as exchanges
        from egress_leases as slot
        left join exchange_egress as said on said.exchange = slot.exchange and said.egress = slot.egress
        where slot.holder = known.node and known.is_live
      ) as asked on true
      order by started, node`;
    return rows.map((row) => ({
      node: row.node,
      name: row.name,
      kind: row.kind,
      version: row.version,
      startedMs: epochMs(row.started)!,
      seenMs: epochMs(row.seen)!,
      isLive: row.is_live,
      isLeader: row.is_leader,
      settings: row.settings,
      egress: row.egress ?? undefined,
      exchanges: row.exchanges.map(({ banned_until, denied_since, ...one }) => ({
        ...one,
        bannedUntilMs: banned_until ?? undefined,
        deniedSinceMs: denied_since ?? undefined,
      })),
    }));
  });
}

interface NodeRow {
  readonly node: string;
  readonly name: string;
  readonly kind: StoredNode["kind"];
  readonly version: string;
  readonly started: Date;
  readonly seen: Date;
  readonly settings: Readonly<Record<string, string>>;
  readonly is_live: boolean;
  readonly is_leader: boolean;
  readonly egress: string | null;
  readonly exchanges: readonly {
    readonly exchange: string;
    readonly egress: string;
    readonly symbols: number;
    readonly breaker: StoredNodeExchange["breaker"];
    readonly banned_until: number | null;
    readonly denied_since: number | null;
  }[];
}
