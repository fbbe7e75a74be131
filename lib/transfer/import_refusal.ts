/** Knows a file that cannot be of the series that somebody says it is of. @module */
import type { Candle, RejectedCandle } from "../market/candle.ts";
import { type Series, seriesName } from "../market/series.ts";
import { countCandles, nominalMs } from "../market/timeframe.ts";

/** Fewer rows say nothing about the file they are in. */
const TELLING_ROWS = 50;

/**
 * Refuses what was meant to be another series' file, or no candles at all, by the first of its rows.
 *
 * @throws Error
 */
export function refuseOther(
  series: Series,
  { candles, rejected, first }: {
    readonly candles: readonly Candle[];
    readonly rejected: readonly RejectedCandle[];
    readonly first: readonly unknown[];
  },
): void {
  const rows = candles.length + rejected.length;
  const refuse = (why: string): never => {
    throw new Error(
      `Cannot import candles of ${seriesName(series)}: ${why}. Nothing of it was stored`,
    );
  };
  // Of a few rows half may well be bad.
  if (rejected.length > (rows < TELLING_ROWS ? rows - 1 : rows / 2)) {
    const [example] = rejected;
    refuse(
      `${rejected.length} of the first ${rows} rows fail the checks, such as ${
        example?.row ?? JSON.stringify(first)
      } (${example?.reason})`,
    );
  }
  const { timeframe } = series;
  const distances = candles.slice(1).flatMap(({ openTimeMs }, index) => {
    const [a, b] = [candles[index]!.openTimeMs, openTimeMs];
    return a === b ? [] : [countCandles(timeframe, Math.min(a, b), Math.max(a, b))];
  });
  const step = distances.reduce((a, b) => b === 0 ? a : divisor(a, b), 0);
  if (distances.length < TELLING_ROWS || step <= 1) return;
  refuse(
    `its rows are ${step} candles apart, or multiples of that (${
      step * nominalMs(timeframe) / 1000
    } s): it seems to be of another timeframe than ${timeframe.text}`,
  );
}

/** The greatest common one. */
function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
