/** Series that a stream keeps fresh are polled every third tick, so that others and history have their requests. @module */
import type { FreshSeries } from "../archive/fresh_series.ts";
import { type Series, seriesName } from "../market/series.ts";

/** An answer must confirm what a stream has told while the exchange's newest candles are still in one page. */
const EVERY_TICKS = 3;

export class ThinnedPolls {
  readonly #streams: FreshSeries | undefined;
  /** Each series has a place, so that a third of them is polled at each tick. */
  readonly #places = new Map<string, number>();
  #ticks = 0;

  /** @param streams undefined where there are none: all series are polled at every tick then. */
  constructor(streams: FreshSeries | undefined) {
    this.#streams = streams;
  }

  /** Call when a tick begins. */
  countTick(): void {
    this.#ticks++;
  }

  /** Whether a series is left out at this tick. */
  isLeftOut(series: Series, nowMs: number): boolean {
    if (this.#streams?.isFresh(series, nowMs) !== true) return false;
    const name = seriesName(series);
    const place = this.#places.get(name) ?? this.#places.size;
    this.#places.set(name, place);
    return (this.#ticks + place) % EVERY_TICKS !== 0;
  }
}
