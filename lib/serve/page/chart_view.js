/** One series as long as the chart shows it: loads candles while moving, and says what fails. @module */
import { boundsOf, STEP_CANDLES, windowOf } from "./chart_bounds.js";
import { baseOf, ChartCandles } from "./chart_candles.js";
import { makeDrawing } from "./chart_drawing.js";
import {
  awayState,
  drawState,
  emptyState,
  failureState,
  LOADING,
  noteState,
} from "./chart_state.js";
import { spanText } from "./dates.js";
import { AnswerError, pause } from "./feed.js";
import { listMissing } from "./missing_list.js";
import { drawReading, readingOf } from "./reading.js";
import { addCandles, byId, setText } from "./text.js";
import { drawTimeframes } from "./timeframe_choice.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {import("./chart_bounds.js").Place} Place
 * @typedef {import("./chart_candles.js").Shown} Shown
 * @typedef {import("./chart_drawing.js").Drawing} Drawing
 * @typedef {import("./chart_drawing.js").View} View
 * @typedef {import("./chart_state.js").ChartState} ChartState
 * @typedef {{
 *   readonly zone: string,
 *   readonly others: import("./other_exchanges.js").OtherExchanges,
 *   readonly archive: () => { readonly all: readonly SeriesStatus[], readonly nowMs: number },
 *   readonly onView: (view: View, options: { readonly isMoved: boolean }) => void,
 *   readonly onNewest: () => void,
 *   readonly onTimeframe: (timeframe: string) => void,
 * }} Surroundings
 */

/** More candles are loaded when fewer than this are left on a side. */
const AHEAD_CANDLES = 100;

/** The newest candles may be revised, so this many are loaded again together with new ones. */
const REVISABLE_CANDLES = 5;

export class ChartView {
  /** The end of the time to show, which grows. */
  endMs = 0;
  /** The open time in the middle; undefined while the newest candle is in view. @type {number | undefined} */
  atMs;
  /** @type {Drawing | undefined} */
  drawing;
  #around;
  #writing;
  /** @type {ChartCandles} */
  #candles;
  /** @type {string | null} The timeframe that this one is calculated from. */
  #base = null;
  #isGone = false;
  #isLoading = false;
  #hasAll = false;
  #isAway = false;
  /** Above zero while it moves by itself. */
  #settling = 0;
  /** The open time in the middle, as it was told last. @type {number | undefined} */
  #seenMs;
  /** What of the asked place is not there. @type {string | undefined} */
  #note;
  /** @type {{ readonly state: ChartState, readonly again: (() => void) | undefined } | undefined} */
  #failure;

  /** @param {Shown} shown @param {Surroundings} around */
  constructor(shown, around) {
    this.shown = shown;
    this.#around = around;
    this.#writing = { zone: around.zone, timeframe: shown.timeframe };
    this.#candles = new ChartCandles(shown, { hasReasons: this.#own !== undefined });
  }

