/** The conditions that alerts tell of, read off the archive. @module */
import type { Config } from "../config/config.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import { SETTLE_MS } from "../market/answer.ts";
import { type AlertSubject, type Condition, subjectName } from "../market/alert.ts";
import { lossMs, nearLossMs } from "../market/loss.ts";
import { marketDifference } from "../market/terms.ts";
import { type Series, seriesName } from "../market/series.ts";
import { kindOf } from "../market/symbol.ts";
import { nominalMs } from "../market/timeframe.ts";
import type { CoverageEnd } from "../store/coverage_ends.ts";
import type { ReplacedMarket } from "../store/listings.ts";
import type { Breakers } from "../archive/breakers.ts";
import type { SkippedPolls } from "../archive/skipped_polls.ts";
import { isConfigured } from "../archive/desire.ts";
import { missingRatio, type SeriesAccount } from "../gap/account.ts";

/** A breaker that is open for less than this raises no alert: the exchange is usually only restarting. */
const BREAKER_OPEN_MS = 5 * 60_000;

/** A series is stale when this many of its candles are not answered for when the last one must be final. */
const STALE_CANDLES = 3;

/** A series that a stream keeps fresh is polled every third tick: of two more minutes no answer tells. As in the rules. */
const THINNED_MS = 2 * 60_000;

/** But not sooner: the poll that comes after a candle is final must have had its turn. */
const STALE_MS_MIN = 2 * 60_000;

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
export interface WatchedExchange {
  readonly id: string;
  readonly breakers: Pick<Breakers, "troubled">;
  /** How access is refused; `unknown` right after the start; undefined while it is not. */
  readonly denial?:
    | { readonly sinceMs: number; readonly why: string }
    | "unknown"
    | undefined;
  /** Whether the candles of a symbol are refused. */
  readonly isDenied: (symbol: string) => boolean;
  /** How long after its close a candle may still change, and is not covered. Milliseconds. */
  readonly settleMs: number;
}

/** Exchanges with a breaker that is not closed; the alert begins after {@linkcode BREAKER_OPEN_MS}. */
export function breakerConditions(
  exchanges: readonly Pick<WatchedExchange, "id" | "breakers">[],
  nowMs: number,
): readonly Condition[] {
  return exchanges.flatMap(({ id, breakers: { troubled } }) => {
    if (troubled.length === 0) return [];
    const openMs = troubled.reduce((most, { sinceMs }) => Math.max(most, nowMs - sinceMs), 0);
    const kinds = troubled.flatMap(({ kind }) => kind ?? []);
    const name = kinds.length === 0
      ? "the breaker"
      : `the breaker of ${kinds.join(" and ")} markets`;
    return [{
      exchange: id,
      value: Math.round(openMs / 1000),
      threshold: BREAKER_OPEN_MS / 1000,
      summary: `${id}: ${name} has not been closed for ${durationText(openMs)}` +
        ` (over ${durationText(BREAKER_OPEN_MS)})`,
      // A breaker starts closed after a restart. Its condition must be found at once, or a running alert would end.
      mayBegin: openMs > BREAKER_OPEN_MS,
    }];
  });
}

/** Streams that are down for less than this raise no alert: exchanges end connections, and the next one is open soon. */
const STREAM_DOWN_MS = 5 * 60_000;

/** How the streams of exchanges are. */
export interface WatchedStreams {
  state(exchange: string): { readonly kind: "off" } | {
    readonly kind: "up" | "down";
    /** Since when they are down, or do not stay open; undefined while they do, and before they are opened. */
    readonly unsteadySinceMs: number | undefined;
    /** Undefined before they are opened. */
    readonly sinceMs: number | undefined;
    readonly lastEnd: { readonly reason: string; readonly why: string } | undefined;
  };
}

/** Exchanges whose streams are down, or do not stay open; the alert begins after {@linkcode STREAM_DOWN_MS}. */
export function streamConditions(
  exchanges: readonly Pick<WatchedExchange, "id" | "breakers">[],
  { streams, nowMs }: { readonly streams: WatchedStreams; readonly nowMs: number },
): readonly Condition[] {
  return exchanges.flatMap(({ id: exchange, breakers: { troubled } }) => {
    const state = streams.state(exchange);
    if (state.kind === "off") return [];
    const { unsteadySinceMs, sinceMs, lastEnd } = state;
    // A running alert must not end only because the program was started again, and has opened no stream yet.
    if (unsteadySinceMs === undefined && sinceMs !== undefined) return [];
    const downMs = nowMs - (unsteadySinceMs ?? nowMs);
    const why = [lastEnd?.reason, lastEnd?.why].filter(Boolean).join(": ");
    const end = why === "" ? "" : ` (${why})`;
    return [{
      exchange,
      value: Math.round(downMs / 1000),
      threshold: STREAM_DOWN_MS / 1000,
      summary: `${exchange}: its stream has been down, or has not stayed open, for ` +
        `${durationText(downMs)} (over ${durationText(STREAM_DOWN_MS)})${end}. Polls go on`,
      // While polls fail as well, the breaker has an alert of its own.
      mayBegin: downMs > STREAM_DOWN_MS && troubled.length === 0,
    }];
  });
}

/** Polls that are skipped for less than this raise no alert: the exchange answers slowly for a while. */
const POLLS_SKIPPED_MS = 10 * 60_000;

