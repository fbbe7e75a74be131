/** The table of series: search, sorting, and rows that are made when they come into sight. @module */
import { arrange } from "./keyed_rows.js";
import { columnNamed, COLUMNS, sorted } from "./series_columns.js";
import { seriesReason, stateOfSeries } from "./series_reasons.js";
import { nameOf, SeriesRow } from "./series_row.js";
import { byId, count, element, setText } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {import("./series_reasons.js").Facts} Facts
 * @typedef {{ series: SeriesStatus, json: string, state: string, readonly words: string, made?: SeriesRow }} Entry
 */

/** Rows made at once: more than any screen shows. */
const STEP_ROWS = 30;

/** Rows are made when the end of the made ones is this near to the window. */
const NEAR = "400px";

const SORT_KEY = "titan10.sort";

export class SeriesTable {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {Entry[]} In the order of the sorted column. */
  #order = [];
  #sort = rememberedSort();
  #words = /** @type {string[]} */ ([]);
  /** How many of the rows that match are made. */
  #rowsMax = STEP_ROWS;
  /** @type {Facts | undefined} */
  #facts;
  #sight = new IntersectionObserver((seen) => {
    if (seen.some(({ isIntersecting }) => isIntersecting)) this.#showMore();
  }, { rootMargin: NEAR });
  #onOpen;
  /** @type {HTMLTableCellElement[]} */
  #heads;

  /** @param {(series: SeriesStatus) => void} onOpen */
  constructor(onOpen) {
    this.#onOpen = onOpen;
    this.#heads = COLUMNS.map(({ text, kind, what }, at) => {
      const button = element("button", { type: "button", title: what }, text);
      button.addEventListener("click", () => this.#sortBy(at));
      return element(
        "th",
        { scope: "col", role: "columnheader", class: kind, "data-name": text },
        button,
      );
    });
    byId("series-head").append(...this.#heads);
    listenToSearch((words) => {
      this.#words = words;
      this.#rowsMax = STEP_ROWS;
      this.#show();
    });
    byId("series-more").addEventListener("click", () => this.#showMore());
    this.#showSort();
  }

  /**
   * @param {readonly SeriesStatus[]} all
   * @param {Facts} facts
   */
  update(all, facts) {
    this.#facts = facts;
    const names = new Set();
    let isMoved = all.length !== this.#entries.size;
    for (const series of all) {
      const name = nameOf(series);
      names.add(name);
      const json = JSON.stringify(series);
      const known = this.#entries.get(name);
      if (known === undefined) {
        const entry = { series, json, state: "", words: name.toLowerCase() };
        this.#entries.set(name, entry);
        isMoved = true;
      } else if (known.json !== json) {
        known.series = series;
        known.json = json;
        isMoved = true;
      }
    }
    for (const name of this.#entries.keys()) if (!names.has(name)) this.#entries.delete(name);
    this.#judge(isMoved);
  }

  /** Time has passed and nothing else: ages change, and a series may be late now. @param {number} nowMs */
  tell(nowMs) {
    if (this.#facts === undefined) return;
    this.#facts = { ...this.#facts, nowMs };
    this.#judge(false);
  }

  /** @param {boolean} isMoved whether any series has changed */
  #judge(isMoved) {
    const nowMs = this.#facts?.nowMs ?? 0;
    let isSorted = !isMoved;
    for (const entry of this.#entries.values()) {
      const state = stateOfSeries(entry.series, nowMs);
      if (state === entry.state) continue;
      entry.state = state;
      isSorted = false;
    }
    if (!isSorted) this.#order = sorted([...this.#entries.values()], this.#sort);
    this.#show();
  }

  #showMore() {
    if (byId("series-more").hidden) return;
    this.#rowsMax += STEP_ROWS;
    this.#show();
  }

  /** @param {number} by */
  #sortBy(by) {
    const isDescending = this.#sort.by === by
      ? !this.#sort.isDescending
      : COLUMNS[by]?.isLargestFirst === true;
    this.#sort = { by, isDescending };
    rememberSort(this.#sort);
    this.#showSort();
    this.#order = sorted(this.#order, this.#sort);
    this.#show();
  }

  #showSort() {
    const { by, isDescending } = this.#sort;
    for (const [at, head] of this.#heads.entries()) {
      if (at !== by) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
    }
  }

  /** Makes and draws the rows in sight, and puts them in order. The others cost nothing. */
  #show() {
    const facts = this.#facts;
    if (facts === undefined) return;
    const found = this.#order.filter(({ words }) =>
      this.#words.every((word) => words.includes(word))
    );
    const focused = found.findIndex(({ made }) => made?.row.contains(document.activeElement));
    // The row that has the focus stays, wherever its new values put it.
    const shown = found.slice(0, Math.max(this.#rowsMax, focused + 1));
    const rows = shown.map((entry, at) => {
      entry.made ??= new SeriesRow(entry.series, () => this.#onOpen(entry.series));
      entry.made.show(entry.series, seriesReason(entry.series, facts));
      entry.made.tell(entry.series, facts.nowMs);
      entry.made.row.setAttribute("aria-rowindex", String(at + 2));
      return entry.made.row;
    });
    arrange(byId("series-rows"), rows);
    this.#tellCounts(found.length, shown.length);
  }

  /** @param {number} found @param {number} shown */
  #tellCounts(found, shown) {
    const all = this.#entries.size;
    byId("series-table").setAttribute("aria-rowcount", String(found + 1));
    setText(byId("series-count"), found === all ? count(all) : `${count(found)} of ${count(all)}`);
    const more = byId("series-more");
    // Where it has the focus and goes, the focus goes to the row that it has made last.
    const hadFocus = document.activeElement === more;
    more.hidden = shown === found;
    // Only a change is told. Where it stays in sight, as after a few rows more, it must be looked at again.
    this.#sight.unobserve(more);
    if (!more.hidden) this.#sight.observe(more);
    setText(more, `Show more: ${count(found - shown)} are left`);
    if (hadFocus && more.hidden) {
      /** @type {HTMLElement | null} */ (
        byId("series-rows").querySelector("tr:last-child .open")
      )?.focus();
    }
    byId("series-none").hidden = found > 0 || all === 0;
    setText(byId("series-none"), `No series has all of these words. Esc clears the search.`);
  }
}

