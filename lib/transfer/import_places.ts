/** Finds where in a file the rows are that were rejected, or that contradict stored candles. @module */
import { type Candle, checkRow, sameCandle } from "../market/candle.ts";
import { priceOf } from "../market/price.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { FileRow } from "./candle_import.ts";

/** A row of a file that was not stored. */
export interface RowPlace {
  readonly series: Series;
  /** From 1. */
  readonly line: number;
  /** Milliseconds; undefined where the row has none that can be read. */
  readonly timeMs: number | undefined;
  readonly why: string;
}

interface RowPlaces {
  readonly conflicts: readonly RowPlace[];
  readonly rejected: readonly RowPlace[];
}

/** How many of each are told. */
export const PLACES_MAX = 3;

/**
 * Reads a file's rows once more, only until the first places are found.
 *
 * @param options.conflicts The first candles of the file that contradict stored ones, by the name of their series.
 * @param options.rejected How many rows were rejected.
 * @param options.isAsked Whether a row of this time was wanted.
 */
export async function findPlaces(
  rows: AsyncIterable<FileRow>,
  { conflicts, rejected, isAsked }: {
    readonly conflicts: ReadonlyMap<string, readonly Candle[]>;
    readonly rejected: number;
    readonly isAsked: (timeMs: number | undefined) => boolean;
  },
): Promise<RowPlaces> {
  const found = { conflicts: [] as RowPlace[], rejected: [] as RowPlace[] };
  const rejectedMax = Math.min(rejected, PLACES_MAX);
  const all = [...conflicts.values()].reduce((sum, candles) => sum + candles.length, 0);
  const conflictsMax = Math.min(all, PLACES_MAX);
  const isDone = (): boolean =>
    found.rejected.length === rejectedMax && found.conflicts.length === conflictsMax;
  if (isDone()) return found;
  for await (const { series, row, state, line = 0 } of rows) {
    if (state !== "candle") continue;
    const checked = checkRow(series.timeframe, row, priceOf(series.symbol));
    const { candle } = checked;
    if (checked.rejected !== undefined) {
      const { openTimeMs: timeMs, reason } = checked.rejected;
      if (found.rejected.length < rejectedMax && isAsked(timeMs)) {
        found.rejected.push({ series, line, timeMs, why: reason.replaceAll("_", " ") });
      }
    } else if (candle !== undefined && found.conflicts.length < conflictsMax) {
      const isOne = conflicts.get(seriesName(series))?.some((one) =>
        one.openTimeMs === candle.openTimeMs && sameCandle(one, candle)
      );
      if (isOne === true) {
        found.conflicts.push({
          series,
          line,
          timeMs: candle.openTimeMs,
          why: "stored with other values",
        });
      }
    }
    if (isDone()) break;
  }
  return found;
}
