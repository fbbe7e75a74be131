/** The alerts that fire: what is wrong, since when, and what to do. @module */
import { age, byId, count, element, setText, time } from "./text.js";

/** @typedef {import("../news.ts").News} News */

/** What is shown, so that a screen reader is told of changes alone. */
let shown = "";

/** @param {News} news @param {number} nowMs */
export function showAlerts({ alerts, alertsFiring }, nowMs) {
  const state = JSON.stringify([alerts, alertsFiring]);
  if (state !== shown) {
    shown = state;
    byId("alerts").dataset["firing"] = String(alertsFiring > 0);
    const says = alertsFiring === 0
      ? "No alert fires."
      : `${count(alertsFiring)} ${alertsFiring === 1 ? "alert fires" : "alerts fire"}`;
    setText(byId("alerts-count"), says);
    const more = alertsFiring - alerts.length;
    byId("alerts-list").hidden = alertsFiring === 0;
    byId("alerts-list").replaceChildren(
      ...alerts.map(itemOf),
      ...more > 0 ? [element("li", { class: "quiet" }, `and ${count(more)} more`)] : [],
    );
  }
  tellAlertAges(nowMs);
}

/** Says anew how long ago each began. @param {number} nowMs */
export function tellAlertAges(nowMs) {
  for (
    const one of /** @type {NodeListOf<HTMLTimeElement>} */ (
      byId("alerts-list").querySelectorAll("time")
    )
  ) {
    setText(one, `${age(nowMs - Date.parse(one.dateTime))} ago`);
  }
}

/** @param {News["alerts"][number]} alert @returns {HTMLElement} */
function itemOf({ alert, since, summary, remedy, runbook }) {
  return element(
    "li",
    { "data-alert": alert },
    element("p", { class: "summary" }, summary),
    element("p", { class: "remedy" }, remedy),
    element(
      "p",
      { class: "quiet" },
      `Since ${time(since)} UTC, `,
      element("time", { datetime: since }),
      `. More: ${runbook}`,
    ),
  );
}
