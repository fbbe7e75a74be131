/** What can be said of a candle, in the order and the colours of the coverage bars. @module */
import { count, element, percent } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {{ readonly state: string, readonly candles: number }} Share
 */

/** Names of states, oldest end of a bar first. Colours are in page.css, by the key. */
export const STATES = /** @type {const} */ ({
  before_listing: "before listing",
  retention: "gone at the exchange",
  expired: "dropped by RETENTION",
  owed: "owed",
  stored: "stored",
  no_trades: "no trades",
  exchange_outage: "exchange outage",
  rejected: "rejected",
  suspected: "missing, asked for again",
});

/** @param {string} state as the database says it @returns {keyof typeof STATES} */
export function stateOf(state) {
  if (state === "refetching") return "suspected";
  return state in STATES ? /** @type {keyof typeof STATES} */ (state) : "owed";
}

/** @param {SeriesStatus} series @returns {Share[]} what its desired candles are, without states that none is in */
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
  if (total === 0) return "nothing asked for yet";
  return shares
    .map(({ state, candles }) =>
      `${percent(candles / total)} ${STATES[stateOf(state)]} (${count(candles)})`
    )
    .join(", ");
}

/** A span that is there is seen, however small its share. */
const SHARE_MIN = 0.012;

/**
 * Draws a bar anew.
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

/** @returns {HTMLElement[]} one entry a state */
export function legendEntries() {
  return Object.entries(STATES).map(([state, name]) =>
    element("li", {}, element("span", { class: "part", "data-state": state }), name)
  );
}
