/** Page postconditions: what an exchange's rows prove about the window they were asked for. @module */
import { type Candle, checkRow, compareDecimals, isZero, type RejectedCandle } from "./candle.ts";
import {
  addCandles,
  closedUntil,
  countCandles,
  floorTime,
  nominalMs,
  type Timeframe,
} from "./timeframe.ts";
import { type Window, windowCandles, windowName } from "./window.ts";

/** The page that was asked and what came. */
export interface AnsweredPage {
  readonly timeframe: Timeframe;
  readonly window: Window;
  /** Rows as the exchange gave them, ascending or not, of any quality. */
  readonly rows: readonly unknown[];
  /** The most rows this exchange has ever answered for this timeframe: its true page limit as far as known. */
  readonly rowsMaxSeen: number;
  /** When the answer arrived: later candles are not closed. Milliseconds. */
  readonly nowMs: number;
  /**
   * True when this exchange is known to give the window that is asked for: it has answered for a series with rows
   * that end well before others it had already given of that series. False when it is not even told the window: all
   * its answers are its newest candles.
   *
   * @default undefined: not known
   */
  readonly isSinceHonoured?: boolean | undefined;
}

/** What may be stored, and what may be claimed. */
export interface Verdict {
  /** Closed candles inside {@linkcode Verdict.answered}, ascending. */
  readonly candles: readonly Candle[];
  readonly rejected: readonly RejectedCandle[];
  /** The part of the window the exchange truly answered for; undefined when that is none of it. */
  readonly answered: Window | undefined;
  /** Set when the answer proves that nothing older than this can be had from the exchange. Milliseconds. */
  readonly reachFromMs: number | undefined;
  /** How many rows came where more were asked for and the exchange seems to have cut them; else undefined. */
  readonly cutRows?: number | undefined;
  /**
   * For how long the newest candle that was asked for had yet to form when the exchange answered, though it had closed
   * by our clock. Milliseconds; undefined when it had closed for both.
   */
  readonly earlyMs?: number | undefined;
  /**
   * Whether the exchange leaves out a candle without trades, as far as this page shows: true where a row is missing
   * between others, false where a candle has no volume.
   */
  readonly omitsSilent?: boolean | undefined;
}

/** An answer that cannot be believed: the rows contradict each other. The page is asked for again. */
export class MalformedPageError extends Error {
  override readonly name = "MalformedPageError";
}

/**
 * A candle may be published late. Within this time of its close its absence is not an answer yet.
 * Two minutes: exchanges publish within seconds, and a poll comes every 60 s.
 */
export const SETTLE_MS = 120_000;

/**
 * Judges a page. Rows outside the window and rows of unclosed candles are dropped; malformed rows are
 * rejected one by one and do not stop the page. Then, of the window,
 *
 * - a page as long as the longest ever seen, or as was asked, is *full*: the exchange may have cut it at
 *   either end, so it answers only for the span from its first to its last row. That is how a moved start
 *   (rows silently missing at the beginning) and a page limit smaller than documented stay owed instead of
 *   becoming holes;
 * - a shorter page of at least {@linkcode CUT_ROWS_MIN} rows of which more are missing in a row at one end of the
 *   window than anywhere between its rows was *trimmed* at that end, as far as can be told: some exchanges cut pages of
 *   old candles shorter than pages of recent ones. There it answers only up to its rows. Where that was a listing or a
 *   silence, the rest is asked for once more by itself, and found empty;
 * - any other shorter page, or an empty one, answers for the whole window: the exchange had nothing else;
 * - a row outside the window proves that the page was not cut on that side;
 * - a page whose rows all lie after the window, up to now, and which was cut at a limit, comes from an
 *   exchange that gives only its newest candles: it answers for nothing, and nothing older than its first
 *   row can be had. If it was not cut, there was room for rows of the window, and it has none; if it is too
 *   short to tell, it answers for nothing;
 * - an exchange that is not told the window answers for nothing before its first row, however few rows came;
 * - the newest candles are claimed only when they are there or {@linkcode SETTLE_MS} have passed.
 *
 * @throws MalformedPageError when two rows of a closed candle of the window have different values.
 */
