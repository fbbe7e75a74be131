/** CCXT timeframes: when candles open, how many fit in a window, which are closed. @module */

/**
 * A CCXT timeframe, `1m` … `1M`. Seconds to days are fixed multiples of the Unix epoch; weeks open on
 * Monday 00:00 UTC; months and years follow the calendar, because a month has no fixed length.
 */
export interface Timeframe {
  /** As CCXT spells it. `1m` is a minute, `1M` a month. */
  readonly text: string;
  readonly count: number;
  readonly unit: TimeframeUnit;
}

type TimeframeUnit = "s" | "m" | "h" | "d" | "w" | "M" | "y";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;

/** Monday 1970-01-05, the first week that opens after the epoch. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** Mean length of a Gregorian month: 30.436875 days. */
const MONTH_MEAN_MS = 2_629_746_000;

const FIXED_MS: Readonly<Record<"s" | "m" | "h" | "d" | "w", number>> = {
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: WEEK_MS,
};

/**
 * Reads a timeframe.
 *
 * @throws RangeError when the text is not a positive whole number followed by `s m h d w M y`.
 */
export function parseTimeframe(text: string): Timeframe {
  const match = /^([1-9]\d{0,3})([smhdwMy])$/.exec(text);
  if (match === null) {
    throw new RangeError(
      `Cannot read timeframe ${
        JSON.stringify(text)
      }: expected a number and one of s m h d w M y, such as 1m, 4h, 1d, 1M`,
    );
  }
  return { text, count: Number(match[1]), unit: match[2] as TimeframeUnit };
}

/** Whether {@linkcode parseTimeframe} can read the text. */
export function isTimeframe(text: string): boolean {
  try {
    parseTimeframe(text);
    return true;
  } catch {
    return false;
  }
}

/** The length of one candle in milliseconds; for months and years their mean length. */
export function nominalMs(timeframe: Timeframe): number {
  const { count, unit } = timeframe;
  if (unit === "M") return count * MONTH_MEAN_MS;
  if (unit === "y") return count * 12 * MONTH_MEAN_MS;
  return count * FIXED_MS[unit];
}

/** The open time of the candle that contains `timeMs`. */
export function floorTime(timeframe: Timeframe, timeMs: number): number {
  const { count, unit } = timeframe;
  if (unit === "M" || unit === "y") {
    const months = monthsOf(timeframe);
    return monthStart(Math.floor(monthIndex(timeMs) / months) * months);
  }
  const stepMs = count * FIXED_MS[unit];
  const anchorMs = unit === "w" ? FIRST_MONDAY_MS : 0;
  return Math.floor((timeMs - anchorMs) / stepMs) * stepMs + anchorMs;
}

/** The first open time at or after `timeMs`. */
export function ceilTime(timeframe: Timeframe, timeMs: number): number {
  const floorMs = floorTime(timeframe, timeMs);
  return floorMs === timeMs ? timeMs : addCandles(timeframe, floorMs, 1);
}

/** The open time `count` candles after (or, negative, before) the aligned time `openTimeMs`. */
export function addCandles(timeframe: Timeframe, openTimeMs: number, count: number): number {
  if (timeframe.unit === "M" || timeframe.unit === "y") {
    return monthStart(monthIndex(openTimeMs) + count * monthsOf(timeframe));
  }
  return openTimeMs + count * nominalMs(timeframe);
}

/** How many candles open in `[sinceMs, untilMs)`, both aligned. */
export function countCandles(timeframe: Timeframe, sinceMs: number, untilMs: number): number {
  if (untilMs <= sinceMs) return 0;
  if (timeframe.unit === "M" || timeframe.unit === "y") {
    return (monthIndex(untilMs) - monthIndex(sinceMs)) / monthsOf(timeframe);
  }
  return (untilMs - sinceMs) / nominalMs(timeframe);
}

/** Whether a candle of this timeframe may open at `timeMs`. */
export function isAligned(timeframe: Timeframe, timeMs: number): boolean {
  return floorTime(timeframe, timeMs) === timeMs;
}

/**
 * The end of the last closed candle at `nowMs`, which is also the open time of the candle that is still forming.
 */
export function closedUntil(timeframe: Timeframe, nowMs: number): number {
  return floorTime(timeframe, nowMs);
}

function monthsOf({ count, unit }: Timeframe): number {
  return unit === "y" ? 12 * count : count;
}

/** Months since January 1970; negative before. */
function monthIndex(timeMs: number): number {
  const date = new Date(timeMs);
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

function monthStart(index: number): number {
  return Date.UTC(1970, index, 1);
}
