/** Counts of missing candles by reason. @module */
import type { GapState } from "./gap.ts";

/** Why candles are missing for good. */
type GapReason = Exclude<GapState, "suspected" | "refetching" | "filled">;

/** Number of missing candles by reason. Reasons without candles are left out. */
export type GapReasons = Readonly<Partial<Record<GapReason, number>>>;

/** Reduces the counts to `candlesMax` in total: some candles that had a reason may have come since. */
export function atMost(candlesMax: number, reasons: GapReasons): GapReasons {
  let left = candlesMax;
  return Object.fromEntries(
    Object.entries(reasons).map(([reason, candles]) => {
      const counted = Math.min(left, candles);
      left -= counted;
      return [reason, counted];
    }).filter(([, candles]) => candles !== 0),
  );
}

/** Adds the counts of both. */
export function mergeReasons(one: GapReasons, other: GapReasons): GapReasons {
  const sums: Record<string, number> = {};
  for (const [reason, candles] of [...Object.entries(one), ...Object.entries(other)]) {
    if (candles > 0) sums[reason] = (sums[reason] ?? 0) + candles;
  }
  return sums;
}

/** The sum of all counts. */
export function sumReasons(reasons: GapReasons): number {
  return Object.values(reasons).reduce((sum, candles) => sum + candles, 0);
}
