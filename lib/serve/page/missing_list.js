/** The list below the chart: spans without candles, why, and from when to when. @module */
import { spanText } from "./dates.js";
import { stateOf, STATES } from "./state.js";
import { addCandles, byId, count, element, setText } from "./text.js";

/**
 * @typedef {import("./chart_candles.js").ChartCandles} ChartCandles
 * @typedef {import("./chart_candles.js").Span} Span
 * @typedef {import("./dates.js").Writing} Writing
 */

const LISTED_SPANS_MAX = 100;

/**
 * @param {ChartCandles} candles
 * @param {Writing} writing
 * @param {(span: Span) => void} onChoose
 */
export function listMissing(candles, writing, onChoose) {
  const { spans, timeframes, sinceMs, untilMs } = candles;
  const newest = spans.slice(-LISTED_SPANS_MAX).reverse();
  const base = timeframes.find(({ timeframe }) => timeframe === writing.timeframe)?.rolledUpFrom;
  const where = `from ${spanText(sinceMs, untilMs, writing).replace(" – ", " to ")}`;
  const note = base !== null && base !== undefined
    ? `Calculated from ${base}: see there for the reasons.`
    : spans.length === 0
    ? `None ${where}.`
    : `${count(spans.length)} ${spans.length === 1 ? "span" : "spans"} ${where}` +
      (newest.length < spans.length ? `, the newest ${newest.length}:` : ":");
  setText(byId("chart-note"), note);
  byId("chart-gaps").replaceChildren(...newest.map((span) => {
    const button = element(
      "button",
      { type: "button" },
      element("span", { class: "part", "data-state": stateOf(span.state) }),
      element("strong", {}, STATES[stateOf(span.state)]),
      ` ${datesOf(span, writing)}`,
    );
    button.addEventListener("click", () => onChoose(span));
    return element("li", {}, button);
  }));
}

/** @param {Span} span @param {Writing} writing @returns {string} `2026-01-31 12:05 – 12:19, 14 candles` */
export function datesOf({ sinceMs, untilMs }, writing) {
  let candles = 0;
  for (let ms = sinceMs; ms < untilMs; ms = addCandles(writing.timeframe, ms, 1)) candles++;
  const dates = spanText(sinceMs, untilMs, writing);
  return `${dates}, ${count(candles)} ${candles === 1 ? "candle" : "candles"}`;
}
