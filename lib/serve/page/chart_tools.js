/** The tools of the chart: ranges, from and to, and a date to go to. @module */
import { fieldText, readDate, zoneOf } from "./dates.js";
import { addCandles, byId, element, setText } from "./text.js";

/**
 * @typedef {import("./dates.js").Writing} Writing
 * @typedef {{
 *   readonly onRange: (sinceMs: number | undefined) => void,
 *   readonly onFromTo: (sinceMs: number, untilMs: number) => void,
 *   readonly onDate: (openTimeMs: number) => void,
 *   readonly writing: () => Writing,
 *   readonly untilMs: () => number,
 * }} Told `onRange` with undefined asks for all
 */

const DAY_MS = 86_400_000;

/** @type {readonly (readonly [string, string, (untilMs: number) => number | undefined])[]} */
const RANGES = [
  ["1D", "One day", (untilMs) => untilMs - DAY_MS],
  ["1W", "One week", (untilMs) => untilMs - 7 * DAY_MS],
  ["1M", "One month", (untilMs) => monthsBefore(untilMs, 1)],
  ["3M", "Three months", (untilMs) => monthsBefore(untilMs, 3)],
  ["1Y", "One year", (untilMs) => monthsBefore(untilMs, 12)],
  ["All", "All that is stored", () => undefined],
];

/** Fewer candles than these make no picture. */
const PICTURE_CANDLES_MIN = 20;

const field = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id));

const EXAMPLES = "2024-03-01, 2024-03-01 12:30 or 2024-03";

/** @param {Told} told */
export function offerTools({ onRange, onFromTo, onDate, writing, untilMs }) {
  byId("chart-ranges").append(...RANGES.map(([name, title, sinceOf]) => {
    const button = element("button", { type: "button", title, "aria-label": title }, name);
    button.addEventListener("click", () => onRange(sinceOf(untilMs())));
    return button;
  }));
  const read = (/** @type {string} */ id) => {
    const { value } = field(id);
    const date = readDate(value, zoneOf(writing()));
    if (date === undefined) {
      tell(
        `${
          value.trim() === "" ? "Write a date" : `Cannot read the date ${value.trim()}: write it`
        } as ${EXAMPLES}.`,
        id,
      );
    }
    return date;
  };
  byId("chart-go").addEventListener("submit", (event) => {
    event.preventDefault();
    tell("", "chart-date");
    const date = read("chart-date");
    if (date !== undefined) onDate(date.sinceMs);
  });
  byId("chart-from-to").addEventListener("submit", (event) => {
    event.preventDefault();
    tell("", "chart-from", "chart-to");
    const from = read("chart-from");
    const to = from && read("chart-to");
    if (from === undefined || to === undefined) return;
    if (to.untilMs > from.sinceMs) return onFromTo(from.sinceMs, to.untilMs);
    tell("The range ends before it begins: write the earlier date first.", "chart-to");
  });
  for (const id of ["chart-date", "chart-from", "chart-to"]) {
    field(id).addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      // Leaves the field; the next one closes the chart.
      event.preventDefault();
      byId("chart-canvas").focus();
    });
  }
}

/** The user may write a date at once. */
export function focusDate() {
  field("chart-date").focus();
  field("chart-date").select();
}

/**
 * Tells in the fields what is in view, unless the user is writing there.
 * @param {number} firstMs
 * @param {number} lastMs
 * @param {Writing} writing
 */
export function tellView(firstMs, lastMs, writing) {
  if (byId("chart-from-to").contains(document.activeElement)) return;
  field("chart-from").value = fieldText(firstMs, writing);
  field("chart-to").value = fieldText(lastMs, writing);
}

/** @param {string} text "" if nothing is wrong @param {...string} ids of the fields that it is about */
function tell(text, ...ids) {
  setText(byId("chart-hint"), text);
  byId("chart-hint").hidden = text === "";
  for (const id of ids) {
    field(id).setAttribute("aria-invalid", String(text !== ""));
    if (text !== "") field(id).focus();
  }
}

/**
 * The timeframe in which a range is seen best: the one that is shown if it makes a picture, else the finest one that
 * fits, else the coarsest.
 * @param {readonly string[]} timeframes
 * @param {{ readonly shown: string, readonly sinceMs: number, readonly untilMs: number, readonly fitting: number }} range
 * @returns {string}
 */
export function timeframeFor(timeframes, { shown, sinceMs, untilMs, fitting }) {
  const candles = (/** @type {string} */ timeframe) =>
    (untilMs - sinceMs) / addCandles(timeframe, 0, 1);
  const ascending = [...timeframes].sort((a, b) => addCandles(a, 0, 1) - addCandles(b, 0, 1));
  const fits = ascending.filter((timeframe) => candles(timeframe) <= fitting);
  if (fits.includes(shown) && candles(shown) >= PICTURE_CANDLES_MIN) return shown;
  return fits[0] ?? ascending.at(-1) ?? shown;
}

/** @param {number} ms @param {number} months @returns {number} the same day of the month, or its last one */
function monthsBefore(ms, months) {
  const date = new Date(ms);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() - months];
  const day = Math.min(date.getUTCDate(), new Date(Date.UTC(year, month + 1, 0)).getUTCDate());
  return Date.UTC(year, month, day) + (ms - Date.UTC(year, date.getUTCMonth(), date.getUTCDate()));
}
