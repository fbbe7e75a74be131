/** Pages of a file in the form in which they are sent. @module */
import type { Candle, RejectedCandle } from "../market/candle.ts";
import type { CandleRun } from "../market/candle_run.ts";
import type { Coverage } from "../market/coverage.ts";
import type { Series } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { CANDLES, REJECTED, storableRows } from "./candle_columns.ts";
import { arrayLiteral, columns, joinArrays } from "./parameters.ts";

/** Checked rows of a file. */
interface ImportPage {
  /** Ascending, one per time. */
  readonly candles: readonly Candle[];
  readonly rejected: readonly RejectedCandle[];
  /**
   * True: stored candles that differ are replaced. False: they are kept, and the file's candles go to
   * `import_conflicts`.
   */
  readonly replaces: boolean;
}

/**
 * A page in the form in which it is sent. The garbage collector can free its candles before the database has answered.
 */
export interface PreparedImportPage {
  readonly series: Series;
  readonly replaces: boolean;
  /** How many there are. */
  readonly candles: number;
  readonly rejected: number;
  /** Open times of the first and the last candle, in milliseconds; Infinity and -Infinity without candles. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly names: readonly string[];
  readonly values: readonly string[];
  readonly claimed: readonly string[];
  readonly refused: readonly string[];
}

export const CLAIMED = columns<Window>({
  since_ms: ["float8", ({ sinceMs }) => sinceMs],
  until_ms: ["float8", ({ untilMs }) => untilMs],
});

/** Prepares a page to be stored. It covers the time of its candles. */
export function prepareImportPage(series: Series, page: ImportPage): PreparedImportPage {
  const { candles, rejected, replaces } = page;
  return {
    series,
    replaces,
    candles: candles.length,
    rejected: rejected.length,
    firstMs: candles[0]?.openTimeMs ?? Infinity,
    lastMs: candles.at(-1)?.openTimeMs ?? -Infinity,
    names: [series.exchange, series.symbol, series.timeframe.text],
    values: CANDLES.arrays(candles),
    claimed: CLAIMED.arrays(coveredBy(series, candles.map(({ openTimeMs }) => openTimeMs))),
    refused: REJECTED.arrays(storableRows(rejected)),
  };
}

/** The same for candles that passed all checks. */
export function prepareImportRun(
  series: Series,
  run: CandleRun,
  { replaces, from = 0, to = run.length }: {
    readonly replaces: boolean;
    /** Which of them: those before `to`. @default all */
    readonly from?: number;
    readonly to?: number;
  },
): PreparedImportPage {
  const times = run.times.subarray(from, to);
  return {
    series,
    replaces,
    candles: times.length,
    rejected: 0,
    firstMs: times[0] ?? Infinity,
    lastMs: times.at(-1) ?? -Infinity,
    names: [series.exchange, series.symbol, series.timeframe.text],
    values: [run.timesText(from, to), ...run.texts(from, to)].map(arrayLiteral),
    claimed: CLAIMED.arrays(coveredBy(series, times)),
    refused: REJECTED.arrays([]),
  };
}

/** One page of several of a series, each of which begins after the one before has ended. */
export function joinImportPages(
  [first, ...others]: readonly [PreparedImportPage, ...PreparedImportPage[]],
): PreparedImportPage {
  if (others.length === 0) return first;
  const all = [first, ...others];
  const joined = (read: (page: PreparedImportPage) => readonly string[]): readonly string[] =>
    read(first).map((_, at) => joinArrays(all.map((page) => read(page)[at]!)));
  return {
    ...first,
    candles: all.reduce((sum, { candles }) => sum + candles, 0),
    rejected: all.reduce((sum, { rejected }) => sum + rejected, 0),
    firstMs: all.reduce((least, { firstMs }) => Math.min(least, firstMs), Infinity),
    lastMs: all.reduce((most, { lastMs }) => Math.max(most, lastMs), -Infinity),
    values: joined(({ values }) => values),
    claimed: joined(({ claimed }) => claimed),
    refused: joined(({ refused }) => refused),
  };
}

/** The time of candles that open at these times, which are ascending. */
export function coveredBy({ timeframe }: Series, times: Iterable<number>): Coverage {
  const covered: { readonly sinceMs: number; untilMs: number }[] = [];
  let last = covered[0];
  for (const openTimeMs of times) {
    const untilMs = addCandles(timeframe, openTimeMs, 1);
    if (last?.untilMs === openTimeMs) last.untilMs = untilMs;
    else covered.push(last = { sinceMs: openTimeMs, untilMs });
  }
  return covered;
}
