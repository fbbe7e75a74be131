/** Why a series is empty, late or incomplete, and what to do: one or two sentences. @module */
import { adviceOf } from "./advice.js";
import { moment } from "./reasons.js";
import { addCandles, age, count } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {import("../status.ts").ExchangeStatus} ExchangeStatus
 * @typedef {import("../status.ts").Status["jobs"][number]} JobStatus
 * @typedef {import("./reasons.js").Reason} Reason
 * @typedef {import("./reasons.js").Level} Level
 * @typedef {import("./reasons.js").Tally} Tally
 * @typedef {{ readonly nowMs: number, readonly jobs: ReadonlyMap<string, JobStatus>,
 *   readonly exchanges: ReadonlyMap<string, ExchangeStatus>, readonly pace: import("./backfill_pace.js").BackfillPace
 * }} Facts
 */

/**
 * The states of a series, worst first, and how bad each is.
 * @type {Readonly<Record<string, Level>>}
 */
const SERIES_STATES = {
  refused: "bad",
  late: "bad",
  missing: "warn",
  empty: "wait",
  owed: "wait",
  ended: "good",
  complete: "good",
};

const ORDER = Object.keys(SERIES_STATES);

/** A series is late when it is this much behind: three candles and two minutes, as for the alert `stale`. */
const LATE_CANDLES = 3;
const LATE_MS = 120_000;

/** @param {SeriesStatus} series @returns {number} when its newest candle closed, in milliseconds */
export function closedMs({ last, timeframe }) {
  return last === null ? 0 : addCandles(timeframe, Date.parse(last), 1);
}

/** @param {SeriesStatus} series @param {number} nowMs */
export function isLate(series, nowMs) {
  const lateMs = LATE_CANDLES * addCandles(series.timeframe, 0, 1) + LATE_MS;
  return series.endedAt === null && series.last !== null && nowMs - closedMs(series) > lateMs;
}

/** @param {SeriesStatus} series @param {number} nowMs @returns {string} one of {@linkcode SERIES_STATES} */
export function stateOfSeries(series, nowMs) {
  if (series.lastError !== null) return "refused";
  if (isLate(series, nowMs)) return "late";
  if (series.missing > 0) return "missing";
  if (series.endedAt !== null) return "ended";
  if (series.candles === 0) return "empty";
  return series.owed > comingCandles(series, nowMs) ? "owed" : "complete";
}

/** Candles that have closed since the newest one: the next poll brings them. @param {SeriesStatus} series @param {number} nowMs */
function comingCandles(series, nowMs) {
  return Math.max(0, Math.ceil((nowMs - closedMs(series)) / addCandles(series.timeframe, 0, 1)));
}

/** @param {string} state @returns {number} the worst has the largest */
export function severityOf(state) {
  return ORDER.length - ORDER.indexOf(state);
}

/**
 * @param {SeriesStatus} series
 * @param {Facts} facts
 * @returns {Reason & { readonly state: string }}
 */
export function seriesReason(series, facts) {
  const state = stateOfSeries(series, facts.nowMs);
  return {
    state,
    level: SERIES_STATES[state] ?? "good",
    text: TEXTS[state]?.(series, facts) ?? "",
  };
}

/** @type {Readonly<Record<string, (series: SeriesStatus, facts: Facts) => string>>} */
const TEXTS = {
  refused: ({ exchange, lastError }) => `${lastError} — ${adviceOf(exchange, lastError ?? "")}`,
  late: (series, { nowMs, exchanges }) => {
    const since = `No new candle for ${age(nowMs - closedMs(series))}`;
    return `${since}: ${lateWhy(series, exchanges.get(series.exchange), nowMs)}`;
  },
  missing: ({ missing }, { nowMs, jobs }) => {
    const next = jobs.get("gaps")?.nextStart ?? null;
    const when = next === null ? "" : ` at ${moment(next, nowMs)}`;
    return `${
      candlesText(missing)
    } missing without a reason yet: asked for again${when}, nothing to do.`;
  },
  ended: ({ exchange, endedAt, endedWhy, owed }, { nowMs }) =>
    `${endedWhy === null ? "Ended" : ENDED[endedWhy]} on ${exchange} ${
      moment(endedAt ?? "", nowMs)
    }.` + (owed === 0 ? "" : ` ${candlesText(owed)} of before still owed.`),
  empty: emptyText,
  owed: (series, facts) => `Owes ${candlesText(series.owed)}: ${owedText(series, facts)}`,
  complete: () => "",
};

const ENDED = {
  delisted: "Delisted",
  suspended: "Suspended",
  renamed: "Renamed",
  expired: "Expired",
};

