/** The loaded candles of one series, and why others are missing. @module */
import { ask } from "./feed.js";
import { decimalsOf } from "./price_text.js";
import { addCandles } from "./text.js";

/**
 * @typedef {{ readonly time: string, readonly open: string, readonly high: string, readonly low: string,
 *   readonly close: string, readonly volume: string }} Candle
 * @typedef {{ readonly state: string, readonly sinceMs: number, readonly untilMs: number }} Span
 * @typedef {{ readonly exchange: string, readonly symbol: string, readonly timeframe: string }} Shown
 */

/** Candles per request; the server's maximum. */
const REQUEST_CANDLES_MAX = 2_000;

/** What is farther away is dropped, and loaded again when it comes near. */
const LOADED_CANDLES_MAX = 20_000;

export class ChartCandles {
  /** @type {Map<number, Candle>} */
  #candles = new Map();
  /** @type {Span[]} Spans without candles, ascending. */
  #spans = [];
  sinceMs = Infinity;
  untilMs = -Infinity;
  /** @type {readonly { timeframe: string, rolledUpFrom: string | null }[]} */
  timeframes = [];
  #end = new AbortController();
  /** The most decimals of any price: the market's own ticks. */
  decimals = 0;
  #shown;
  #hasReasons;

  /**
   * @param {Shown} shown
   * @param {{ readonly hasReasons: boolean }} options whether it is asked why candles are missing, as is known of archived
   *   series alone
   */
  constructor(shown, { hasReasons }) {
    this.#shown = shown;
    this.#hasReasons = hasReasons;
  }

  /** The open time of the newest candle; undefined if there is none. */
  get newestMs() {
    return this.#candles.size === 0
      ? undefined
      : [...this.#candles.keys()].reduce((newest, time) => Math.max(newest, time));
  }

  get spans() {
    return this.#spans;
  }

  /** @param {number} openTimeMs */
  at(openTimeMs) {
    return this.#candles.get(openTimeMs);
  }

  *openTimes() {
    const { timeframe } = this.#shown;
    for (let ms = this.sinceMs; ms < this.untilMs; ms = addCandles(timeframe, ms, 1)) yield ms;
  }

  /** Aborts running requests. */
  drop() {
    this.#end.abort();
  }

  /**
   * Loads a window. It must overlap or touch the loaded time, unless it is the first one.
   * @param {number} sinceMs
   * @param {number} untilMs
   * @returns {Promise<number>} how many candles came
   */
  async load(sinceMs, untilMs) {
    const { timeframe } = this.#shown;
    let came = 0;
    // The newest first, so that each part touches the one before.
    for (let endMs = untilMs; endMs > sinceMs;) {
      const beginMs = Math.max(sinceMs, addCandles(timeframe, endMs, -REQUEST_CANDLES_MAX));
      came += await this.#loadPart(beginMs, endMs);
      endMs = beginMs;
    }
    return came;
  }

  /** @param {number} sinceMs @param {number} untilMs @returns {Promise<number>} */
  async #loadPart(sinceMs, untilMs) {
    const query = {
      ...this.#shown,
      since: new Date(sinceMs).toISOString(),
      until: new Date(untilMs).toISOString(),
    };
    const { signal } = this.#end;
    /** @type {[import("../chart_answer.ts").CandlesDocument, import("../chart_answer.ts").ExplainedDocument]} */
    const [{ candles, timeframes }, { spans }] = await Promise.all([
      ask("/candles", { ...query, limit: String(REQUEST_CANDLES_MAX) }, signal),
      this.#hasReasons ? ask("/explained", query, signal) : { spans: [] },
    ]);
    this.timeframes = timeframes;
    for (const candle of candles) {
      this.#candles.set(Date.parse(candle.time), candle);
      for (const price of [candle.open, candle.high, candle.low, candle.close]) {
        this.decimals = Math.max(this.decimals, decimalsOf(price));
      }
    }
    this.sinceMs = Math.min(this.sinceMs, sinceMs);
    this.untilMs = Math.max(this.untilMs, untilMs);
    this.#spans = joined([
      ...outside(this.#spans, sinceMs, untilMs),
      ...spans
        .filter(({ state }) => state !== "stored")
        .map(({ state, since, until }) => ({
          state,
          sinceMs: Date.parse(since),
          untilMs: Date.parse(until),
        })),
    ]);
    return candles.length;
  }

  /** Drops what is too much, at one end. @param {{ readonly keepsOldest: boolean }} options */
  trim({ keepsOldest }) {
    const times = [...this.openTimes()];
    const over = times.length - LOADED_CANDLES_MAX;
    if (over <= 0) return;
    const edge = (keepsOldest ? times.at(-over) : times[over]) ?? this.sinceMs;
    this.keep(keepsOldest ? this.sinceMs : edge, keepsOldest ? edge : this.untilMs);
  }

  /** Drops what is outside of a window. @param {number} sinceMs @param {number} untilMs */
  keep(sinceMs, untilMs) {
    for (const ms of [...this.#candles.keys()]) {
      if (ms < sinceMs || ms >= untilMs) this.#candles.delete(ms);
    }
    this.sinceMs = Math.max(this.sinceMs, sinceMs);
    this.untilMs = Math.min(this.untilMs, untilMs);
    this.#spans = this.#spans
      .map((span) => ({
        ...span,
        sinceMs: Math.max(span.sinceMs, sinceMs),
        untilMs: Math.min(span.untilMs, untilMs),
      }))
      .filter((span) => span.sinceMs < span.untilMs);
  }
}

/** @param {Span[]} spans @param {number} sinceMs @param {number} untilMs @returns {Span[]} */
function outside(spans, sinceMs, untilMs) {
  return spans
    .flatMap((span) => [
      { ...span, untilMs: Math.min(span.untilMs, sinceMs) },
      { ...span, sinceMs: Math.max(span.sinceMs, untilMs) },
    ])
    .filter((span) => span.sinceMs < span.untilMs);
}

/** @param {Span[]} spans @returns {Span[]} ascending; neighbours with the same state are merged */
function joined(spans) {
  /** @type {Span[]} */
  const all = [];
  for (const span of spans.sort((a, b) => a.sinceMs - b.sinceMs)) {
    const before = all.at(-1);
    if (before?.state === span.state && before.untilMs === span.sinceMs) {
      all[all.length - 1] = { ...before, untilMs: span.untilMs };
    } else all.push(span);
  }
  return all;
}

/** @param {Shown} shown @returns {Promise<string | null>} the timeframe that it is calculated from, if from another */
export async function baseOf(shown) {
  /** @type {import("../chart_answer.ts").CandlesDocument} */
  const { timeframes } = await ask("/candles", { ...shown, limit: "1" });
  return timeframes.find(({ timeframe }) => timeframe === shown.timeframe)?.rolledUpFrom ?? null;
}
