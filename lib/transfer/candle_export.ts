/** Reads stored candles page by page, for `titan10 export`. @module */
import { addCandles, ceilTime, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import {
  type BaseRow,
  type MergedRow,
  type MergeMethod,
  PAGE_ROWS_MAX,
  readBasePage,
  readExchangesByVolume,
  readMergedPage,
  readStoredSeries,
  type StoredSeries,
} from "../store/candle_pages.ts";
import type { Database } from "../store/connection/database.ts";
import { readRolledUpSeries, readRollupPage } from "../store/rollup_pages.ts";
import { unknownNames } from "../text/unknown_names.ts";

/** Which candles to export. An empty list means all. Times are milliseconds, half-open. */
export interface ExportRequest {
  readonly exchanges: readonly string[];
  readonly symbols: readonly string[];
  readonly timeframes: readonly string[];
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** How to merge the candles of several exchanges; null to export each exchange separately. */
  readonly merge: MergeMethod | null;
  /**
   * Whether to export only what rollups have calculated. Else they stand in for timeframes that are named and not archived
   * themselves. @default false
   */
  readonly isRollup?: boolean;
  /** Whether to leave out candles that may still change, before they are merged. */
  readonly isFinalOnly: boolean;
  /** Whether to export provisional candles, too, and to say which these are. */
  readonly isMarked: boolean;
}

/** A chosen series, with what it is calculated from if it is not archived itself. */
interface ChosenSeries extends Omit<StoredSeries, "candles"> {
  readonly base?: Timeframe;
}

/** Nothing of what was asked for is in the archive. */
export class NothingToExportError extends Error {
  override readonly name = "NothingToExportError";
}

/** Consecutive candles of one series, at most {@linkcode PAGE_ROWS_MAX}. */
export interface ExportPage {
  /** Null for merged candles; their rows name the sources. */
  readonly exchange: string | null;
  readonly symbol: string;
  readonly timeframe: string;
  readonly rows: readonly (BaseRow | MergedRow)[];
}

/**
 * Reads the requested candles, series by series, oldest first. Each page is one short statement, run when the page is
 * needed, so that other statements can run in between.
 *
 * @throws NothingToExportError when the archive has no such series.
 * @throws StoreError
 */
export async function* exportPages(
  database: Database,
  request: ExportRequest,
): AsyncGenerator<ExportPage, void> {
  const chosen = await choose(database, request);
  if (request.merge !== null) {
    yield* mergedPages(database, chosen, request.merge, request);
    return;
  }
  for (const one of chosen) {
    const { series, base } = one;
    const { exchange, symbol, timeframe } = series;
    for (const window of pagesOf(timeframe, request, [one])) {
      const asked = { ...window, ...markingOf(request) };
      const rows = base === undefined
        ? await readBasePage(database, series, asked)
        : await readRollupPage(database, { series, base }, asked);
      if (rows.length > 0) yield { exchange, symbol, timeframe: timeframe.text, rows };
    }
  }
}

async function* mergedPages(
  database: Database,
  chosen: readonly ChosenSeries[],
  method: MergeMethod,
  request: ExportRequest,
): AsyncGenerator<ExportPage, void> {
  const groups = Map.groupBy(chosen, ({ series }) => `${series.symbol} ${series.timeframe.text}`);
  for (const group of groups.values()) {
    const { symbol, timeframe } = group[0]!.series;
    const windows = [...pagesOf(timeframe, request, group)];
    const [first, last] = [windows[0], windows.at(-1)];
    if (first === undefined || last === undefined) continue;
    const exchanges = request.exchanges.length > 0
      ? request.exchanges
      : await readExchangesByVolume(database, { symbol, timeframe }, {
        sinceMs: first.sinceMs,
        untilMs: last.untilMs,
      });
    for (const window of windows) {
      const merging = { symbol, timeframe, exchanges, method };
      const rows = await readMergedPage(database, merging, { ...window, ...markingOf(request) });
      if (rows.length > 0) yield { exchange: null, symbol, timeframe: timeframe.text, rows };
    }
  }
}

function markingOf(
  { isFinalOnly, isMarked }: ExportRequest,
): Pick<ExportRequest, "isFinalOnly" | "isMarked"> {
  return { isFinalOnly, isMarked };
}

async function choose(
  database: Database,
  request: ExportRequest,
): Promise<readonly ChosenSeries[]> {
  const { exchanges, symbols, timeframes, merge, isRollup = false } = request;
  const stored = await readStoredSeries(database);
  const rolledUp = await readRolledUpSeries(database);
  const own: readonly ChosenSeries[] = isRollup ? [] : stored;
  const all = [...own, ...rolledUp.filter(({ isArchived }) => isRollup || !isArchived)];
  const problem = stored.length === 0
    ? "The archive has no candles yet"
    : isRollup && rolledUp.length === 0
    ? "The archive has no rollups: name their timeframes in ROLLUPS"
    : unknownNames(all.map(({ series }) => ({ ...series, timeframe: series.timeframe.text })), {
      exchange: exchanges,
      symbol: symbols,
      timeframe: timeframes,
    });
  if (problem !== undefined) throw new NothingToExportError(`Cannot export. ${problem}`);
  const chosen = all.filter(({ series, base }) =>
    isWanted(exchanges, series.exchange) && isWanted(symbols, series.symbol) &&
    isWanted(timeframes, series.timeframe.text) &&
    // What is calculated is only written where it is asked for: it says nothing that the others do not say.
    (base === undefined || isRollup || timeframes.length > 0)
  );
  const calculated = chosen.find(({ base }) => base !== undefined);
  if (merge !== null && calculated !== undefined) {
    const { timeframe } = calculated.series;
    throw new Error(
      `Cannot export. Candles of ${timeframe.text} cannot be merged: they are calculated from ${
        calculated.base!.text
      }, which can be`,
    );
  }
  return calculated === undefined ? chosen : chosen.toSorted(byMarket);
}

/** All timeframes of a market come one after the other. */
function byMarket({ series: one }: ChosenSeries, { series: other }: ChosenSeries): number {
  const [before, after] = [one, other].map(({ exchange, symbol }) => `${exchange} ${symbol}`);
  return before! < after! ? -1 : before === after ? 0 : 1;
}

/** Whether a request's list of names has a name. An empty list means all. */
export function isWanted(wanted: readonly string[], name: string): boolean {
  return wanted.length === 0 || wanted.includes(name);
}

/** Splits the requested part of the stored time range into windows of {@linkcode PAGE_ROWS_MAX} candles. */
export function* pagesOf(
  timeframe: Timeframe,
  request: Pick<ExportRequest, "sinceMs" | "untilMs">,
  stored: readonly Pick<StoredSeries, "firstMs" | "lastMs">[],
): Generator<Window, void> {
  const firstMs = stored.reduce((least, { firstMs }) => Math.min(least, firstMs), Infinity);
  const lastMs = stored.reduce((most, { lastMs }) => Math.max(most, lastMs), -Infinity);
  const untilMs = ceilTime(timeframe, Math.min(request.untilMs ?? Infinity, lastMs + 1));
  let sinceMs = ceilTime(timeframe, Math.max(request.sinceMs ?? -Infinity, firstMs));
  while (sinceMs < untilMs) {
    const nextMs = Math.min(untilMs, addCandles(timeframe, sinceMs, PAGE_ROWS_MAX));
    yield { sinceMs, untilMs: nextMs };
    sinceMs = nextMs;
  }
}
