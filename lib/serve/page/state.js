/** The states of a candle, in the order of the coverage bars. @module */
import { drawDates } from "./coverage_dates.js";
import { count, element, percent, time } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {{ readonly state: string, readonly candles: number }} Share
 */

/** Names of the states, from the left end of a bar. Their colours are in page.css, by key. */
export const STATES = /** @type {const} */ ({
  before_listing: "before listing",
  retention: "gone at the exchange",
  expired: "dropped by RETENTION",
  outside_range: "outside the configured range",
  owed: "owed",
  stored: "stored",
  no_trades: "no trades",
  exchange_outage: "exchange outage",
  rejected: "rejected",
  suspected: "missing, fetched again",
  ended: "not traded any more",
});

/** Those of times that the exchange has answered for: between the first and the last candle. */
const ANSWERED = ["stored", "no_trades", "exchange_outage", "rejected", "suspected"];

/** @param {string} state from the database @returns {keyof typeof STATES} */
export function stateOf(state) {
  if (state === "refetching") return "suspected";
  return state in STATES ? /** @type {keyof typeof STATES} */ (state) : "owed";
}

/** @param {SeriesStatus} series @returns {Share[]} its desired candles by state, without empty states */
function sharesOf(series) {
  /** @type {Readonly<Record<string, number | undefined>>} */
  const counts = {
    ...series.reasons,
    owed: series.owed,
    stored: series.candles,
    suspected: series.missing,
  };
  return Object.keys(STATES)
    .map((state) => ({ state, candles: counts[state] ?? 0 }))
    .filter(({ candles }) => candles > 0);
}

/** @param {readonly Share[]} shares @returns {string} `99.2 % stored, 0.8 % no trades` */
function sharesText(shares) {
  const total = shares.reduce((sum, { candles }) => sum + candles, 0);
  if (total === 0) return "nothing fetched yet";
  return shares
    .map(({ state, candles }) =>
      `${percent(candles / total)} ${STATES[stateOf(state)]} (${count(candles)})`
    )
    .join(", ");
}

/** Even the smallest share is visible. */
const SHARE_MIN = 0.012;

/**
 * Draws a bar and its dates.
 * @param {HTMLElement} bar
 * @param {HTMLElement} dates
 * @param {SeriesStatus} series
 */
export function drawBar(bar, dates, series) {
  const shares = sharesOf(series);
  const total = shares.reduce((sum, { candles }) => sum + candles, 0);
  const parts = shares.map(({ state, candles }) => ({
    state,
    width: Math.max(SHARE_MIN, candles / total),
  }));
  bar.replaceChildren(...parts.map(({ state, width }) => {
    const part = element("span", { class: "part", "data-state": state });
    part.style.flexGrow = String(width);
    return part;
  }));
  drawDates(dates, series, answeredOf(parts));
  const { first, last } = series;
  const range = first === null || last === null ? "" : `${time(first)} to ${time(last)}: `;
  const text = `${range}${sharesText(shares)}`;
  bar.setAttribute("aria-label", text);
  bar.title = text.replace(": ", "\n").replaceAll(", ", "\n");
}

/** @param {readonly { readonly state: string, readonly width: number }[]} parts */
function answeredOf(parts) {
  const sum = (/** @type {typeof parts} */ some) => some.reduce((all, { width }) => all + width, 0);
  const since = parts.findIndex(({ state }) => ANSWERED.includes(state));
  const until = parts.findLastIndex(({ state }) => ANSWERED.includes(state)) + 1;
  const total = sum(parts) || 1;
  return {
    from: sum(parts.slice(0, Math.max(0, since))) / total,
    to: sum(parts.slice(0, until)) / total,
  };
}

/** @returns {HTMLElement[]} one entry per state */
export function legendEntries() {
  return Object.entries(STATES).map(([state, name]) =>
    element("li", {}, element("span", { class: "part", "data-state": state }), name)
  );
}
