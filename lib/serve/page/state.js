/** The states of a candle, in the order of the coverage bars. @module */
import { count, element, percent } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {{ readonly state: string, readonly candles: number }} Share
 */

/** Names of the states, from the left end of a bar. Their colours are in page.css, by key. */
export const STATES = /** @type {const} */ ({
  before_listing: "before listing",
  retention: "gone at the exchange",
  expired: "dropped by RETENTION",
  ended: "not traded any more",
  outside_range: "outside the configured range",
  owed: "owed",
  stored: "stored",
  no_trades: "no trades",
  exchange_outage: "exchange outage",
  rejected: "rejected",
  suspected: "missing, fetched again",
});

/** @param {string} state from the database @returns {keyof typeof STATES} */
export function stateOf(state) {
  if (state === "refetching") return "suspected";
  return state in STATES ? /** @type {keyof typeof STATES} */ (state) : "owed";
}

/** @param {SeriesStatus} series @returns {Share[]} its desired candles by state, without empty states */
export function sharesOf(series) {
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
 * Draws a bar.
 * @param {HTMLElement} bar
 * @param {readonly Share[]} shares
 */
export function drawBar(bar, shares) {
  const total = shares.reduce((sum, { candles }) => sum + candles, 0);
  bar.replaceChildren(...shares.map(({ state, candles }) => {
    const part = element("span", { class: "part", "data-state": state });
    part.style.flexGrow = String(Math.max(SHARE_MIN, candles / total));
    return part;
  }));
  const text = sharesText(shares);
  bar.setAttribute("aria-label", text);
  bar.title = text.replaceAll(", ", "\n");
}

/** @returns {HTMLElement[]} one entry per state */
export function legendEntries() {
  return Object.entries(STATES).map(([state, name]) =>
    element("li", {}, element("span", { class: "part", "data-state": state }), name)
  );
}
