/** The table of series: search, sorting, and updates row by row. @module */
import { drawBar, sharesOf } from "./state.js";
import { addCandles, age, byId, compact, count, element, setText, time } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {{ readonly text: string, readonly key: (series: SeriesStatus) => string | number, readonly kind?: string,
 *   readonly what?: string }} Column
 * @typedef {{ series: SeriesStatus, json: string, readonly row: HTMLTableRowElement,
 *   readonly cells: readonly HTMLTableCellElement[], readonly words: string }} Row
 */

/** @type {readonly Column[]} */
const COLUMNS = [
  { text: "Exchange", key: ({ exchange }) => exchange },
  { text: "Symbol", key: ({ symbol }) => symbol },
  { text: "Timeframe", key: ({ timeframe }) => addCandles(timeframe, 0, 1), kind: "number" },
  { text: "Candles", key: ({ candles }) => candles, kind: "number" },
  { text: "First", key: ({ first }) => first ?? "", kind: "number" },
  { text: "Last", key: ({ last }) => last ?? "", kind: "number" },
  {
    text: "Closed",
    key: (series) => -closedMs(series),
    kind: "number",
    what: "when the newest stored candle closed",
  },
  { text: "Coverage", key: coverageShare, kind: "wide" },
  { text: "Owed", key: ({ owed }) => owed, kind: "number", what: "not fetched yet" },
  {
    text: "Missing",
    key: ({ missing }) => missing,
    kind: "number",
    what: "no reason yet; fetched again",
  },
  {
    text: "Explained",
    key: ({ explained }) => explained,
    kind: "number",
    what: "missing with a known reason",
  },
];

/** A series is stale when it is this late: three candles and two minutes, as for the alert `stale`. */
const LATE_CANDLES = 3;
const LATE_MS = 120_000;

export class SeriesTable {
  /** @type {Map<string, Row>} */
  #rows = new Map();
  #sortedBy = 0;
  #isDescending = false;
  #words = /** @type {string[]} */ ([]);
  #onOpen;
  /** @type {HTMLTableCellElement[]} */
  #heads;

  /** @param {(series: SeriesStatus) => void} onOpen */
  constructor(onOpen) {
    this.#onOpen = onOpen;
    this.#heads = COLUMNS.map(({ text, kind, what }, at) => {
      const button = element("button", { type: "button", title: what }, text);
      button.addEventListener("click", () => this.#sort(at));
      return element("th", { scope: "col", role: "columnheader", class: kind }, button);
    });
    byId("series-head").append(...this.#heads);
    const search = /** @type {HTMLInputElement} */ (byId("search"));
    search.addEventListener("input", () => {
      this.#words = search.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
      this.#filter();
    });
    this.#showSort();
  }

  /**
   * @param {readonly SeriesStatus[]} all
   * @param {number} nowMs
   */
  update(all, nowMs) {
    const names = new Set();
    let isMoved = false;
    for (const series of all) {
      const name = nameOf(series);
      names.add(name);
      const json = JSON.stringify(series);
      const known = this.#rows.get(name);
      const row = known ?? this.#add(series, name);
      if (row.json !== json) {
        isMoved = true;
        row.json = json;
        row.series = series;
        draw(row);
      }
    }
    for (const [name, { row }] of this.#rows) {
      if (names.has(name)) continue;
      row.remove();
      this.#rows.delete(name);
    }
    if (isMoved) this.#arrange();
    this.tell(nowMs);
    this.#filter();
  }

  /** Updates the ages. @param {number} nowMs */
  tell(nowMs) {
    for (const { series, cells } of this.#rows.values()) {
      const cell = /** @type {HTMLTableCellElement} */ (cells[6]);
      const ms = nowMs - closedMs(series);
      setText(cell, series.last === null ? "–" : `${age(ms)} ago`);
      const lateMs = LATE_CANDLES * addCandles(series.timeframe, 0, 1) + LATE_MS;
      cell.classList.toggle("late", series.endedAt === null && ms > lateMs);
    }
  }

