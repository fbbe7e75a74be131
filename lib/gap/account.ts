/** Counts what is missing from the archive, per series: owed candles, and holes inside coverage. @module */
import type { Config } from "../config/config.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import { type Coverage, coverageCandles, intersect, subtract, unite } from "../market/coverage.ts";
import { atMost, type GapReasons, mergeReasons, sumReasons } from "../market/gap_reasons.ts";
import { lossMs } from "../market/loss.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "../store/connection/database.ts";
import { readSettling, type Settling } from "../store/capabilities.ts";
import { readExplained } from "../store/gap_counts.ts";
import { type Checkpoint, type EndedWhy, readCheckpoints, readOwed } from "../store/ledger.ts";
import {
  forgetWanted,
  noteWanted,
  readSeriesBounds,
  type SeriesBounds,
  type WantedSeries,
} from "../store/series_bounds.ts";
import type { Archive } from "../archive/archive.ts";
import {
  type BoundedDesire,
  desireOf,
  isConfigured,
  notedDesire,
  wantedOf,
  type WantedOptions,
} from "../archive/desire.ts";
import { spokenFor, unchanged } from "./spoken_for.ts";

/** The account of one series. Counts are candles. */
export interface SeriesAccount {
  readonly series: Series;
  readonly candles: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** Desired candles that the exchange has not answered for. */
  readonly owed: number;
  /** The times of the owed candles; empty for a series that nothing wants. */
  readonly owedTimes: Coverage;
  /**
   * The times for which its candles are there or missing inside: covered from where they begin, or stored and not final.
   */
  readonly heldTimes: Coverage;
  /** Where its candles begin; Infinity before there are any. Milliseconds. */
  readonly beginMs: number;
  /** Start of the oldest covered range. Milliseconds; undefined before the first answer. */
  readonly coveredSinceMs: number | undefined;
  /** Missing candles inside coverage that have no reason yet. */
  readonly missing: number;
  /** How many of them lie before the first candle, while older time is still owed. */
  readonly beforeFirst: number;
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
  /** Whether anything is wanted of it, by the configuration or by the last run. Else it owes nothing. */
  readonly isWanted: boolean;
}

interface AccountOptions {
  readonly config: Config;
  readonly nowMs: number;
  /** How many newest candles of a series the exchange keeps; undefined if there is no known limit. */
  readonly newestCandlesMax: (series: Series) => number | undefined;
}

/**
 * The account of every series in the ledger. What a series owes is counted by what the last run wanted of it, so that all
 * views count the same, whatever settings they are given. Only what no run has wanted yet is counted by these settings.
 */
export async function readAccounts(
  database: Database,
  options: AccountOptions,
): Promise<readonly SeriesAccount[]> {
  const checkpoints = await readCheckpoints(database);
  const settling = await readSettling(database, options.nowMs);
  const desires = notedDesires(checkpoints, { ...options, settling });
  const owed = new Map(
    (await readOwed(database, [...desires.values()])).map((entry) => [
      seriesName(entry.series),
      entry.owed,
    ]),
  );
  const explained = await readExplained(database);
  const bounds = await readSeriesBounds(database);
  return checkpoints.map((checkpoint) => {
    const { series, candles, firstMs, lastMs, lastError } = checkpoint;
    const covered = keptCoverage(checkpoint);
    const { timeframe } = series;
    const name = seriesName(series);
    // What is stored is asked for again before it is final, but nothing of it is missing.
    const owedTimes = subtract(owed.get(name) ?? [], checkpoint.unsettled);
    const holes = missingInside(checkpoint);
    const inside = atMost(holes, explained.get(name) ?? {});
    const outside = outsideOf(timeframe, bounds.get(name));
    const beforeFirst = coverageCandles(timeframe, bounds.get(name)?.unexplained ?? []);
    return {
      series,
      candles,
      firstMs,
      lastMs,
      owed: coverageCandles(timeframe, owedTimes),
      owedTimes,
      heldTimes: unite(covered, checkpoint.unsettled),
      beginMs: beginOf(checkpoint) ?? Infinity,
      coveredSinceMs: (checkpoint.expiredUntilMs === undefined ? checkpoint.covered : covered)[0]
        ?.sinceMs,
      missing: holes - sumReasons(inside) + beforeFirst,
      beforeFirst,
      explained: sumReasons(outside) + sumReasons(inside),
      reasons: mergeReasons(inside, outside),
      lastError,
      endedMs: checkpoint.endedMs,
      endedWhy: checkpoint.endedWhy,
      isConfigured: isConfigured(checkpoint, options.config),
      isWanted: desires.has(name),
    };
  });
}

