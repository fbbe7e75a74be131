/** Names the series that a link may have meant. @module */
import { addCandles } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {import("./chart_candles.js").Shown} Shown
 */

const NAMES_MAX = 5;

/** Another exchange with the same symbol is near, however it is spelled. */
const OTHER_EXCHANGE = 2;

/** So is the same base against something else. */
const OTHER_QUOTE = 3;

/**
 * The series whose names are most similar, the most similar first.
 * @param {Shown} asked
 * @param {readonly SeriesStatus[]} all
 * @returns {readonly SeriesStatus[]} at most five; empty if none is similar
 */
export function nearSeries({ exchange, symbol, timeframe }, all) {
  // Two mistakes, or one per three letters in a long symbol.
  const farthest = Math.max(2, Math.floor(symbol.length / 3));
  /** @type {Map<string, number>} */
  const symbols = new Map();
  return all.flatMap((series) => {
    let far = symbols.get(series.symbol);
    if (far === undefined) {
      far = symbolDistance(symbol, series.symbol, farthest);
      symbols.set(series.symbol, far);
    }
    if (far === Infinity) return [];
    const exchanges = Math.min(OTHER_EXCHANGE, editDistance(exchange, series.exchange));
    const isSame = series.timeframe === timeframe;
    return [{ series, distance: far + exchanges + (isSame ? 0 : 0.5) }];
  }).sort((a, b) =>
    a.distance - b.distance ||
    addCandles(a.series.timeframe, 0, 1) - addCandles(b.series.timeframe, 0, 1)
  ).slice(0, NAMES_MAX).map(({ series }) => series);
}

/** @param {string} a @param {string} b @param {number} farthest @returns {number} */
function symbolDistance(a, b, farthest) {
  const [base, other] = [a, b].map((symbol) => symbol.split("/")[0]?.toLowerCase());
  if (base === other) return Math.min(OTHER_QUOTE, editDistance(a, b));
  if (Math.abs(a.length - b.length) > farthest) return Infinity;
  const distance = editDistance(a, b);
  return distance > farthest ? Infinity : distance;
}

/** How many letters must be inserted, removed or replaced; case does not count. @param {string} a @param {string} b */
function editDistance(a, b) {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()];
  let previous = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let at = 1; at <= to.length; at++) {
      const cost = from[row - 1] === to[at - 1] ? 0 : 1;
      const changed = (previous[at - 1] ?? 0) + cost;
      current.push(Math.min((previous[at] ?? 0) + 1, (current[at - 1] ?? 0) + 1, changed));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
