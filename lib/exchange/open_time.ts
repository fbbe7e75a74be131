/** Open times that CCXT's classes read from the wrong column. @module */
import { factOf } from "./ancestry.ts";

/**
 * Where a row has its candle's open time, in milliseconds, if CCXT 4.5.84 takes another time for it.
 *
 * - ndax: CCXT takes the first column. It is the candle's end, and the last of ten its begin, as the answers show that
 *   `js/src/ndax.js` quotes: `[1607299260000, …, 8, 1607299200000]`, the next `[1607299320000, …, 8, 1607299260000]`.
 */
export const OPEN_TIMES: Readonly<Record<string, (row: readonly unknown[]) => unknown>> = {
  ndax: (row) => row[9],
};

/** A candle as CCXT has parsed it from `row`, with the true open time. */
export function withOpenTime(exchange: string, row: unknown, candle: unknown): unknown {
  const openTime = factOf(OPEN_TIMES, exchange);
  if (openTime === undefined || !Array.isArray(row) || !Array.isArray(candle)) return candle;
  return [openTime(row), ...candle.slice(1)];
}
