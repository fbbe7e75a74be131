/** The chart of one series: candlesticks, volume and spans without candles. Loads older candles while scrolling. @module */
import { ChartCandles } from "./chart_candles.js";
import { makeDrawing } from "./chart_drawing.js";
import { stateOf, STATES } from "./state.js";
import { Take } from "./take.js";
import { addCandles, byId, count, element, setText, shellWord, time } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {import("./chart_candles.js").Shown} Shown
 * @typedef {import("./chart_candles.js").Span} Span
 * @typedef {import("./chart_drawing.js").Drawing} Drawing
 */

/** Candles loaded per step to the left: some screens full. */
const STEP_CANDLES = 500;

/** Older candles are loaded when fewer than this are left on the left. */
const AHEAD_CANDLES = 100;

/** The newest candles may be revised, so this many are loaded again together with new ones. */
const REVISABLE_CANDLES = 5;

const LISTED_SPANS_MAX = 100;

const dialog = /** @type {HTMLDialogElement} */ (byId("chart"));

export class Chart {
  /** @type {Drawing | undefined} */
  #drawing;
  /** @type {Shown | undefined} */
  #shown;
  #candles = new ChartCandles({ exchange: "", symbol: "", timeframe: "1m" }, false);
  /** @type {readonly SeriesStatus[]} */
  #all = [];
  #nowMs = 0;
  #isLoading = false;
  #hasAll = false;
  #isRollup = false;
  #take = new Take();

