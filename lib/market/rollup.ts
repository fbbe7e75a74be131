/** Which rollup is built from what: each from the next finer one that divides it, the finest from candles. @module */
import { nominalMs, type Timeframe } from "./timeframe.ts";

/** Candles of a coarser timeframe that are worked out from stored ones, not fetched. */
export interface Rollup {
  readonly timeframe: Timeframe;
  /** The finest archived timeframe that divides it: what `candles` of a rollup counts. */
  readonly base: Timeframe;
  /** The next finer rollup that divides it; undefined where it is built from the base's candles. */
  readonly from: Timeframe | undefined;
}

interface RollupPlan {
  /** The finest first, so that each comes after what it is built from. */
  readonly rollups: readonly Rollup[];
  /** No archived timeframe divides these, or they do not divide a day. */
  readonly refused: readonly Timeframe[];
}

const DAY_MS = 86_400_000;

/**
 * Plans rollups. They divide a day, because candles are dropped at the ends of days and no rollup may lose a part of
 * what it adds up.
 */
export function planRollups(
  wanted: readonly Timeframe[],
  archived: readonly Timeframe[],
): RollupPlan {
  const finestFirst = [...archived].sort((a, b) => nominalMs(a) - nominalMs(b));
  const rollups: Rollup[] = [];
  const refused: Timeframe[] = [];
  for (const timeframe of [...wanted].sort((a, b) => nominalMs(a) - nominalMs(b))) {
    const base = finestFirst.find((candidate) => divides(candidate, timeframe));
    if (base === undefined || DAY_MS % nominalMs(timeframe) !== 0) {
      refused.push(timeframe);
      continue;
    }
    const from = rollups.findLast((finer) =>
      finer.base.text === base.text && divides(finer.timeframe, timeframe)
    );
    rollups.push({ timeframe, base, from: from?.timeframe });
  }
  return { rollups, refused };
}

/** How many candles of the base a complete rollup is made of. */
export function candlesMax({ timeframe, base }: Pick<Rollup, "timeframe" | "base">): number {
  return nominalMs(timeframe) / nominalMs(base);
}

function divides(finer: Timeframe, coarser: Timeframe): boolean {
  const ratio = nominalMs(coarser) / nominalMs(finer);
  return ratio > 1 && Number.isInteger(ratio);
}
