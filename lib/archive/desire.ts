/** Which window of a series the configuration asks for. @module */
import type { Config } from "../config/config.ts";
import { reachStartMs } from "../config/reach.ts";
import { SETTLE_MS } from "../market/answer.ts";
import type { Series } from "../market/series.ts";
import { addCandles, closedUntil, floorTime } from "../market/timeframe.ts";
import type { Desire } from "../store/ledger.ts";

interface DesireOptions {
  readonly nowMs: number;
  /** How many newest candles the exchange has; undefined when no limit is known. */
  readonly newestCandlesMax: number | undefined;
  /** Candles that closed less than this ago are not desired yet. Milliseconds. @default SETTLE_MS */
  readonly settleMs?: number | undefined;
}

/** The desired window of a series, and its start if the exchange kept everything. */
export interface BoundedDesire extends Desire {
  /** The start that the configuration asks for. If it is before the window, the exchange does not keep the rest. */
  readonly wantedSinceMs: number;
}

/**
 * The desired window of a series: from the candle that contains the start of `BACKFILL` to the last candle that can be
 * final. It is empty for a timeframe that is polled but not backfilled.
 */
export function desireOf(series: Series, config: Config, options: DesireOptions): BoundedDesire {
  const { timeframe } = series;
  const { nowMs, settleMs = SETTLE_MS } = options;
  const closedMs = closedUntil(timeframe, nowMs);
  const untilMs = closedUntil(timeframe, nowMs - settleMs);
  const backfill = config.backfill.find((entry) => entry.timeframe === timeframe.text);
  const wantedMs = backfill === undefined
    ? untilMs
    : floorTime(timeframe, reachStartMs(backfill.reach, nowMs));
  const keptMs = options.newestCandlesMax === undefined
    ? -Infinity
    : addCandles(timeframe, closedMs, -options.newestCandlesMax);
  const sinceMs = Math.min(Math.max(wantedMs, keptMs), untilMs);
  const retention = config.retention.find((entry) => entry.timeframe === timeframe.text);
  return {
    series,
    window: { sinceMs, untilMs },
    keptSinceMs: keptMs,
    retainedSinceMs: retention === undefined
      ? undefined
      : floorTime(timeframe, reachStartMs(retention.reach, nowMs)),
    wantedSinceMs: Math.min(wantedMs, sinceMs),
  };
}

/** The timeframes that are polled or backfilled, without duplicates, in the configured order. */
export function archivedTimeframes(config: Config): readonly string[] {
  return [...new Set([...config.timeframes, ...config.backfill.map(({ timeframe }) => timeframe)])];
}
