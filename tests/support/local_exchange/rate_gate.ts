/** The rate limit the local exchange enforces. @module */

export interface RateLimit {
  /** Requests in any second. */
  readonly perSecond: number;
}

const SECOND_MS = 1_000;

/** Counts the requests let through in the last second. Refused ones do not count. */
export class RateGate {
  readonly #perSecond: number;
  /** Times of the requests let through, oldest first; never more than `perSecond`. */
  #passedMs: number[] = [];

  /** @throws RangeError when the limit would let nothing through. */
  constructor({ perSecond }: RateLimit) {
    if (!(perSecond >= 1)) {
      throw new RangeError(`Cannot limit to ${perSecond} requests a second: expected at least 1`);
    }
    this.#perSecond = Math.floor(perSecond);
  }

  /** Zero when a request at `nowMs` may pass, which counts it; else the whole seconds until one may. */
  waitSeconds(nowMs: number): number {
    this.#passedMs = this.#passedMs.filter((passedMs) => nowMs - passedMs < SECOND_MS);
    const oldestMs = this.#passedMs[0];
    if (oldestMs === undefined || this.#passedMs.length < this.#perSecond) {
      this.#passedMs.push(nowMs);
      return 0;
    }
    return Math.max(1, Math.ceil((oldestMs + SECOND_MS - nowMs) / SECOND_MS));
  }
}
