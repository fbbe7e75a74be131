/** From when to when a series can be shown, and which window to load for a date or a range. @module */
import { dateText, floorTime } from "./dates.js";
import { addCandles } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {import("./chart_candles.js").Shown} Shown
 * @typedef {import("./dates.js").Writing} Writing
 * @typedef {{ readonly firstMs: number | undefined, readonly lastMs: number | undefined, readonly endMs: number }} Bounds
 *   of the candles, undefined if there is none; `endMs` is the end of the time to show
 * @typedef {{ readonly atMs?: number | undefined, readonly range?: { readonly sinceMs: number, readonly untilMs: number } }} Place
 *   the candle in the middle, or a range; the newest candles if neither is given
 * @typedef {{ readonly sinceMs: number, readonly untilMs: number, readonly atMs: number | undefined,
 *   readonly range: { readonly sinceMs: number, readonly untilMs: number } | undefined,
 *   readonly note: string | undefined }} Window what to load and where to stand; `note` says what of the place is not there
 */

/** Candles loaded per step to a side: some screens full. */
export const STEP_CANDLES = 500;

/** The newest candles may be revised, so this many are loaded again together with new ones. */
export const REVISABLE_CANDLES = 5;

/** A range has no more candles than are kept. */
const RANGE_CANDLES_MAX = 20_000;

/**
 * @param {Shown} shown
 * @param {readonly SeriesStatus[]} all
 * @param {{ readonly base: string | null, readonly nowMs: number }} known the timeframe that it is calculated from
 * @returns {Bounds}
 */
export function boundsOf({ exchange, symbol, timeframe }, all, { base, nowMs }) {
  const from = all.find((one) =>
    one.exchange === exchange && one.symbol === symbol && one.timeframe === (base ?? timeframe)
  );
  const nowEndMs = floorTime(timeframe, nowMs);
  if (from === undefined || from.first === null || from.last === null) {
    return { firstMs: undefined, lastMs: undefined, endMs: nowEndMs };
  }
  const lastMs = floorTime(timeframe, Date.parse(from.last));
  const endMs = addCandles(timeframe, lastMs, 1);
  // Also show the time since the last candle, as owed, unless it would fill most of the chart.
  const isFixed = base === null && !/[wMy]$/.test(timeframe);
  const isNear = nowMs - endMs < addCandles(timeframe, 0, STEP_CANDLES / 2);
  return {
    firstMs: floorTime(timeframe, Date.parse(from.first)),
    lastMs,
    endMs: isFixed && isNear ? Math.max(endMs, nowEndMs) : endMs,
  };
}

/**
 * @param {Bounds} bounds
 * @param {Place} place
 * @param {Writing} writing
 * @returns {Window}
 */
export function windowOf({ firstMs, endMs }, { atMs, range }, writing) {
  const { timeframe } = writing;
  const far = (/** @type {number} */ ms, /** @type {number} */ steps) =>
    addCandles(timeframe, ms, steps);
  const askedMs = atMs ?? range?.sinceMs;
  if (askedMs === undefined || firstMs === undefined) {
    const sinceMs = far(endMs, -STEP_CANDLES);
    return { sinceMs, untilMs: endMs, atMs: undefined, range: undefined, note: undefined };
  }
  const isLate = askedMs >= endMs;
  const isEarly = (range?.untilMs ?? askedMs + 1) <= firstMs;
  const note = isLate
    ? `Nothing is stored from ${dateText(endMs, writing)} on. Shown is the end.`
    : askedMs < firstMs && floorTime(timeframe, askedMs) < firstMs
    ? `Nothing is stored before ${dateText(firstMs, writing)}. Shown is the beginning.`
    : undefined;
  if (range !== undefined && !isLate && !isEarly) {
    const untilMs = Math.min(endMs, far(floorTime(timeframe, range.untilMs - 1), 1));
    const sinceMs = Math.max(
      firstMs,
      floorTime(timeframe, range.sinceMs),
      far(untilMs, -RANGE_CANDLES_MAX),
    );
    // A candle that forms after the end belongs to what was asked for.
    const endsAtMs = untilMs === endMs ? Infinity : untilMs;
    return { sinceMs, untilMs, atMs: undefined, range: { sinceMs, untilMs: endsAtMs }, note };
  }
  const nearMs = Math.max(firstMs, Math.min(floorTime(timeframe, askedMs), far(endMs, -1)));
  return {
    sinceMs: far(nearMs, -STEP_CANDLES / 2),
    untilMs: Math.min(endMs, far(nearMs, STEP_CANDLES / 2)),
    atMs: nearMs,
    range: undefined,
    note,
  };
}
