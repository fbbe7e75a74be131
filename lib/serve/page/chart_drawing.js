/** Draws a chart with TradingView's Lightweight Charts, in the page's colours. @module */
import { BrokenLine } from "./broken_line.js";
import { candleAt, candleColours, pointAt, volumeAt } from "./chart_points.js";
import { GapShading } from "./gap_shading.js";
import { dateText } from "./dates.js";
import { axisText } from "./price_text.js";
import { addCandles } from "./text.js";
import { zoneScale } from "./zone_scale.js";

/**
 * @typedef {import("lightweight-charts").UTCTimestamp} Seconds
 * @typedef {import("./chart_candles.js").ChartCandles} ChartCandles
 * @typedef {import("./dates.js").Writing} Writing
 * @typedef {import("./other_exchanges.js").OtherLine} OtherLine
 * @typedef {{ readonly firstMs: number, readonly middleMs: number, readonly lastMs: number, readonly before: number,
 *   readonly after: number }} View open times of what is in view, and how many candles are loaded beside it; negative
 *   where the view reaches farther
 * @typedef {{
 *   show: (candles: ChartCandles, options: { readonly isFollowing: boolean }) => void,
 *   renewLast: (candles: ChartCandles) => void,
 *   showOthers: (lines: readonly OtherLine[]) => void,
 *   showNewest: () => void,
 *   stand: (place: Pick<import("./chart_bounds.js").Window, "atMs" | "range">) => void,
 *   showSpan: (sinceMs: number, untilMs: number) => void,
 *   point: (openTimeMs: number) => void,
 *   move: (candles: number) => void,
 *   zoom: (factor: number) => void,
 *   view: () => View | undefined,
 *   width: () => number,
 *   remove: () => void,
 * }} Drawing
 */

/** Candles visible at first. */
const NEWEST_CANDLES = 150;

/** Pixels a candle takes, at least and at most. */
const [SPACING_PX_MIN, SPACING_PX_MAX] = [0.05, 60];

/** A candle is in view with its middle; edges are never quite where they were put. */
const SLACK = 0.25;

/** How the lines of other exchanges are dashed, so that colour is not all that tells them apart; as in chart.css. */
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [14, 5]];

/**
 * @param {HTMLElement} place
 * @param {Writing} writing
 * @param {{ onCross: (openTimeMs: number | undefined) => void, onMove: () => void }} told
 * @returns {Promise<Drawing>}
 */
export async function makeDrawing(place, writing, { onCross, onMove }) {
  // Loaded with the first chart, because it is most of the page's bytes.
  const library = await import("./lightweight-charts.js");
  const { createChartEx, defaultHorzScaleBehavior } = library;
  const chart = createChartEx(place, zoneScale(defaultHorzScaleBehavior, writing), {
    autoSize: true,
    // Credited in the footer: the logo needs a style element and HTML, which the page's policy forbids.
    layout: { attributionLogo: false },
    localization: {
      timeFormatter: (/** @type {Seconds} */ time) => dateText(time * 1000, writing),
    },
    timeScale: {
      minBarSpacing: SPACING_PX_MIN,
    },
  });
  const series = addSeries(chart, library);
  const shading = new GapShading(chart, writing);
  series.candles.attachPrimitive(/** @type {any} */ (shading));
  chart.subscribeCrosshairMove(({ time }) =>
    onCross(typeof time === "number" ? time * 1000 : undefined)
  );
  chart.timeScale().subscribeVisibleLogicalRangeChange((range) => range !== null && onMove());
  const stopPainting = paintByTheme((colour) => {
    chart.applyOptions(chartOptions(colour));
    series.paint(colour);
  });
  /** @type {number[]} */
  let slots = [];
  const moves = movesOf(chart, () => slots);
  return {
    ...moves.drawing,
    show(loaded, { isFollowing }) {
      const { timeframe } = writing;
      const [first, length, seen] = [slots[0], slots.length, moves.seen()];
      slots = [...loaded.openTimes()];
      series.show(loaded, slots);
      shading.show(loaded.spans.map((span) => ({
        ...span,
        lastMs: addCandles(timeframe, span.untilMs, -1),
      })));
      if (first === undefined || seen === null) return;
      const shift = slots[0] === undefined || slots[0] <= first
        ? slots.indexOf(first)
        : -Math.round((slots[0] - first) / addCandles(timeframe, 0, 1));
      // The same candles as before others came beside them.
      const far = shift + (isFollowing ? slots.length - shift - length : 0);
      moves.range(seen.from + far, seen.to + far);
    },
    renewLast: (loaded) => series.renew(loaded, slots.at(-1)),
    showOthers: (lines) => series.showOthers(lines, slots),
    point(openTimeMs) {
      chart.setCrosshairPosition(NaN, /** @type {Seconds} */ (openTimeMs / 1000), series.candles);
    },
    width: () => place.clientWidth,
    remove() {
      stopPainting();
      chart.remove();
    },
  };
}