/** Counts the candles whose reason follows from the bounds of their series. */
function outsideOf(timeframe: Timeframe, bounds: SeriesBounds | undefined): GapReasons {
  return {
    before_listing: coverageCandles(timeframe, bounds?.beforeListing ?? []),
    retention: coverageCandles(timeframe, bounds?.retention ?? []),
  };
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
export async function explainBounds(
  { config, database, clock, leases }: Pick<Archive, "config" | "database" | "clock" | "leases">,
): Promise<readonly UnconfirmedEdge[]> {
  const checkpoints = await readCheckpoints(database);
  const speaksFor = await spokenFor({ database, leases });
  const settling = await readSettling(database, clock.now());
  const own = checkpoints.filter(({ series }) => speaksFor(series));
  await noteWanted(database, wantedBy(config, own, { nowMs: clock.now(), settling }));
  const bounds = await readSeriesBounds(database);
  return checkpoints.flatMap(({ series, doubtedSinceMs }) => {
    const window = bounds.get(seriesName(series))?.unconfirmed;
    return window === undefined ? [] : [{ series, window, sinceMs: doubtedSinceMs }];
  });
}

/** Records that nothing is wanted any more of the series that are not configured. */
export async function forgetUnconfigured(
  { config, database, clock, leases }: Archive,
): Promise<void> {
  const checkpoints = await readCheckpoints(database);
  const speaksFor = await spokenFor({ database, leases });
  const settling = await readSettling(database, clock.now());
  const options = { nowMs: clock.now(), settling };
  const own = wantedBy(config, checkpoints.filter(({ series }) => speaksFor(series)), options);
  // What another node speaks for is left as it is.
  const others = checkpoints.map(({ series }) => series).filter((series) => !speaksFor(series));
  await forgetWanted(database, [...own, ...others.map(unchanged)]);
}

function wantedBy(
  config: Config,
  checkpoints: readonly Checkpoint[],
  options: WantedOptions,
): readonly WantedSeries[] {
  const configured = checkpoints.filter((one) => isConfigured(one, config));
  return wantedOf(configured.map(({ series }) => series), config, options);
}

/** What was last wanted of the series, by name; of a series that no run has wanted yet, what the settings want. */
function notedDesires(
  checkpoints: readonly Checkpoint[],
  { config, nowMs, newestCandlesMax, settling }: AccountOptions & {
    readonly settling: Settling;
  },
): ReadonlyMap<string, BoundedDesire> {
  return new Map(checkpoints.flatMap((checkpoint) => {
    const { series } = checkpoint;
    const settleMs = settling(series.exchange);
    const named = isConfigured(checkpoint, config)
      ? desireOf(series, config, { nowMs, newestCandlesMax: newestCandlesMax(series), settleMs })
      : undefined;
    const noted = notedDesire(checkpoint, { nowMs, settleMs });
    const desire = noted && { ...noted, retainedSinceMs: named?.retainedSinceMs };
    return desire === undefined && named === undefined
      ? []
      : [[seriesName(series), (desire ?? named)!] as const];
  }));
}

/** Where a series begins: at its first candle, or at the end of dropped older ones. A hole after that is a gap. */
function beginOf({ firstMs, rowsFromMs, expiredUntilMs }: Checkpoint): number | undefined {
  const [first, rowsFrom] = [firstMs ?? Infinity, rowsFromMs ?? Infinity];
  const beginMs = Math.min(first, rowsFrom, expiredUntilMs ?? Infinity);
  return beginMs === Infinity ? undefined : beginMs;
}

/**
 * Coverage from where the candles of a series begin: what is missing there is missing inside. Not the time that RETENTION
 * has dropped: a repair may request the candle before a gap, which can lie in that time; its answer proves nothing about
 * the listing.
 */
function keptCoverage(checkpoint: Checkpoint): Coverage {
  return intersect(checkpoint.covered, [{
    sinceMs: beginOf(checkpoint) ?? Infinity,
    untilMs: Infinity,
  }]);
}

/** Candles that are missing where a series is covered. Those that are stored and not final yet are not covered. */
function missingInside(checkpoint: Checkpoint): number {
  const { series: { timeframe }, candles, unsettled } = checkpoint;
  const settled = candles - coverageCandles(timeframe, unsettled);
  return Math.max(0, coverageCandles(timeframe, keptCoverage(checkpoint)) - settled);
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
  for (const account of accounts) {
    const { series, lastMs, owed, missing } = account;
    const labels = {
      exchange: series.exchange,
      symbol: series.symbol,
      timeframe: series.timeframe.text,
    };
    // What the settings do not name any more is no concern of the alerts that read these.
    if (!account.isConfigured) {
      metrics.forgetSeries(labels);
      continue;
    }
    metrics.candlesOwed.set(labels, owed);
    metrics.candlesMissing.set(labels, missing);
    metrics.candlesMissingRatio.set(labels, missingRatio(account));
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

/**
 * The share of a series' candles inside coverage that are missing without a reason, 0 to 1. Time before the first candle
 * does not count: nearly always it lies before the listing.
 */
export function missingRatio(
  { candles, missing, beforeFirst }: Pick<SeriesAccount, "candles" | "missing" | "beforeFirst">,
): number {
  const holes = missing - beforeFirst;
  return holes === 0 ? 0 : holes / (candles + holes);
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
