/** Makes coarser candles from finer ones, of those times only of which all finer candles are there. @module */
import { addCandles, countCandles, floorTime, type Timeframe } from "../market/timeframe.ts";
import type { FeatherRow } from "./feather.ts";

/**
 * Takes candles of `from`, oldest first, and gives those of `to` that are whole: the first's open, the highest high, the
 * lowest low, the last's close and the sum of the volumes.
 */
export class CoarserCandles {
  readonly #from: Timeframe;
  readonly #to: Timeframe;
  #candle: [number, number, number, number, number, number] | undefined;
  #count = 0;

  constructor({ from, to }: { readonly from: Timeframe; readonly to: Timeframe }) {
    this.#from = from;
    this.#to = to;
  }

  /** The candles that these complete. */
  *take(rows: Iterable<FeatherRow>): Generator<FeatherRow, void> {
    for (const [timeMs, open, high, low, close, volume] of rows) {
      const openMs = floorTime(this.#to, timeMs);
      const candle = this.#candle;
      if (candle === undefined || candle[0] !== openMs) {
        this.#candle = [openMs, open, high, low, close, volume];
        this.#count = 1;
      } else {
        this.#candle = [
          openMs,
          candle[1],
          Math.max(candle[2], high),
          Math.min(candle[3], low),
          close,
          candle[5] + volume,
        ];
        this.#count++;
      }
      const wanted = countCandles(this.#from, openMs, addCandles(this.#to, openMs, 1));
      if (this.#count === wanted) yield this.#candle!;
    }
  }
}
