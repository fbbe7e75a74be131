/** The candles in view as SQL, as commands and as files. Names come from exchanges: each is quoted by its own rules. @module */
import { addCandles, shellWord } from "./text.js";

/**
 * @typedef {{ readonly exchange: string, readonly symbol: string, readonly timeframe: string, readonly isRollup: boolean,
 *   readonly sinceMs: number, readonly untilMs: number }} View candles that open in `[sinceMs, untilMs)`
 * @typedef {import("./chart_candles.js").Candle} Candle
 */

/** The most that `/candles` gives at once. */
export const PAGE_CANDLES_MAX = 2_000;

/** @param {number} ms @returns {string} `2026-01-31T12:00:00Z`, with milliseconds only if they are not zero */
function isoTime(ms) {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** @param {View} view @returns {string} */
export function sqlOf({ exchange, symbol, timeframe, isRollup, sinceMs, untilMs }) {
  // Months are spelled out: PostgreSQL folds names to lower case.
  const table = isRollup ? `ohlcv_rollup_${timeframe.replace("M", "mo")}` : "ohlcv";
  const conditions = [
    `exchange = ${sqlText(exchange)}`,
    `symbol = ${sqlText(symbol)}`,
    ...(isRollup ? [] : [`timeframe = ${sqlText(timeframe)}`]),
    `time >= ${sqlText(isoTime(sinceMs))}`,
    `time < ${sqlText(isoTime(untilMs))}`,
  ];
  return `select time, open, high, low, close, volume, volume_base from ${table} ` +
    `where ${conditions.join(" and ")} order by time`;
}

/** @param {string} text */
function sqlText(text) {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * @param {View} view
 * @returns {Readonly<Record<string, string>>} the parameters of `/candles`
 */
export function queryOf({ exchange, symbol, timeframe, sinceMs, untilMs }) {
  return {
    exchange,
    symbol,
    timeframe,
    since: isoTime(sinceMs),
    until: isoTime(untilMs),
    limit: String(PAGE_CANDLES_MAX),
  };
}

/**
 * @param {View} view
 * @param {{ readonly origin: string, readonly isGuarded: boolean }} daemon whether it asks for a token, which is named and
 *   never written out
 * @returns {string}
 */
export function curlOf(view, { origin, isGuarded }) {
  const token = isGuarded ? ` -H "Authorization: Bearer $HTTP_TOKEN"` : "";
  return `curl -s${token} ${shellWord(`${origin}/candles?${new URLSearchParams(queryOf(view))}`)}`;
}

/** @param {View} view @returns {string} */
export function exportOf(view) {
  const { exchange, symbol, timeframe, sinceMs, untilMs } = view;
  const options = [
    ["-o", fileNameOf(view, "csv")],
    ["--exchange", exchange],
    ["--symbol", symbol],
    ["--timeframe", timeframe],
    ["--since", isoTime(sinceMs)],
    ["--until", isoTime(untilMs)],
  ];
  return `titan10 export ${
    options.map(([name, value]) => `${name} ${shellWord(value ?? "")}`).join(" ")
  }`;
}

/**
 * A name that every file system takes, whatever an exchange calls its market.
 * @param {View} view
 * @param {"csv" | "json"} kind
 */
export function fileNameOf({ exchange, symbol, timeframe }, kind) {
  const name = `${exchange}_${symbol}_${timeframe}`.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-");
  return `${name}.${kind}`;
}

const CSV_HEAD = "exchange,symbol,timeframe,time,open,high,low,close,volume,volume_base\n";

/** What spreadsheets take for the beginning of a formula. A file from a browser is opened by a click. */
const FORMULA = /^[\s\0]*[=+\-@＝＋－＠]/;

/**
 * As `titan10 export --quote-formulas` writes it.
 * @param {View} view
 * @param {readonly Candle[]} candles
 */
export function csvOf({ exchange, symbol, timeframe }, candles) {
  const series = [exchange, symbol, timeframe].map(csvField).join(",");
  const lines = candles.map(({ time, open, high, low, close, volume, volumeBase }) =>
    `${series},${isoTime(Date.parse(time))},${open},${high},${low},${close},${volume ?? ""},${
      volumeBase ?? ""
    }\n`
  );
  return CSV_HEAD + lines.join("");
}

/** @param {string} text */
function csvField(text) {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @param {View} view @param {readonly Candle[]} candles */
export function jsonOf({ exchange, symbol, timeframe }, candles) {
  return JSON.stringify({ exchange, symbol, timeframe, candles });
}

/** @param {View} view @returns {number} how many candles fit into it */
export function slotsOf({ timeframe, sinceMs, untilMs }) {
  return Math.round((untilMs - sinceMs) / addCandles(timeframe, 0, 1));
}
