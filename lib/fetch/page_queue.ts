/**
 * The order of a backfill: newest first, in windows that stay inside chunks, all series together. If an exchange keeps
 * only its newest candles, the candles that it drops first come first.
 * @module
 */
import type { Coverage } from "../market/coverage.ts";
import { marketClassOf } from "../market/market_class.ts";
import type { Series } from "../market/series.ts";
import {
  addCandles,
  ceilTime,
  closedUntil,
  countCandles,
  type Timeframe,
} from "../market/timeframe.ts";
import { type Window, windowCandles } from "../market/window.ts";
import { chunkMs } from "../store/candle_table.ts";
import type { Owed } from "../store/ledger.ts";

/** One page to request. */
export interface QueuedPage {
  readonly series: Series;
  /** The requested window: from the first to the last owed candle, or one candle longer. */
  readonly window: Window;
  /**
   * The owed parts of the window, ascending. The time between them is covered already. It is requested again, because
   * one request for all parts costs less than one request for each.
   */
  readonly owed: Coverage;
}

/** Most rows per page of a series. Called for every window, because a smaller limit may have been learned. */
export type RowsMax = (series: Series) => number;

/**
 * Yields the pages of everything owed. The windows begin and end at the same times for all series, and a window is
 * finished for all of them before the next older one begins. No page crosses the boundary of a chunk, so each chunk is
 * written without interruption and compressed once. Everything a series owes in a window is one page, however many
 * parts it has. Among several timeframes and classes of markets, the one whose next window is newest goes first.
 *
 * Keeps one position per series in memory, not all pages: five years of `1m` for twenty series are 52,000 pages.
 */
export function* queuePages(owed: readonly Owed[], rowsMax: RowsMax): Generator<QueuedPage> {
  const lanes = [...groupAlike(owed).values()].map((group) => new Lane(group, rowsMax));
  for (;;) {
    let newest: Lane | undefined;
    for (const lane of lanes) {
      if (lane.untilMs > (newest?.untilMs ?? -Infinity)) newest = lane;
    }
    if (newest === undefined) return;
    yield* newest.takeWindow();
  }
}

/**
 * Yields the pages of everything owed. First come the series of which the exchange keeps only the newest candles, in
 * the order in which it drops them; then all others. The pages of the first kind are held in memory: there are few.
 */
export function* queueByLoss(
  owed: readonly Owed[],
  { rowsMax, newestCandlesMax, nowMs }: {
    readonly rowsMax: RowsMax;
    /** How many newest candles of a series the exchange keeps; undefined if there is no limit. */
    readonly newestCandlesMax: (series: Series) => number | undefined;
    readonly nowMs: number;
  },
): Generator<QueuedPage> {
  const lossMs = ({ series, window }: QueuedPage): number =>
    addCandles(series.timeframe, window.sinceMs, newestCandlesMax(series) ?? 0) -
    closedUntil(series.timeframe, nowMs);
  const isBounded = ({ series }: Owed): boolean => newestCandlesMax(series) !== undefined;
  yield* [...queuePages(owed.filter(isBounded), rowsMax)].sort((a, b) => lossMs(a) - lossMs(b));
  yield* queuePages(owed.filter((entry) => !isBounded(entry)), rowsMax);
}

/** The series of one timeframe and class of markets, which have one page limit. Yields their pages from newest to oldest. */
class Lane {
  readonly #first: Series;
  readonly #timeframe: Timeframe;
  readonly #rowsMax: RowsMax;
  /** What is still owed of each series, ascending; each window removes its newest part. */
  readonly #left: { readonly series: Series; readonly owed: Window[] }[];

  constructor(owed: readonly Owed[], rowsMax: RowsMax) {
    const [first] = owed;
    if (first === undefined) throw new RangeError("Cannot queue the pages of no series");
    this.#first = first.series;
    this.#timeframe = first.series.timeframe;
    this.#rowsMax = rowsMax;
    this.#left = owed.map((entry) => ({ series: entry.series, owed: [...entry.owed] }));
  }

  /** The end of the newest time owed by any of the series; −Infinity when nothing is left. */
  get untilMs(): number {
    return this.#left.reduce(
      (newest, { owed }) => Math.max(newest, owed.at(-1)?.untilMs ?? -Infinity),
      -Infinity,
    );
  }

  /** Yields the pages of the newest window in which any series owes candles. */
  *takeWindow(): Generator<QueuedPage> {
    const rowsMax = this.#rowsMax(this.#first);
    const window = gridWindow(this.#timeframe, this.untilMs, rowsMax);
    for (const { series, owed } of this.#left) {
      const taken = takeSince(owed, window.sinceMs);
      const [first, last] = [taken[0], taken.at(-1)];
      if (first === undefined || last === undefined) continue;
      const page: Window = { sinceMs: first.sinceMs, untilMs: last.untilMs };
      const isBehindCovered = (owed.at(-1)?.untilMs ?? Infinity) < page.sinceMs;
      const isLonger = taken.length > 1 && isBehindCovered &&
        windowCandles(this.#timeframe, page) < rowsMax;
      yield { series, window: isLonger ? this.#withCandleBefore(page) : page, owed: taken };
    }
  }

  /**
   * The owed time after a covered range often has no trades. An answer without candles at its start looks like a page
   * that the exchange cut there. The window begins with a covered candle, which the exchange has: if that candle comes,
   * the page was not cut.
   */
  #withCandleBefore({ sinceMs, untilMs }: Window): Window {
    return { sinceMs: addCandles(this.#timeframe, sinceMs, -1), untilMs };
  }
}

/** Removes the owed time at or after `cutMs`, and returns it. */
function takeSince(owed: Window[], cutMs: number): Coverage {
  const taken: Window[] = [];
  for (let last = owed.pop(); last !== undefined; last = owed.pop()) {
    if (last.untilMs <= cutMs) {
      owed.push(last);
      break;
    }
    taken.push({ sinceMs: Math.max(last.sinceMs, cutMs), untilMs: last.untilMs });
    if (last.sinceMs < cutMs) owed.push({ sinceMs: last.sinceMs, untilMs: cutMs });
  }
  return taken.reverse();
}

/**
 * The window that begins before `untilMs` and ends at or after it, of a grid that starts at the beginning of every
 * chunk and has steps of `rowsMax` candles.
 */
export function gridWindow(timeframe: Timeframe, untilMs: number, rowsMax: number): Window {
  const chunk = chunkMs(timeframe);
  const chunkStartMs = Math.floor((untilMs - 1) / chunk) * chunk;
  const firstMs = ceilTime(timeframe, chunkStartMs);
  // A calendar candle may open before the chunk in which it ends.
  if (firstMs >= untilMs) return { sinceMs: addCandles(timeframe, untilMs, -1), untilMs };
  const pages = Math.floor((countCandles(timeframe, firstMs, untilMs) - 1) / rowsMax);
  const sinceMs = addCandles(timeframe, firstMs, pages * rowsMax);
  const endMs = Math.min(
    addCandles(timeframe, sinceMs, rowsMax),
    ceilTime(timeframe, chunkStartMs + chunk),
  );
  return { sinceMs, untilMs: Math.max(endMs, untilMs) };
}

function groupAlike(owed: readonly Owed[]): ReadonlyMap<string, readonly Owed[]> {
  return Map.groupBy(
    owed,
    ({ series: { symbol, timeframe } }) => `${marketClassOf(symbol)} ${timeframe.text}`,
  );
}
