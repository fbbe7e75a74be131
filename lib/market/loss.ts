/** How long candles that are owed can still be had from an exchange that keeps only its newest ones. @module */
import { type Coverage, intersect } from "./coverage.ts";
import { addCandles, ceilTime, closedUntil, nominalMs, type Timeframe } from "./timeframe.ts";

interface LossOptions {
  readonly nowMs: number;
  /** How many of its newest closed candles the exchange keeps. */
  readonly newestCandlesMax: number;
  /**
   * Owed time before this does not count. Milliseconds.
   *
   * @default all owed time counts
   */
  readonly sinceMs?: number | undefined;
}

/**
 * The time left for the oldest owed candle that can still be had, in milliseconds: 0 when it is the oldest one that
 * the exchange keeps. Undefined when nothing of what is owed can be had; what is gone is no loss to come.
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

/** Time enough for a person to act on an exchange that keeps days. */
const NEAR_MS = 60 * 60_000;

/** Below this time left a loss is near: an hour, or a tenth of what the exchange keeps where that is less. Milliseconds. */
export function nearLossMs(timeframe: Timeframe, newestCandlesMax: number): number {
  return Math.min(NEAR_MS, (newestCandlesMax * nominalMs(timeframe)) / 10);
}
