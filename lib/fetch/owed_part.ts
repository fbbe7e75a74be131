/** The part of what is owed that one run fetches, and how much that is. @module */
import { coverageCandles, intersect } from "../market/coverage.ts";
import { floorTime } from "../market/timeframe.ts";
import type { Owed } from "../store/ledger.ts";

/** What is owed from `sinceMs` on; all of it if that is not given. */
export function owedSince(all: readonly Owed[], sinceMs = -Infinity): readonly Owed[] {
  return all.flatMap(({ series, owed }) => {
    const from = sinceMs === -Infinity ? sinceMs : floorTime(series.timeframe, sinceMs);
    const left = intersect(owed, [{ sinceMs: from, untilMs: Infinity }]);
    return left.length === 0 ? [] : [{ series, owed: left }];
  });
}

/** How many candles are owed. */
export function candlesOf(owed: readonly Owed[]): number {
  return owed.reduce((sum, { series, owed }) => sum + coverageCandles(series.timeframe, owed), 0);
}
