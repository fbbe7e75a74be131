/** The five conditions that alerts tell of, read off the archive. @module */
import type { Config } from "../config/config.ts";
import { SETTLE_MS } from "../market/answer.ts";
import type { AlertSubject, Condition } from "../market/alert.ts";
import { lossMs, nearLossMs } from "../market/loss.ts";
import { type Series, seriesName } from "../market/series.ts";
import { nominalMs } from "../market/timeframe.ts";
import type { Breaker } from "../policy/breaker.ts";
import type { CoverageEnd } from "../store/ledger.ts";
import { isConfigured } from "../archive/desire.ts";
import { missingRatio, type SeriesAccount } from "../gap/account.ts";

/** A breaker that is open for less than this raises no alert: the exchange is usually only restarting. */
const BREAKER_OPEN_MS = 5 * 60_000;

/** A series is stale when this many of its candles are not answered for, {@linkcode SETTLE_MS} after the last close. */
const STALE_CANDLES = 3;

/** Configured series with more missing candles than `percentMax` percent. */
export function gapConditions(
  accounts: readonly SeriesAccount[],
  percentMax: number,
): readonly Condition[] {
  return accounts.filter((account) => account.isConfigured).flatMap((account) => {
    const percent = 100 * missingRatio(account);
    if (!(percent > percentMax)) return [];
    return [{
      ...subjectOf(account.series),
      value: Math.round(percent * 100) / 100,
      threshold: percentMax,
      summary: `${seriesName(account.series)}: ${percent.toFixed(1)} % of the candles are missing` +
        ` (over ${percentMax} %)`,
    }];
  });
}

/** The parts of an exchange that its alerts depend on. */
interface WatchedExchange {
  readonly id: string;
  readonly breaker: Pick<Breaker, "troubledSinceMs">;
  /** Since when access is refused, and in which words; undefined while it is not. */
  readonly denial?: { readonly sinceMs: number; readonly why: string } | undefined;
}

/** Exchanges whose breaker is not closed; the alert begins after {@linkcode BREAKER_OPEN_MS}. */
export function breakerConditions(
  exchanges: readonly WatchedExchange[],
  nowMs: number,
): readonly Condition[] {
  return exchanges.flatMap(({ id, breaker: { troubledSinceMs } }) => {
    if (troubledSinceMs === undefined) return [];
    const openMs = nowMs - troubledSinceMs;
    return [{
      exchange: id,
      value: Math.round(openMs / 1000),
      threshold: BREAKER_OPEN_MS / 1000,
      summary: `${id}: the breaker has not been closed for ${durationText(openMs)}` +
        ` (over ${durationText(BREAKER_OPEN_MS)})`,
      // A breaker starts closed after a restart. Its condition must be found at once, or a running alert would end.
      mayBegin: openMs > BREAKER_OPEN_MS,
    }];
  });
}

/** Exchanges that refuse this address. */
export function deniedConditions(
  exchanges: readonly WatchedExchange[],
  nowMs: number,
): readonly Condition[] {
  return exchanges.flatMap(({ id, denial }) =>
    denial === undefined ? [] : [{
      exchange: id,
      value: Math.round((nowMs - denial.sinceMs) / 1000),
      threshold: 0,
      summary: `${id}: access is refused since ${
        new Date(denial.sinceMs).toISOString()
      }. ${denial.why}`,
    }]
  );
}

/** The ends of coverage that polls should move on. */
export function polledEnds(
  ends: readonly CoverageEnd[],
  config: Config,
): readonly CoverageEnd[] {
  return ends.filter((end) =>
    config.timeframes.includes(end.series.timeframe.text) && isConfigured(end, config)
  );
}

/**
 * Series whose exchange has not answered for their newest candles. Coverage counts and not candles: a market without
 * trades is not stale. While the breaker of an exchange is not closed, or it refuses access, none of its series begins
 * to be: that alert says it already.
 */
export function staleConditions(
  ends: readonly CoverageEnd[],
  { exchanges, nowMs }: {
    readonly exchanges: readonly WatchedExchange[];
    readonly nowMs: number;
  },
): readonly Condition[] {
  const troubled = new Set(
    exchanges.filter(({ breaker, denial }) =>
      breaker.troubledSinceMs !== undefined || denial !== undefined
    ).map(({ id }) => id),
  );
  return ends.flatMap(({ series, coveredUntilMs }) => {
    const ageMs = nowMs - coveredUntilMs;
    const ageMsMax = STALE_CANDLES * nominalMs(series.timeframe) + SETTLE_MS;
    if (ageMs <= ageMsMax) return [];
    return [{
      ...subjectOf(series),
      value: Math.round(ageMs / 1000),
      threshold: Math.round(ageMsMax / 1000),
      summary: `${seriesName(series)}: the exchange has not answered for the last ` +
        `${durationText(ageMs)} (over ${durationText(ageMsMax)})`,
      mayBegin: !troubled.has(series.exchange),
    }];
  });
}

/**
 * Exchanges that keep only their newest candles and will soon drop one that is still owed. Each exchange gives at most
 * one condition, for the series that loses a candle first. Owed time before the start of coverage does not count: a
 * new archive begins with the oldest candle that the exchange keeps, and losing that leaves no hole in the archive.
 */
export function lossConditions(
  accounts: readonly SeriesAccount[],
  { newestCandlesMax, nowMs }: {
    readonly newestCandlesMax: (series: Series) => number | undefined;
    readonly nowMs: number;
  },
): readonly Condition[] {
  const nearest = new Map<string, Condition>();
  for (const { series, owedTimes, coveredSinceMs: sinceMs } of accounts) {
    const { exchange, symbol, timeframe } = series;
    const candlesMax = newestCandlesMax(series);
    if (candlesMax === undefined || sinceMs === undefined) continue;
    const leftMs = lossMs(timeframe, owedTimes, { nowMs, newestCandlesMax: candlesMax, sinceMs });
    const nearMs = nearLossMs(timeframe, candlesMax);
    if (leftMs === undefined || leftMs >= nearMs) continue;
    const value = Math.round(leftMs / 1000);
    if (value >= (nearest.get(exchange)?.value ?? Infinity)) continue;
    nearest.set(exchange, {
      exchange,
      value,
      threshold: Math.round(nearMs / 1000),
      summary: `${exchange}: candles of ${symbol} ${timeframe.text} that are still owed are lost ` +
        `in ${durationText(leftMs)} (under ${durationText(nearMs)})`,
    });
  }
  return [...nearest.values()];
}

function subjectOf({ exchange, symbol, timeframe }: Series): AlertSubject {
  return { exchange, symbol, timeframe: timeframe.text };
}

const UNITS = [["d", 24 * 60 * 60_000], ["h", 60 * 60_000], ["min", 60_000], ["s", 1_000]] as const;

/** The duration in the largest unit in which it is at least 2: `90 min`, `7 min`, `3 d`. */
function durationText(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, unitMs]) => ms >= 2 * unitMs) ?? UNITS[3];
  return `${Math.floor(ms / unitMs)} ${unit}`;
}