/**
 * @typedef {import("lightweight-charts").IChartApiBase<import("lightweight-charts").Time>} ChartApi
 * @typedef {(name: string) => string} Colour
 */

/**
 * The candles, their volume, and lines of other exchanges.
 * @param {ChartApi} chart
 * @param {typeof import("lightweight-charts")} library
 */
function addSeries(chart, { CandlestickSeries, HistogramSeries, customSeriesDefaultOptions }) {
  const candles = chart.addSeries(CandlestickSeries, { priceLineSource: 1 });
  const volume = chart.addSeries(HistogramSeries, {
    priceScaleId: "volume",
    priceFormat: { type: "volume" },
    lastValueVisible: false,
    priceLineVisible: false,
  });
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  /** @type {Map<number, import("lightweight-charts").ISeriesApi<"Custom">>} */
  const others = new Map();
  let colour = /** @type {Colour} */ (() => "");
  let decimals = 0;
  /** @type {{ readonly loaded: ChartCandles, readonly slots: readonly number[] } | undefined} */
  let shown;
  const format = () => ({
    type: /** @type {const} */ ("custom"),
    formatter: (/** @type {number} */ price) => axisText(price, decimals),
    minMove: 10 ** -decimals,
    base: 10 ** decimals,
  });
  return {
    candles,
    /** @param {Colour} ofTheme */
    paint(ofTheme) {
      colour = ofTheme;
      if (shown !== undefined) this.show(shown.loaded, shown.slots);
      candles.applyOptions(candleColours(colour));
      volume.applyOptions({ color: colour("--volume") });
      for (const [at, line] of others) line.applyOptions({ color: colour(`--other-${at}`) });
    },
    /** @param {ChartCandles} loaded @param {readonly number[]} slots */
    show(loaded, slots) {
      shown = { loaded, slots };
      decimals = loaded.decimals;
      candles.applyOptions({ priceFormat: format() });
      candles.priceScale().applyOptions({
        scaleMargins: { top: 0.1, bottom: loaded.hasVolume ? 0.22 : 0.1 },
      });
      candles.setData(slots.map((ms) => candleAt(loaded, ms, colour)));
      volume.setData(slots.map((ms) => volumeAt(loaded, ms, colour)));
    },
    /** @param {ChartCandles} loaded @param {number | undefined} ms the last slot */
    renew(loaded, ms) {
      if (ms === undefined) return;
      candles.update(candleAt(loaded, ms, colour));
      volume.update(volumeAt(loaded, ms, colour));
    },
    /** @param {readonly OtherLine[]} lines @param {readonly number[]} slots */
    showOthers(lines, slots) {
      for (const [at, line] of others) {
        if (lines.some(({ place }) => place === at)) continue;
        chart.removeSeries(line);
        others.delete(at);
      }
      for (const { place, candles } of lines) {
        const line = others.get(place) ?? chart.addCustomSeries(
          new BrokenLine({ ...customSeriesDefaultOptions, dash: DASHES[place] ?? [] }),
          { color: colour(`--other-${place}`), priceLineVisible: false, lastValueVisible: false },
        );
        others.set(place, line);
        line.applyOptions({ priceFormat: format() });
        line.setData(slots.map((ms, at) => pointAt(candles, ms, slots[at - 1])));
      }
    },
  };
}

