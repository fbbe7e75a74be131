/** What concerns the whole archive and needs words: that it is empty, that nothing answers, that settings were refused. @module */
import { exchangeReason, moment } from "./reasons.js";
import { talliesOf } from "./series_reasons.js";
import { count } from "./text.js";

/**
 * @typedef {import("../status.ts").Status} Status
 * @typedef {import("./reasons.js").Level} Level
 * @typedef {{ readonly level: Level, readonly title: string, readonly text: string }} Notice
 */

const NAMED_MAX = 3;

/**
 * @param {Status} status
 * @param {number} nowMs
 * @returns {readonly Notice[]}
 */
export function noticesOf(status, nowMs) {
  const { exchanges, series, lastReload } = status;
  const tallies = talliesOf(series, nowMs);
  const none = { series: 0, refused: 0, late: 0, live: 0, newestMs: 0 };
  const failing = exchanges.filter((one) =>
    exchangeReason(one, tallies.get(one.exchange) ?? none, nowMs).level === "bad"
  );
  const isAllFailing = exchanges.length > 0 && failing.length === exchanges.length;
  /** @type {Notice[]} */
  const notices = [];
  if (lastReload?.ok === false) {
    notices.push({
      level: "bad",
      title: `The settings read at ${moment(lastReload.at, nowMs)} are not in force`,
      text: `${lastReload.error ?? ""} The settings before them still are. ` +
        "Correct them and run titan10 reload.",
    });
  }
  if (series.length === 0) notices.push(emptyNotice(status, nowMs, isAllFailing));
  else if (isAllFailing) notices.push(failingNotice(status, nowMs));
  return notices;
}

/** @param {Status} status @param {number} nowMs @returns {Notice} */
function failingNotice({ exchanges, series, jobs }, nowMs) {
  const newestMs = [...talliesOf(series, nowMs).values()]
    .reduce((newest, tally) => Math.max(newest, tally.newestMs), 0);
  const since = newestMs === 0
    ? "no candle has come yet"
    : `the newest candle closed at ${moment(new Date(newestMs).toISOString(), nowMs)}`;
  // They are asked, or would be: what is late has another cause.
  const isAsked = exchanges.every(({ breaker, bannedUntil, deniedSince }) =>
    breaker === "closed" && bannedUntil === null && deniedSince === null
  );
  if (isAsked && newestMs > 0) return staleNotice(jobs, newestMs, nowMs);
  const title = exchanges.length === 1
    ? `${exchanges[0]?.exchange} does not answer`
    : `None of the ${count(exchanges.length)} exchanges answers`;
  return {
    level: "bad",
    title,
    text:
      `What is stored stays as it is; ${since}. Each is tried again by itself, and what was missed ` +
      "is fetched then. Exchanges says what is the matter; titan10 doctor tests this machine's way out.",
  };
}

/** @param {Status["jobs"]} jobs @param {number} newestMs @param {number} nowMs @returns {Notice} */
function staleNotice(jobs, newestMs, nowMs) {
  const poll = jobs.find(({ job }) => job === "poll");
  const last = poll?.lastSuccess ?? null;
  const polls = last === null
    ? "No poll has succeeded yet"
    : `The last poll succeeded at ${moment(last, nowMs)}`;
  return {
    level: "bad",
    title: `No new candles since ${moment(new Date(newestMs).toISOString(), nowMs)}`,
    text: `${polls}, and every exchange is asked. If this lasts, run titan10 doctor: ` +
      "it tests each exchange and this machine's clock.",
  };
}

/** @param {Status} status @param {number} nowMs @param {boolean} isAllFailing @returns {Notice} */
function emptyNotice({ exchanges, jobs }, nowMs, isAllFailing) {
  const title = "Nothing is archived yet";
  const names = listed(exchanges.map(({ exchange }) => exchange));
  if (exchanges.length === 0) {
    return {
      level: "wait",
      title,
      text: "Name exchanges in EXCHANGES and symbols in SYMBOLS, then run titan10 reload.",
    };
  }
  if (isAllFailing) {
    return {
      level: "bad",
      title,
      text:
        `No exchange has answered: ${names}. Exchanges says what is the matter with each, and what to do.`,
    };
  }
  const poll = jobs.find(({ job }) => job === "poll");
  if ((poll?.lastSuccess ?? null) === null) {
    const next = poll?.nextStart ?? null;
    const when = poll?.lastOutcome === "running"
      ? "is running"
      : next === null
      ? "begins as soon as the tables are made"
      : `begins by ${moment(next, nowMs)}`;
    return {
      level: "wait",
      title,
      text: `The first poll ${when}: it reads what ${names} list and fetches the newest candles. ` +
        "Series appear here by themselves, then older candles by backfill, newest first.",
    };
  }
  return {
    level: "warn",
    title,
    text: `Polls run, and SYMBOLS chooses nothing that ${names} list. ` +
      "titan10 doctor names what is nearest. Correct SYMBOLS and run titan10 reload.",
  };
}

/** @param {readonly string[]} names @returns {string} `binance, kraken, okx and 2 more` */
function listed(names) {
  const more = names.length - NAMED_MAX;
  if (more > 0) return `${names.slice(0, NAMED_MAX).join(", ")} and ${count(more)} more`;
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
