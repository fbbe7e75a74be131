/** The report of an archive's quality, as a document. Made in many short statements, and only from what is stored. @module */
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { readAccounts, type SeriesAccount } from "../gap/account.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "../store/connection/database.ts";
import { OUTLIER_RULE } from "../store/outliers.ts";
import { type ArchiveFacts, readArchiveFacts } from "../store/report.ts";
import { unknownNames } from "../text/unknown_names.ts";
import { VERSION } from "../version.ts";
import { comparePrices } from "./comparison.ts";
import { type Completeness, readCompleteness, sumOf } from "./completeness.ts";
import {
  type Compared,
  iso,
  isoOrNull,
  named,
  type Report,
  type ReportRequest,
  type ReportStep,
} from "./document.ts";
import { readEvidence } from "./evidence.ts";

interface ReportOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly newestCandlesMax: (series: Series) => number | undefined;
  readonly request: ReportRequest;
}

/** Lists of single things have at most this many. */
const LIST_MAX = 10;

/**
 * Makes the report. Each step is a short statement, so that other work goes on in between.
 *
 * @throws Error when the archive has none of the series.
 * @throws StoreError
 */
export async function* makeReport(
  database: Database,
  options: ReportOptions,
): AsyncGenerator<ReportStep, void> {
  const { clock, request } = options;
  const nowMs = clock.now();
  yield { doing: "reading the ledger" };
  const facts = await readArchiveFacts(database);
  const accounts = await readAccounts(database, { ...options, nowMs });
  const chosen = choose(accounts, request);
  const names = new Set(chosen.map(({ series }) => seriesName(series)));
  const window: Window = {
    sinceMs: request.sinceMs ?? -Infinity,
    untilMs: request.untilMs ?? Infinity,
  };
  const listMax = LIST_MAX;
  const complete = yield* told(readCompleteness(database, { accounts: chosen, window, listMax }));
  const evidence = yield* told(readEvidence(database, chosen, { window, listMax }));
  const compared = yield* told(comparePrices(database, {
    clock,
    deadlineMs: clock.now() + request.timeoutMs,
    isChosen: (series) => names.has(seriesName(series)),
    isWanted: ({ text }) => isAsked(request.timeframes, text),
    window,
    listMax,
  }));
  yield {
    report: {
      version: VERSION,
      at: iso(nowMs),
      archive: archiveOf(database, facts, accounts),
      asked: {
        exchanges: request.exchanges,
        symbols: request.symbols,
        timeframes: request.timeframes,
        since: isoOrNull(request.sinceMs),
        until: isoOrNull(request.untilMs),
      },
      ...completenessOf(complete, chosen),
      ...evidence,
      comparison: comparisonOf(compared),
    },
  };
}

/** The steps of a part of the report, and its result. */
async function* told<Result>(
  part: AsyncGenerator<string, Result>,
): AsyncGenerator<ReportStep, Result> {
  for (;;) {
    const { value, done } = await part.next();
    if (done === true) return value;
    yield { doing: value };
  }
}

function choose(
  accounts: readonly SeriesAccount[],
  { exchanges, symbols, timeframes }: ReportRequest,
): readonly SeriesAccount[] {
  const names = accounts.map(({ series }) => named(series));
  const asked = { exchange: exchanges, symbol: symbols, timeframe: timeframes };
  const problem = unknownNames(names, asked);
  if (problem !== undefined) throw new Error(`Cannot report. ${problem}`);
  return accounts.filter(({ series }) =>
    isAsked(exchanges, series.exchange) && isAsked(symbols, series.symbol) &&
    isAsked(timeframes, series.timeframe.text)
  );
}

function isAsked(asked: readonly string[], name: string): boolean {
  return asked.length === 0 || asked.includes(name);
}

function archiveOf(
  database: Database,
  { postgresql, timescaledb, bytes, madeMs }: ArchiveFacts,
  accounts: readonly SeriesAccount[],
): Report["archive"] {
  return {
    database: database.kind,
    postgresql,
    timescaledb,
    bytes,
    made: isoOrNull(madeMs),
    ...timesOf(accounts),
    series: accounts.length,
    candles: accounts.reduce((sum, { candles }) => sum + candles, 0),
  };
}

