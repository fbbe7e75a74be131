/** A local exchange for the length of one test, and plain requests to its default dialect. @module */
import assert from "node:assert/strict";
import type { Clock } from "../../../lib/clock.ts";
import type { LocalCandle } from "../../../lib/local_exchange/price_walk.ts";
import {
  type LocalExchange,
  type LocalExchangeOptions,
  startLocalExchange,
} from "../local_exchange/faulty_exchange.ts";

/** Half a minute into a minute, so that one is forming. */
export const NOW_MS = Date.UTC(2024, 5, 1, 12, 0, 30);

/** Time stands still at NOW_MS; who sleeps does so until the exchange closes. */
export const STILL_CLOCK: Clock = {
  now: () => NOW_MS,
  sleep: (_ms, { signal } = {}) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    }),
};

/** One row of `klines`; its last columns are left aside. */
export type Row = readonly [
  timeMs: number,
  open: string,
  high: string,
  low: string,
  close: string,
  volume: string,
];

type Query = Readonly<Record<string, string | number>>;

/** Starts an exchange, at NOW_MS unless told, and closes it whatever happens. */
export async function withExchange(
  options: Partial<LocalExchangeOptions>,
  use: (exchange: LocalExchange) => Promise<void>,
): Promise<void> {
  const exchange = await startLocalExchange({ clock: STILL_CLOCK, ...options });
  try {
    await use(exchange);
  } finally {
    await exchange.close();
  }
}

/** Minutes of BTC/USDT unless the query says otherwise. */
export async function candles(exchange: LocalExchange, query: Query): Promise<Row[]> {
  const { status, body } = await get(candlesUrl(exchange, query));
  assert.equal(status, 200, body);
  return JSON.parse(body);
}

export function candlesUrl({ url }: LocalExchange, query: Query): string {
  const full: Query = { symbol: "BTCUSDT", interval: "1m", ...query };
  const texts = Object.entries(full).map(([name, value]) => [name, String(value)]);
  return `${url}/api/v3/klines?${new URLSearchParams(texts)}`;
}

export async function get(url: string): Promise<{ status: number; body: string }> {
  const response = await fetch(url);
  return { status: response.status, body: await response.text() };
}

/** A true candle as the columns that requests give. */
export function columns(row: LocalCandle): Row {
  return [row.openTimeMs, row.open, row.high, row.low, row.close, row.volume];
}