  constructor() {
    byId("chart-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => this.#close());
    // The target is the dialog itself only if the click was outside its content.
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
    byId("chart-canvas").addEventListener("keydown", (event) => this.#key(event));
    byId("chart-copy").addEventListener("click", () => void copyCommand());
  }

  /** @param {SeriesStatus} series */
  async open({ exchange, symbol, timeframe }) {
    setText(byId("chart-title"), `${exchange} ${symbol}`);
    setText(byId("chart-forget"), `titan10 forget ${shellWord(`${exchange}:${symbol}`)}`);
    setText(byId("chart-copy"), "Copy");
    dialog.showModal();
    await this.#show({ exchange, symbol, timeframe }, { isRollup: false });
  }

  /**
   * @param {readonly SeriesStatus[]} all
   * @param {number} nowMs
   */
  async update(all, nowMs) {
    this.#all = all;
    this.#nowMs = nowMs;
    if (this.#shown === undefined || this.#isLoading || this.#candles.untilMs < 0) return;
    const { timeframe } = this.#shown;
    const untilMs = this.#untilMs(this.#shown);
    if (untilMs <= this.#candles.untilMs) return;
    await this.#load(addCandles(timeframe, this.#candles.untilMs, -REVISABLE_CANDLES), untilMs);
  }

  /**
   * @param {Shown} shown
   * @param {{ readonly isRollup: boolean }} options
   */
  async #show(shown, { isRollup }) {
    this.#close();
    this.#shown = shown;
    this.#candles = new ChartCandles(shown, isRollup);
    this.#isRollup = isRollup;
    setText(byId("chart-note"), "loading");
    const drawing = await makeDrawing(byId("chart-canvas"), {
      readingOf: (openTimeMs) => this.#reading(openTimeMs),
      onMove: (firstSlot) => {
        this.#tellTake();
        void this.#loadOlder(firstSlot);
      },
    });
    if (this.#shown !== shown) return drawing.remove();
    this.#drawing = drawing;
    const untilMs = this.#untilMs(shown);
    await this.#load(addCandles(shown.timeframe, untilMs, -STEP_CANDLES), untilMs);
    this.#drawing?.showNewest();
  }

  #tellTake() {
    const view = this.#drawing?.view();
    if (this.#shown === undefined || view === undefined) return;
    const untilMs = addCandles(this.#shown.timeframe, view.lastMs, 1);
    const { exchange, symbol, timeframe } = this.#shown;
    const isRollup = this.#isRollup;
    this.#take.show({ exchange, symbol, timeframe, isRollup, sinceMs: view.firstMs, untilMs });
  }

  #close() {
    this.#take.close();
    this.#candles.drop();
    this.#drawing?.remove();
    this.#drawing = undefined;
    this.#shown = undefined;
    this.#isLoading = false;
    this.#hasAll = false;
    byId("chart-gaps").replaceChildren();
    setText(byId("chart-reading"), "");
  }

  /** @param {Shown} shown @returns {number} the end of the time to show */
  #untilMs({ exchange, symbol, timeframe }) {
    const known = this.#all.filter((one) => one.exchange === exchange && one.symbol === symbol);
    const own = known.filter((one) => one.timeframe === timeframe);
    const lasts = (own.length > 0 ? own : known).map(({ last }) => last ?? "").sort();
    const stepMs = addCandles(timeframe, 0, 1);
    const floor = (/** @type {number} */ ms) => Math.floor(ms / stepMs) * stepMs;
    const last = lasts.at(-1) ?? "";
    if (last === "") return floor(this.#nowMs);
    const lastMs = own.length > 0 ? Date.parse(last) : floor(Date.parse(last));
    const endMs = addCandles(timeframe, lastMs, 1);
    // Also show the time since the last candle, as owed, unless it would fill most of the chart.
    const isFixed = !/[wMy]$/.test(timeframe) && own.length > 0;
    const isNear = this.#nowMs - endMs < (stepMs * STEP_CANDLES) / 2;
    return isFixed && isNear ? Math.max(endMs, floor(this.#nowMs)) : endMs;
  }

  /** @param {number} firstSlot index of the first visible candle among the loaded ones */
  async #loadOlder(firstSlot) {
    if (this.#shown === undefined || this.#isLoading || this.#hasAll) return;
    if (firstSlot > AHEAD_CANDLES || this.#candles.isFull || this.#candles.untilMs < 0) return;
    // The series has no candles at all.
    if (this.#candles.newestMs === undefined) return;
    const { exchange, symbol, timeframe } = this.#shown;
    const { sinceMs } = this.#candles;
    const came = await this.#load(addCandles(timeframe, sinceMs, -STEP_CANDLES), sinceMs);
    const firstMs = this.#all
      .filter((one) => one.exchange === exchange && one.symbol === symbol && one.first !== null)
      .reduce((least, { first }) => Math.min(least, Date.parse(first ?? "")), Infinity);
    // One step before the first candle is shown too, with its reason.
    if (came === 0 && sinceMs <= firstMs) this.#hasAll = true;
  }

  /**
   * @param {number} sinceMs
   * @param {number} untilMs
   * @returns {Promise<number>}
   */
  async #load(sinceMs, untilMs) {
    const candles = this.#candles;
    this.#isLoading = true;
    try {
      const came = await candles.load(sinceMs, untilMs);
      if (candles === this.#candles) this.#draw();
      return came;
    } catch (error) {
      if (candles !== this.#candles) return 0;
      setText(byId("chart-note"), error instanceof Error ? error.message : String(error));
      return 0;
    } finally {
      if (candles === this.#candles) this.#isLoading = false;
    }
  }

  #draw() {
    const candles = this.#candles;
    const shown = this.#shown;
    if (shown === undefined || this.#drawing === undefined) return;
    const { timeframe } = shown;
    this.#drawing.show(candles, timeframe);
    byId("chart-timeframes").replaceChildren(...candles.timeframes.map((one) => {
      const button = element("button", { type: "button" }, one.timeframe);
      button.setAttribute("aria-pressed", String(one.timeframe === timeframe));
      if (one.rolledUpFrom !== null) button.title = `calculated from ${one.rolledUpFrom}`;
      button.addEventListener("click", () => {
        const isRollup = one.rolledUpFrom !== null;
        void this.#show({ ...shown, timeframe: one.timeframe }, { isRollup });
      });
      return button;
    }));
    this.#refocusTimeframe(timeframe);
    const since = time(new Date(candles.sinceMs).toISOString());
    const until = time(new Date(candles.untilMs).toISOString());
    byId("chart-canvas").setAttribute(
      "aria-label",
      `Candlesticks and volume of ${shown.exchange} ${shown.symbol} ${timeframe}, ${since} to ${until}`,
    );
    this.#list(candles.spans, `from ${since} to ${until}`);
    setText(byId("chart-reading"), this.#reading(undefined));
  }

  /** The pressed button was replaced. Focuses the new one, for users of the keyboard. @param {string} timeframe */
  #refocusTimeframe(timeframe) {
    if (document.activeElement !== document.body && document.activeElement !== dialog) return;
    for (const button of byId("chart-timeframes").children) {
      if (button.textContent === timeframe) /** @type {HTMLElement} */ (button).focus();
    }
  }

  /** @param {readonly Span[]} spans @param {string} where */
  #list(spans, where) {
    const { timeframe = "1m" } = this.#shown ?? {};
    const newest = spans.slice(-LISTED_SPANS_MAX).reverse();
    const rolledUp = this.#candles.timeframes.find((one) => one.timeframe === timeframe)
      ?.rolledUpFrom;
    const note = rolledUp !== null && rolledUp !== undefined
      ? `Calculated from ${rolledUp}: see there for the reasons.`
      : spans.length === 0
      ? `None ${where}.`
      : `${count(spans.length)} ${spans.length === 1 ? "span" : "spans"} ${where}` +
        (newest.length < spans.length ? `, the newest ${newest.length}:` : ":");
    setText(byId("chart-note"), note);
    byId("chart-gaps").replaceChildren(...newest.map(({ state, sinceMs, untilMs }) => {
      let candles = 0;
      for (let ms = sinceMs; ms < untilMs; ms = addCandles(timeframe, ms, 1)) candles++;
      const [since = "", until = ""] = [sinceMs, untilMs].map((ms) =>
        time(new Date(ms).toISOString())
      );
      const isOneDay = since.length > 10 && until.startsWith(`${since.slice(0, 10)} `);
      const button = element(
        "button",
        { type: "button" },
        element("span", { class: "part", "data-state": stateOf(state) }),
        element("strong", {}, STATES[stateOf(state)]),
        ` ${since} – ${isOneDay ? until.slice(11) : until}, ${count(candles)} ${
          candles === 1 ? "candle" : "candles"
        }`,
      );
      button.addEventListener("click", () => this.#drawing?.showSpan(sinceMs, untilMs));
      return element("li", {}, button);
    }));
  }

  /** @param {number | undefined} openTimeMs the newest when undefined @returns {string} */
  #reading(openTimeMs) {
    const candles = this.#candles;
    const ms = openTimeMs ?? candles.newestMs;
    if (ms === undefined) return "";
    const at = time(new Date(ms).toISOString());
    const candle = candles.at(ms);
    if (candle !== undefined) {
      const { open, high, low, close, volume } = candle;
      return `${at}   O ${open}   H ${high}   L ${low}   C ${close}   V ${volume}`;
    }
    const span = candles.spans.find(({ sinceMs, untilMs }) => sinceMs <= ms && ms < untilMs);
    return `${at}   ${span === undefined ? "no candle" : STATES[stateOf(span.state)]}`;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const drawing = this.#drawing;
    if (drawing === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 100 : 10;
    /** @type {Readonly<Record<string, () => void>>} */
    const keys = {
      ArrowLeft: () => drawing.move(-far),
      ArrowRight: () => drawing.move(far),
      "+": () => drawing.zoom(1.25),
      "=": () => drawing.zoom(1.25),
      "-": () => drawing.zoom(0.8),
      End: () => drawing.showNewest(),
    };
    const act = keys[event.key];
    if (act === undefined) return;
    act();
    event.preventDefault();
  }
}

/** Where the browser allows no page to copy, as over plain HTTP, the user copies what is selected. */
async function copyCommand() {
  const command = byId("chart-forget");
  getSelection()?.selectAllChildren(command);
  try {
    await navigator.clipboard.writeText(command.textContent ?? "");
    setText(byId("chart-copy"), "Copied");
  } catch {
    setText(byId("chart-copy"), "Selected");
  }
}
