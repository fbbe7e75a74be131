/** Draws a chart with TradingView's Lightweight Charts, in the page's colours. @module */
import { GapShading } from "./gap_shading.js";
import { addCandles, byId, setText } from "./text.js";

/**
 * @typedef {import("lightweight-charts").UTCTimestamp} Seconds
 * @typedef {import("./chart_candles.js").ChartCandles} ChartCandles
 * @typedef {{
 *   show: (candles: ChartCandles, timeframe: string) => void,
 *   showNewest: () => void,
 *   showSpan: (sinceMs: number, untilMs: number) => void,
 *   move: (candles: number) => void,
 *   zoom: (factor: number) => void,
 *   view: () => { readonly firstMs: number, readonly lastMs: number } | undefined,
 *   remove: () => void,
 * }} Drawing
 */

/** Candles visible at first. */
const NEWEST_CANDLES = 150;

/** Most decimals on the price axis. */
const DECIMALS_MAX = 10;

/**
 * @param {HTMLElement} place
 * @param {{ readingOf: (openTimeMs: number | undefined) => string, onMove: (firstSlot: number) => void }} told
 * @returns {Promise<Drawing>}
 */
export async function makeDrawing(place, { readingOf, onMove }) {
  // Loaded with the first chart, because it is most of the page's bytes.
  const { CandlestickSeries, createChart, HistogramSeries } = await import(
    "./lightweight-charts.js"
  );
  const chart = createChart(place, {
    autoSize: true,
    // Credited in the footer instead: the logo needs a style element and HTML, which the page's policy forbids.
    layout: { attributionLogo: false },
  });
  const candles = chart.addSeries(CandlestickSeries, {});
  const volume = chart.addSeries(HistogramSeries, {
    priceScaleId: "volume",
    priceFormat: { type: "volume" },
    lastValueVisible: false,
    priceLineVisible: false,
  });
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.1, bottom: 0.22 } });
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  const shading = new GapShading(chart);
  candles.attachPrimitive(/** @type {any} */ (shading));
  chart.subscribeCrosshairMove(({ time }) => {
    setText(byId("chart-reading"), readingOf(typeof time === "number" ? time * 1000 : undefined));
  });
  chart.timeScale().subscribeVisibleLogicalRangeChange((range) =>
    range !== null && onMove(range.from)
  );
  const stopPainting = paintByTheme((colour) => {
    chart.applyOptions(chartOptions(colour));
    candles.applyOptions(candleColours(colour));
    volume.applyOptions({ color: colour("--volume") });
  });
  /** @type {number[]} */
  let slots = [];
  return {
    show(loaded, timeframe) {
      slots = [...loaded.openTimes()];
      const closes = slots.map((ms) => loaded.at(ms)?.close);
      candles.applyOptions({ priceFormat: priceFormatOf(closes) });
      candles.setData(slots.map((ms) => candleAt(loaded, ms)));
      volume.setData(slots.map((ms) => volumeAt(loaded, ms)));
      chart.applyOptions({ timeScale: { timeVisible: !/[dwMy]$/.test(timeframe) } });
      shading.show(loaded.spans.map(({ state, sinceMs, untilMs }) => ({
        state,
        sinceMs,
        lastMs: addCandles(timeframe, untilMs, -1),
      })));
    },
    ...movesOf(chart, () => slots),
    remove() {
      stopPainting();
      chart.remove();
    },
  };
}

/**
 * @param {import("lightweight-charts").IChartApi} chart
 * @param {() => readonly number[]} slotsOf open times of all loaded slots
 * @returns {Pick<Drawing, "showNewest" | "showSpan" | "move" | "zoom" | "view">}
 */
function movesOf(chart, slotsOf) {
  const scale = chart.timeScale();
  const range = (/** @type {number} */ from, /** @type {number} */ to) =>
    scale.setVisibleLogicalRange({ from, to });
  // The chart applies a change with the next frame. Keys may come faster, so changes are added up until then.
  /** @type {{ position?: number, barSpacing?: number }} */
  let next = {};
  const remember = (/** @type {typeof next} */ change) => {
    next = { ...next, ...change };
    requestAnimationFrame(() => next = {});
  };
  return {
    showNewest: () => range(slotsOf().length - NEWEST_CANDLES, slotsOf().length + 2),
    showSpan(sinceMs, untilMs) {
      const from = slotsOf().findIndex((ms) => ms >= sinceMs);
      const to = slotsOf().findLastIndex((ms) => ms < untilMs);
      const margin = Math.max(20, (to - from) / 2);
      range(from - margin, to + margin);
    },
    move(far) {
      const position = (next.position ?? scale.scrollPosition()) + far;
      scale.scrollToPosition(position, false);
      remember({ position });
    },
    zoom(factor) {
      const wanted = (next.barSpacing ?? scale.options().barSpacing) * factor;
      const barSpacing = Math.min(60, Math.max(0.5, wanted));
      chart.applyOptions({ timeScale: { barSpacing } });
      remember({ barSpacing });
    },
    view() {
      const seen = scale.getVisibleLogicalRange();
      const slots = slotsOf();
      if (seen === null || slots.length === 0) return undefined;
      const at = (/** @type {number} */ slot) =>
        slots[Math.max(0, Math.min(slots.length - 1, Math.round(slot)))] ?? 0;
      return { firstMs: at(seen.from), lastMs: at(seen.to) };
    },
  };
}

/** @param {ChartCandles} loaded @param {number} ms */
function candleAt(loaded, ms) {
  const time = /** @type {Seconds} */ (ms / 1000);
  const candle = loaded.at(ms);
  if (candle === undefined) return { time };
  const { open, high, low, close } = candle;
  return { time, open: Number(open), high: Number(high), low: Number(low), close: Number(close) };
}

/** @param {ChartCandles} loaded @param {number} ms */
function volumeAt(loaded, ms) {
  const time = /** @type {Seconds} */ (ms / 1000);
  const candle = loaded.at(ms);
  return candle === undefined ? { time } : { time, value: Number(candle.volume) };
}

/**
 * Paints now, and whenever the theme changes.
 * @param {(colour: (name: string) => string) => void} paint
 * @returns {() => void} stops it
 */
function paintByTheme(paint) {
  const styles = getComputedStyle(document.documentElement);
  const repaint = () => paint((name) => styles.getPropertyValue(name).trim());
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", repaint);
  repaint();
  return () => dark.removeEventListener("change", repaint);
}

/** @param {(name: string) => string} colour */
function chartOptions(colour) {
  return {
    layout: {
      background: { color: "transparent" },
      textColor: colour("--text-quiet"),
      fontFamily: colour("--font"),
      fontSize: 11,
    },
    grid: { vertLines: { color: colour("--line") }, horzLines: { color: colour("--line") } },
    rightPriceScale: { borderColor: colour("--line") },
    timeScale: { borderColor: colour("--line"), secondsVisible: false, minBarSpacing: 0.5 },
    crosshair: { mode: 0 },
  };
}

/** @param {(name: string) => string} colour */
function candleColours(colour) {
  const [up, down] = [colour("--up"), colour("--down")];
  return {
    upColor: up,
    wickUpColor: up,
    borderUpColor: up,
    downColor: down,
    wickDownColor: down,
    borderDownColor: down,
  };
}

/** @param {readonly (string | undefined)[]} prices */
function priceFormatOf(prices) {
  const decimals = prices.slice(-500).reduce(
    (most, price) => Math.min(DECIMALS_MAX, Math.max(most, price?.split(".")[1]?.length ?? 0)),
    0,
  );
  return { type: /** @type {const} */ ("price"), precision: decimals, minMove: 10 ** -decimals };
}
