/** Rows of an exchange whose candles open at other times than UTC's, such as weeks from Thursday on. @module */
import type { RejectedCandle } from "./candle.ts";
import { addCandles, floorTime, nominalMs, type Timeframe } from "./timeframe.ts";

/** One row by itself may be a mistake; several that are shifted alike are not. */
const SHIFTED_ROWS_MIN = 2;

const HOUR_MS = 60 * 60_000;

/**
 * The open times of the candles in which the rejected rows of a page open, if all of them are shifted alike: none can be
 * stored, but they are an answer. Days and longer may differ by the hour of summer time. Ascending; else empty.
 */
export function shiftedTimes(
  timeframe: Timeframe,
  rejected: readonly RejectedCandle[],
): readonly number[] {
  const times = rejected.flatMap(({ reason, openTimeMs }) =>
    reason === "time_not_aligned" && openTimeMs !== undefined ? [openTimeMs] : []
  );
  const opens = [...new Set(times.map((timeMs) => floorTime(timeframe, timeMs)))];
  if (times.length < rejected.length || opens.length < SHIFTED_ROWS_MIN) return [];
  const toleranceMs = nominalMs(timeframe) >= 24 * HOUR_MS ? HOUR_MS : 0;
  const isAlike = (distances: readonly number[]): boolean =>
    distances.reduce((most, ms) => Math.max(most, ms), -Infinity) -
        distances.reduce((least, ms) => Math.min(least, ms), Infinity) <= toleranceMs;
  const after = times.map((timeMs) => timeMs - floorTime(timeframe, timeMs));
  // Months are not of one length, so a shift may be the same only before their end.
  const before = times.map((timeMs) =>
    addCandles(timeframe, floorTime(timeframe, timeMs), 1) - timeMs
  );
  return isAlike(after) || isAlike(before) ? opens.sort((one, other) => one - other) : [];
}
