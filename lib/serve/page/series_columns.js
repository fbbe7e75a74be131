/** The columns of the table of series, and how each sorts. @module */
import { closedMs, severityOf } from "./series_reasons.js";
import { addCandles } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {{ readonly series: SeriesStatus, readonly state: string }} Judged
 * @typedef {{ readonly text: string, readonly key: (judged: Judged) => string | number, readonly kind?: string,
 *   readonly isLargestFirst?: boolean, readonly what?: string }} Column the first click on a column sorts its largest
 *   value first, or else in the order of the alphabet
 */

/** @type {readonly Column[]} */
export const COLUMNS = [
  { text: "Exchange", key: ({ series }) => series.exchange },
  { text: "Symbol", key: ({ series }) => series.symbol },
  number("Timeframe", ({ series }) => addCandles(series.timeframe, 0, 1)),
  {
    text: "State",
    key: ({ state }) => severityOf(state),
    isLargestFirst: true,
    what: "what needs a look comes first",
  },
  number("Candles", ({ series }) => series.candles, "candles stored"),
  number("Last", ({ series }) => series.last ?? "", "open time of the newest stored candle"),
  number("Closed", ({ series }) => -closedMs(series), "when the newest stored candle closed"),
  {
    text: "Coverage",
    key: ({ series }) => coverageShare(series),
    kind: "wide",
    isLargestFirst: true,
  },
  number("Owed", ({ series }) => series.owed, "not fetched yet"),
  number("Missing", ({ series }) => series.missing, "no reason yet; fetched again"),
  number("Explained", ({ series }) => series.explained, "missing with a known reason"),
];

/** @param {string} text @returns {number} */
export function columnNamed(text) {
  return COLUMNS.findIndex((column) => column.text === text);
}

/** @param {string} text @param {Column["key"]} key @param {string} [what] @returns {Column} */
function number(text, key, what) {
  return {
    text,
    key,
    kind: "number",
    isLargestFirst: true,
    ...(what === undefined ? {} : { what }),
  };
}

/** @param {SeriesStatus} series @returns {number} the share of its candles that is stored or has a reason */
function coverageShare({ candles, explained, owed, missing }) {
  return (candles + explained) / (candles + explained + owed + missing || 1);
}

/**
 * @template {Judged} T
 * @param {readonly T[]} all
 * @param {{ readonly by: number, readonly isDescending: boolean }} sort
 * @returns {T[]}
 */
export function sorted(all, { by, isDescending }) {
  const { key } = /** @type {Column} */ (COLUMNS[by]);
  const sign = isDescending ? -1 : 1;
  return all.map((judged) => ({ judged, at: key(judged) }))
    .sort((a, b) => sign * compare(a.at, b.at) || compareNames(a.judged.series, b.judged.series))
    .map(({ judged }) => judged);
}

/** @param {SeriesStatus} a @param {SeriesStatus} b @returns {number} the finest timeframe first */
function compareNames(a, b) {
  return compare(a.exchange, b.exchange) || compare(a.symbol, b.symbol) ||
    addCandles(a.timeframe, 0, 1) - addCandles(b.timeframe, 0, 1);
}

/** @param {string | number} a @param {string | number} b @returns {number} */
function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
