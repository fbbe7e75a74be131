/** Plans rollups: each is built from the next finer rollup that divides it, the finest from candles. @module */
import { nominalMs, type Timeframe } from "./timeframe.ts";

/** Candles of a coarser timeframe, computed from stored candles instead of fetched. */
export interface Rollup {
  readonly timeframe: Timeframe;
  /** The finest archived timeframe that divides it. The column `candles` of a rollup counts candles of this timeframe. */
  readonly base: Timeframe;
  /** The next finer rollup that divides it; undefined if it is built from the candles of `base`. */
  readonly from: Timeframe | undefined;
}

interface RollupPlan {
  /** Finest first, so that each comes after its source. */
  readonly rollups: readonly Rollup[];
  /** No archived timeframe divides these, or they do not divide a day. */
  readonly refused: readonly Timeframe[];
}

const DAY_MS = 86_400_000;

/**
 * Plans rollups. A rollup must divide a day: `RETENTION` drops candles by whole days, and no rollup candle may lose part
 * of its source.
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

/** How many candles of `base` a complete rollup candle has. */
export function candlesMax({ timeframe, base }: Pick<Rollup, "timeframe" | "base">): number {
  return nominalMs(timeframe) / nominalMs(base);
}

function divides(finer: Timeframe, coarser: Timeframe): boolean {
  const ratio = nominalMs(coarser) / nominalMs(finer);
  return ratio > 1 && Number.isInteger(ratio);
}