/**
 * @param {ChartApi} chart
 * @param {() => readonly number[]} slotsOf open times of all loaded slots
 */
function movesOf(chart, slotsOf) {
  const scale = chart.timeScale();
  // The chart applies a change with the next frame. Keys may come faster, so changes are added up until then.
  /** @type {{ position?: number, barSpacing?: number, range?: { from: number, to: number } }} */
  let next = {};
  const remember = (/** @type {typeof next} */ change) => {
    next = { ...next, ...change };
    requestAnimationFrame(() => next = {});
  };
  const range = (/** @type {number} */ from, /** @type {number} */ to) => {
    scale.setVisibleLogicalRange({ from, to });
    remember({ range: { from, to } });
  };
  const seen = () => next.range ?? scale.getVisibleLogicalRange();
  const showNewest = () => range(slotsOf().length - NEWEST_CANDLES, slotsOf().length + 2);
  return {
    range,
    /** What is in view, or will be in the next frame. The chart itself moves when its data change. */
    seen,
    drawing: {
      showNewest,
      stand(
        /** @type {Pick<import("./chart_bounds.js").Window, "atMs" | "range">} */ {
          atMs,
          range: asked,
        },
      ) {
        if (asked !== undefined) {
          const { from, to } = slotsIn(slotsOf(), asked.sinceMs, asked.untilMs);
          range(from - 0.5, to + 0.5);
        } else if (atMs !== undefined) {
          const at = slotsOf().findLastIndex((ms) => ms <= atMs);
          range(at - NEWEST_CANDLES / 2, at + NEWEST_CANDLES / 2);
        } else showNewest();
      },
      showSpan(/** @type {number} */ sinceMs, /** @type {number} */ untilMs) {
        const { from, to } = slotsIn(slotsOf(), sinceMs, untilMs);
        const margin = Math.max(20, (to - from) / 2);
        range(from - margin, to + margin);
      },
      move(/** @type {number} */ far) {
        const position = (next.position ?? scale.scrollPosition()) + far;
        scale.scrollToPosition(position, false);
        remember({ position });
      },
      zoom(/** @type {number} */ factor) {
        const wanted = (next.barSpacing ?? scale.options().barSpacing) * factor;
        const barSpacing = Math.min(SPACING_PX_MAX, Math.max(SPACING_PX_MIN, wanted));
        chart.applyOptions({ timeScale: { barSpacing } });
        remember({ barSpacing });
      },
      view() {
        const now = seen();
        const slots = slotsOf();
        if (now === null || slots.length === 0) return undefined;
        const at = (/** @type {number} */ slot) =>
          slots[Math.max(0, Math.min(slots.length - 1, Math.round(slot)))] ?? 0;
        return {
          firstMs: at(Math.ceil(now.from - SLACK)),
          middleMs: at((now.from + now.to) / 2),
          lastMs: at(Math.floor(now.to + SLACK)),
          before: now.from,
          after: slots.length - 1 - now.to,
        };
      },
    },
  };
}

/** @param {readonly number[]} slots @param {number} sinceMs @param {number} untilMs */
function slotsIn(slots, sinceMs, untilMs) {
  const from = slots.findIndex((ms) => ms >= sinceMs);
  return { from, to: slots.findLastIndex((ms) => ms < untilMs) };
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
    timeScale: { borderColor: colour("--line") },
    crosshair: { mode: 0 },
  };
}
