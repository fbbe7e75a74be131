/** How fast the owed candles of each exchange become fewer, and so how long they take. @module */

/** @typedef {{ readonly atMs: number, readonly owed: number }} Sample */

/** The pace is that of at most this long. */
const WINDOW_MS = 10 * 60_000;

/** A shorter time says little. */
const WINDOW_MS_MIN = 30_000;

/** From so many times as many owed candles on, and so many more, the pace is measured anew. */
const GROWN = 1.2;
const GROWN_MIN = 5_000;

/** Between two samples of an exchange. */
const SAMPLE_MS = 3_000;

export class BackfillPace {
  /** @type {Map<string, Sample[]>} */
  #samples = new Map();

  /**
   * @param {readonly { readonly exchange: string, readonly owed: number }[]} all of all series
   * @param {number} nowMs
   */
  note(all, nowMs) {
    /** @type {Map<string, number>} */
    const sums = new Map();
    for (const { exchange, owed } of all) sums.set(exchange, (sums.get(exchange) ?? 0) + owed);
    for (const [exchange, owed] of sums) {
      const samples = this.#samples.get(exchange) ?? [];
      this.#samples.set(exchange, samples);
      const newest = samples.at(-1);
      if (newest !== undefined && nowMs - newest.atMs < SAMPLE_MS) continue;
      // Other settings want more. A candle that has just closed is owed for a moment, too.
      if (newest !== undefined && owed > GROWN * newest.owed + GROWN_MIN) samples.length = 0;
      samples.push({ atMs: nowMs, owed });
      while (samples.length > 0 && nowMs - /** @type {Sample} */ (samples[0]).atMs > WINDOW_MS) {
        samples.shift();
      }
    }
    for (const exchange of this.#samples.keys()) {
      if (!sums.has(exchange)) this.#samples.delete(exchange);
    }
  }

  /**
   * @param {string} exchange
   * @returns {number | undefined} milliseconds; undefined while the pace is not known, or nothing is coming
   */
  leftMs(exchange) {
    const samples = this.#samples.get(exchange) ?? [];
    const [first, last] = [samples[0], samples.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    const tookMs = last.atMs - first.atMs;
    const came = first.owed - last.owed;
    if (tookMs < WINDOW_MS_MIN || came <= 0) return undefined;
    return (last.owed / came) * tookMs;
  }
}
