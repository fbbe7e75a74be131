/** Refuses a file that cannot belong to the given series. @module */
import type { Candle, RejectedCandle } from "../market/candle.ts";
import { type Series, seriesName } from "../market/series.ts";
import { countCandles, nominalMs } from "../market/timeframe.ts";

/** Fewer rows are not enough to judge a file. */
const JUDGED_ROWS_MIN = 50;

/**
 * Judges a file by its first rows. Refuses it if they have another timeframe, or if most of them are not candles.
 *
 * @throws Error
 */
export function refuseForeignFile(
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
      `Cannot import candles of ${seriesName(series)}: ${why}. Nothing was stored`,
    );
  };
  // If there are only a few rows, refuse only if all are bad.
  if (rejected.length > (rows < JUDGED_ROWS_MIN ? rows - 1 : rows / 2)) {
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
  if (distances.length < JUDGED_ROWS_MIN || step <= 1) return;
  refuse(
    `its rows are ${step} candles apart, or multiples of that (${
      step * nominalMs(timeframe) / 1000
    } s): the file's timeframe does not seem to be ${timeframe.text}`,
  );
}

/** The greatest common divisor. */
function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
