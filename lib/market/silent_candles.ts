/** Whether an exchange leaves out candles without trades: what the holes of a page and its volumes tell. @module */
import { type Candle, isZero } from "./candle.ts";
import { countCandles, type Timeframe } from "./timeframe.ts";

/**
 * Whether the exchange leaves out candles without trades: true if a candle is missing between ascending open times, false if
 * one of `candles` has volume 0, undefined if neither.
 */
export function leavesOutSilentCandles(
  timeframe: Timeframe,
  candles: readonly Candle[],
  times: readonly number[],
): boolean | undefined {
  if (candles.some(({ volume }) => volume !== null && isZero(volume))) return false;
  return longestHole(timeframe, times) > 0 ? true : undefined;
}

/** The most candles missing in a row between ascending open times. */
export function longestHole(timeframe: Timeframe, times: readonly number[]): number {
  return times.reduce((longest, timeMs, index) => {
    const previousMs = times[index - 1] ?? timeMs;
    return Math.max(longest, countCandles(timeframe, previousMs, timeMs) - 1);
  }, 0);
}
