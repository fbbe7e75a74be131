/** Compares the prices of every symbol that several exchanges have, newest first, in bounded pieces. @module */
import type { Clock } from "../clock.ts";
import { priceOf } from "../market/price.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles, floorTime, nominalMs, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "../store/connection/database.ts";
import {
  type ComparedCandles,
  type MarketTime,
  type Outlier,
  OUTLIER_RULE,
  readMarketTimes,
  readOutliers,
} from "../store/outliers.ts";

/** How the candles of one series compare with those of the other exchanges. */
interface ComparedSeries extends Omit<ComparedCandles, "exchange" | "worst"> {
  readonly series: Series;
}

interface SeriesOutlier extends Outlier {
  readonly series: Series;
}

/** What was compared of a timeframe. */
interface ComparedTimeframe {
  readonly timeframe: Timeframe;
  /** Symbols that enough exchanges have. */
  readonly symbols: number;
  /** Milliseconds; undefined when there was no time for any of it. */
  readonly window: Window | undefined;
  /** Whether that is all there is of it. */
  readonly isWhole: boolean;
}

interface Comparison {
  readonly timeframes: readonly ComparedTimeframe[];
  readonly series: readonly ComparedSeries[];
  /** The worst outliers, a few of each series. */
  readonly worst: readonly SeriesOutlier[];
}

interface ComparisonOptions {
  readonly clock: Clock;
  /** When to end. Milliseconds since the Unix epoch. */
  readonly deadlineMs: number;
  /** Whose outliers are told of. The others are compared with all the same. */
  readonly isChosen: (series: Series) => boolean;
  /** Which timeframes and times are compared. */
  readonly isWanted: (timeframe: Timeframe) => boolean;
  readonly window: Window;
  readonly listMax: number;
}

/**
 * Candles that one statement reads. The embedded server compares them in a third of a second, so that the daemon's writes
 * do not wait long; a compressed batch holds a thousand candles of one series.
 */
const PIECE_CANDLES = 40_000;

/** So that one series does not take all places. */
const WORST_OF_SERIES = 3;

/** A symbol that enough exchanges have to compare. */
interface Group {
  readonly symbol: string;
  readonly markets: readonly MarketTime[];
  /** The times at which enough of them may have candles. */
  readonly shared: Window;
}

/**
 * Compares the candles of all timeframes, coarse ones first, since they have few candles. Within a timeframe all symbols
 * advance together from the newest candles to the oldest, so where time runs out, the same range of all was compared.
 *
 * @yields what it does, after each statement.
 * @throws StoreError
 */
export async function* comparePrices(
  database: Database,
  options: ComparisonOptions,
): AsyncGenerator<string, Comparison> {
  const all = await readMarketTimes(database);
  const timeframes = [
    ...new Map(all.map(({ series: { timeframe } }) => [timeframe.text, timeframe]))
      .values(),
  ].filter(options.isWanted).sort((one, other) => nominalMs(other) - nominalMs(one));
  const tally = new OutlierTally(options);
  const compared: ComparedTimeframe[] = [];
  for (const timeframe of timeframes) {
    const groups = groupsOf(all, timeframe, options);
    if (groups.length === 0) continue;
    compared.push(yield* compareTimeframe(database, timeframe, { ...options, groups, tally }));
  }
  return { timeframes: compared, ...tally.result() };
}

function groupsOf(
  all: readonly MarketTime[],
  timeframe: Timeframe,
  { isChosen, window }: ComparisonOptions,
): readonly Group[] {
  // A premium is a difference near zero: there is no share of it by which two lie apart.
  const ofTimeframe = all.filter(({ series }) =>
    series.timeframe.text === timeframe.text && priceOf(series.symbol) !== "premium"
  );
  return [...Map.groupBy(ofTimeframe, ({ series }) => series.symbol)]
    .map(([symbol, markets]) => ({ symbol, markets, shared: sharedWindow(markets, window) }))
    .filter(({ markets, shared }) =>
      shared.sinceMs < shared.untilMs && markets.some(({ series }) => isChosen(series))
    );
}

