/** The table of funding rates: of each exchange what is stored of its perpetuals, and what is wrong. Hidden without any. @module */
import { KeyedRows } from "./keyed_rows.js";
import { longText } from "./long_text.js";
import { age, byId, count, element, setText, time } from "./text.js";

/**
 * @typedef {import("../status.ts").Status["funding"][number]} FundingStatus
 * @typedef {{ readonly exchange: string, readonly perpetuals: number, readonly rates: number, readonly owed: number,
 *   readonly missing: number, readonly explained: number, readonly last: string | null, readonly failing: readonly FundingStatus[] }} Sum
 */

export class Funding {
  /** @type {KeyedRows<{ readonly sum: Sum, readonly nowMs: number }>} */
  #rows = new KeyedRows(byId("funding-rows"), fundingRow);

  /** @param {readonly FundingStatus[]} funding @param {number} nowMs */
  update(funding, nowMs) {
    byId("funding").hidden = funding.length === 0;
    const rows = sumsOf(funding).map((sum) => ({ sum, nowMs }));
    this.#rows.update(rows, ({ sum }) => sum.exchange);
  }
}

/**
 * One an exchange, those that fail first.
 * @param {readonly FundingStatus[]} funding
 * @returns {readonly Sum[]}
 */
export function sumsOf(funding) {
  return [...Map.groupBy(funding, ({ exchange }) => exchange)].map(([exchange, all]) => {
    const sum = { rates: 0, owed: 0, missing: 0, explained: 0 };
    /** @type {string | null} */
    let last = null;
    for (const one of all) {
      sum.rates += one.rates;
      sum.owed += one.owed;
      sum.missing += one.missing;
      sum.explained += one.explained;
      if (one.last !== null && (last === null || one.last > last)) last = one.last;
    }
    const failing = all.filter(({ lastError }) => lastError !== null);
    return { exchange, perpetuals: all.length, ...sum, last, failing };
  }).sort((a, b) => b.failing.length - a.failing.length);
}

/** @param {Sum} sum @returns {string} */
export function fundingText({ owed, missing, failing }) {
  const [first] = failing;
  if (first !== undefined) {
    const others = failing.length - 1;
    const more = others === 0 ? "" : ` and ${count(others)} more`;
    return `The rates of ${first.symbol}${more} are refused. They are asked for again by themselves.`;
  }
  if (missing > 0) return "What is missing is asked for again. titan10 gaps names it.";
  if (owed > 0) return "What is owed is fetched with the history, a page at a time.";
  return "All rates are there.";
}

/** @returns {{ readonly row: HTMLElement, readonly show: (one: { readonly sum: Sum, readonly nowMs: number }) => void }} */
function fundingRow() {
  const name = element("th", { scope: "row", role: "rowheader" });
  const numbers = ["perpetuals", "rates", "owed", "missing", "explained"].map((what) =>
    element("td", { role: "cell", class: "number", "data-name": what })
  );
  const newest = element("td", { role: "cell", class: "number" });
  const why = element("p", { class: "why" });
  const error = longText("error");
  const matter = element("td", { role: "cell", class: "wide" }, why, error.place);
  const row = element("tr", { role: "row" }, name, ...numbers, newest, matter);
  return {
    row,
    show({ sum, nowMs }) {
      const { exchange, perpetuals, rates, owed, missing, explained, last, failing } = sum;
      row.dataset["level"] = failing.length > 0 ? "bad" : owed + missing > 0 ? "wait" : "good";
      setText(name, exchange);
      for (const [at, value] of [perpetuals, rates, owed, missing, explained].entries()) {
        setText(/** @type {HTMLElement} */ (numbers[at]), count(value));
      }
      setText(newest, last === null ? "–" : `${age(nowMs - Date.parse(last))} ago`);
      newest.title = last === null ? "" : time(last);
      setText(why, fundingText(sum));
      error.show(failing[0]?.lastError ?? "", `the error of ${exchange}'s funding rates`);
    },
  };
}
