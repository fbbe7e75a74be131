/** The nodes of an archive as text: what each does, and what is the matter with it. @module */
import type { NodeExchange, NodesDocument, NodeStatus } from "../serve/node_status.ts";
import { printable } from "../text/printable.ts";
import type { Paint } from "./terminal.ts";
import { count, cut, duration, minute, moment, table } from "./text.ts";

interface Drawn {
  readonly nowMs: number;
  readonly columns: number;
  readonly paint: Paint;
}

const HEAD = ["NODE", "EGRESS", "UP FOR", "SEEN", "EXCHANGES", "SYMBOLS", "STATE"];

/** One line per node. */
export function nodeTable(
  { nodes }: NodesDocument,
  { nowMs, columns, paint }: Drawn,
): readonly string[] {
  if (nodes.length === 0) return [];
  const rows = nodes.map((node) => [
    printable(node.name),
    egressText(node.egress ?? "–"),
    node.isLive ? age(node.startedAt, nowMs) : "–",
    age(node.seenAt, nowMs),
    count(new Set(node.exchanges.map(({ exchange }) => exchange)).size),
    count(node.leases),
    stateOf(node),
  ]);
  const lines = table(HEAD, rows, { numeric: [4, 5], columns }).split("\n");
  return lines.map((line, at) => {
    const node = nodes[at - 1];
    return node !== undefined && (!node.isLive || node.differs.length > 0)
      ? paint("red", line)
      : line;
  });
}

/** Names of hosts may be long, and end in what tells little. */
const EGRESS_COLUMNS_MAX = 20;

function egressText(egress: string): string {
  return cut(printable(egress), EGRESS_COLUMNS_MAX);
}

function stateOf({ kind, isLive, isLeader, leases, differs }: NodeStatus): string {
  if (!isLive) return "gone";
  if (kind === "backfill") return "backfill";
  if (isLeader) return "leads";
  if (differs.length > 0) return "differs";
  return leases === 0 ? "stands by" : "works";
}

/** One line for each exchange and node that may ask it. */
export function nodeExchangeTable(
  { nodes }: NodesDocument,
  { nowMs, columns, paint }: Drawn,
): readonly string[] {
  const all = nodes.flatMap(({ name, exchanges }) => exchanges.map((one) => ({ name, ...one })))
    .sort((one, other) =>
      one.exchange < other.exchange ? -1 : one.exchange > other.exchange ? 1 : 0
    );
  if (all.length === 0) return [];
  const rows = all.map((one) => [
    printable(one.name),
    printable(one.exchange),
    egressText(one.egress),
    count(one.leases),
    matterOf(one, nowMs),
  ]);
  const head = ["NODE", "EXCHANGE", "EGRESS", "SYMBOLS", "STATE"];
  return table(head, rows, { numeric: [3], columns }).split("\n").map((line, at) =>
    at > 0 && matterOf(all[at - 1]!, nowMs) !== "ok" ? paint("red", line) : line
  );
}

function matterOf({ breaker, bannedUntil, deniedSince }: NodeExchange, nowMs: number): string {
  if (deniedSince !== null) return `refused since ${moment(deniedSince, nowMs)}`;
  if (bannedUntil !== null) return `banned to ${moment(bannedUntil, nowMs)}`;
  return breaker === "closed" ? "ok" : `breaker ${breaker.replace("_", " ")}`;
}

/** What is wrong with nodes, a sentence each. */
export function nodeTroubles({ nodes }: NodesDocument): readonly string[] {
  return nodes.flatMap(({ name, isLive, seenAt, differs, version }) => {
    if (!isLive) {
      const others = nodes.some((node) => node.isLive) ? ": other nodes have its symbols" : "";
      return [`node ${name} has not been seen since ${minute(seenAt)} UTC${others}`];
    }
    if (differs.length === 0) return [];
    return [`node ${name} (${version}) does not lead, its settings differ: ${differs.join("; ")}`];
  });
}

/** In one unit: names need the room. */
function age(iso: string, nowMs: number): string {
  const [value, unit] = duration(Math.max(0, nowMs - Date.parse(iso)) / 1000).split(" ");
  return `${value} ${unit}`;
}