async function* compareTimeframe(
  database: Database,
  timeframe: Timeframe,
  { groups, tally, clock, deadlineMs }: ComparisonOptions & {
    readonly groups: readonly Group[];
    readonly tally: OutlierTally;
  },
): AsyncGenerator<string, ComparedTimeframe> {
  const oldestMs = groups.reduce((least, { shared }) => Math.min(least, shared.sinceMs), Infinity);
  const newestMs = groups.reduce((most, { shared }) => Math.max(most, shared.untilMs), -Infinity);
  const most = groups.reduce((most, { markets }) => Math.max(most, markets.length), 0);
  const candles = Math.max(1, Math.floor(PIECE_CANDLES / most));
  const pieces = Math.ceil((newestMs - oldestMs) / (candles * nominalMs(timeframe))) *
    groups.length;
  let done = 0;
  let untilMs = newestMs;
  while (untilMs > oldestMs) {
    const lastMs = floorTime(timeframe, untilMs - 1);
    const sinceMs = Math.max(oldestMs, addCandles(timeframe, lastMs, 1 - candles));
    const found: [Group, readonly ComparedCandles[]][] = [];
    for (const group of groups) {
      if (clock.now() >= deadlineMs) break;
      const { symbol, markets, shared } = group;
      const piece = {
        sinceMs: Math.max(sinceMs, shared.sinceMs),
        untilMs: Math.min(untilMs, shared.untilMs),
      };
      found.push([
        group,
        piece.sinceMs >= piece.untilMs ? [] : await readOutliers(
          database,
          { symbol, timeframe, markets, window: piece },
          { worstMax: WORST_OF_SERIES },
        ),
      ]);
      yield `comparing ${timeframe.text}: ${Math.floor(100 * Math.min(1, ++done / pieces))} %`;
    }
    if (found.length < groups.length) break;
    for (const [{ symbol }, compared] of found) tally.add(symbol, timeframe, compared);
    untilMs = sinceMs;
  }
  return {
    timeframe,
    symbols: groups.length,
    window: untilMs < newestMs ? { sinceMs: untilMs, untilMs: newestMs } : undefined,
    isWhole: untilMs <= oldestMs,
  };
}

/** The times at which enough exchanges may have candles. Empty when they never do. */
function sharedWindow(markets: readonly MarketTime[], { sinceMs, untilMs }: Window): Window {
  const { exchangesMin } = OUTLIER_RULE;
  const begins = markets.map(({ candles, market }) => Math.max(candles.sinceMs, market.sinceMs))
    .sort((one, other) => one - other);
  const ends = markets.map(({ candles, market }) => Math.min(candles.untilMs, market.untilMs))
    .sort((one, other) => other - one);
  const since = Math.max(sinceMs, begins[exchangesMin - 1] ?? Infinity);
  const until = Math.min(untilMs, ends[exchangesMin - 1] ?? -Infinity);
  return { sinceMs: since, untilMs: Math.max(since, until) };
}

/** Adds up what the pieces tell of each series. */
class OutlierTally {
  readonly #options: ComparisonOptions;
  readonly #series = new Map<string, ComparedSeries>();
  readonly #worst = new Map<string, readonly SeriesOutlier[]>();

  constructor(options: ComparisonOptions) {
    this.#options = options;
  }

  add(symbol: string, timeframe: Timeframe, all: readonly ComparedCandles[]): void {
    for (const { exchange, worst, ...counts } of all) {
      const series = { exchange, symbol, timeframe };
      if (!this.#options.isChosen(series)) continue;
      const name = seriesName(series);
      const before = this.#series.get(name);
      this.#series.set(name, {
        series,
        compared: counts.compared + (before?.compared ?? 0),
        outliers: counts.outliers + (before?.outliers ?? 0),
        closes: counts.closes + (before?.closes ?? 0),
        highs: counts.highs + (before?.highs ?? 0),
        lows: counts.lows + (before?.lows ?? 0),
      });
      const known = this.#worst.get(name) ?? [];
      const found = worst.map((outlier) => ({ ...outlier, series }));
      this.#worst.set(name, furthest([...known, ...found], WORST_OF_SERIES));
    }
  }

  result(): Pick<Comparison, "series" | "worst"> {
    return {
      series: [...this.#series.values()],
      worst: furthest([...this.#worst.values()].flat(), this.#options.listMax),
    };
  }
}

function furthest(all: readonly SeriesOutlier[], most: number): readonly SeriesOutlier[] {
  return all.toSorted((one, other) =>
    Math.abs(other.percent) - Math.abs(one.percent) || one.timeMs - other.timeMs
  ).slice(0, most);
}
