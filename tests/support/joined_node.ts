/** A node of an archive that is only told of: rows in the database, without a process. @module */
import type { Database } from "../../lib/store/connection/database.ts";
import { beat, type NodeEntry } from "../../lib/store/nodes.ts";

/** What it would ask each of its exchanges for. */
export const JOINED_SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT"];

/** It lives for as long as a test. */
const LEASE_MS = 3_600_000;

interface JoinOptions extends Partial<NodeEntry> {
  /** Also its name, unless another one is given. */
  readonly egress: string;
  /** @default ["binance"] */
  readonly exchanges?: readonly string[];
}

/** One more node. Returns its id. */
export async function joinNode(
  database: Database,
  { egress, exchanges = ["binance"], ...entry }: JoinOptions,
): Promise<string> {
  const node = crypto.randomUUID();
  await beat(database, {
    node,
    count: 1,
    leaseMs: LEASE_MS,
    entry: {
      ...{ name: egress, kind: "daemon", place: undefined, version: "1.1.0", succeeds: true },
      ...{ settingsHash: "common", settings: { EXCHANGES: "binance", SYMBOLS: "top:20" } },
      ...entry,
    },
    wanted: new Map(
      exchanges.map((exchange) => [exchange, { egress, symbols: JOINED_SYMBOLS }]),
    ),
  });
  return node;
}
