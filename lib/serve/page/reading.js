/** The line above the chart: the values of one candle, or why there is none. @module */
import { dateText, spanText } from "./dates.js";
import { datesOf } from "./missing_list.js";
import { priceText, volumeWords } from "./price_text.js";
import { stateOf, STATES } from "./state.js";
import { byId, element } from "./text.js";

/**
 * @param {import("./chart_candles.js").ChartCandles} candles
 * @param {number} openTimeMs
 * @param {import("./dates.js").Writing} writing
 * @returns {readonly string[]} `2026-01-31 12:05`, `O 1.50`, `H 1.62`, `L 1.49`, `C 1.60`, `V 1,234.5 BTC`; a price that nobody
 *   trades has no volume
 */
export function readingOf(candles, openTimeMs, writing) {
  const at = dateText(openTimeMs, writing);
  const candle = candles.at(openTimeMs);
  if (candle !== undefined) {
    const [open, high, low, close] = [candle.open, candle.high, candle.low, candle.close]
      .map((price) => priceText(price, candles.decimals));
    const volume = candle.volume === null
      ? []
      : [`V ${volumeWords({ ...candle, volume: candle.volume }, candles.symbol)}`];
    const kind = candles.kindAt(openTimeMs);
    const values = [`O ${open}`, `H ${high}`, `L ${low}`, `C ${close}`, ...volume];
    return [at, ...values, ...kind === "stored" ? [] : [kind]];
  }
  const span = candles.spans.find(({ sinceMs, untilMs }) =>
    sinceMs <= openTimeMs && openTimeMs < untilMs
  );
  if (span === undefined) return [at, "no candle"];
  return [at, `${STATES[stateOf(span.state)]}: ${datesOf(span, writing)}`];
}

/** Breaks lines only between the values. @param {readonly string[]} parts */
export function drawReading(parts) {
  const spans = parts.map((part) => element("span", {}, part));
  byId("chart-reading").replaceChildren(
    ...spans.flatMap((span, at) => at === 0 ? [span] : ["   ", span]),
  );
}

/**
 * Says what the canvas shows, and what is drawn apart.
 * @param {import("./chart_candles.js").ChartCandles} candles
 * @param {import("./chart_candles.js").Shown} shown
 * @param {import("./dates.js").Writing} writing
 */
export function drawLegend(candles, { exchange, symbol, timeframe }, writing) {
  const dates = spanText(candles.sinceMs, candles.untilMs, writing).replace(" – ", " to ");
  byId("chart-canvas").setAttribute(
    "aria-label",
    `Candlesticks${
      candles.hasVolume ? " and volume" : ""
    } of ${exchange} ${symbol} ${timeframe}, ${dates}`,
  );
  const { kinds } = candles;
  byId("legend-provisional").hidden = !kinds.has("provisional");
  byId("legend-forming").hidden = !kinds.has("forming");
}
