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

/** No two candles of months, or of what is longer, are nearer: their distances in days have no divisor. */
const MONTH_MS = 28 * 86_400_000;

/** Where clocks change, days are 23 to 25 hours long; months have 28 to 31 days. */
const UNEVEN_MAX = 1.13;

/** How far apart the rows of a file are: proof that its timeframe is not a longer one. */
export class Spacing {
  readonly #timeframe: Timeframe;
  #previousMs: number | undefined;
  /** The greatest common divisor of all distances, in candles. */
  #step = 0;
  /** How many times the last distance has come in a row. */
  #run = { distance: 0, times: 0 };
  #longRun: number | undefined;
  #shortest = Infinity;
  #longest = 0;
  #shortestMs = Infinity;

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
    this.#shortest = Math.min(this.#shortest, distance);
    this.#longest = Math.max(this.#longest, distance);
    this.#shortestMs = Math.min(this.#shortestMs, untilMs - sinceMs);
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
    if (this.#isUneven()) {
      return `its rows are at least ${
        duration(this.#shortestMs)
      } apart: the file's timeframe does not seem to be ${timeframe.text}. ${way}`;
    }
    if (this.#step === 1 || this.#previousMs === undefined) return undefined;
    // A single candle: only where it opens can tell.
    const openMs = this.#previousMs;
    const longer = ["1d", "1h"].map(parseTimeframe)
      .find((one) => nominalMs(one) > nominalMs(timeframe) && isAligned(one, openMs));
    return longer && `its only candle may as well be one of ${longer.text}. ${way}`;
  }

  /** Whether no row has a neighbour and all are about as far apart, as those of longer candles that are not all of one length. */
  #isUneven(): boolean {
    if (this.#shortest === 1 || this.#longest === 0) return false;
    return this.#longest <= this.#shortest * UNEVEN_MAX ||
      (this.#shortestMs >= MONTH_MS && nominalMs(this.#timeframe) < MONTH_MS);
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
