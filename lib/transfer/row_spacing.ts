/** How far apart the rows of a file are: proof that its timeframe is not a longer one. @module */
import {
  countCandles,
  isAligned,
  nominalMs,
  parseTimeframe,
  type Timeframe,
} from "../market/timeframe.ts";

/** Where nothing was traded the distances differ; as many alike are another timeframe. */
const RUN_MAX = 20;

/** How far apart the rows of a file are: proof that its timeframe is not a longer one. */
export class Spacing {
  readonly #timeframe: Timeframe;
  #previousMs: number | undefined;
  /** The greatest common divisor of all distances, in candles. */
  #step = 0;
  /** How many times the last distance has come in a row. */
  #run = { distance: 0, times: 0 };
  #longRun: number | undefined;

  constructor(timeframe: Timeframe) {
    this.#timeframe = timeframe;
  }

  add(timeMs: number): void {
    if (!isAligned(this.#timeframe, timeMs)) return;
    const previousMs = this.#previousMs;
    this.#previousMs = timeMs;
    if (previousMs === undefined || previousMs === timeMs) return;
    const [sinceMs, untilMs] = [Math.min(previousMs, timeMs), Math.max(previousMs, timeMs)];
    const distance = countCandles(this.#timeframe, sinceMs, untilMs);
    if (this.#step !== 1) this.#step = divisor(this.#step, distance);
    const run = this.#run;
    if (run.distance === distance) run.times++;
    else this.#run = { distance, times: 1 };
    if (distance > 1 && this.#run.times >= RUN_MAX) this.#longRun ??= distance;
  }

  /** Why the rows may as well be candles of a longer timeframe; undefined if they may not. */
  longerTimeframe(): string | undefined {
    const timeframe = this.#timeframe;
    const way = `If they are ${timeframe.text} all the same, add a column timeframe that says so`;
    const step = this.#step > 1 ? this.#step : this.#longRun;
    if (step !== undefined) {
      return `${
        this.#step > 1 ? "its" : "many"
      } rows are ${step} candles apart, or multiples of that (${
        duration(step * nominalMs(timeframe))
      }): the file's timeframe does not seem to be ${timeframe.text}. ${way}`;
    }
    if (this.#step === 1 || this.#previousMs === undefined) return undefined;
    // A single candle: only where it opens can tell.
    const openMs = this.#previousMs;
    const longer = ["1d", "1h"].map(parseTimeframe)
      .find((one) => nominalMs(one) > nominalMs(timeframe) && isAligned(one, openMs));
    return longer && `its only candle may as well be one of ${longer.text}. ${way}`;
  }
}

/** The greatest common divisor. */
function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** A length of time, for people. */
export function duration(timeMs: number): string {
  const seconds = Math.round(timeMs / 1000);
  if (seconds % 86_400 === 0) return `${seconds / 86_400} d`;
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
