/** The loaded candles of one series, and why others are missing. @module */
import { ask } from "./feed.js";
import { decimalsOf } from "./price_text.js";
import { addCandles } from "./text.js";

/**
 * @typedef {{ readonly time: string, readonly open: string, readonly high: string, readonly low: string,
 *   readonly close: string, readonly volume: string | null, readonly volumeUnit?: "base" | "quote" | "contracts" | null,
 *   readonly volumeBase?: string | null, readonly provisional?: boolean }} Candle
 * @typedef {"stored" | "provisional" | "forming"} Kind
 * @typedef {{ readonly state: string, readonly sinceMs: number, readonly untilMs: number }} Span
 * @typedef {{ readonly exchange: string, readonly symbol: string, readonly timeframe: string }} Shown
 */

/** Candles per request; the server's maximum. */
const REQUEST_CANDLES_MAX = 2_000;

/** What is farther away is dropped, and loaded again when it comes near. */
const LOADED_CANDLES_MAX = 20_000;

/** A candle that has formed is loaded as a stored one before so many more have. */
const FORMING_MAX = 3;

export class ChartCandles {
  /** @type {Map<number, Candle>} */
  #candles = new Map();
  /** @type {Map<number, Candle>} What streams tell, until it is stored. */
  #forming = new Map();
  /** @type {Set<number>} */
  #provisional = new Set();
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

  get symbol() {
    return this.#shown.symbol;
  }

  get spans() {
    return this.#spans;
  }

  /** Whether what is shown is traded: a mark price, an index or a premium is not. */
  get hasVolume() {
    return !/@(?:mark|index|premium)$/.test(this.#shown.symbol);
  }

  /** @param {number} openTimeMs */
  at(openTimeMs) {
    const stored = this.#candles.get(openTimeMs);
    // Where an answer has told what there is, a stream's word counts no more.
    return openTimeMs < this.untilMs ? stored : stored ?? this.#forming.get(openTimeMs);
  }

  /** @param {number} openTimeMs of a candle @returns {Kind} */
  kindAt(openTimeMs) {
    if (!this.#candles.has(openTimeMs)) return "forming";
    return this.#provisional.has(openTimeMs) ? "provisional" : "stored";
  }

  /** The open time of the oldest candle that may be confirmed yet; `Infinity` if there is none. */
  get oldestProvisionalMs() {
    let oldestMs = Infinity;
    for (const ms of this.#provisional) oldestMs = Math.min(oldestMs, ms);
    return oldestMs;
  }

  /** The kinds of candles that are there. @returns {ReadonlySet<Kind>} */
  get kinds() {
    /** @type {Set<Kind>} */
    const kinds = new Set();
    if (this.#candles.size > this.#provisional.size) kinds.add("stored");
    if (this.#provisional.size > 0) kinds.add("provisional");
    if (this.formingMs !== undefined) kinds.add("forming");
    return kinds;
  }

  /** The open time of the candle that forms right after the loaded ones; undefined if there is none. */
  get formingMs() {
    const newestMs = [...this.#forming.keys()].at(-1) ?? -Infinity;
    const endMs = addCandles(this.#shown.timeframe, this.untilMs, FORMING_MAX);
    return newestMs >= this.untilMs && newestMs < endMs ? newestMs : undefined;
  }

  /**
   * Takes how the newest candle forms.
   * @param {Candle | null} candle null when that is not known any more
   * @returns {boolean} whether it is another candle than before
   */
  form(candle) {
    if (candle === null) {
      const wasThere = this.#forming.size > 0;
      this.#forming.clear();
      return wasThere;
    }
    const ms = Date.parse(candle.time);
    const isOther = !this.#forming.has(ms);
    this.#forming.set(ms, candle);
    this.#noteDecimals(candle);
    for (const old of [...this.#forming.keys()].slice(0, -FORMING_MAX)) this.#forming.delete(old);
    return isOther;
  }

  *openTimes() {
    const { timeframe } = this.#shown;
    const { formingMs } = this;
    const endMs = formingMs === undefined ? this.untilMs : addCandles(timeframe, formingMs, 1);
    for (let ms = this.sinceMs; ms < endMs; ms = addCandles(timeframe, ms, 1)) yield ms;
  }

  /** @param {Candle} candle */
  #noteDecimals({ open, high, low, close }) {
    for (const price of [open, high, low, close]) {
      this.decimals = Math.max(this.decimals, decimalsOf(price));
    }
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
    // An answer of the exchange may have taken back what a stream told.
    this.#drop((ms) => ms >= sinceMs && ms < untilMs);
    for (const candle of candles) {
      const ms = Date.parse(candle.time);
      this.#candles.set(ms, candle);
      if (candle.provisional) this.#provisional.add(ms);
      this.#noteDecimals(candle);
    }
    this.sinceMs = Math.min(this.sinceMs, sinceMs);
    this.untilMs = Math.max(this.untilMs, untilMs);
    this.#spans = joined([
      ...outside(this.#spans, sinceMs, untilMs),
      ...spans
        .filter(({ state }) => state !== "stored" && state !== "provisional")
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

  /** @param {(ms: number) => boolean} isOver */
  #drop(isOver) {
    for (const ms of [...this.#candles.keys()].filter(isOver)) {
      this.#candles.delete(ms);
      this.#provisional.delete(ms);
    }
  }

  /** Drops what is outside of a window. @param {number} sinceMs @param {number} untilMs */
  keep(sinceMs, untilMs) {
    this.#drop((ms) => ms < sinceMs || ms >= untilMs);
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
