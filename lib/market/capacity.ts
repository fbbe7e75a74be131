/** How much of every minute the polls of one exchange take at its pace, and how many symbols fit. @module */
import { sumOf } from "./sum.ts";
import type { SymbolKind } from "./symbol.ts";
import { nominalMs, type Timeframe } from "./timeframe.ts";

const MINUTE_MS = 60_000;

/**
 * Polls may take this much of every minute. The rest is left for backfill, gaps and lists of markets, whose requests
 * wait for polls.
 */
const POLL_SECONDS_MAX = 55;

/** Sums of fractions are not exact. Seconds. */
const ROUNDING = 1e-6;

/** What may be set for `POLL_CRON` to poll more rarely: minutes that divide an hour. */
const POLL_MINUTES = [2, 3, 5, 10, 15, 20, 30] as const;

/** A series that is polled. */
interface PolledSeries {
  readonly symbol: string;
  readonly timeframe: Timeframe;
  /** How long the next request must wait after the one for this series. Milliseconds. */
  readonly requestMs: number;
}

interface PollTimes {
  /** Time between two polls. Milliseconds. */
  readonly tickMs: number;
  /** How long after its close a candle may still change. Milliseconds. */
  readonly settleMs: number;
}

/** What the polls of one exchange take. */
export interface Capacity {
  readonly exchange: string;
  /** Of which kinds of markets, if others of the exchange have a pace of their own; else null. */
  readonly kinds: readonly SymbolKind[] | null;
  readonly symbols: number;
  readonly timeframes: readonly string[];
  /** Requests a minute, on average. */
  readonly pollsAMinute: number;
  /** How much of every minute these requests take, on average. More than 60 cannot be had. Seconds. */
  readonly secondsAMinute: number;
  /** Most symbols whose polls fit and leave time for a backfill. */
  readonly symbolsMax: number;
  /** If they do not fit, the least number of minutes between polls at which they would; null if none is enough. */
  readonly pollMinutes: number | null;
}

/** Computes what the polls of these series take. */
export function capacityOf(
  exchange: string,
  series: readonly PolledSeries[],
  times: PollTimes,
): Capacity {
  const bySymbol = [...Map.groupBy(series, ({ symbol }) => symbol).values()]
    .map((group) => secondsOf(group, times))
    .sort((one, other) => one - other);
  const secondsAMinute = sumOf(bySymbol, (seconds) => seconds);
  return {
    exchange,
    kinds: null,
    symbols: bySymbol.length,
    timeframes: [...new Set(series.map(({ timeframe }) => timeframe.text))],
    pollsAMinute: sumOf(series, ({ timeframe }) => pollsAMinute(timeframe, times)),
    secondsAMinute,
    symbolsMax: symbolsThatFit(bySymbol, secondsAMinute),
    pollMinutes: fits(secondsAMinute) ? null : POLL_MINUTES.find((minutes) => {
      const tickMs = minutes * MINUTE_MS;
      return tickMs > times.tickMs &&
        fits(secondsOf(series, { ...times, tickMs }));
    }) ?? null,
  };
}

/** What is wrong and what to do, if the polls leave too little time for a backfill, or do not fit at all. */
export function capacityProblem(capacity: Capacity): string | undefined {
  const { exchange, kinds, symbols, timeframes, pollsAMinute, secondsAMinute } = capacity;
  const { symbolsMax, pollMinutes } = capacity;
  if (fits(secondsAMinute)) return undefined;
  const each = secondsText(secondsAMinute / pollsAMinute);
  const consequence = isOverdrawn(capacity)
    ? "so polls are skipped"
    : "which leaves too little for backfill";
  const rarer = pollMinutes === null
    ? ""
    : `, set the first field of POLL_CRON to */${pollMinutes}`;
  const of = kinds === null ? "" : `${kinds.join(" and ")} `;
  return `${symbols} ${of}${symbols === 1 ? "symbol" : "symbols"} of ${
    timeframes.join(", ")
  } at ${each}` +
    ` a request need ${secondsText(secondsAMinute)} of every minute, ${consequence}; at most ` +
    `${symbolsMax} ${symbolsMax === 1 ? "fits" : "fit"}. Reduce the symbols or timeframes of ` +
    `${exchange}${rarer}, or, where the exchange allows more, set a lower rateLimit in its options`;
}

/** Whether polls take more time than there is, so that some of each tick are skipped. */
export function isOverdrawn({ secondsAMinute }: Capacity): boolean {
  return secondsAMinute > 60 + ROUNDING;
}

/** How long so many seconds of requests take beside the polls, which go first. Infinite if they leave no time. */
export function besidePolls(seconds: number, { secondsAMinute }: Capacity): number {
  const left = Math.max(0, 60 - secondsAMinute);
  return seconds === 0 ? 0 : seconds * 60 / left;
}

/**
 * How often a series is polled. A candle is asked for when it has closed, and once more when it cannot change any more,
 * unless the next candle closes in that very tick. No series is polled twice in one tick.
 */
function pollsAMinute(timeframe: Timeframe, { tickMs, settleMs }: PollTimes): number {
  const stepMs = nominalMs(timeframe);
  const confirmedMs = Math.ceil(settleMs / tickMs) * tickMs;
  const pollsACandle = confirmedMs % stepMs === 0 ? 1 : 2;
  return MINUTE_MS * Math.min(1 / tickMs, pollsACandle / stepMs);
}

function secondsOf(series: readonly PolledSeries[], times: PollTimes): number {
  return sumOf(
    series,
    ({ timeframe, requestMs }) => pollsAMinute(timeframe, times) * requestMs / 1000,
  );
}

/** Most symbols that fit: of those there are the cheapest, and beyond them others of the mean cost. */
function symbolsThatFit(cheapestFirst: readonly number[], total: number): number {
  let left = POLL_SECONDS_MAX;
  let fit = 0;
  for (const seconds of cheapestFirst) {
    if (seconds > left + ROUNDING) return fit;
    left -= seconds;
    fit++;
  }
  return fit === 0 || total === 0 ? fit : fit + Math.floor((left + ROUNDING) / (total / fit));
}

function fits(seconds: number): boolean {
  return seconds <= POLL_SECONDS_MAX + ROUNDING;
}

function secondsText(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${Number(seconds.toFixed(1))} s`;
}
