/** Judges a page: which candles may be stored, and which part of the window the exchange answered for. @module */
import {
  type Candle,
  checkRow,
  compareDecimals,
  contradictory,
  isZero,
  type RejectedCandle,
} from "./candle.ts";
import {
  addCandles,
  closedUntil,
  countCandles,
  floorTime,
  nominalMs,
  type Timeframe,
} from "./timeframe.ts";
import { shiftedTimes } from "./shifted_rows.ts";
import { type Window, windowCandles, windowName } from "./window.ts";

/** The window that was asked for and the answer. */
export interface AnsweredPage {
  readonly timeframe: Timeframe;
  readonly window: Window;
  /** Rows as the exchange sent them, unsorted and unchecked. */
  readonly rows: readonly unknown[];
  /** The most rows this exchange has ever sent for this timeframe: the best known lower bound of its page limit. */
  readonly rowsMaxSeen: number;
  /** When the answer arrived. Candles that end later are not closed. Milliseconds. */
  readonly nowMs: number;
  /**
   * True when this exchange is known to honour `since`: it once answered with rows that end well before rows it had
   * already sent for the same series. False when the request cannot carry `since`, so every answer is the newest
   * candles.
   *
   * @default undefined: not known
   */
  readonly isSinceHonoured?: boolean | undefined;
}

/** What may be stored, and what may be added to coverage. */
export interface PageVerdict {
  /** Closed candles inside {@linkcode PageVerdict.answered}, ascending. */
  readonly candles: readonly Candle[];
  readonly rejected: readonly RejectedCandle[];
  /** The part of the window that the exchange answered for; undefined when it answered for none. */
  readonly answered: Window | undefined;
  /** Set when the answer proves that the exchange has nothing older than this. Milliseconds. */
  readonly reachFromMs: number | undefined;
  /** How many rows came, if the exchange seems to have cut the page; else undefined. */
  readonly cutRows?: number | undefined;
  /**
   * How long until the newest requested candle closes by the exchange's clock, if it has already closed by ours.
   * Milliseconds; undefined when it has closed by both.
   */
  readonly earlyMs?: number | undefined;
  /**
   * Whether the exchange leaves out candles without trades, as far as this page shows: true if a row is missing
   * between others, false if a candle has no volume, undefined if neither.
   */
  readonly omitsSilent?: boolean | undefined;
}

/** The rows of an answer contradict each other. The page is asked for again. */
export class MalformedPageError extends Error {
  override readonly name = "MalformedPageError";
  /** The rows that cannot be used. */
  readonly evidence: readonly RejectedCandle[];

  constructor(
    message: string,
    { evidence, ...options }: ErrorOptions & { readonly evidence: readonly RejectedCandle[] },
  ) {
    super(message, options);
    this.evidence = evidence;
  }
}

/**
 * Exchanges may publish a candle late. A candle that is missing this soon after its close does not count as empty.
 * Two minutes: exchanges publish within seconds, and polls run every 60 s.
 */
export const SETTLE_MS = 120_000;

/**
 * Judges a page. Rows outside the window and rows of unclosed candles are dropped. Malformed rows are rejected one
 * by one; the rest of the page is kept. These rules decide which part of the window counts as answered:
 *
 * - A *full* page has as many rows as the longest page ever seen, or as many as were asked for. The exchange may have
 *   cut it at either end, so it answers only for the span from its first to its last row. Candles beyond that span
 *   stay owed. This catches exchanges that skip rows at the start, and page limits smaller than documented.
 * - A *trimmed* page is shorter than a full one, has at least {@linkcode CUT_ROWS_MIN} rows, and misses more candles
 *   in a row at one end of the window than anywhere between its rows. Some exchanges send shorter pages for old
 *   candles. At that end it answers only up to its rows. The rest is asked for again. If it comes back empty, it was
 *   before the listing, or a time without trades.
 * - Any other shorter page, and an empty one, answers for the whole window: the exchange had nothing else.
 * - A row outside the window proves that the page was not cut on that side.
 * - If all rows lie after the window and reach up to now, the exchange may send only its newest candles. If the page
 *   was cut at a limit, that is so: it answers for nothing, and the exchange has nothing older than its first row. If
 *   it was not cut, it had room for rows of the window, so the window is empty. If it is too short to tell, it
 *   answers for nothing.
 * - If the request cannot carry `since`, the page answers for nothing before its first row, however short it is.
 * - The newest candles count as answered only if they came, or if {@linkcode SETTLE_MS} have passed since their close.
 *
 * @throws MalformedPageError when two rows for the same closed candle of the window have different values.
 */
