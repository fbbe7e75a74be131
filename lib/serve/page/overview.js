/** The tables of exchanges and jobs: those that fail come first, and say what is the matter. @module */
import { KeyedRows } from "./keyed_rows.js";
import { longText } from "./long_text.js";
import { exchangeReason, jobReason, RANKS } from "./reasons.js";
import { talliesOf } from "./series_reasons.js";
import { streamDot } from "./stream_dot.js";
import { age, byId, count, element, setText, time } from "./text.js";

/**
 * @typedef {import("../status.ts").Status} Status
 * @typedef {import("../status.ts").ExchangeStatus} ExchangeStatus
 * @typedef {import("../status.ts").Status["jobs"][number]} JobStatus
 * @typedef {import("./reasons.js").Reason} Reason
 * @typedef {{ readonly nowMs: number, readonly reason: Reason }} Judged
 */

const BREAKER_NAMES = { closed: "closed", open: "open", half_open: "half open" };

const NO_SERIES = { series: 0, refused: 0, late: 0, live: 0, newestMs: 0 };

export class Overview {
  /** @type {KeyedRows<Judged & { readonly status: ExchangeStatus }>} */
  #exchanges = new KeyedRows(byId("exchanges"), exchangeRow);
  /** @type {KeyedRows<Judged & { readonly status: JobStatus }>} */
  #jobs = new KeyedRows(byId("jobs"), jobRow);

  /**
   * @param {Status} status
   * @param {number} nowMs
   */
  update({ exchanges, jobs, series }, nowMs) {
    const tallies = talliesOf(series, nowMs);
    const judged = exchanges.map((status) => ({
      status,
      nowMs,
      reason: exchangeReason(status, tallies.get(status.exchange) ?? NO_SERIES, nowMs),
    }));
    this.#exchanges.update(worstFirst(judged), ({ status }) => status.exchange);
    tellFailing("exchanges-count", judged, "answer");
    const runs = jobs.map((status) => ({ status, nowMs, reason: jobReason(status, nowMs) }));
    this.#jobs.update(worstFirst(runs), ({ status }) => status.job);
    tellFailing("jobs-count", runs, "succeed");
  }
}

/** The order among equally bad ones stays. @template {Judged} T @param {readonly T[]} all @returns {T[]} */
function worstFirst(all) {
  return [...all].sort((a, b) => RANKS[b.reason.level] - RANKS[a.reason.level]);
}

/** @param {string} id @param {readonly Judged[]} all @param {string} verb */
function tellFailing(id, all, verb) {
  const failing = all.filter(({ reason }) => reason.level === "bad").length;
  const isAllGood = all.length > 1 && all.every(({ reason }) => reason.level === "good");
  const text = failing > 0
    ? `${count(failing)} of ${count(all.length)} failing`
    : isAllGood
    ? `all ${count(all.length)} ${verb}`
    : "";
  setText(byId(id), text);
  byId(id).classList.toggle("alarming", failing > 0);
}

/** @returns {{ readonly row: HTMLElement, readonly show: (one: Judged & { readonly status: ExchangeStatus }) => void }} */
function exchangeRow() {
  const name = element("th", { scope: "row", role: "rowheader" });
  const stream = streamDot();
  const pill = element("span", { class: "pill" });
  const ban = element("td", { role: "cell" });
  const pace = element("td", {
    role: "cell",
    class: "number",
    title: "minimum time between two requests",
  });
  const why = element("p", { class: "why" });
  const error = longText("error");
  const when = element("span", { class: "when quiet" });
  error.place.prepend(when);
  const row = element(
    "tr",
    { role: "row" },
    name,
    stream.cell,
    element("td", { role: "cell" }, pill),
    ban,
    pace,
    element("td", { role: "cell", class: "wide" }, why, error.place),
  );
  return {
    row,
    show({ status, reason, nowMs }) {
      const { exchange, breaker, breakerOf, bannedUntil, paceMs, lastError, lastErrorAt } = status;
      row.dataset["level"] = reason.level;
      setText(name, exchange);
      stream.show(status, nowMs);
      setText(pill, [BREAKER_NAMES[breaker], ...breakerOf].join(" "));
      pill.dataset["breaker"] = breaker;
      ban.className = bannedUntil === null ? "zero" : "alarming";
      ban.title = bannedUntil === null ? "" : `until ${time(bannedUntil)}`;
      setText(ban, bannedUntil === null ? "none" : `${age(Date.parse(bannedUntil) - nowMs)} left`);
      setText(pace, paceMs === null ? "–" : `${count(paceMs)} ms`);
      setText(why, reason.text);
      error.show(lastError ?? "", `the error of ${exchange}`);
      setText(when, lastErrorAt === null ? "" : `${time(lastErrorAt)} `);
    },
  };
}

/** @returns {{ readonly row: HTMLElement, readonly show: (one: Judged & { readonly status: JobStatus }) => void }} */
function jobRow() {
  const name = element("th", { scope: "row", role: "rowheader" });
  const pill = element("span", { class: "pill" });
  const why = element("p", { class: "why" });
  const times = [0, 1].map(() => element("td", { role: "cell", class: "number" }));
  const row = element(
    "tr",
    { role: "row" },
    name,
    element("td", { role: "cell", class: "wide" }, pill, why),
    ...times,
  );
  return {
    row,
    show({ status: { job, lastStart, lastSuccess, lastOutcome }, reason, nowMs }) {
      row.dataset["level"] = reason.level;
      setText(name, job);
      setText(pill, lastOutcome ?? "not yet");
      pill.dataset["outcome"] = lastOutcome ?? "none";
      // Of what goes well the pill and the times say enough.
      setText(why, reason.level === "good" ? "" : reason.text);
      row.title = reason.text;
      for (const [at, iso] of [lastStart, lastSuccess].entries()) {
        const cell = /** @type {HTMLElement} */ (times[at]);
        setText(cell, iso === null ? "never" : `${age(nowMs - Date.parse(iso))} ago`);
        cell.title = iso === null ? "" : time(iso);
      }
    },
  };
}