export function judgePage(page: AnsweredPage): Verdict {
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
  const omitsSilent = showsSilence(timeframe, candles, read.times.filter(isAnswered));
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

/** More than an exchange's newest candles move back by while one is corrected or withdrawn. */
const OLDER_CANDLES = 10;

/**
 * Whether an answer whose newest row is `newestMs`, after one of the same series that reached `seenMs`, proves that
 * the exchange gives the window that is asked for. A series that is silent or halted proves nothing.
 */
export function provesSinceHonoured(
  timeframe: Timeframe,
  { newestMs, seenMs }: { readonly newestMs: number; readonly seenMs: number },
): boolean {
  return newestMs < seenMs - OLDER_CANDLES * nominalMs(timeframe);
}

interface ReadRows {
  readonly candles: readonly Candle[];
  readonly rejected: readonly RejectedCandle[];
  /** Open times of all rows that have a readable, aligned one, ascending, good candles or not. */
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
  // Nearly every page is in order already, and one that is holds no candle twice.
  if (isAscending(times)) return { candles: given, rejected, times };
  const candles = distinctCandles(page, asked, given);
  return { candles, rejected, times: [...new Set(times)].sort((a, b) => a - b) };
}

function isAscending(times: readonly number[]): boolean {
  return times.every((timeMs, index) => index === 0 || timeMs > (times[index - 1] ?? timeMs));
}

/** One candle a time, ascending. */
function distinctCandles(
  { window }: AnsweredPage,
  asked: Window,
  given: readonly Candle[],
): readonly Candle[] {
  const byTime = new Map<number, Candle>();
  for (const candle of given) {
    const twin = byTime.get(candle.openTimeMs);
    // What will be dropped anyway may contradict itself: a forming candle that comes twice, for example.
    const counts = candle.openTimeMs >= asked.sinceMs && candle.openTimeMs < asked.untilMs;
    if (counts && twin !== undefined && !sameCandle(twin, candle)) {
      throw new MalformedPageError(
        `Cannot read the page ${windowName(window)}: two different rows for ${
          new Date(candle.openTimeMs).toISOString()
        }`,
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
    // Rows that could not be placed in time prove nothing about the window, and neither do rows that are
    // simply the newest ones whatever was asked.
    const unreadable = read.times.length === 0 && rows.length > 0;
    if (unreadable || isNewestOnly(page, read) !== false) return { answered: undefined };
    return { answered: settled(timeframe, asked, undefined, nowMs) };
  }
  const candlesAsked = windowCandles(timeframe, page.window);
  const full = rows.length >= Math.min(rowsMaxSeen, candlesAsked);
  const [oldestMs, newestMs] = [read.times[0] ?? firstMs, read.times.at(-1) ?? lastMs];
  // A row outside the window on one side proves that the page was not cut on that side.
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
    answered: settled(timeframe, { sinceMs, untilMs }, lastMs, nowMs),
    cutRows: isCut && rows.length < candlesAsked ? rows.length : undefined,
  };
}

/**
 * At which ends of the window more candles are missing in a row than anywhere between the page's rows. A market that
 * is silent now and then leaves such runs at random, and seldom the longest of them at an end.
 */
function trimmedEnds(
  { timeframe, nowMs }: AnsweredPage,
  asked: Window,
  inside: readonly number[],
): { readonly start: boolean; readonly end: boolean } {
  const [firstMs, lastMs] = [inside[0] ?? asked.sinceMs, inside.at(-1) ?? asked.sinceMs];
  const holeMax = longestHole(timeframe, inside);
  // Candles that are not settled are not missing yet.
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

function showsSilence(
  timeframe: Timeframe,
  candles: readonly Candle[],
  times: readonly number[],
): boolean | undefined {
  if (candles.some(({ volume }) => isZero(volume))) return false;
  return longestHole(timeframe, times) > 0 ? true : undefined;
}

/** The part of a claim that is not about candles which may still be on their way. */
function settled(
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

/** Every exchange gives as many rows, so a page this long may have been cut, and a shorter one was not. */
const CUT_ROWS_MIN = 100;

/**
 * Whether the answer is the newest candles though older ones were asked for; undefined when it cannot be told
 * from an exchange that skipped over a silent window: a market without trades for some minutes must not end
 * its own history.
 */
function isNewestOnly(page: AnsweredPage, { times }: ReadRows): boolean | undefined {
  const { timeframe, window, rows, rowsMaxSeen, nowMs } = page;
  const [firstMs, lastMs] = [times[0], times.at(-1)];
  if (firstMs === undefined || lastMs === undefined || firstMs < window.untilMs) return false;
  if (page.isSinceHonoured === false) return true;
  if (page.isSinceHonoured === true || lastMs < newestSinceMs(timeframe, nowMs)) return false;
  if (rows.length >= Math.max(rowsMaxSeen, CUT_ROWS_MIN)) return true;
  if (rows.length !== windowCandles(timeframe, window)) return false;
  return rows.length >= CUT_ROWS_MIN ? true : undefined;
}

/** A page whose last candle opens from then on ends with the newest one there is. */
function newestSinceMs(timeframe: Timeframe, nowMs: number): number {
  return nowMs - 2 * nominalMs(timeframe) - SETTLE_MS;
}

function sameCandle(a: Candle, b: Candle): boolean {
  return (["open", "high", "low", "close", "volume"] as const).every((name) =>
    compareDecimals(a[name], b[name]) === 0
  );
}
