/** The loaded candles of one series, and why others are missing. @module */
import { ask } from "./feed.js";
import { addCandles } from "./text.js";

/**
 * @typedef {{ readonly time: string, readonly open: string, readonly high: string, readonly low: string,
 *   readonly close: string, readonly volume: string }} Candle
 * @typedef {{ readonly state: string, readonly sinceMs: number, readonly untilMs: number }} Span
 * @typedef {{ readonly exchange: string, readonly symbol: string, readonly timeframe: string }} Shown
 */

/** Candles per request; the server's maximum. */
const REQUEST_CANDLES_MAX = 2_000;

/** For more candles the user should choose a coarser timeframe. */
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
  #shown;
  #isRollup;

  /**
   * @param {Shown} shown
   * @param {boolean} isRollup
   */
  constructor(shown, isRollup) {
    this.#shown = shown;
    this.#isRollup = isRollup;
  }

  /** How many candles fit into the loaded time. */
  get slots() {
    let slots = 0;
    for (const _ of this.openTimes()) slots++;
    return slots;
  }

  get isFull() {
    return this.slots >= LOADED_CANDLES_MAX;
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
    const query = {
      ...this.#shown,
      since: new Date(sinceMs).toISOString(),
      until: new Date(untilMs).toISOString(),
    };
    const { signal } = this.#end;
    /** @type {[import("../chart_answer.ts").CandlesDocument, import("../chart_answer.ts").ExplainedDocument]} */
    const [{ candles, timeframes }, { spans }] = await Promise.all([
      ask("/candles", { ...query, limit: String(REQUEST_CANDLES_MAX) }, signal),
      this.#isRollup ? { spans: [] } : ask("/explained", query, signal),
    ]);
    this.timeframes = timeframes;
    for (const candle of candles) this.#candles.set(Date.parse(candle.time), candle);
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
