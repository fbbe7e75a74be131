/** The dialog of the chart: which series it shows and where, by the table, its tools and the address. @module */
import { drawState, unknownState } from "./chart_state.js";
import { focusDate, offerTools, tellView, timeframeFor } from "./chart_tools.js";
import { ChartView } from "./chart_view.js";
import { floorTime } from "./dates.js";
import { nearSeries } from "./near_series.js";
import { OtherExchanges } from "./other_exchanges.js";
import { Address, linkOf } from "./permalink.js";
import { copyButton } from "./copy_button.js";
import { follow } from "./feed.js";
import { Take } from "./take.js";
import { addCandles, byId, setText, shellWord } from "./text.js";
import { offerZones } from "./time_zone.js";
import { pressTimeframe } from "./timeframe_choice.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {import("./chart_bounds.js").Place} Place
 * @typedef {import("./chart_candles.js").Shown} Shown
 */

const dialog = /** @type {HTMLDialogElement} */ (byId("chart"));

export class Chart {
  /** @type {ChartView | undefined} */
  #view;
  /** @type {{ readonly all: readonly SeriesStatus[], readonly streamed: ReadonlySet<string>, readonly nowMs: number } | undefined} */
  #archive;
  /** How the newest candle of the series that is followed forms. @type {import("./chart_candles.js").Candle | null} */
  #forming = null;
  /** Where the chart was sent last. @type {Place} */
  #place = {};
  #zone;
  #isLeaving = false;
  #copy = copyButton(byId("chart-forget"), "the command");
  #take = new Take();
  #others = new OtherExchanges(() => void this.#view?.loadOthers());
  #address = new Address(() => this.#follow());

  constructor() {
    byId("chart-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => this.#close());
    // The target is the dialog itself only if the click was outside its content.
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      const isWriting = event.target instanceof HTMLInputElement ||
        event.target instanceof HTMLSelectElement;
      if (event.key !== "g" || isWriting || isCommand(event)) return;
      event.preventDefault();
      focusDate();
    });
    byId("chart-canvas").addEventListener("keydown", (event) => this.#press(event));
    this.#copy.id = "chart-copy";
    byId("chart-forget").after(" ", this.#copy);
    this.#zone = offerZones((zone) => {
      this.#zone = zone;
      this.#showAgain();
    });
    offerTools({
      onRange: (sinceMs) => this.#showRange(sinceMs),
      onFromTo: (sinceMs, untilMs) => this.#showRange(sinceMs, untilMs),
      onDate: (atMs) => this.#goTo(atMs),
      writing: () => ({ zone: this.#zone, timeframe: this.#view?.shown.timeframe ?? "1m" }),
      untilMs: () => this.#view?.endMs ?? 0,
    });
  }

  /** @param {SeriesStatus} series */
  open({ exchange, symbol, timeframe }) {
    return this.#open({ exchange, symbol, timeframe });
  }

  /** @param {Shown} shown */
  #open(shown) {
    this.#address.push(linkOf(shown));
    return this.#show(shown, {});
  }

  /**
   * @param {import("../status.ts").Status} status
   * @param {number} nowMs
   */
  async update({ series: all, exchanges }, nowMs) {
    const isFirst = this.#archive === undefined;
    const streamed = new Set(
      exchanges.flatMap(({ exchange, stream }) =>
        (stream?.state ?? "off") === "off" ? [] : [exchange]
      ),
    );
    this.#archive = { all, streamed, nowMs };
    this.#followForming();
    // What the address names may have come into the archive.
    if (isFirst || dialog.open && this.#view === undefined) this.#follow();
    else await this.#view?.update();
  }

  /** @param {import("./chart_candles.js").Candle | null} candle of the series in view */
  form(candle) {
    this.#forming = candle;
    this.#view?.form(candle);
  }

  /** Lets the daemon tell how the newest candle of the series in view forms, where it is streamed. */
  #followForming() {
    const { shown } = this.#view ?? {};
    const isStreamed = shown !== undefined && this.#isArchived(shown) &&
      this.#archive?.streamed.has(shown.exchange) === true;
    if (follow(isStreamed ? shown : undefined)) this.#forming = null;
    // It is not told again to another view of the same series.
    this.#view?.form(this.#forming);
  }

  /** The daemon is not heard any more. */
  lose() {
    this.#view?.lose();
  }

  /** Makes room for the question for a token. The address stays, so that the chart opens again. */
  leave() {
    this.#archive = undefined;
    this.#isLeaving = dialog.open;
    dialog.close();
  }

