/** One series as long as the chart shows it: loads candles while moving, and says what fails. @module */
import { boundsOf, REVISABLE_CANDLES, STEP_CANDLES, windowOf } from "./chart_bounds.js";
import { baseOf, ChartCandles } from "./chart_candles.js";
import { makeDrawing } from "./chart_drawing.js";
import { awayState, drawState, emptyState, failureOf, LOADING, noteState } from "./chart_state.js";
import { pause } from "./feed.js";
import { listMissing } from "./missing_list.js";
import { drawLegend, drawReading, readingOf } from "./reading.js";
import { addCandles, byId, setText } from "./text.js";
import { drawTimeframes } from "./timeframe_choice.js";

/**
 * @typedef {import("./chart_candles.js").Shown} Shown
 * @typedef {import("./chart_drawing.js").Drawing} Drawing
 * @typedef {import("./chart_drawing.js").View} View
 * @typedef {{
 *   readonly zone: string,
 *   readonly others: import("./other_exchanges.js").OtherExchanges,
 *   readonly archive: () => { readonly all: readonly import("../status.ts").SeriesStatus[], readonly nowMs: number },
 *   readonly onView: (view: View, options: { readonly isMoved: boolean }) => void,
 *   readonly onNewest: () => void, readonly onTimeframe: (timeframe: string) => void,
 * }} Surroundings
 */

/** More candles are loaded when fewer than this are left on a side. */
const AHEAD_CANDLES = 100;

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
  /** What has told of the newest candle. @type {"stream" | "answer" | null | undefined} */
  #source;
  /** The open time of the candle whose values are told. @type {number | undefined} */
  #toldMs;
  /** What of the asked place is not there. @type {string | undefined} */
  #note;
  /** @type {ReturnType<typeof failureOf> | undefined} */
  #failure;

  /** @param {Shown} shown @param {Surroundings} around */
  constructor(shown, around) {
    this.shown = shown;
    this.#around = around;
    this.#writing = { zone: around.zone, timeframe: shown.timeframe };
    this.#candles = new ChartCandles(shown, { hasReasons: this.#own !== undefined });
    this.#source = this.#own?.lastSource;
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

  /** @param {import("./chart_bounds.js").Place} place @param {string} [note] */
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
    this.endMs = this.#bounds.endMs;
    const window = windowOf(this.#bounds, place, this.#writing);
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
    const source = this.#own?.lastSource;
    const isConfirmed = this.#source === "stream" && source === "answer";
    this.#source = source;
    if (endMs <= this.endMs && !isConfirmed) return;
    this.endMs = endMs;
    if (!wasAtEnd) return;
    const isFollowing = (this.drawing?.view()?.after ?? 0) <= 0.5;
    const { untilMs, oldestProvisionalMs } = this.#candles;
    const before = (/** @type {number} */ candles) =>
      addCandles(this.shown.timeframe, untilMs, -candles);
    // What is not confirmed yet is loaded again, too.
    const sinceMs = Math.max(
      before(STEP_CANDLES),
      Math.min(before(REVISABLE_CANDLES), oldestProvisionalMs),
    );
    await this.#settle(() => this.#load(sinceMs, Math.max(endMs, untilMs), { isFollowing }));
  }

  /** The newest candle forms. @param {import("./chart_candles.js").Candle | null} candle */
  form(candle) {
    const isOther = this.#candles.form(candle);
    const { formingMs, newestMs } = this.#candles;
    if (this.#isLoading || newestMs === undefined) return;
    if (isOther) {
      const isFollowing = (this.drawing?.view()?.after ?? 0) <= 0.5;
      return void this.#settle(() => Promise.resolve(this.#draw({ isFollowing })));
    }
    if (formingMs === undefined) return;
    this.drawing?.renewLast(this.#candles);
    if (formingMs === this.#toldMs) this.#tellReading(formingMs);
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
    const fromMs = addCandles(this.shown.timeframe, sinceMs, -STEP_CANDLES);
    const came = await this.#load(fromMs, sinceMs, { trim: { keepsOldest: true } });
    // One step before the first candle is shown too, with its reason.
    if (came === 0 && sinceMs <= (this.#bounds.firstMs ?? Infinity)) this.#hasAll = true;
  }

  async #loadNewer() {
    const { untilMs } = this.#candles;
    const endMs = Math.min(this.endMs, addCandles(this.shown.timeframe, untilMs, STEP_CANDLES));
    await this.#load(untilMs, endMs, { trim: { keepsOldest: false } });
  }

  /**
   * @param {number} sinceMs @param {number} untilMs
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
    const goOn = () => {
      this.#failure = undefined;
      this.#tell();
      again();
    };
    const { all } = this.#around.archive();
    const failure = failureOf(error, goOn, { shown: this.shown, all });
    this.#failure = failure;
    this.#tell();
    if (failure.retryMs === undefined) return;
    void pause(failure.retryMs).then(() => failure === this.#failure && !this.#isGone && goOn());
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
    this.drawing?.show(candles, options);
    drawTimeframes(candles.timeframes, this.shown.timeframe, this.#around.onTimeframe);
    drawLegend(candles, this.shown, this.#writing);
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
    const newestMs = this.#candles.formingMs ?? this.#candles.newestMs;
    const lastMs = this.drawing?.view()?.lastMs ?? Infinity;
    const ms = openTimeMs ?? (newestMs === undefined ? undefined : Math.min(newestMs, lastMs));
    this.#toldMs = ms;
    drawReading(ms === undefined ? [] : readingOf(this.#candles, ms, this.#writing));
    const close = ms === undefined ? undefined : this.#candles.at(ms)?.close;
    this.#around.others.tell(ms, close === undefined ? undefined : Number(close));
  }
}
