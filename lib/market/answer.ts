/** Judges a page: which candles may be stored, and which part of the window the exchange answered for. @module */
import { type Candle, checkRow, contradictory, type RejectedCandle, sameCandle } from "./candle.ts";
import { addCandles, closedUntil, countCandles, nominalMs, type Timeframe } from "./timeframe.ts";
import { keptRejections } from "./kept_rejections.ts";
import type { Price } from "./price.ts";
import { shiftedTimes } from "./shifted_rows.ts";
import { leavesOutSilentCandles, longestHole } from "./silent_candles.ts";
import { type Window, windowCandles, windowName } from "./window.ts";

/** The window that was asked for and the answer. */
export interface AnsweredPage {
  readonly timeframe: Timeframe;
  /** Of what the candles are. @default "trade" */
  readonly price?: Price | undefined;
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
  /** How long after its close a candle of this exchange may still change. Milliseconds. */
  readonly settleMs: number;
}

/** What may be stored, and what may be added to coverage. */
export interface PageVerdict {
  /**
   * Closed candles, ascending: those inside {@linkcode PageVerdict.answered}, and after them those that may still
   * change. The latter are stored, but not covered, so they are asked for again.
   */
  readonly candles: readonly Candle[];
  /** See {@linkcode keptRejections}. */
  readonly rejected: readonly RejectedCandle[];
  /** The part of the window that the exchange answered for; undefined when it answered for none. */
  readonly answered: Window | undefined;
  /** Set when the answer seems to show that the exchange has nothing older than this. Milliseconds. */
  readonly reachFromMs: number | undefined;
  /** Whether {@linkcode PageVerdict.reachFromMs} follows from how many candles were asked for. */
  readonly isCutAsAsked?: boolean | undefined;
  /** How many rows came, if the exchange seems to have cut the page; else undefined. */
  readonly cutRows?: number | undefined;
  /**
   * How long until the newest requested candle closes by the exchange's clock, if it has already closed by ours.
   * Milliseconds; undefined when it has closed by both.
   */
  readonly earlyMs?: number | undefined;
  /**
   * Whether the exchange leaves out candles without trades, as far as this page shows: true if a row is missing
   * between others, false if a candle has volume 0, undefined if neither, and of prices that nobody trades.
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
 * The settling time: exchanges publish some candles late, and change some after their close. So long after its close a
 * missing candle does not count as empty, and one that came not as final. Two minutes: most are final within seconds.
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
 * - If all rows lie after the window, the exchange may send only its newest candles, unless it is known to honour
 *   `since`. If the page may have been cut at a limit, it answers for nothing, and seems to show that nothing is older than its first row;
 *   other answers must prove that. If it is shorter than others, and than was asked for, it had room for rows of the
 *   window, so the window is empty.
 * - If the request cannot carry `since`, the page answers for nothing before its first row, however short it is.
 * - Candles count as answered only when the settling time has passed since their close. Younger ones that came are
 *   stored all the same.
 *
 * @throws MalformedPageError when two rows for the same closed candle of the window have different values.
 */
export function judgePage(page: AnsweredPage): PageVerdict {
  const { timeframe, price = "trade", window, nowMs } = page;
  const closedMs = Math.min(window.untilMs, closedUntil(timeframe, nowMs));
  const asked: Window = { sinceMs: window.sinceMs, untilMs: Math.max(window.sinceMs, closedMs) };
  const read = readRows(page, asked);

  const { claim, cutRows } = answeredPart(page, asked, read);
  const { isShifted } = read;
  const rejected = keptRejections(read.rejected, { timeframe, window: asked, isShifted });
  if (claim === undefined) {
    const reachFromMs = isNewestOnly(page, read) ? read.times[0] : undefined;
    const isCut = isCutAsAsked(page);
    return { candles: [], rejected, answered: undefined, reachFromMs, isCutAsAsked: isCut };
  }
  const isClaimed = (timeMs: number): boolean => timeMs >= claim.sinceMs && timeMs < claim.untilMs;
  const candles = read.candles.filter(({ openTimeMs }) => isClaimed(openTimeMs));
  // Candles of other prices do not wait for trades.
  const omitsSilent = price === "trade"
    ? leavesOutSilentCandles(timeframe, candles, read.times.filter(isClaimed))
    : undefined;
  const answered = settledPart(page, claim);
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
  /** Whether all rows are shifted alike. @default false */
  readonly isShifted?: boolean;
}

function readRows(page: AnsweredPage, asked: Window): ReadRows {
  const given: Candle[] = [];
  const rejected: RejectedCandle[] = [];
  const times: number[] = [];
  for (const row of page.rows) {
    const checked = checkRow(page.timeframe, row, page.price);
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
  if (shifted.length > 0) {
    return { candles: given, rejected, times: shifted, isShifted: true };
  }
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
  /** What the answer is about, the newest candles that came included. */
  readonly claim: Window | undefined;
  readonly cutRows?: number | undefined;
}

function answeredPart(page: AnsweredPage, asked: Window, read: ReadRows): AnsweredPart {
  const { timeframe, rows, rowsMaxSeen } = page;
  const inside = read.times.filter((timeMs) => timeMs >= asked.sinceMs && timeMs < asked.untilMs);
  const [firstMs, lastMs] = [inside[0], inside.at(-1)];
  if (firstMs === undefined || lastMs === undefined) {
    // Rows without a readable time prove nothing about the window, and some of those in another unit look aligned. Neither
    // do the newest candles, if the exchange sends them whatever was asked.
    const unreadable = 2 * read.times.length < rows.length;
    if (unreadable || isNewestOnly(page, read)) return { claim: undefined };
    return { claim: settledPart(page, asked) };
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
    claim: { sinceMs, untilMs },
    cutRows: isCut && rows.length < candlesAsked ? rows.length : undefined,
  };
}

/**
 * At which ends of the window more candles are missing in a row than anywhere between the page's rows. Times without
 * trades leave holes at random places, so the longest one is seldom at an end.
 */
function trimmedEnds(
  page: AnsweredPage,
  asked: Window,
  inside: readonly number[],
): { readonly start: boolean; readonly end: boolean } {
  const { timeframe } = page;
  const [firstMs, lastMs] = [inside[0] ?? asked.sinceMs, inside.at(-1) ?? asked.sinceMs];
  const holeMax = longestHole(timeframe, inside);
  // Younger candles may still be published.
  const dueMs = Math.min(asked.untilMs, settledUntil(page));
  return {
    start: countCandles(timeframe, asked.sinceMs, firstMs) > holeMax,
    end: countCandles(timeframe, addCandles(timeframe, lastMs, 1), dueMs) > holeMax,
  };
}

/** The part of a claim whose candles are final. Those after it may still be published, or change. */
function settledPart(page: AnsweredPage, { sinceMs, untilMs }: Window): Window | undefined {
  const settledMs = Math.min(untilMs, settledUntil(page));
  return settledMs > sinceMs ? { sinceMs, untilMs: settledMs } : undefined;
}

function settledUntil({ timeframe, nowMs, settleMs }: AnsweredPage): number {
  return closedUntil(timeframe, nowMs - settleMs);
}

/** No exchange has a page limit below this. So a page this long may have been cut, and a shorter one was not. */
const CUT_ROWS_MIN = 100;

/**
 * Whether the exchange may have sent its newest candles instead of the window. That they end long ago proves nothing:
 * since then nothing may have been traded.
 */
function isNewestOnly(page: AnsweredPage, { times }: ReadRows): boolean {
  const { window, rows, rowsMaxSeen, isSinceHonoured } = page;
  const [firstMs] = times;
  if (firstMs === undefined || firstMs < window.untilMs) return false;
  if (isSinceHonoured !== undefined) return !isSinceHonoured;
  // Else it has sent more, and was asked for more: it had room for rows of the window.
  return rows.length >= rowsMaxSeen || rows.length >= windowCandles(page.timeframe, window) - 1;
}

/** Whether no more rows came than were asked for, with or without the forming one: the page was cut there. */
function isCutAsAsked({ timeframe, window, rows, isSinceHonoured }: AnsweredPage): boolean {
  return isSinceHonoured === undefined && rows.length <= windowCandles(timeframe, window) + 1;
}
