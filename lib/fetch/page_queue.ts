/**
 * The order of a backfill: newest first, in windows that follow chunks, all series advancing together; or what is
 * lost first, where an exchange drops its older candles.
 * @module
 */
import type { Coverage } from "../market/coverage.ts";
import { type Series } from "../market/series.ts";
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

/** One page to ask for. */
export interface QueuedPage {
  readonly series: Series;
  /** What is asked for: as long as what is owed of it, or a candle longer. */
  readonly window: Window;
  /**
   * The parts of it that are owed, ascending. What lies between is covered already: asking for that as well costs
   * nothing, a request for each part does.
   */
  readonly owed: Coverage;
}

/** Rows a page of a timeframe asks for at most. Asked anew for every window: an answer may have taught a smaller one. */
export type RowsMax = (timeframe: Timeframe) => number;

/**
 * Yields the pages of everything owed. All series cut time at the same places, so a window is finished for all
 * of them before the next older one begins, and no page reaches over a chunk's boundary: each chunk is written
 * in one go and can be compressed once. What a series owes of a window is one page, however many parts it has. Of several timeframes the one whose next window is newest goes first.
 *
 * It holds one position a series, not one page a page: five years of `1m` for twenty series are 52,000 pages.
 */
export function* queuePages(owed: readonly Owed[], rowsMax: RowsMax): Generator<QueuedPage> {
  const lanes = [...groupByTimeframe(owed).values()].map((group) => new Lane(group, rowsMax));
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
 * Yields the pages of everything owed, those first that the exchange will drop first, where it keeps only the newest
 * candles of a series; then the others. It holds the pages of the former, of which there are few.
 */
export function* queueByLoss(
  owed: readonly Owed[],
  { rowsMax, newestCandlesMax, nowMs }: {
    readonly rowsMax: RowsMax;
    /** How many of its newest candles the exchange has of a series; undefined where there is no bound. */
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

/** The series of one timeframe, working their way back. */
class Lane {
  readonly #timeframe: Timeframe;
  readonly #rowsMax: RowsMax;
  /** What is left of each series, ascending; the newest end is cut off window by window. */
  readonly #left: { readonly series: Series; readonly owed: Window[] }[];

  constructor(owed: readonly Owed[], rowsMax: RowsMax) {
    const [first] = owed;
    if (first === undefined) throw new RangeError("Cannot queue the pages of no series");
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

  /** The pages of the newest window that is owed by anybody. */
  *takeWindow(): Generator<QueuedPage> {
    const rowsMax = this.#rowsMax(this.#timeframe);
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
   * What is owed in a market that others have covered is often silent. An answer that begins with silence looks like
   * one that was cut there; the covered candle before it, which the exchange has, proves that it was not.
   */
  #withCandleBefore({ sinceMs, untilMs }: Window): Window {
    return { sinceMs: addCandles(this.#timeframe, sinceMs, -1), untilMs };
  }
}

/** Cuts off what is owed at or after a moment, and returns it. */
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
 * The window that ends at or after `untilMs` and begins before it, of a grid that starts anew at every chunk
 * and steps by `rowsMax` candles.
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

function groupByTimeframe(owed: readonly Owed[]): ReadonlyMap<string, readonly Owed[]> {
  return Map.groupBy(owed, ({ series }) => series.timeframe.text);
}