/** @param {SeriesStatus} series @param {ExchangeStatus | undefined} exchange @param {number} nowMs */
function lateWhy(series, exchange, nowMs) {
  return heldText(series, exchange, nowMs) ??
    `${series.exchange} has given none since. If it lasts, run titan10 doctor.`;
}

/**
 * Why an exchange is not asked for a series now; undefined if it is.
 * @param {SeriesStatus} series
 * @param {ExchangeStatus | undefined} exchange
 * @param {number} nowMs
 */
function heldText(series, exchange, nowMs) {
  if (exchange === undefined) return undefined;
  const { exchange: id, bannedUntil, bannedOf, breaker, breakerOf, deniedSince } = exchange;
  const kind = kindOf(series.symbol);
  /** @param {readonly string[]} kinds Empty if it is about all. */
  const isMeant = (kinds) => kinds.length === 0 || kinds.includes(kind);
  if (deniedSince !== null) return `${id} refuses this machine's address, see Exchanges.`;
  if (bannedUntil !== null && Date.parse(bannedUntil) > nowMs && isMeant(bannedOf)) {
    return `${id} has banned us until ${moment(bannedUntil, nowMs)}.`;
  }
  if (breaker !== "closed" && isMeant(breakerOf)) {
    return `${id} is failing and is not asked for now, see Exchanges.`;
  }
  return undefined;
}

/**
 * The kind of market that a symbol means.
 * @param {string} symbol
 */
function kindOf(symbol) {
  const [, base, settle] = /^(.*)\/[^/:]*:([^-@]*)/.exec(symbol) ?? [];
  if (settle === undefined) return "spot";
  return base === settle ? "inverse" : "linear";
}

/** @param {SeriesStatus} series @param {Facts} facts */
function emptyText(series, { nowMs, jobs, exchanges, pace }) {
  const held = heldText(series, exchanges.get(series.exchange), nowMs);
  if (held !== undefined) return `Nothing stored yet: ${held}`;
  if (series.owed > 0) {
    return `Nothing stored yet: ${owedText(series, { nowMs, jobs, exchanges, pace })}`;
  }
  const poll = jobs.get("poll");
  if (poll?.lastSuccess === null || poll === undefined) {
    const next = poll?.nextStart ?? null;
    if (poll?.lastOutcome === "running") return "Nothing stored yet: the first poll is running.";
    return `Nothing stored yet: the first poll is ${
      next === null ? "still to come" : `at ${moment(next, nowMs)}`
    }.`;
  }
  if (series.explained > 0) {
    return `Nothing stored: ${series.exchange} has no candles of it in the time that is wanted.`;
  }
  return "Nothing stored yet: its first candle comes with a next poll.";
}

/** @param {SeriesStatus} series @param {Facts} facts */
function owedText(series, { nowMs, jobs, exchanges, pace }) {
  const held = heldText(series, exchanges.get(series.exchange), nowMs);
  if (held !== undefined) return held;
  if (series.wantedBy === "archive") {
    return "the settings of the last run wanted them, these do not name it. Name it again, or run titan10 forget.";
  }
  const left = pace.leftMs(series.exchange);
  if (left !== undefined) {
    return `backfill goes newest first, about ${
      age(left)
    } left on ${series.exchange} at its pace of now.`;
  }
  const backfill = jobs.get("backfill");
  if (backfill?.lastOutcome === "running") return "backfill is running, newest first.";
  const next = backfill?.nextStart ?? null;
  return next === null
    ? "backfill goes newest first."
    : `backfill goes newest first, and runs at ${moment(next, nowMs)}.`;
}

/** @param {number} candles */
function candlesText(candles) {
  return `${count(candles)} ${candles === 1 ? "candle" : "candles"}`;
}

/**
 * Counts the series of each exchange.
 * @param {readonly SeriesStatus[]} all
 * @param {number} nowMs
 * @returns {ReadonlyMap<string, Tally>}
 */
export function talliesOf(all, nowMs) {
  /** @type {Map<string, Tally>} */
  const tallies = new Map();
  for (const series of all) {
    const tally = tallies.get(series.exchange) ??
      { series: 0, refused: 0, late: 0, live: 0, newestMs: 0 };
    tallies.set(series.exchange, tally);
    tally.series++;
    if (series.lastError !== null) tally.refused++;
    if (series.last === null || series.endedAt !== null) continue;
    tally.live++;
    if (isLate(series, nowMs)) tally.late++;
    tally.newestMs = Math.max(tally.newestMs, closedMs(series));
  }
  return tallies;
}
