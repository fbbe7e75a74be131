/** Counts what is missing from the archive, per series: owed candles, and holes inside coverage. @module */
import type { Config } from "../config/config.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import { type Coverage, coverageCandles, intersect, unite } from "../market/coverage.ts";
import { atMost, type GapReasons, mergeReasons, sumReasons } from "../market/gap_reasons.ts";
import { lossMs } from "../market/loss.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "../store/connection/database.ts";
import { readSettling } from "../store/capabilities.ts";
import { readExplained } from "../store/gaps.ts";
import { type Checkpoint, type EndedWhy, readCheckpoints, readOwed } from "../store/ledger.ts";
import {
  noteWanted,
  readSeriesBounds,
  type SeriesBounds,
  type WantedSeries,
} from "../store/series_bounds.ts";
import type { Archive } from "../archive/archive.ts";
import { archivedTimeframes, type BoundedDesire, desireOf } from "../archive/desire.ts";

/** The account of one series. Counts are candles. */
export interface SeriesAccount {
  readonly series: Series;
  readonly candles: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** Desired candles that the exchange has not answered for. */
  readonly owed: number;
  /** The times of the owed candles; empty for a series that is not configured. */
  readonly owedTimes: Coverage;
  /** Start of the oldest covered range. Milliseconds; undefined before the first answer. */
  readonly coveredSinceMs: number | undefined;
  /** Missing candles inside coverage that have no reason yet. */
  readonly missing: number;
  /** Missing candles that have a reason, including those before the exchange's first candle. */
  readonly explained: number;
  /** The explained candles by reason; the sum is `explained`. */
  readonly reasons: GapReasons;
  readonly lastError: string | undefined;
  /** Since when the market is not traded. Milliseconds; undefined while it is traded. */
  readonly endedMs: number | undefined;
  /** Why the market is not traded; undefined while it is traded. */
  readonly endedWhy: EndedWhy | undefined;
  /** Whether the configuration asks for this series. */
  readonly isConfigured: boolean;
}

interface AccountOptions {
  readonly config: Config;
  readonly nowMs: number;
  /** How many newest candles of a series the exchange keeps; undefined if there is no known limit. */
  readonly newestCandlesMax: (series: Series) => number | undefined;
}