  /** Undefined where the timeframe is not archived itself. */
  get #own() {
    const { exchange, symbol, timeframe } = this.shown;
    return this.#around.archive().all.find((one) =>
      one.exchange === exchange && one.symbol === symbol && one.timeframe === timeframe
    );
  }

  /** In which this symbol can be shown, finest first. @returns {readonly string[]} */
  get timeframes() {
    return this.#candles.timeframes.map(({ timeframe }) => timeframe);
  }

  get #bounds() {
    const { all, nowMs } = this.#around.archive();
    return boundsOf(this.shown, all, { base: this.#base, nowMs });
  }

  /** @param {Place} place @param {string} [note] */
  async start(place, note) {
    setText(byId("chart-note"), "");
    byId("chart-gaps").replaceChildren();
    setText(byId("chart-reading"), "");
    this.#around.others.offer(this.shown, this.#around.archive().all);
    this.#tell();
    const again = () => void this.start(place, note);
    try {
      if (this.#own === undefined) this.#base = await baseOf(this.shown);
      if (this.#isGone) return;
      this.drawing ??= await makeDrawing(byId("chart-canvas"), this.#writing, {
        onCross: (openTimeMs) => this.#tellReading(openTimeMs),
        onMove: () => this.#onMove(),
      });
    } catch (error) {
      return this.#fail(error, again);
    }
    if (this.#isGone) return this.drawing.remove();
    const bounds = this.#bounds;
    this.endMs = bounds.endMs;
    const window = windowOf(bounds, place, this.#writing);
    this.#note = note ?? window.note;
    this.atMs = window.atMs;
    await this.#settle(async () => {
      const came = await this.#load(window.sinceMs, window.untilMs, { again });
      if (came !== undefined) this.drawing?.stand(window);
    });
    if (window.atMs === undefined || this.#isGone || this.#failure !== undefined) return;
    // The chart can point at candles alone.
    if (this.#candles.at(window.atMs) !== undefined) this.drawing?.point(window.atMs);
    this.#tellReading(window.atMs);
  }

  /** Whether the newest candles are loaded. */
  get isAtEnd() {
    return this.#candles.untilMs >= this.endMs;
  }

  /** The archive has changed, or the daemon is heard again. */
  async update() {
    if (this.#isAway) {
      this.#isAway = false;
      this.#tell();
    }
    if (this.#failure !== undefined) return this.#failure.again?.();
    if (this.#isLoading || this.#candles.untilMs < 0) return;
    const wasAtEnd = this.isAtEnd;
    const { endMs } = this.#bounds;
    if (endMs <= this.endMs) return;
    this.endMs = endMs;
    if (!wasAtEnd) return;
    const isFollowing = (this.drawing?.view()?.after ?? 0) <= 0.5;
    const sinceMs = addCandles(this.shown.timeframe, this.#candles.untilMs, -REVISABLE_CANDLES);
    await this.#settle(() => this.#load(sinceMs, endMs, { isFollowing }));
  }

  lose() {
    this.#isAway = true;
    this.#tell();
  }

  remove() {
    this.#isGone = true;
    this.#candles.drop();
    this.drawing?.remove();
    this.drawing = undefined;
    drawState(undefined, { isAlone: false });
  }

  /** Does what moves the view by itself. @param {() => Promise<unknown>} move */
  async #settle(move) {
    this.#settling++;
    await move();
    // The chart tells of it some frames later.
    for (let frames = 0; frames < 3; frames++) await new Promise(requestAnimationFrame);
    this.#settling--;
    const view = this.drawing?.view();
    if (this.#isGone || view === undefined) return;
    this.#seenMs = view.middleMs;
    if (this.atMs === undefined && !this.#isNewest(view)) this.atMs = view.middleMs;
    this.#around.onView(view, { isMoved: false });
    this.#tellReading(undefined);
    this.#onMove();
  }

  #isNewest = (/** @type {View} */ { after }) => after <= 0.5 && this.isAtEnd;

  #onMove() {
    const view = this.drawing?.view();
    if (view === undefined || this.#isGone) return;
    if (this.#settling === 0) this.#tellMoved(view);
    if (this.#candles.newestMs === undefined || this.#isLoading || this.#failure !== undefined) {
      return;
    }
    if (view.before <= AHEAD_CANDLES && !this.#hasAll) void this.#loadOlder();
    else if (view.after <= AHEAD_CANDLES && !this.isAtEnd) void this.#loadNewer();
  }

  /** @param {View} view */
  #tellMoved(view) {
    // A date near the end stays in the address until the user moves.
    if (view.middleMs === this.#seenMs) return;
    this.#seenMs = view.middleMs;
    this.atMs = this.#isNewest(view) ? undefined : view.middleMs;
    if (this.#note !== undefined) {
      this.#note = undefined;
      this.#tell();
    }
    this.#around.onView(view, { isMoved: true });
    this.#tellReading(undefined);
  }

  async #loadOlder() {
    const { sinceMs } = this.#candles;
    const came = await this.#load(
      addCandles(this.shown.timeframe, sinceMs, -STEP_CANDLES),
      sinceMs,
      {
        trim: { keepsOldest: true },
      },
    );
    // One step before the first candle is shown too, with its reason.
    if (came === 0 && sinceMs <= (this.#bounds.firstMs ?? Infinity)) this.#hasAll = true;
  }

  async #loadNewer() {
    const { untilMs } = this.#candles;
    const endMs = Math.min(this.endMs, addCandles(this.shown.timeframe, untilMs, STEP_CANDLES));
    await this.#load(untilMs, endMs, { trim: { keepsOldest: false } });
  }

  /**
   * @param {number} sinceMs
   * @param {number} untilMs
   * @param {{ readonly isFollowing?: boolean, readonly trim?: { readonly keepsOldest: boolean },
   *   readonly again?: () => void }} options how to go on after a failure
   * @returns {Promise<number | undefined>} how many candles came; undefined if it failed
   */
  async #load(sinceMs, untilMs, { isFollowing = false, trim, again = () => this.#onMove() }) {
    const candles = this.#candles;
    this.#isLoading = true;
    try {
      const came = await candles.load(sinceMs, untilMs);
      if (this.#isGone) return undefined;
      if (trim !== undefined) candles.trim(trim);
      if (trim?.keepsOldest === false) this.#hasAll = false;
      this.#draw({ isFollowing });
      void this.loadOthers();
      return came;
    } catch (error) {
      this.#fail(error, again);
      return undefined;
    } finally {
      this.#isLoading = false;
    }
  }

  async loadOthers() {
    const { sinceMs, untilMs } = this.#candles;
    if (untilMs < 0) return;
    await this.#around.others.cover(sinceMs, untilMs);
    if (this.#isGone) return;
    this.drawing?.showOthers(this.#around.others.lines);
    this.#tellReading(undefined);
  }

  /** @param {unknown} error @param {() => void} again */
  #fail(error, again) {
    if (this.#isGone) return;
    const retryMs = error instanceof AnswerError ? error.retryMs : undefined;
    const goOn = () => {
      this.#failure = undefined;
      this.#tell();
      again();
    };
    const { all } = this.#around.archive();
    const state = failureState(error, goOn, { shown: this.shown, all });
    const isFinal = state.kind === "unknown" || retryMs !== undefined;
    const failure = { state, again: isFinal ? undefined : goOn };
    this.#failure = failure;
    this.#tell();
    if (retryMs === undefined) return;
    void pause(retryMs).then(() => failure === this.#failure && !this.#isGone && goOn());
  }

  #tell() {
    const isAlone = this.#candles.newestMs === undefined;
    const known = { ...this.#around, base: this.#base, lastMs: this.#bounds.lastMs };
    const empty = isAlone ? emptyState(this.#own, known, this.#writing) : undefined;
    const plain = this.#candles.untilMs >= 0 ? empty : LOADING;
    const note = isAlone ? undefined : noteState(this.#note);
    const away = this.#isAway ? awayState(() => location.reload()) : undefined;
    drawState(away ?? this.#failure?.state ?? note ?? plain, { isAlone });
  }

  /** @param {{ readonly isFollowing: boolean }} options */
  #draw(options) {
    const candles = this.#candles;
    const { exchange, symbol, timeframe } = this.shown;
    this.drawing?.show(candles, options);
    drawTimeframes(candles.timeframes, timeframe, this.#around.onTimeframe);
    const dates = spanText(candles.sinceMs, candles.untilMs, this.#writing).replace(" – ", " to ");
    byId("chart-canvas").setAttribute(
      "aria-label",
      `Candlesticks and volume of ${exchange} ${symbol} ${timeframe}, ${dates}`,
    );
    listMissing(
      candles,
      this.#writing,
      ({ sinceMs, untilMs }) => this.drawing?.showSpan(sinceMs, untilMs),
    );
    this.#tell();
    this.#tellReading(undefined);
  }

  /** @param {number | undefined} openTimeMs the newest in view when undefined */
  #tellReading(openTimeMs) {
    const { newestMs } = this.#candles;
    const lastMs = this.drawing?.view()?.lastMs ?? Infinity;
    const ms = openTimeMs ?? (newestMs === undefined ? undefined : Math.min(newestMs, lastMs));
    drawReading(ms === undefined ? [] : readingOf(this.#candles, ms, this.#writing));
    const close = ms === undefined ? undefined : this.#candles.at(ms)?.close;
    this.#around.others.tell(ms, close === undefined ? undefined : Number(close));
  }
}
