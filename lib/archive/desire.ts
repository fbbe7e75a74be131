/** Which window of a series the configuration asks for. @module */
import type { Config } from "../config/config.ts";
import { archivedTimeframes, reachOf, settingsOf } from "../config/exchange_settings.ts";
import { isExcluded, mayBeChosen } from "../config/symbols.ts";
import { reachEndMs, reachStartMs } from "../config/reach.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import type { Series } from "../market/series.ts";
import { addCandles, ceilTime, closedUntil, floorTime } from "../market/timeframe.ts";
import type { Settling } from "../store/capabilities.ts";
import type { Checkpoint, Desire } from "../store/ledger.ts";
import type { WantedSeries } from "../store/series_bounds.ts";

interface DesireOptions {
  readonly nowMs: number;
  /** How many newest candles the exchange has; undefined when no limit is known. */
  readonly newestCandlesMax: number | undefined;
  /** Candles that closed less than this ago are not desired yet. Milliseconds. */
  readonly settleMs: number;
  /** What a command asks for in the place of `BACKFILL`. @default nothing */
  readonly asked?: AskedRange | undefined;
}

/** The range that one run asks for. Milliseconds. */
export interface AskedRange {
  /** @default where `BACKFILL` begins */
  readonly sinceMs?: number | undefined;
  /** @default now */
  readonly untilMs?: number | undefined;
}

/** The desired window of a series, and its start if the exchange kept everything. */
export interface BoundedDesire extends Desire {
  /** The start that the configuration asks for. If it is before the window, the exchange does not keep the rest. */
  readonly wantedSinceMs: number;
}

/**
 * The desired window of a series: from the candle that contains the start of `BACKFILL` to the last candle that can be
 * final. It is empty for a timeframe that is polled but not backfilled. `endsMs` is where a history that ends does.
 */
export function desireOf(series: Series, config: Config, options: DesireOptions): BoundedDesire {
  const { timeframe } = series;
  const { nowMs, settleMs, asked } = options;
  const closedMs = closedUntil(timeframe, nowMs);
  const untilMs = closedUntil(timeframe, nowMs - settleMs);
  const settings = settingsOf(config, series.exchange);
  const backfill = reachOf(settings.backfill, timeframe.text);
  const reachMs = backfill === undefined ? untilMs : reachStartMs(backfill, nowMs);
  const wantedMs = floorTime(timeframe, asked?.sinceMs ?? reachMs);
  const keptMs = options.newestCandlesMax === undefined
    ? -Infinity
    : addCandles(timeframe, closedMs, -options.newestCandlesMax);
  const sinceMs = Math.min(Math.max(wantedMs, keptMs), untilMs);
  // A range that is asked for takes the place of BACKFILL's, and is not cut here: it may be older or newer.
  const reachEnd = asked?.sinceMs !== undefined || backfill === undefined
    ? undefined
    : reachEndMs(backfill);
  const retention = reachOf(settings.retention, timeframe.text);
  return {
    series,
    window: { sinceMs, untilMs },
    endsMs: reachEnd === undefined ? undefined : ceilTime(timeframe, reachEnd),
    keptSinceMs: keptMs,
    retainedSinceMs: retention === undefined
      ? undefined
      : floorTime(timeframe, reachStartMs(retention, nowMs)),
    wantedSinceMs: Math.min(wantedMs, sinceMs),
  };
}

/** When something is wanted, and how long after its close a candle of each exchange may still change. Milliseconds. */
export interface WantedOptions {
  readonly nowMs: number;
  readonly settling: Settling;
}

/** What the configuration wants of these series now. */
export function wantedOf(
  series: readonly Series[],
  config: Config,
  { nowMs, settling }: WantedOptions,
): readonly WantedSeries[] {
  return series.map((series) => {
    const desire = desireOf(series, config, {
      nowMs,
      newestCandlesMax: newestCandlesMax(series),
      settleMs: settling(series.exchange),
    });
    const { wantedSinceMs, keptSinceMs, endsMs, window: { untilMs: wantedUntilMs } } = desire;
    return { series, wantedSinceMs, wantedUntilMs, wantedEndsMs: endsMs, keptSinceMs };
  });
}

/**
 * The same for a series that these settings do not name, from what was last wanted of it. Undefined if nothing was.
 */
export function notedDesire(
  { series, wanted }: Pick<Checkpoint, "series" | "wanted">,
  { nowMs, settleMs }: Pick<DesireOptions, "nowMs" | "settleMs">,
): BoundedDesire | undefined {
  if (wanted === undefined) return undefined;
  const { sinceMs: wantedSinceMs, endsMs, keptSinceMs } = wanted;
  const untilMs = closedUntil(series.timeframe, nowMs - settleMs);
  const sinceMs = Math.min(Math.max(wantedSinceMs, keptSinceMs ?? -Infinity), untilMs);
  return { series, window: { sinceMs, untilMs }, endsMs, keptSinceMs, wantedSinceMs };
}

/** Whether the configuration asks for this series. One that a rule has chosen stays configured. */
export function isConfigured(
  { series, chosen }: Pick<Checkpoint, "series" | "chosen">,
  config: Config,
): boolean {
  if (!config.exchanges.includes(series.exchange)) return false;
  const settings = settingsOf(config, series.exchange);
  if (!archivedTimeframes(settings).includes(series.timeframe.text)) return false;
  const { symbols } = settings;
  if (isExcluded(symbols, series.symbol)) return false;
  return symbols.names.includes(series.symbol) ||
    (chosen === "top" && mayBeChosen(symbols, series.symbol));
}
