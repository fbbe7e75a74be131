/** What is the matter with an exchange or a job, since when, and what to do: one or two sentences each. @module */
import { adviceOf } from "./advice.js";
import { count, time } from "./text.js";

/**
 * How bad it is: `bad` needs a look, `warn` may pass, `wait` is on its way, `good` is as it should be.
 * @typedef {"bad" | "warn" | "wait" | "good"} Level
 * @typedef {{ readonly level: Level, readonly text: string }} Reason
 * @typedef {import("../status.ts").ExchangeStatus} ExchangeStatus
 * @typedef {import("../status.ts").Status["jobs"][number]} JobStatus
 * @typedef {{ series: number, refused: number, late: number, live: number, newestMs: number }} Tally of the series of an
 *   exchange: those it refuses, and of those that are traded the ones without new candles
 */

/** @type {Readonly<Record<Level, number>>} */
export const RANKS = { bad: 3, warn: 2, wait: 1, good: 0 };

/** An error this old, of an exchange that gives candles, is history. */
const RECENT_MS = 10 * 60_000;

/**
 * A time of today without its day, else with it. UTC.
 * @param {string} iso
 * @param {number} nowMs
 */
export function moment(iso, nowMs) {
  const isToday = iso.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10);
  return isToday ? iso.slice(11, 19).replace(/:00$/, "") : time(iso);
}

/**
 * @param {ExchangeStatus} status
 * @param {Tally} tally
 * @param {number} nowMs
 * @returns {Reason}
 */
export function exchangeReason(status, tally, nowMs) {
  const { exchange, breaker, deniedSince, lastError, lastErrorAt, stream } = status;
  const { bannedUntil, bannedOf } = status;
  const advice = lastError === null ? "" : ` ${adviceOf(exchange, lastError)}`;
  const since = lastErrorAt === null ? "" : ` since ${moment(lastErrorAt, nowMs)}`;
  if (deniedSince !== null) {
    return bad(`It refuses this machine's address since ${moment(deniedSince, nowMs)}.${advice}`);
  }
  if (bannedUntil !== null && Date.parse(bannedUntil) > nowMs) {
    return bad(
      `Banned${marketsText("from", bannedOf)} until ${moment(bannedUntil, nowMs)}. ` +
        "Nothing to do: requests begin again by themselves.",
    );
  }
  if (breaker !== "closed") return bad(`${breakerText(status, nowMs)}${advice}`);
  if (tally.refused > 0) {
    const which = `${count(tally.refused)} of ${count(tally.series)} series`;
    return { level: "warn", text: `It refuses ${which}${since}; they say why below.${advice}` };
  }
  if (tally.series === 0 && lastError !== null) {
    return bad(`Nothing of it is archived yet: it has failed${since}.${advice}`);
  }
  if (tally.live > 0 && tally.late === tally.live) {
    const what = `No new candles since ${moment(new Date(tally.newestMs).toISOString(), nowMs)}.`;
    return bad(`${what}${advice === "" ? " Run titan10 doctor." : advice}`);
  }
  const wasMs = lastErrorAt === null ? -Infinity : Date.parse(lastErrorAt);
  if (lastError !== null && nowMs - wasMs < RECENT_MS) {
    return { level: "warn", text: `It failed at ${moment(lastErrorAt ?? "", nowMs)}.${advice}` };
  }
  if (stream?.state === "down" && stream.since !== null && tally.series > 0) {
    return { level: "warn", text: downText(stream.since, stream.lastEnd, nowMs) };
  }
  if (tally.series === 0) return { level: "wait", text: "Nothing of it is archived yet." };
  return { level: "good", text: lastError === null ? "It answers." : "It answers again." };
}

/**
 * @param {string} since
 * @param {NonNullable<ExchangeStatus["stream"]>["lastEnd"]} end
 * @param {number} nowMs
 */
function downText(since, end, nowMs) {
  const why = end === null ? "" : ` (${end.reason}: ${end.why})`;
  return `It answers. Its stream is down since ${
    moment(since, nowMs)
  }${why}: candles come by polls.`;
}

/** @param {ExchangeStatus} status @param {number} nowMs */
function breakerText({ breaker, breakerOf, breakerSince, trialAt }, nowMs) {
  const what = marketsText("of", breakerOf);
  const since = breakerSince === null ? "" : ` since ${moment(breakerSince, nowMs)}`;
  if (breaker === "half_open") {
    return `One request tests now whether it answers again; nothing else${what} is asked${since}.`;
  }
  const isDue = trialAt !== null && Date.parse(trialAt) <= nowMs;
  const trial = trialAt === null
    ? ""
    : isDue
    ? " The next request tests it."
    : ` One request tests it at ${moment(trialAt, nowMs)}.`;
  return `Too many requests failed: nothing${what} is asked${since}.${trial}`;
}

/** @param {string} text @returns {Reason} */
function bad(text) {
  return { level: "bad", text };
}

/**
 * @param {JobStatus} job
 * @param {number} nowMs
 * @returns {Reason}
 */
export function jobReason({ job, lastOutcome, nextStart }, nowMs) {
  const next = nextStart === null ? "when there is work" : `at ${moment(nextStart, nowMs)}`;
  // When it started and last succeeded is in the columns beside.
  if (lastOutcome === "failure") {
    return bad(
      `It runs again ${next}. The log says why it failed: look for "job failed" and ${job}.`,
    );
  }
  if (lastOutcome === "cancelled") {
    return { level: "wait", text: `It was stopped with the daemon, and runs again ${next}.` };
  }
  if (lastOutcome === "running") return { level: "good", text: "It is running." };
  if (lastOutcome === null) return { level: "wait", text: `It has not run yet; it runs ${next}.` };
  return { level: "good", text: nextStart === null ? "" : `It runs again ${next}.` };
}

/**
 * The kinds of markets that something is about, if not about all.
 * @param {"of" | "from"} word
 * @param {readonly string[]} kinds
 */
function marketsText(word, kinds) {
  return kinds.length === 0 ? "" : ` ${word} its ${kinds.join(" and ")} markets`;
}
