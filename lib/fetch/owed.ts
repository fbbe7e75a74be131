/** Owed candles of several series: those after a time, and how many they are. @module */
import { coverageCandles, intersect } from "../market/coverage.ts";
import { floorTime } from "../market/timeframe.ts";
import type { Owed } from "../store/ledger.ts";

/** What is owed at or after `sinceMs`, from the candle that contains that time on. */
export function owedSince(all: readonly Owed[], sinceMs = -Infinity): readonly Owed[] {
  return all.flatMap(({ series, owed }) => {
    const from = sinceMs === -Infinity ? sinceMs : floorTime(series.timeframe, sinceMs);
    const left = intersect(owed, [{ sinceMs: from, untilMs: Infinity }]);
    return left.length === 0 ? [] : [{ series, owed: left }];
  });
}

/** How many candles are owed. */
export function owedCandles(owed: readonly Owed[]): number {
  return owed.reduce((sum, { series, owed }) => sum + coverageCandles(series.timeframe, owed), 0);
}