  /**
   * @param {SeriesStatus} series
   * @param {string} name
   * @returns {Row}
   */
  #add(series, name) {
    const cells = COLUMNS.map(({ text, kind }, at) =>
      at === 1
        ? element("th", { scope: "row", role: "rowheader" })
        : element("td", { role: "cell", class: kind, "data-name": text })
    );
    const tr = element("tr", { role: "row" }, ...cells);
    tr.addEventListener("click", () => {
      // Selecting text must not open the chart.
      if (getSelection()?.isCollapsed !== false) this.#onOpen(row.series);
    });
    const button = element("button", { type: "button", class: "open" }, series.symbol);
    button.setAttribute("aria-label", `${name}: open the chart`);
    cells[1]?.append(button, element("span", { class: "remark" }));
    cells[7]?.append(element("div", { class: "bar", role: "img" }));
    /** @type {Row} */
    const row = { series, json: "", row: tr, cells, words: name.toLowerCase() };
    this.#rows.set(name, row);
    return row;
  }

  /** @param {number} at */
  #sort(at) {
    this.#isDescending = this.#sortedBy === at ? !this.#isDescending : false;
    this.#sortedBy = at;
    this.#showSort();
    this.#arrange();
  }

  #showSort() {
    for (const [at, head] of this.#heads.entries()) {
      if (at !== this.#sortedBy) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.#isDescending ? "descending" : "ascending");
    }
  }

  #arrange() {
    const column = /** @type {Column} */ (COLUMNS[this.#sortedBy]);
    const sign = this.#isDescending ? -1 : 1;
    const sorted = [...this.#rows.values()]
      .map((row) => ({ row, key: column.key(row.series) }))
      .sort((a, b) => sign * compare(a.key, b.key) || compareNames(a.row.series, b.row.series));
    const body = byId("series-rows");
    // A row that is not moved keeps its focus.
    let next = body.firstElementChild;
    for (const { row: { row } } of sorted) {
      if (row === next) next = next.nextElementSibling;
      else body.insertBefore(row, next);
    }
  }

  #filter() {
    let shown = 0;
    for (const { row, words } of this.#rows.values()) {
      row.hidden = !this.#words.every((word) => words.includes(word));
      if (!row.hidden) shown++;
    }
    const all = this.#rows.size;
    setText(byId("series-count"), shown === all ? count(all) : `${count(shown)} of ${count(all)}`);
    byId("series-none").hidden = shown > 0;
    setText(byId("series-none"), all === 0 ? "There are no series yet." : "No series matches.");
  }
}

/** @param {Row} row */
function draw({ series, cells }) {
  const texts = [
    series.exchange,
    undefined,
    series.timeframe,
    compact(series.candles),
    series.first === null ? "–" : time(series.first),
    series.last === null ? "–" : time(series.last),
    undefined,
    undefined,
    compact(series.owed),
    compact(series.missing),
    compact(series.explained),
  ];
  for (const [at, text] of texts.entries()) {
    const cell = cells[at];
    if (text !== undefined && cell !== undefined) setText(cell, text);
  }
  for (const at of [3, 8, 9, 10]) {
    cells[at]?.classList.toggle("zero", cells[at]?.textContent === "0");
  }
  cells[9]?.classList.toggle("alarming", series.missing > 0);
  const remark = /** @type {HTMLElement} */ (cells[1]?.lastElementChild);
  const ended = series.endedAt === null ? undefined : `${series.endedWhy} ${time(series.endedAt)}`;
  const text = series.lastError ?? ended ?? "";
  setText(remark, text);
  remark.title = text;
  remark.classList.toggle("error", series.lastError !== null);
  drawBar(/** @type {HTMLElement} */ (cells[7]?.firstElementChild), sharesOf(series));
}

/** @param {SeriesStatus} series @returns {string} */
export function nameOf({ exchange, symbol, timeframe }) {
  return `${exchange} ${symbol} ${timeframe}`;
}

/** @param {SeriesStatus} series @returns {number} when its newest candle closed, in milliseconds */
function closedMs({ last, timeframe }) {
  return last === null ? 0 : addCandles(timeframe, Date.parse(last), 1);
}

/** @param {SeriesStatus} series @returns {number} the share of its candles that is stored or has a reason */
function coverageShare({ candles, explained, owed, missing }) {
  return (candles + explained) / (candles + explained + owed + missing || 1);
}

/** @param {SeriesStatus} a @param {SeriesStatus} b @returns {number} the finest timeframe first */
function compareNames(a, b) {
  return compare(a.exchange, b.exchange) || compare(a.symbol, b.symbol) ||
    addCandles(a.timeframe, 0, 1) - addCandles(b.timeframe, 0, 1);
}

/** @param {string | number} a @param {string | number} b @returns {number} */
function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
