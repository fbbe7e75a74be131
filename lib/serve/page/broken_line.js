/** A line that is not drawn over what is missing: the closes of one more exchange. @module */

/**
 * @typedef {import("lightweight-charts").Time} Time
 * @typedef {import("lightweight-charts").CustomData<Time> & { readonly value: number, readonly isJoined: boolean }} Point
 *   `isJoined`: whether the candle before it is there
 * @typedef {import("lightweight-charts").CustomSeriesOptions & { readonly dash: readonly number[] }} Options
 * @typedef {import("lightweight-charts").PaneRendererCustomData<Time, Point>} Drawn
 * @typedef {import("lightweight-charts").ICustomSeriesPaneView<Time, Point, Options>} View
 * @typedef {Parameters<import("lightweight-charts").ICustomSeriesPaneRenderer["draw"]>} Place
 */

const LINE_PX = 1.75;

/** @implements {View} */
export class BrokenLine {
  /** @type {Drawn | undefined} */
  #drawn;
  /** @type {Options} */
  #options;
  #defaults;

  /** @param {Options} defaults */
  constructor(defaults) {
    this.#defaults = defaults;
    this.#options = defaults;
  }

  defaultOptions() {
    return this.#defaults;
  }

  /** @param {Drawn} drawn @param {Options} options */
  update(drawn, options) {
    this.#drawn = drawn;
    this.#options = options;
  }

  /** @param {Point} point */
  priceValueBuilder({ value }) {
    return [value];
  }

  /** @param {Point | import("lightweight-charts").CustomSeriesWhitespaceData<Time>} point @returns {point is import("lightweight-charts").CustomSeriesWhitespaceData<Time>} */
  isWhitespace(point) {
    return !("value" in point);
  }

  renderer() {
    return { draw: (/** @type {Place} */ ...[target, heightOf]) => this.#draw(target, heightOf) };
  }

  /** @param {Place[0]} target @param {Place[1]} heightOf */
  #draw(target, heightOf) {
    const { bars = [], visibleRange = null } = this.#drawn ?? {};
    if (visibleRange === null) return;
    const { color, dash } = this.#options;
    target.useMediaCoordinateSpace(({ context }) => {
      context.lineWidth = LINE_PX;
      context.lineCap = dash.length === 0 ? "round" : "butt";
      context.lineJoin = "round";
      context.strokeStyle = color;
      context.setLineDash([...dash]);
      context.beginPath();
      // One more on each side, so that the line reaches the edges.
      for (
        const { x, originalData } of bars.slice(
          Math.max(0, visibleRange.from - 1),
          visibleRange.to + 1,
        )
      ) {
        const y = "value" in originalData ? heightOf(originalData.value) : null;
        if (y === null) continue;
        if (originalData.isJoined) context.lineTo(x, y);
        else {
          // A candle alone is a point.
          context.rect(x - LINE_PX / 2, y - LINE_PX / 2, LINE_PX / 2, LINE_PX / 2);
          context.moveTo(x, y);
        }
      }
      context.stroke();
    });
  }
}
