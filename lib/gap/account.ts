/** What is missing from the archive, series by series: what is owed, and holes inside coverage. @module */
import type { Config } from "../config/config.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import {
  type Coverage,
  coverageCandles,
  coverageOf,
  intersect,
  unite,
} from "../market/coverage.ts";
import { type BoundSpan, boundSpans, type SeriesBounds, unconfirmedEdge } from "../market/gap.ts";
import {
  atMost,
  type GapReason,
  type GapReasons,
  mergeReasons,
  sumReasons,
} from "../market/gap_reasons.ts";
import { lossMs } from "../market/loss.ts";
import { type Series, seriesName } from "../market/series.ts";
import { ceilTime, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "../store/connection/database.ts";
import { readExplained, writeBoundGaps } from "../store/gaps.ts";
import { type Checkpoint, type EndedWhy, readCheckpoints, readOwed } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import { archivedTimeframes, type BoundedDesire, desireOf } from "../archive/desire.ts";

/** One series' account. Counts are candles. */
export interface SeriesAccount {
  readonly series: Series;
  readonly candles: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** Desired and not yet asked for. */
  readonly owed: number;
  /** The times of those; empty of a series that is not configured. */
  readonly owedTimes: Coverage;
  /** Start of the oldest covered range. Milliseconds; undefined before the first answer. */
  readonly coveredSinceMs: number | undefined;
  /** Holes inside coverage that have no reason yet. */
  readonly missing: number;
  /** Holes that have a reason, those before the first candle that the exchange has among them. */
  readonly explained: number;
  /** The explained ones by reason; they add up to `explained`. */
  readonly reasons: GapReasons;
  readonly lastError: string | undefined;
  /** Since when the market is not traded, and why; undefined while it is. */
  readonly endedMs: number | undefined;
  readonly endedWhy: EndedWhy | undefined;
  /** Whether the configuration asks for this series. */
  readonly isConfigured: boolean;
}

interface AccountOptions {
  readonly config: Config;
  readonly nowMs: number;
  /** How many of its newest candles the exchange has at all. */
  readonly newestCandlesMax: (series: Series) => number | undefined;
}

/** The account of every series in the ledger; of those that are not configured any more nothing is owed. */
export async function readAccounts(
  database: Database,
  options: AccountOptions,
): Promise<readonly SeriesAccount[]> {
  const checkpoints = await readCheckpoints(database);
  const desires = desiresOf(checkpoints, options);
  const owed = new Map(
    (await readOwed(database, [...desires.values()])).map((entry) => [
      seriesName(entry.series),
      entry.owed,
    ]),
  );
  const explained = await readExplained(database);
  return checkpoints.map((checkpoint) => {
    const { series, candles, firstMs, lastMs, lastError } = checkpoint;
    const covered = keptCoverage(checkpoint);
    const { timeframe } = series;
    const name = seriesName(series);
    const owedTimes = owed.get(name) ?? [];
    const beginMs = beginOf(checkpoint) ?? Infinity;
    const [before, since] = [
      intersect(covered, [{ sinceMs: -Infinity, untilMs: beginMs }]),
      intersect(covered, [{ sinceMs: beginMs, untilMs: Infinity }]),
    ];
    const holes = Math.max(0, coverageCandles(timeframe, since) - candles);
    const inside = atMost(holes, explained.get(name) ?? {});
    const outside = outsideOf(timeframe, before, spansOf(checkpoint, desires.get(name)));
    return {
      series,
      candles,
      firstMs,
      lastMs,
      owed: coverageCandles(timeframe, owedTimes),
      owedTimes,
      coveredSinceMs: covered[0]?.sinceMs,
      missing: holes - sumReasons(inside),
      explained: sumReasons(outside) + sumReasons(inside),
      reasons: mergeReasons(inside, outside),
      lastError,
      endedMs: checkpoint.endedMs,
      endedWhy: checkpoint.endedWhy,
      isConfigured: isConfigured(checkpoint, options.config),
    };
  });
}

/** What lies before the first candle, whether answered for or out of reach. */
function outsideOf(
  timeframe: Timeframe,
  before: Coverage,
  spans: readonly BoundSpan[],
): GapReasons {
  const windowsOf = (state?: GapReason): Coverage =>
    coverageOf(
      spans.filter((span) => state === undefined || span.state === state)
        .map(({ window }) => window),
    );
  const all = coverageCandles(timeframe, unite(before, windowsOf()));
  const retention = coverageCandles(timeframe, windowsOf("retention"));
  return { before_listing: all - retention, retention };
}

/** Empty time right before a series' first candle, which is to be asked for once more. */
export interface UnconfirmedEdge {
  readonly series: Series;
  readonly window: Window;
  /** Since when the confirmation is waited for. Milliseconds; undefined when nobody knew of it yet. */
  readonly sinceMs: number | undefined;
}

/**
 * Works out anew which spans need no asking, such as time before a listing, and writes them beside the gaps.
 *
 * @returns what must be asked for again before it can count as one of them.
 */
export async function explainBounds(archive: Archive): Promise<readonly UnconfirmedEdge[]> {
  const { config, database, clock } = archive;
  const checkpoints = await readCheckpoints(database);
  const desires = desiresOf(checkpoints, { config, nowMs: clock.now(), newestCandlesMax });
  const known = checkpoints.filter(({ series }) => desires.has(seriesName(series)));
  await writeBoundGaps(
    database,
    known.map((checkpoint) => ({
      series: checkpoint.series,
      reachFromMs: reachFrom(checkpoint, desires.get(seriesName(checkpoint.series))),
    })),
    known.flatMap((checkpoint) =>
      spansOf(checkpoint, desires.get(seriesName(checkpoint.series))).map((span) => ({
        ...span,
        series: checkpoint.series,
        missing: coverageCandles(checkpoint.series.timeframe, [span.window]),
      }))
    ),
  );
  return known.flatMap((checkpoint) => {
    const bounds = boundsOf(checkpoint, desires.get(seriesName(checkpoint.series)));
    const window = bounds === undefined ? undefined : unconfirmedEdge(bounds);
    if (window === undefined) return [];
    return [{ series: checkpoint.series, window, sinceMs: checkpoint.doubtedSinceMs }];
  });
}

/** What is desired of the configured series, by name. */
function desiresOf(
  checkpoints: readonly Checkpoint[],
  { config, nowMs, newestCandlesMax }: AccountOptions,
): ReadonlyMap<string, BoundedDesire> {
  return new Map(
    checkpoints.filter((checkpoint) => isConfigured(checkpoint, config)).map(({ series }) => [
      seriesName(series),
      desireOf(series, config, { nowMs, newestCandlesMax: newestCandlesMax(series) }),
    ]),
  );
}

function spansOf(
  checkpoint: Checkpoint,
  desire: BoundedDesire | undefined,
): readonly BoundSpan[] {
  const bounds = boundsOf(checkpoint, desire);
  return bounds === undefined ? [] : boundSpans(bounds);
}

function boundsOf(
  checkpoint: Checkpoint,
  desire: BoundedDesire | undefined,
): SeriesBounds | undefined {
  if (desire === undefined) return undefined;
  const { endedMs = Infinity, series } = checkpoint;
  const covered = keptCoverage(checkpoint);
  const sinceMs = Math.min(desire.wantedSinceMs, covered[0]?.sinceMs ?? Infinity);
  const untilMs = ceilTime(series.timeframe, Math.min(desire.window.untilMs, endedMs));
  if (sinceMs >= untilMs) return undefined;
  const wanted = { sinceMs, untilMs };
  return {
    ...checkpoint,
    covered,
    firstMs: beginOf(checkpoint),
    isFirstConfirmed: checkpoint.isFirstConfirmed || checkpoint.expiredUntilMs !== undefined,
    wanted,
    reachFromMs: reachFrom(checkpoint, desire),
  };
}

/** Where a series' candles begin: with its first one, or where older ones were dropped. A hole after that is a gap. */
function beginOf({ firstMs, expiredUntilMs }: Checkpoint): number | undefined {
  if (expiredUntilMs === undefined) return firstMs;
  return Math.min(firstMs ?? Infinity, expiredUntilMs);
}

/** An answer for the neighbour of a gap may lie before the time that is kept, and says nothing of a listing. */
function keptCoverage(checkpoint: Checkpoint): Coverage {
  const { covered, expiredUntilMs } = checkpoint;
  const sinceMs = beginOf(checkpoint) ?? -Infinity;
  return expiredUntilMs === undefined
    ? covered
    : intersect(covered, [{ sinceMs, untilMs: Infinity }]);
}

/** Nothing older can be asked for: the exchange does not keep it, or lists the symbol no more. */
function reachFrom(
  { reachFromMs = -Infinity, endedMs, endedWhy }: Checkpoint,
  desire: BoundedDesire | undefined,
): number {
  const goneMs = endedWhy === undefined || endedWhy === "suspended" ? undefined : endedMs;
  return Math.max(reachFromMs, desire?.keptSinceMs ?? -Infinity, goneMs ?? -Infinity);
}

/** Whether the configuration asks for this series. One chosen by volume is never dropped by itself. */
export function isConfigured(
  { series, chosen }: Pick<Checkpoint, "series" | "chosen">,
  config: Config,
): boolean {
  if (!config.exchanges.includes(series.exchange)) return false;
  if (!archivedTimeframes(config).includes(series.timeframe.text)) return false;
  return config.symbols.kind === "list"
    ? config.symbols.symbols.includes(series.symbol)
    : chosen === "top";
}

/** Sums, and what they are sums of, for a log line. */
interface GapReport {
  readonly series: number;
  readonly owed: number;
  readonly missing: number;
  readonly explained: number;
}

/** Takes stock: reads the accounts and brings the gauges up to date. Nothing is asked of any exchange. */
export async function takeStock(archive: Archive): Promise<readonly SeriesAccount[]> {
  const { config, database, clock, metrics, exchanges } = archive;
  const nowMs = clock.now();
  const accounts = await readAccounts(database, {
    config,
    nowMs,
    newestCandlesMax,
  });
  for (const { series, candles, lastMs, owed, missing } of accounts) {
    const labels = {
      exchange: series.exchange,
      symbol: series.symbol,
      timeframe: series.timeframe.text,
    };
    metrics.candlesOwed.set(labels, owed);
    metrics.candlesMissing.set(labels, missing);
    metrics.candlesMissingRatio.set(labels, missingRatio({ candles, missing }));
    if (lastMs !== undefined) metrics.lastClosedCandleSeconds.set(labels, lastMs / 1000);
  }
  for (const { id: exchange } of exchanges) {
    const losses = accounts.filter(({ series }) => series.exchange === exchange)
      .flatMap(({ series, owedTimes }) => {
        const kept = newestCandlesMax(series);
        const bounds = { nowMs, newestCandlesMax: kept ?? 0 };
        return kept === undefined ? [] : lossMs(series.timeframe, owedTimes, bounds) ?? [];
      });
    if (losses.length === 0) metrics.retentionLossSeconds.remove({ exchange });
    else metrics.retentionLossSeconds.set({ exchange }, Math.min(...losses) / 1000);
  }
  return accounts;
}

/** The share of a series' candles inside coverage that is missing without a reason, 0 to 1. */
export function missingRatio(
  { candles, missing }: Pick<SeriesAccount, "candles" | "missing">,
): number {
  return missing === 0 ? 0 : missing / (candles + missing);
}

/** Adds accounts up. */
export function reportGaps(accounts: readonly SeriesAccount[]): GapReport {
  const report = { series: accounts.length, owed: 0, missing: 0, explained: 0 };
  for (const { owed, missing, explained } of accounts) {
    report.owed += owed;
    report.missing += missing;
    report.explained += explained;
  }
  return report;
}