/** Exchanges whose polls are skipped; the alert begins after {@linkcode POLLS_SKIPPED_MS}, or not while a breaker is open. */
export function skippedConditions(
  exchanges: readonly {
    readonly id: string;
    readonly breakers: Pick<Breakers, "troubled">;
    readonly work: { readonly skippedPolls: Pick<SkippedPolls, "since"> };
  }[],
  nowMs: number,
): readonly Condition[] {
  return exchanges.flatMap(({ id: exchange, breakers, work }) => {
    const sinceMs = work.skippedPolls.since(nowMs);
    if (sinceMs === undefined) return [];
    const condition = { exchange, value: 0, threshold: POLLS_SKIPPED_MS / 1000, summary: "" };
    // A running alert must not end only because the program was started again.
    if (sinceMs === "unknown") return [{ ...condition, mayBegin: false }];
    const lateMs = nowMs - sinceMs;
    return [{
      ...condition,
      value: Math.round(lateMs / 1000),
      summary: `${exchange}: polls have been skipped for ${durationText(lateMs)} ` +
        `(over ${durationText(POLLS_SKIPPED_MS)}), because those before had not ended`,
      mayBegin: lateMs > POLLS_SKIPPED_MS && breakers.troubled.length === 0,
    }];
  });
}

/** Exchanges that refuse this address. */
export function deniedConditions(
  exchanges: readonly Pick<WatchedExchange, "id" | "denial">[],
  nowMs: number,
): readonly Condition[] {
  return exchanges.flatMap(({ id: exchange, denial }) => {
    if (denial === undefined) return [];
    const condition = { exchange, value: 0, threshold: 0, summary: "" };
    // A running alert must not end only because the program was started again.
    if (denial === "unknown") return [{ ...condition, mayBegin: false }];
    const { sinceMs, why } = denial;
    return [{
      ...condition,
      value: Math.round((nowMs - sinceMs) / 1000),
      summary: `${exchange}: access has been refused since ${
        new Date(sinceMs).toISOString()
      }. ${why}`,
    }];
  });
}

/** The ends of coverage that polls should move on. */
export function polledEnds(
  ends: readonly CoverageEnd[],
  config: Config,
): readonly CoverageEnd[] {
  return ends.filter((end) =>
    settingsOf(config, end.series.exchange).timeframes.includes(end.series.timeframe.text) &&
    isConfigured(end, config)
  );
}

/**
 * Series whose exchange has not answered for their newest candles. Coverage counts and not candles: a market without
 * trades is not stale. While the breaker of an exchange is not closed, or candles are refused, none of its series begins
 * to be: that alert says it already. The same holds for a breaker of one kind of market and the series of that kind.
 */
export function staleConditions(
  ends: readonly CoverageEnd[],
  { exchanges, nowMs, isStreamed = () => false }: {
    readonly exchanges: readonly Omit<WatchedExchange, "denial">[];
    readonly nowMs: number;
    /** Whether an exchange has a stream in force. @default none has */
    readonly isStreamed?: (exchange: string) => boolean;
  },
): readonly Condition[] {
  const isTroubled = ({ exchange, symbol }: Series): boolean => {
    const watched = exchanges.find(({ id }) => id === exchange);
    if (watched === undefined) return false;
    const { troubled } = watched.breakers;
    return troubled.some(({ kind = kindOf(symbol) }) => kind === kindOf(symbol)) ||
      watched.isDenied(symbol);
  };
  const settlings = new Map(exchanges.map(({ id, settleMs }) => [id, settleMs]));
  return ends.flatMap(({ series, coveredUntilMs }) => {
    const ageMs = nowMs - coveredUntilMs;
    const settleMs = settlings.get(series.exchange) ?? SETTLE_MS;
    const ageMsMax = settleMs + (isStreamed(series.exchange) ? THINNED_MS : 0) +
      Math.max(STALE_CANDLES * nominalMs(series.timeframe), STALE_MS_MIN);
    if (ageMs <= ageMsMax) return [];
    return [{
      ...subjectOf(series),
      value: Math.round(ageMs / 1000),
      threshold: Math.round(ageMsMax / 1000),
      summary: `${seriesName(series)}: the exchange has not answered for the last ` +
        `${durationText(ageMs)} (over ${durationText(ageMsMax)})`,
      mayBegin: !isTroubled(series),
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
      summary:
        `${exchange}: candles of ${symbol} ${timeframe.text} that are not fetched yet will be lost ` +
        `in ${durationText(leftMs)} (under ${durationText(nearMs)})`,
    });
  }
  return [...nearest.values()];
}

/** For how long a symbol that means another market is told of. */
export const CHANGED_MS = 24 * 60 * 60_000;

/** Symbols that mean another market since less than {@linkcode CHANGED_MS}: one condition each, of the newest change. */
export function changedConditions(
  replaced: readonly ReplacedMarket[],
  nowMs: number,
): readonly Condition[] {
  const newest = new Map(replaced.map((one) => [subjectName(one), one]));
  return [...newest.values()].map(({ exchange, symbol, former, market, fromMs }) => ({
    exchange,
    symbol,
    value: Math.max(0, Math.round((nowMs - fromMs) / 1000)),
    threshold: 0,
    summary:
      `${exchange} ${symbol}: the symbol has meant another market since ${
        new Date(fromMs).toISOString()
      }, ` + `${marketDifference(former, market)}. A new listing begins there`,
  }));
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
