/** How long until an exchange that keeps only its newest candles drops candles that are still owed. @module */
import { type Coverage, intersect } from "./coverage.ts";
import { addCandles, ceilTime, closedUntil, nominalMs, type Timeframe } from "./timeframe.ts";

interface LossOptions {
  readonly nowMs: number;
  /** How many of its newest closed candles the exchange keeps. */
  readonly newestCandlesMax: number;
  /**
   * Ignore owed candles before this time. Milliseconds.
   *
   * @default nothing is ignored
   */
  readonly sinceMs?: number | undefined;
}

/**
 * How long until the exchange drops the oldest owed candle that it still has, in milliseconds. 0 when it is the oldest
 * candle the exchange has. Undefined when the exchange has no owed candle; those already dropped do not count.
 */
export function lossMs(
  timeframe: Timeframe,
  owed: Coverage,
  { nowMs, newestCandlesMax, sinceMs = -Infinity }: LossOptions,
): number | undefined {
  const untilMs = closedUntil(timeframe, nowMs);
  const keptMs = addCandles(timeframe, untilMs, -newestCandlesMax);
  const [oldest] = intersect(owed, [{ sinceMs: Math.max(keptMs, sinceMs), untilMs }]);
  return oldest === undefined ? undefined : ceilTime(timeframe, oldest.sinceMs) - keptMs;
}

/** Enough time for a person to react. */
const NEAR_MS = 60 * 60_000;

/** A loss closer than this is near: an hour, or a tenth of what the exchange keeps if that is less. Milliseconds. */
export function nearLossMs(timeframe: Timeframe, newestCandlesMax: number): number {
  return Math.min(NEAR_MS, (newestCandlesMax * nominalMs(timeframe)) / 10);
}
