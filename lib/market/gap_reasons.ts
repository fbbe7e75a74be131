/** How many candles are missing for which reason. @module */
import type { GapState } from "./gap.ts";

/** Why candles are missing for good. */
type GapReason = Exclude<GapState, "suspected" | "refetching" | "filled">;

/** Candles that are missing, by reason; a reason that explains none is left out. */
export type GapReasons = Readonly<Partial<Record<GapReason, number>>>;

/** Those of no more candles than are missing: some that were explained may have come since. */
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

/** Both together. */
export function mergeReasons(one: GapReasons, other: GapReasons): GapReasons {
  const sums: Record<string, number> = {};
  for (const [reason, candles] of [...Object.entries(one), ...Object.entries(other)]) {
    if (candles > 0) sums[reason] = (sums[reason] ?? 0) + candles;
  }
  return sums;
}

/** The candles of all reasons. */
export function sumReasons(reasons: GapReasons): number {
  return Object.values(reasons).reduce((sum, candles) => sum + candles, 0);
}
