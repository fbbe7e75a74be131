/** Shades the spans of a chart in which candles are not there, and writes the reason on them. @module */
import { stateOf, STATES } from "./state.js";

/**
 * @typedef {import("lightweight-charts").IChartApi} ChartApi
 * @typedef {import("lightweight-charts").UTCTimestamp} Seconds
 * @typedef {import("lightweight-charts").ISeriesPrimitive<Seconds>} Primitive
 * @typedef {{ readonly state: string, readonly sinceMs: number, readonly lastMs: number }} ShadedSpan
 */

/** Narrower ones have their name in the list below the chart alone. */
const NAMED_ACROSS_PX_MIN = 90;
const NAMED_UPRIGHT_PX_MIN = 13;

/** @implements {Primitive} */
export class GapShading {
  /** @type {readonly ShadedSpan[]} */
  #spans = [];
  #chart;
  #requestUpdate = () => {};

  /** @param {ChartApi} chart */
  constructor(chart) {
    this.#chart = chart;
  }

  /** @param {readonly ShadedSpan[]} spans `lastMs` is the open time of the last candle of each */
  show(spans) {
    this.#spans = spans;
    this.#requestUpdate();
  }

  /** @param {import("lightweight-charts").SeriesAttachedParameter<any, any>} to */
  attached({ requestUpdate }) {
    this.#requestUpdate = requestUpdate;
  }

  /** @returns {readonly import("lightweight-charts").IPrimitivePaneView[]} */
  paneViews() {
    return [{
      zOrder: () => "bottom",
      renderer: () => ({
        draw: (target) =>
          target.useMediaCoordinateSpace(({ context, mediaSize }) => {
            for (const span of this.#spans) this.#drawSpan(context, span, mediaSize);
          }),
      }),
    }];
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {ShadedSpan} span
   * @param {{ readonly width: number, readonly height: number }} size
   */
  #drawSpan(context, { state, sinceMs, lastMs }, { width, height }) {
    const scale = this.#chart.timeScale();
    const first = scale.timeToCoordinate(/** @type {Seconds} */ (sinceMs / 1000));
    const last = scale.timeToCoordinate(/** @type {Seconds} */ (lastMs / 1000));
    if (first === null || last === null) return;
    const half = scale.options().barSpacing / 2;
    const [left, right] = [Math.max(-1, first - half), Math.min(width + 1, last + half)];
    if (right <= 0 || left >= width) return;
    const key = stateOf(state);
    const styles = getComputedStyle(document.documentElement);
    context.fillStyle = styles.getPropertyValue(`--${key.replaceAll("_", "-")}`);
    context.globalAlpha = 0.2;
    context.fillRect(left, 0, Math.max(1, right - left), height);
    context.globalAlpha = 0.9;
    context.fillRect(left, 0, Math.max(1, right - left), 3);
    context.globalAlpha = 1;
    context.fillStyle = styles.getPropertyValue("--text-quiet");
    context.font = `11px ${styles.getPropertyValue("--font")}`;
    const from = Math.max(left, 0);
    if (right - from >= NAMED_ACROSS_PX_MIN) {
      context.save();
      context.beginPath();
      context.rect(left, 0, right - left, height);
      context.clip();
      context.fillText(STATES[key], from + 6, 18);
      context.restore();
    } else if (right - left >= NAMED_UPRIGHT_PX_MIN) {
      context.save();
      context.translate((left + right) / 2 + 4, 10 + context.measureText(STATES[key]).width);
      context.rotate(-Math.PI / 2);
      context.fillText(STATES[key], 0, 0);
      context.restore();
    }
  }
}