/** The account of every series in the ledger. Series that are not configured any more owe nothing. */
export async function readAccounts(
  database: Database,
  options: AccountOptions,
): Promise<readonly SeriesAccount[]> {
  const checkpoints = await readCheckpoints(database);
  const settling = await readSettling(database);
  const desires = desiresOf(checkpoints, { ...options, settling });
  const owed = new Map(
    (await readOwed(database, [...desires.values()])).map((entry) => [
      seriesName(entry.series),
      entry.owed,
    ]),
  );
  const explained = await readExplained(database);
  const bounds = await readSeriesBounds(database, wantedOf(desires));
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
    const stored = candles - coverageCandles(timeframe, checkpoint.unsettled);
    const holes = Math.max(0, coverageCandles(timeframe, since) - stored);
    const known = explained.get(name);
    const inside = atMost(holes, known?.inside ?? {});
    const outside = outsideOf(timeframe, before, {
      bounds: bounds.get(name),
      rejected: known?.before["rejected"] ?? 0,
    });
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

/** Counts the candles before a series' first one, by reason: before the listing, dropped by the exchange, or rejected. */
function outsideOf(
  timeframe: Timeframe,
  before: Coverage,
  { bounds, rejected }: { readonly bounds: SeriesBounds | undefined; readonly rejected: number },
): GapReasons {
  const { beforeListing = [], retention: lost = [] } = bounds ?? {};
  const all = coverageCandles(timeframe, unite(before, unite(beforeListing, lost)));
  const retention = coverageCandles(timeframe, lost);
  return { before_listing: Math.max(0, all - retention - rejected), retention, rejected };
}

/** Empty time right before a series' first candle, which must be requested once more. */
export interface UnconfirmedEdge {
  readonly series: Series;
  readonly window: Window;
  /** Since when the confirmation is pending. Milliseconds; undefined when the edge was found just now. */
  readonly sinceMs: number | undefined;
}

/**
 * Stores the wanted window of each series. From it and the first candle follows which time need not be requested, such
 * as the time before a listing.
 *
 * @returns the empty times that must be requested once more before they count as that.
 */
export async function explainBounds(archive: Archive): Promise<readonly UnconfirmedEdge[]> {
  const { config, database, clock } = archive;
  const checkpoints = await readCheckpoints(database);
  const wanted = wantedOf(
    desiresOf(checkpoints, {
      config,
      nowMs: clock.now(),
      newestCandlesMax,
      settling: await readSettling(database),
    }),
  );
  await noteWanted(database, wanted);
  const bounds = await readSeriesBounds(database, wanted);
  return checkpoints.flatMap(({ series, doubtedSinceMs }) => {
    const window = bounds.get(seriesName(series))?.unconfirmed;
    return window === undefined ? [] : [{ series, window, sinceMs: doubtedSinceMs }];
  });
}

function wantedOf(desires: ReadonlyMap<string, BoundedDesire>): readonly WantedSeries[] {
  return [...desires.values()].map(({ series, window, wantedSinceMs, keptSinceMs }) => ({
    series,
    wantedSinceMs,
    wantedUntilMs: window.untilMs,
    keptSinceMs,
  }));
}

/** The desired windows of the configured series, by series name. */
function desiresOf(
  checkpoints: readonly Checkpoint[],
  { config, nowMs, newestCandlesMax, settling }: AccountOptions & {
    readonly settling: ReadonlyMap<string, number>;
  },
): ReadonlyMap<string, BoundedDesire> {
  return new Map(
    checkpoints.filter((checkpoint) => isConfigured(checkpoint, config)).map(({ series }) => [
      seriesName(series),
      desireOf(series, config, {
        nowMs,
        newestCandlesMax: newestCandlesMax(series),
        settleMs: settling.get(series.exchange),
      }),
    ]),
  );
}

/** Where a series begins: at its first candle, or at the end of dropped older ones. A hole after that is a gap. */
function beginOf({ firstMs, expiredUntilMs }: Checkpoint): number | undefined {
  if (expiredUntilMs === undefined) return firstMs;
  return Math.min(firstMs ?? Infinity, expiredUntilMs);
}

/**
 * Coverage without the time that RETENTION has dropped. A repair may request the candle before a gap, which can lie in
 * that time; its answer proves nothing about the listing.
 */
function keptCoverage(checkpoint: Checkpoint): Coverage {
  const { covered, expiredUntilMs } = checkpoint;
  const sinceMs = beginOf(checkpoint) ?? -Infinity;
  return expiredUntilMs === undefined
    ? covered
    : intersect(covered, [{ sinceMs, untilMs: Infinity }]);
}

/** Whether the configuration asks for this series. A series that was chosen by volume stays configured. */
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

/** The sums of all accounts, for a log line. */
interface GapReport {
  readonly series: number;
  readonly owed: number;
  readonly missing: number;
  readonly explained: number;
}

/** Reads the accounts and sets the gauges. Sends no request to any exchange. */
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
    const leastMs = losses.reduce((least, ms) => Math.min(least, ms), Infinity);
    if (losses.length === 0) metrics.retentionLossSeconds.remove({ exchange });
    else metrics.retentionLossSeconds.set({ exchange }, leastMs / 1000);
  }
  return accounts;
}

/** The share of a series' candles inside coverage that are missing without a reason, 0 to 1. */
export function missingRatio(
  { candles, missing }: Pick<SeriesAccount, "candles" | "missing">,
): number {
  return missing === 0 ? 0 : missing / (candles + missing);
}

/** The sums of the accounts. */
export function reportGaps(accounts: readonly SeriesAccount[]): GapReport {
  const report = { series: accounts.length, owed: 0, missing: 0, explained: 0 };
  for (const { owed, missing, explained } of accounts) {
    report.owed += owed;
    report.missing += missing;
    report.explained += explained;
  }
  return report;
}
