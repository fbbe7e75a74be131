/** One row of the table of series. @module */
import { longText } from "./long_text.js";
import { columnNamed, COLUMNS } from "./series_columns.js";
import { closedMs, isLate } from "./series_reasons.js";
import { drawBar } from "./state.js";
import { age, compact, element, setText, time } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {import("./series_reasons.js").Facts} Facts
 * @typedef {ReturnType<typeof import("./series_reasons.js").seriesReason>} SeriesReason
 */

const AT = {
  exchange: columnNamed("Exchange"),
  symbol: columnNamed("Symbol"),
  timeframe: columnNamed("Timeframe"),
  state: columnNamed("State"),
  candles: columnNamed("Candles"),
  last: columnNamed("Last"),
  closed: columnNamed("Closed"),
  coverage: columnNamed("Coverage"),
  owed: columnNamed("Owed"),
  missing: columnNamed("Missing"),
  explained: columnNamed("Explained"),
};

const STREAMED = "came over a stream; no answer of the exchange has confirmed it yet";

const ANSWERED = "came with an answer of the exchange, or was confirmed by one";

/** @param {SeriesStatus} series @returns {string} */
export function nameOf({ exchange, symbol, timeframe }) {
  return `${exchange} ${symbol} ${timeframe}`;
}

export class SeriesRow {
  /** @type {readonly HTMLTableCellElement[]} */
  #cells;
  #pill = element("span", { class: "pill" });
  #bar = element("div", { class: "bar", role: "img" });
  #dates = element("div", { class: "dates", "aria-hidden": "true" });
  #why = longText("why");
  #age = element("span", {});
  #source = element("span", { class: "hidden" });
  #drawn = /** @type {SeriesStatus | undefined} */ (undefined);
  row;

  /**
   * @param {SeriesStatus} series
   * @param {() => void} onOpen
   */
  constructor(series, onOpen) {
    this.#cells = COLUMNS.map(({ text, kind }, at) =>
      at === AT.symbol
        ? element("th", { scope: "row", role: "rowheader" })
        : element("td", { role: "cell", class: kind, "data-name": text })
    );
    this.row = element("tr", { role: "row" }, ...this.#cells);
    this.row.addEventListener("click", () => {
      // Selecting text must not open the chart.
      if (getSelection()?.isCollapsed !== false) onOpen();
    });
    const button = element("button", { type: "button", class: "open" }, series.symbol);
    button.setAttribute("aria-label", `${nameOf(series)}: open the chart`);
    this.#cell(AT.symbol).append(button);
    this.#cell(AT.state).append(this.#pill);
    this.#cell(AT.closed).append(this.#age, this.#source);
    this.#cell(AT.coverage).append(
      element("div", { class: "coverage" }, this.#bar, this.#dates),
      this.#why.place,
    );
  }

  /**
   * @param {SeriesStatus} series
   * @param {SeriesReason} reason
   */
  show(series, { state, level, text }) {
    this.#why.show(text, nameOf(series));
    setText(this.#pill, state);
    this.#pill.dataset["level"] = level;
    this.row.dataset["level"] = level;
    if (series === this.#drawn) return;
    this.#drawn = series;
    /** @type {readonly (readonly [number, string])[]} */
    const texts = [
      [AT.exchange, series.exchange],
      [AT.timeframe, series.timeframe],
      [AT.candles, compact(series.candles)],
      [AT.last, series.last === null ? "–" : time(series.last)],
      [AT.owed, compact(series.owed)],
      [AT.missing, compact(series.missing)],
      [AT.explained, compact(series.explained)],
    ];
    for (const [at, said] of texts) setText(this.#cell(at), said);
    for (const at of [AT.candles, AT.owed, AT.missing, AT.explained]) {
      this.#cell(at).classList.toggle("zero", this.#cell(at).textContent === "0");
    }
    this.#cell(AT.missing).classList.toggle("alarming", series.missing > 0);
    drawBar(this.#bar, this.#dates, series);
  }

  /** Updates the age. @param {SeriesStatus} series @param {number} nowMs */
  tell(series, nowMs) {
    const cell = this.#cell(AT.closed);
    const isProvisional = series.lastSource === "stream";
    setText(this.#age, series.last === null ? "–" : `${age(nowMs - closedMs(series))} ago`);
    setText(this.#source, isProvisional ? ", streamed" : "");
    cell.classList.toggle("provisional", isProvisional);
    cell.title = series.last === null ? "" : isProvisional ? STREAMED : ANSWERED;
    cell.classList.toggle("late", isLate(series, nowMs));
  }

  /** @param {number} at */
  #cell(at) {
    return /** @type {HTMLTableCellElement} */ (this.#cells[at]);
  }
}