  /** Opens what the address names. */
  #follow() {
    const { link } = this.#address;
    const { all } = this.#archive ?? {};
    if (all === undefined) return;
    if (link === undefined) return dialog.close();
    const { exchange, symbol, timeframe, date, atMs } = link;
    const asked = { exchange, symbol, timeframe };
    const isThere = all.some((one) => one.exchange === exchange && one.symbol === symbol);
    if (timeframe === "" || !isThere) return this.#showUnknown(asked, all);
    const note = date === undefined || atMs !== undefined
      ? undefined
      : `Cannot read the date ${date} of this link: it is written as 2024-03-01 or ` +
        "2024-03-01T12:30, in UTC. Shown are the newest candles.";
    void this.#show(asked, { atMs }, note);
  }

  /** @param {Shown} asked @param {readonly SeriesStatus[]} all */
  #showUnknown(asked, all) {
    this.#view?.remove();
    this.#view = undefined;
    this.#present(asked);
    byId("chart-timeframes").replaceChildren();
    byId("chart-others").hidden = true;
    setText(byId("chart-reading"), "");
    dialog.classList.add("unknown");
    drawState(unknownState(asked, nearSeries(asked, all)), { isAlone: true });
    byId("chart-state").querySelector("a")?.focus();
  }

  /** @param {Shown} shown */
  #present({ exchange, symbol, timeframe }) {
    pressTimeframe(timeframe);
    setText(byId("chart-title"), `${exchange} ${symbol}`);
    setText(byId("chart-forget"), `titan10 forget ${shellWord(`${exchange}:${symbol}`)}`);
    this.#copy.reset();
    dialog.classList.remove("unknown");
    if (!dialog.open) dialog.showModal();
  }

  /**
   * @param {Shown} shown
   * @param {Place} place
   * @param {string} [note]
   */
  async #show(shown, place, note) {
    this.#view?.remove();
    this.#place = place;
    this.#present(shown);
    const view = new ChartView(shown, {
      zone: this.#zone,
      others: this.#others,
      archive: () => this.#archive ?? { all: [], nowMs: 0 },
      onView: ({ firstMs, lastMs }, { isMoved }) => {
        const untilMs = addCandles(shown.timeframe, lastMs, 1);
        const isRollup = !this.#isArchived(shown);
        this.#take.show({ ...shown, isRollup, sinceMs: firstMs, untilMs });
        tellView(firstMs, lastMs, { zone: this.#zone, timeframe: shown.timeframe });
        if (isMoved || place.range !== undefined) void this.#address.move(linkOf(shown, view.atMs));
      },
      onNewest: () => void this.#open(shown),
      onTimeframe: (timeframe) => {
        // The button may be of the view before.
        const seenMs = this.#view?.atMs;
        const atMs = seenMs === undefined ? undefined : floorTime(timeframe, seenMs);
        this.#address.push(linkOf({ ...shown, timeframe }, atMs));
        void this.#show({ ...shown, timeframe }, { atMs });
      },
    });
    this.#view = view;
    this.#followForming();
    await view.start(place, note);
  }

  /** Whether its candles are asked for, and not rolled up from those of another timeframe. @param {Shown} shown */
  #isArchived({ exchange, symbol, timeframe }) {
    return this.#archive?.all.some((one) =>
      one.exchange === exchange && one.symbol === symbol && one.timeframe === timeframe
    ) === true;
  }

  /** The same window, in another time zone. */
  #showAgain() {
    const view = this.#view;
    if (view === undefined) return;
    const seen = view.drawing?.view();
    // Before the chart is drawn, it goes where it was sent.
    if (seen === undefined) return void this.#show(view.shown, this.#place);
    const untilMs = addCandles(view.shown.timeframe, seen.lastMs, 1);
    void this.#show(view.shown, { range: { sinceMs: seen.firstMs, untilMs } });
  }

  /** @param {number} atMs */
  #goTo(atMs) {
    const { shown } = this.#view ?? {};
    if (shown === undefined) return;
    this.#address.push(linkOf(shown, floorTime(shown.timeframe, atMs)));
    byId("chart-canvas").focus();
    void this.#show(shown, { atMs });
  }

  /**
   * @param {number | undefined} sinceMs undefined for the oldest candle of the symbol in any timeframe
   * @param {number} [untilMs] the newest candle if it is not given
   */
  #showRange(sinceMs, untilMs) {
    const view = this.#view;
    const { all } = this.#archive ?? {};
    if (view?.drawing === undefined || all === undefined) return;
    const { exchange, symbol, timeframe: before } = view.shown;
    const archived = all.filter((one) => one.exchange === exchange && one.symbol === symbol);
    const firsts = archived.flatMap(({ first }) => first === null ? [] : [Date.parse(first)]);
    const endMs = untilMs ?? view.endMs;
    const range = {
      sinceMs: sinceMs ?? firsts.reduce((oldest, first) => Math.min(oldest, first), endMs),
      untilMs: endMs,
    };
    const fitting = view.drawing.width();
    // Until an answer has come, those that are calculated are not known.
    const timeframes = view.timeframes.length > 0
      ? view.timeframes
      : archived.map(({ timeframe }) => timeframe);
    const timeframe = timeframeFor(timeframes, { ...range, shown: before, fitting });
    if (timeframe !== before) this.#address.push(linkOf({ exchange, symbol, timeframe }));
    void this.#show({ exchange, symbol, timeframe }, { range });
  }

  #close() {
    this.#take.close();
    this.#view?.remove();
    this.#view = undefined;
    this.#followForming();
    this.#others.drop();
    if (this.#address.link !== undefined && !this.#isLeaving) this.#address.push("");
    this.#isLeaving = false;
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const view = this.#view;
    const drawing = view?.drawing;
    if (view === undefined || drawing === undefined || isCommand(event)) return;
    const far = event.shiftKey ? 100 : 10;
    /** @type {Readonly<Record<string, () => void>>} */
    const keys = {
      ArrowLeft: () => drawing.move(-far),
      ArrowRight: () => drawing.move(far),
      "+": () => drawing.zoom(1.25),
      "=": () => drawing.zoom(1.25),
      "-": () => drawing.zoom(0.8),
      End: () => view.isAtEnd ? drawing.showNewest() : void this.#open(view.shown),
    };
    const act = keys[event.key];
    if (act === undefined) return;
    act();
    event.preventDefault();
  }
}

/** Whether the key is meant for the browser. @param {KeyboardEvent} event */
function isCommand({ ctrlKey, metaKey, altKey }) {
  return ctrlKey || metaKey || altKey;
}
