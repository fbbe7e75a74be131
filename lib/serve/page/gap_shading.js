/** Shades the spans of a chart without candles and labels them with the reason and the dates. @module */
import { spanText } from "./dates.js";
import { stateOf, STATES } from "./state.js";

/**
 * @typedef {import("lightweight-charts").IChartApiBase<import("lightweight-charts").Time>} ChartApi
 * @typedef {import("lightweight-charts").UTCTimestamp} Seconds
 * @typedef {import("lightweight-charts").ISeriesPrimitive<Seconds>} Primitive
 * @typedef {{ readonly state: string, readonly sinceMs: number, readonly untilMs: number, readonly lastMs: number }} ShadedSpan
 * @typedef {{ readonly state: keyof typeof STATES, readonly dates: string, readonly left: number, readonly width: number,
 *   readonly height: number }} Area in CSS pixels
 */

/** Narrower spans get no label; the list below the chart names them. */
const NAMED_ACROSS_PX_MIN = 90;
const NAMED_UPRIGHT_PX_MIN = 13;

/** @implements {Primitive} */
export class GapShading {
  /** @type {readonly ShadedSpan[]} */
  #spans = [];
  #chart;
  #writing;
  #requestUpdate = () => {};

  /** @param {ChartApi} chart @param {import("./dates.js").Writing} writing */
  constructor(chart, writing) {
    this.#chart = chart;
    this.#writing = writing;
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
    // The areas below the grid and the candles, the labels above them.
    return [
      this.#view("bottom", drawShade),
      this.#view("top", drawName),
    ];
  }

  /**
   * @param {"bottom" | "top"} order
   * @param {(context: CanvasRenderingContext2D, area: Area) => void} draw
   * @returns {import("lightweight-charts").IPrimitivePaneView}
   */
  #view(order, draw) {
    return {
      zOrder: () => order,
      renderer: () => ({
        draw: (target) =>
          target.useMediaCoordinateSpace(({ context, mediaSize }) => {
            for (const span of this.#spans) {
              const area = this.#areaOf(span, mediaSize);
              if (area !== undefined) draw(context, area);
            }
          }),
      }),
    };
  }

  /**
   * @param {ShadedSpan} span
   * @param {{ readonly width: number, readonly height: number }} size
   * @returns {Area | undefined} undefined if it is not visible
   */
  #areaOf({ state, sinceMs, untilMs, lastMs }, { width, height }) {
    const scale = this.#chart.timeScale();
    const first = scale.timeToCoordinate(/** @type {Seconds} */ (sinceMs / 1000));
    const last = scale.timeToCoordinate(/** @type {Seconds} */ (lastMs / 1000));
    if (first === null || last === null) return undefined;
    const half = scale.options().barSpacing / 2;
    const [left, right] = [Math.max(-1, first - half), Math.min(width + 1, last + half)];
    if (right <= 0 || left >= width) return undefined;
    const dates = spanText(sinceMs, untilMs, this.#writing);
    return { state: stateOf(state), dates, left, width: Math.max(1, right - left), height };
  }
}

/** @param {string} name @returns {string} */
function styleOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

/** @param {CanvasRenderingContext2D} context @param {Area} area */
function drawShade(context, { state, left, width, height }) {
  context.fillStyle = styleOf(`--${state.replaceAll("_", "-")}`);
  context.globalAlpha = 0.2;
  context.fillRect(left, 0, width, height);
  context.globalAlpha = 0.9;
  context.fillRect(left, 0, width, 3);
  context.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} context @param {Area} area */
function drawName(context, { state, dates, left, width, height }) {
  context.fillStyle = styleOf("--text");
  context.font = `11px ${styleOf("--font")}`;
  const from = Math.max(left, 0);
  context.save();
  if (left + width - from >= NAMED_ACROSS_PX_MIN) {
    context.beginPath();
    context.rect(left, 0, width, height);
    context.clip();
    context.fillText(STATES[state], from + 6, 18);
    // The dates, where all of them fit: half of a date is a wrong one.
    if (left + width - from >= context.measureText(dates).width + 12) {
      context.fillText(dates, from + 6, 32);
    }
  } else if (width >= NAMED_UPRIGHT_PX_MIN) {
    context.translate(left + width / 2 + 4, 10 + context.measureText(STATES[state]).width);
    context.rotate(-Math.PI / 2);
    context.fillText(STATES[state], 0, 0);
  }
  context.restore();
}