export function judgePage(page: AnsweredPage): PageVerdict {
  const { timeframe, window, nowMs } = page;
  const closedMs = Math.min(window.untilMs, closedUntil(timeframe, nowMs));
  const asked: Window = { sinceMs: window.sinceMs, untilMs: Math.max(window.sinceMs, closedMs) };
  const read = readRows(page, asked);

  const { answered, cutRows } = answeredPart(page, asked, read);
  const rejected = read.rejected.filter(({ openTimeMs }) =>
    openTimeMs === undefined || (openTimeMs >= asked.sinceMs && openTimeMs < asked.untilMs)
  );
  if (answered === undefined) {
    const reachFromMs = isNewestOnly(page, read) === true ? read.times[0] : undefined;
    return { candles: [], rejected, answered, reachFromMs };
  }
  const isAnswered = (timeMs: number): boolean =>
    timeMs >= answered.sinceMs && timeMs < answered.untilMs;
  const candles = read.candles.filter(({ openTimeMs }) => isAnswered(openTimeMs));
  const omitsSilent = leavesOutSilentCandles(timeframe, candles, read.times.filter(isAnswered));
  return { candles, rejected, answered, reachFromMs: undefined, cutRows, omitsSilent };
}

/** The newest open time among the rows, in milliseconds; undefined when no row has a readable one. */
export function newestTime(rows: readonly unknown[]): number | undefined {
  const newest = rows.reduce<number>((newest, row) => {
    const timeMs = Array.isArray(row) ? Number(row[0]) : NaN;
    return timeMs > newest ? timeMs : newest;
  }, -Infinity);
  return Number.isFinite(newest) ? newest : undefined;
}

/** An exchange may withdraw its newest candles for a moment. It withdraws fewer than this many. */
const WITHDRAWN_CANDLES_MAX = 10;

/**
 * Whether an answer proves that the exchange honours `since`. It does if its newest row, at `newestMs`, is well before
 * `seenMs`, the newest row of an earlier answer for the same series.
 */
export function provesSinceHonoured(
  timeframe: Timeframe,
  { newestMs, seenMs }: { readonly newestMs: number; readonly seenMs: number },
): boolean {
  return newestMs < seenMs - WITHDRAWN_CANDLES_MAX * nominalMs(timeframe);
}

interface ReadRows {
  readonly candles: readonly Candle[];
  readonly rejected: readonly RejectedCandle[];
  /** Aligned open times of all rows, ascending; those of rejected rows too. See also {@linkcode shiftedTimes}. */
  readonly times: readonly number[];
}

function readRows(page: AnsweredPage, asked: Window): ReadRows {
  const given: Candle[] = [];
  const rejected: RejectedCandle[] = [];
  const times: number[] = [];
  for (const row of page.rows) {
    const checked = checkRow(page.timeframe, row);
    if (checked.candle !== undefined) {
      given.push(checked.candle);
      times.push(checked.candle.openTimeMs);
      continue;
    }
    rejected.push(checked.rejected);
    const { openTimeMs, reason } = checked.rejected;
    if (openTimeMs !== undefined && reason !== "time_not_aligned") times.push(openTimeMs);
  }
  const shifted = times.length === 0 ? shiftedTimes(page.timeframe, rejected) : [];
  if (shifted.length > 0) return { candles: given, rejected, times: shifted };
  // Nearly every page is strictly ascending already, so it needs no sort and has no duplicates.
  if (isAscending(times)) return { candles: given, rejected, times };
  const candles = distinctCandles(page, asked, given);
  return { candles, rejected, times: [...new Set(times)].sort((a, b) => a - b) };
}

function isAscending(times: readonly number[]): boolean {
  return times.every((timeMs, index) => index === 0 || timeMs > (times[index - 1] ?? timeMs));
}

/** Sorts the candles and drops duplicates. */
function distinctCandles(
  { window }: AnsweredPage,
  asked: Window,
  given: readonly Candle[],
): readonly Candle[] {
  const byTime = new Map<number, Candle>();
  for (const candle of given) {
    const twin = byTime.get(candle.openTimeMs);
    // Duplicates outside the window, or of the forming candle, may differ: they are dropped later.
    const counts = candle.openTimeMs >= asked.sinceMs && candle.openTimeMs < asked.untilMs;
    if (counts && twin !== undefined && !sameCandle(twin, candle)) {
      throw new MalformedPageError(
        `Cannot read the page ${windowName(window)}: two different rows for ${
          new Date(candle.openTimeMs).toISOString()
        }`,
        { evidence: [twin, candle].map(contradictory) },
      );
    }
    byTime.set(candle.openTimeMs, candle);
  }
  return [...byTime.values()].sort((a, b) => a.openTimeMs - b.openTimeMs);
}

interface AnsweredPart {
  readonly answered: Window | undefined;
  readonly cutRows?: number | undefined;
}

