/** What is owed of one exchange, which candles of it are too young to be final, and what an answer says of it. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { type AskedRange, desireOf } from "../archive/desire.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import type { PageVerdict } from "../market/answer.ts";
import { type Coverage, coverageCandles, intersect, isCovered } from "../market/coverage.ts";
import { ceilTime, closedUntil, floorTime } from "../market/timeframe.ts";
import { type Owed, readOwed } from "../store/ledger.ts";

interface OwedOptions {
  /** Candles that close later are not asked for. Milliseconds. */
  readonly nowMs: number;
  /** Leaves out candles before this time. Milliseconds. @default all are read */
  readonly sinceMs?: number | undefined;
  /** What the command asks for in the place of `BACKFILL`. @default nothing */
  readonly asked?: AskedRange | undefined;
}

/** Reads what is owed of the series of an exchange, the candles that closed only just included. */
export async function readOwedOf(
  { config, database }: Archive,
  { series: all }: ArchivedExchange,
  { nowMs, sinceMs, asked }: OwedOptions,
): Promise<readonly Owed[]> {
  const desires = all.map((series) =>
    desireOf(series, config, {
      nowMs,
      newestCandlesMax: newestCandlesMax(series),
      settleMs: 0,
      asked,
    })
  );
  const owed = await readOwed(database, desires);
  return within(within(owed, { sinceMs }), asked ?? {});
}

/** Only the candles of a range that is open where it names no time. Those that open before its end count. */
export function within(
  all: readonly Owed[],
  { sinceMs = -Infinity, untilMs = Infinity }: AskedRange,
): readonly Owed[] {
  return all.flatMap(({ series, owed }) => {
    const { timeframe } = series;
    const left = intersect(owed, [{
      sinceMs: sinceMs === -Infinity ? sinceMs : floorTime(timeframe, sinceMs),
      untilMs: untilMs === Infinity ? untilMs : ceilTime(timeframe, untilMs),
    }]);
    return left.length === 0 ? [] : [{ series, owed: left }];
  });
}

/** Candles that may still change, so that no answer covers them yet. */
export interface YoungCandles {
  readonly young: number;
  /** When the last of them is final. Milliseconds; undefined when there are none. */
  readonly finalMs: number | undefined;
}

export const NO_YOUNG: YoungCandles = { young: 0, finalMs: undefined };

/** How long a one-shot backfill waits at most until its newest candles are final. */
export const FINAL_WAIT_MS_MAX = 125_000;

/** When after that it asks: an exchange tells its time in whole seconds, and its clock may be a little behind. */
export const FINAL_DELAYS_MS: readonly number[] = [1_000, 10_000];

/** Takes the candles that closed less than `settleMs` before `nowMs` off what is owed. */
export function splitYoung(
  all: readonly Owed[],
  { nowMs, settleMs }: { readonly nowMs: number; readonly settleMs: number },
): YoungCandles & { readonly final: readonly Owed[] } {
  const final: Owed[] = [];
  let finalMs: number | undefined;
  for (const { series, owed } of all) {
    const untilMs = closedUntil(series.timeframe, nowMs - settleMs);
    const settled = intersect(owed, [{ sinceMs: -Infinity, untilMs }]);
    if (settled.length > 0) final.push({ series, owed: settled });
    const endMs = owed.at(-1)?.untilMs ?? untilMs;
    if (endMs > untilMs) finalMs = Math.max(finalMs ?? endMs, endMs + settleMs);
  }
  return { final, young: candlesOf(all) - candlesOf(final), finalMs };
}

export function candlesOf(owed: readonly Owed[]): number {
  return owed.reduce((sum, { series, owed }) => sum + coverageCandles(series.timeframe, owed), 0);
}

/** The part of an answer that lies in the owed parts. */
export function ofOwed(verdict: PageVerdict, owed: Coverage): PageVerdict {
  return {
    ...verdict,
    candles: verdict.candles.filter(({ openTimeMs }) => isCovered(owed, openTimeMs)),
    rejected: verdict.rejected.filter(({ openTimeMs }) =>
      openTimeMs === undefined || isCovered(owed, openTimeMs)
    ),
  };
}