/** @param {(words: string[]) => void} onWords */
function listenToSearch(onWords) {
  const search = /** @type {HTMLInputElement} */ (byId("search"));
  const read = () => onWords(search.value.toLowerCase().split(/\s+/).filter((word) => word !== ""));
  search.addEventListener("input", read);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || search.value === "") return;
    search.value = "";
    event.preventDefault();
    read();
  });
  document.addEventListener("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey } = event;
    if (key !== "/" || ctrlKey || metaKey || altKey || event.defaultPrevented) return;
    const isTyping = target instanceof Element &&
      target.closest("input, textarea, select, [contenteditable]");
    // Behind an open dialog it could not be reached.
    if (isTyping || document.querySelector("dialog[open]") !== null || !search.checkVisibility()) {
      return;
    }
    event.preventDefault();
    search.focus();
    search.select();
  });
}

/** What needs a look comes first, unless another column was chosen. Where the browser keeps nothing, always. */
function rememberedSort() {
  /** @type {string | null} */
  let kept = null;
  try {
    kept = localStorage.getItem(SORT_KEY);
  } catch { /* Storage may be forbidden. */ }
  const [name = "", direction] = kept?.split(" ") ?? [];
  const by = columnNamed(name);
  return by < 0
    ? { by: columnNamed("State"), isDescending: true }
    : { by, isDescending: direction === "descending" };
}

/** @param {{ readonly by: number, readonly isDescending: boolean }} sort */
function rememberSort({ by, isDescending }) {
  try {
    localStorage.setItem(
      SORT_KEY,
      `${COLUMNS[by]?.text} ${isDescending ? "descending" : "ascending"}`,
    );
  } catch { /* Storage may be forbidden, or full. */ }
}
