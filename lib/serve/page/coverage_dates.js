/** The dates of a coverage bar: of its first and its last candle, and ticks between them where there is room. @module */
import { element, setText } from "./text.js";

/** @typedef {import("../status.ts").SeriesStatus} SeriesStatus */

const MONTHS = [1, 2, 3, 6, 12, 24, 60, 120];

/** As many as a bar of usual width has room for beside the dates at its ends. */
const TICKS_MAX = 4;

/** The dates at the ends take this share of a bar; no tick's text may lie over them. */
const END_SHARE = 0.27;

/** Where less of a bar is stored, both dates are written as one range. */
const ROOM_SHARE = 0.6;

const DAY_MS = 86_400_000;

const MONTH_NAMES = [
  "Jan",
  "Feb",
  "Mar",
  "Apr",
  "May",
  "Jun",
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
];

/**
 * The beginnings of years or of months between two times, as few as fit.
 * @param {number} sinceMs
 * @param {number} untilMs
 * @returns {readonly { readonly ms: number, readonly text: string }[]} `2024`, `Mar`
 */
function dateTicks(sinceMs, untilMs) {
  // A month of 28 days: shorter spans have no beginning of a month that is worth a word.
  if (untilMs - sinceMs < 28 * DAY_MS) return [];
  const months = MONTHS.find((step) => ticksOf(sinceMs, untilMs, step).length <= TICKS_MAX) ?? 120;
  return ticksOf(sinceMs, untilMs, months).map((ms) => {
    const date = new Date(ms);
    const month = date.getUTCMonth();
    return { ms, text: month === 0 ? String(date.getUTCFullYear()) : MONTH_NAMES[month] ?? "" };
  });
}

/** @param {number} sinceMs @param {number} untilMs @param {number} months @returns {number[]} */
function ticksOf(sinceMs, untilMs, months) {
  const since = new Date(sinceMs);
  const first = since.getUTCFullYear() * 12 + since.getUTCMonth();
  const times = [];
  for (let month = Math.ceil(first / months) * months;; month += months) {
    const ms = Date.UTC(Math.floor(month / 12), month % 12, 1);
    if (ms >= untilMs) return times;
    if (ms > sinceMs) times.push(ms);
  }
}

/**
 * Writes them under a bar.
 * @param {HTMLElement} place
 * @param {Pick<SeriesStatus, "first" | "last">} series
 * @param {{ readonly from: number, readonly to: number }} stored which part of the bar is stored, 0 to 1
 */
export function drawDates(place, { first, last }, { from, to }) {
  if (first === null || last === null) return place.replaceChildren();
  const [sinceMs, untilMs] = [Date.parse(first), Date.parse(last)];
  const [since, until] = [first.slice(0, 10), last.slice(0, 10)];
  if (to - from < ROOM_SHARE || since === until) {
    const text = since === until ? since : `${since} – ${until}`;
    const only = place.children.length === 1 ? place.firstElementChild : null;
    if (only !== null && only.className === "range") return setText(only, text);
    return place.replaceChildren(element("span", { class: "range" }, text));
  }
  const at = (/** @type {number} */ ms) =>
    from + (to - from) * (ms - sinceMs) / (untilMs - sinceMs);
  const ticks = dateTicks(sinceMs, untilMs)
    .map(({ ms, text }) => ({ text, share: at(ms) }))
    .filter(({ share }) => share > from + END_SHARE && share < to - END_SHARE);
  place.replaceChildren(
    placed("date", since, from),
    ...ticks.map(({ text, share }) => placed("tick", text, share)),
    placed("date last", until, to),
  );
}

/** @param {string} kind @param {string} text @param {number} share */
function placed(kind, text, share) {
  const made = element("span", { class: kind }, text);
  made.style.left = `${Math.round(share * 1000) / 10}%`;
  return made;
}