function answeredPart(page: AnsweredPage, asked: Window, read: ReadRows): AnsweredPart {
  const { timeframe, rows, rowsMaxSeen, nowMs } = page;
  const inside = read.times.filter((timeMs) => timeMs >= asked.sinceMs && timeMs < asked.untilMs);
  const [firstMs, lastMs] = [inside[0], inside.at(-1)];
  if (firstMs === undefined || lastMs === undefined) {
    // Rows without a readable time prove nothing about the window. Neither do the newest candles, if the exchange
    // sends them whatever was asked.
    const unreadable = read.times.length === 0 && rows.length > 0;
    if (unreadable || isNewestOnly(page, read) !== false) return { answered: undefined };
    return { answered: withoutUnsettledEnd(timeframe, asked, undefined, nowMs) };
  }
  const candlesAsked = windowCandles(timeframe, page.window);
  const full = rows.length >= Math.min(rowsMaxSeen, candlesAsked);
  const [oldestMs, newestMs] = [read.times[0] ?? firstMs, read.times.at(-1) ?? lastMs];
  const isStartOpen = oldestMs >= asked.sinceMs;
  const isEndOpen = newestMs < asked.untilMs;
  const trimmed = full || rows.length >= CUT_ROWS_MIN
    ? trimmedEnds(page, asked, inside)
    : { start: false, end: false };
  const isStartCut = full || trimmed.start || page.isSinceHonoured === false;
  const sinceMs = isStartOpen && isStartCut ? firstMs : asked.sinceMs;
  const untilMs = isEndOpen && (full || trimmed.end)
    ? Math.min(asked.untilMs, addCandles(timeframe, lastMs, 1))
    : asked.untilMs;
  const isCut = (isStartOpen && trimmed.start) || (isEndOpen && trimmed.end);
  return {
    answered: withoutUnsettledEnd(timeframe, { sinceMs, untilMs }, lastMs, nowMs),
    cutRows: isCut && rows.length < candlesAsked ? rows.length : undefined,
  };
}

/**
 * At which ends of the window more candles are missing in a row than anywhere between the page's rows. Times without
 * trades leave holes at random places, so the longest one is seldom at an end.
 */
function trimmedEnds(
  { timeframe, nowMs }: AnsweredPage,
  asked: Window,
  inside: readonly number[],
): { readonly start: boolean; readonly end: boolean } {
  const [firstMs, lastMs] = [inside[0] ?? asked.sinceMs, inside.at(-1) ?? asked.sinceMs];
  const holeMax = longestHole(timeframe, inside);
  // Younger candles may still be published.
  const dueMs = Math.min(asked.untilMs, floorTime(timeframe, nowMs - SETTLE_MS));
  return {
    start: countCandles(timeframe, asked.sinceMs, firstMs) > holeMax,
    end: countCandles(timeframe, addCandles(timeframe, lastMs, 1), dueMs) > holeMax,
  };
}

/** The most candles missing in a row between ascending open times. */
function longestHole(timeframe: Timeframe, times: readonly number[]): number {
  return times.reduce((longest, timeMs, index) => {
    const previousMs = times[index - 1] ?? timeMs;
    return Math.max(longest, countCandles(timeframe, previousMs, timeMs) - 1);
  }, 0);
}

function leavesOutSilentCandles(
  timeframe: Timeframe,
  candles: readonly Candle[],
  times: readonly number[],
): boolean | undefined {
  if (candles.some(({ volume }) => isZero(volume))) return false;
  return longestHole(timeframe, times) > 0 ? true : undefined;
}

/** Takes missing candles that may still be published off the end of a claim. */
function withoutUnsettledEnd(
  timeframe: Timeframe,
  claim: Window,
  lastMs: number | undefined,
  nowMs: number,
): Window | undefined {
  const settledMs = floorTime(timeframe, nowMs - SETTLE_MS);
  const afterLastMs = lastMs === undefined ? claim.sinceMs : addCandles(timeframe, lastMs, 1);
  const untilMs = Math.min(claim.untilMs, Math.max(afterLastMs, settledMs));
  return untilMs > claim.sinceMs ? { sinceMs: claim.sinceMs, untilMs } : undefined;
}

/** No exchange has a page limit below this. So a page this long may have been cut, and a shorter one was not. */
const CUT_ROWS_MIN = 100;

/**
 * Whether the exchange sent its newest candles instead of the window. Undefined when that is uncertain: it may also
 * have skipped a window without trades, which must not end the series' history.
 */
function isNewestOnly(page: AnsweredPage, { times }: ReadRows): boolean | undefined {
  const { timeframe, window, rows, rowsMaxSeen, nowMs } = page;
  const [firstMs, lastMs] = [times[0], times.at(-1)];
  if (firstMs === undefined || lastMs === undefined || firstMs < window.untilMs) return false;
  if (page.isSinceHonoured === false) return true;
  // A row as young as this is the newest one there is.
  const newestSinceMs = nowMs - 2 * nominalMs(timeframe) - SETTLE_MS;
  if (page.isSinceHonoured === true || lastMs < newestSinceMs) return false;
  if (rows.length >= Math.max(rowsMaxSeen, CUT_ROWS_MIN)) return true;
  if (rows.length !== windowCandles(timeframe, window)) return false;
  return rows.length >= CUT_ROWS_MIN ? true : undefined;
}

function sameCandle(a: Candle, b: Candle): boolean {
  return (["open", "high", "low", "close", "volume"] as const).every((name) =>
    compareDecimals(a[name], b[name]) === 0
  );
}
