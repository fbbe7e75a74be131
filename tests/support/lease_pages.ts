/** Pages of leases. @module */
import type { Series } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import type { LeaseStamp } from "../../lib/store/lease_stamp.ts";
import type { PageWrite } from "../../lib/store/page_write.ts";

export const MINUTE_MS = 60_000;
export const START_MS = Date.UTC(2024, 0, 1);
export const BTC: Series = {
  exchange: "binance",
  symbol: "BTC/USDT",
  timeframe: parseTimeframe("1m"),
};
/** Nodes. */
export const [A, B, C] = [1, 2, 3].map((node) => `00000000-0000-4000-8000-00000000000${node}`) as [
  string,
  string,
  string,
];

export const NO_ANSWER: PageWrite = {
  candles: [],
  rejected: [],
  answered: undefined,
  reachFromMs: undefined,
};

/** One candle of this value, and its time as answered. */
export function pageOf(value: number, minute = 0): PageWrite {
  const openTimeMs = START_MS + minute * MINUTE_MS;
  const text = String(value);
  return {
    ...NO_ANSWER,
    candles: [{ openTimeMs, open: text, high: text, low: text, close: text, volume: text }],
    answered: { sinceMs: openTimeMs, untilMs: openTimeMs + MINUTE_MS },
  };
}

/** The value of the candle of minute 0. */
export async function storedValue({ sql }: Database, { symbol }: Series): Promise<number> {
  const [row] = await sql<{ open: string }[]>`
    select open from ohlcv_1m where symbol = ${symbol} and time = ${new Date(START_MS)}`;
  return Number(row?.open);
}

/** By which lease the series was written last. */
export async function stampOf(
  { sql }: Database,
  { symbol }: Series,
): Promise<LeaseStamp | undefined> {
  const [row] = await sql<{ epoch: string; holder: string }[]>`
    select epoch, holder from checkpoints where symbol = ${symbol}`;
  return row && { holder: row.holder, epoch: Number(row.epoch) };
}