/** The first and the newest candle of several series. */
function timesOf(
  accounts: readonly SeriesAccount[],
): { readonly first: string | null; readonly last: string | null } {
  const firstMs = accounts.reduce((ms, { firstMs = Infinity }) => Math.min(ms, firstMs), Infinity);
  const lastMs = accounts.reduce((ms, { lastMs = -Infinity }) => Math.max(ms, lastMs), -Infinity);
  return { first: isoOrNull(firstMs), last: isoOrNull(lastMs) };
}

type Complete = ReturnType<typeof readCompleteness> extends AsyncGenerator<string, infer Result>
  ? Result
  : never;

function completenessOf(
  { series: counted, gaps, longest, days }: Complete,
  accounts: readonly SeriesAccount[],
): Pick<Report, "total" | "exchanges" | "series" | "gaps" | "days"> {
  const series = counted.map(({ series, ...counts }, at) => ({
    ...named(series),
    ...counts,
    ...timesOf([accounts[at]!]),
  })).sort(worstFirst);
  const ofExchange = Map.groupBy(accounts, ({ series }) => series.exchange);
  const exchanges = [...Map.groupBy(series, ({ exchange }) => exchange)].map(([exchange, own]) => ({
    exchange,
    series: own.length,
    ...sumOf(own),
    ...timesOf(ofExchange.get(exchange) ?? []),
  })).sort(worstFirst);
  return {
    total: sumOf(series),
    exchanges,
    series,
    gaps: {
      states: gaps.map(({ state, gaps, candles, spanMs }) => ({
        state,
        gaps,
        candles,
        seconds: spanMs / 1000,
      })),
      longest: longest.map(({ series, window, state, missing }) => ({
        ...named(series),
        since: iso(window.sinceMs),
        until: iso(window.untilMs),
        state,
        missing,
      })),
    },
    days: days.map(({ dayMs, ...counts }) => ({ day: iso(dayMs).slice(0, 10), ...counts })),
  };
}

/** By the share that is open, then by the share that is missing. */
function worstFirst(one: Completeness, other: Completeness): number {
  const open = ({ owed, missing, wanted }: Completeness): number =>
    (owed + missing) / (wanted || 1);
  const absent = ({ there, wanted }: Completeness): number => 1 - there / (wanted || 1);
  return open(other) - open(one) || absent(other) - absent(one);
}

type Prices = ReturnType<typeof comparePrices> extends AsyncGenerator<string, infer Result> ? Result
  : never;

function comparisonOf({ timeframes, series, worst }: Prices): Report["comparison"] {
  const rows = series.map(({ series, ...counts }) => ({ ...named(series), ...counts }));
  return {
    rule: OUTLIER_RULE,
    timeframes: timeframes.map(({ timeframe, symbols, window, isWhole }) => ({
      timeframe: timeframe.text,
      symbols,
      since: isoOrNull(window?.sinceMs),
      until: isoOrNull(window?.untilMs),
      isWhole,
    })),
    exchanges: [...Map.groupBy(rows, ({ exchange }) => exchange)].map(([exchange, own]) => ({
      exchange,
      compared: own.reduce((sum, { compared }) => sum + compared, 0),
      outliers: own.reduce((sum, { outliers }) => sum + outliers, 0),
      closes: own.reduce((sum, { closes }) => sum + closes, 0),
      highs: own.reduce((sum, { highs }) => sum + highs, 0),
      lows: own.reduce((sum, { lows }) => sum + lows, 0),
    })).sort(mostOutliers),
    series: rows.filter(({ outliers }) => outliers > 0).sort(mostOutliers),
    worst: worst.map(({ series, timeMs, ...outlier }) => ({
      ...named(series),
      time: iso(timeMs),
      ...outlier,
    })),
  };
}

function mostOutliers(one: Compared, other: Compared): number {
  return other.outliers / other.compared - one.outliers / one.compared;
}
