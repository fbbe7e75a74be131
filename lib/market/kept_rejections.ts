/** Which rejected rows of a page are kept as evidence: a page may have thousands. @module */
import type { RejectedCandle } from "./candle.ts";
import { floorTime, type Timeframe } from "./timeframe.ts";
import type { Window } from "./window.ts";

/** Rows whose time tells nothing are kept only as examples. */
const UNPLACED_ROWS_MAX = 10;

/**
 * Of the rows of a window the first one of every candle, of every reason, and {@linkcode UNPLACED_ROWS_MAX} of those that belong to no
 * candle. So every candle that is missing because it was rejected keeps its row. Each stands for the others of its reason
 * that are left out, see {@linkcode RejectedCandle.rows}.
 *
 * @param isShifted whether all rows are shifted alike, so that misaligned ones belong to candles, too.
 */
export function keptRejections(
  rejected: readonly RejectedCandle[],
  { timeframe, window, isShifted = false }: {
    readonly timeframe: Timeframe;
    readonly window: Window;
    readonly isShifted?: boolean | undefined;
  },
): readonly RejectedCandle[] {
  const times = new Set<number>();
  const kept: RejectedCandle[] = [];
  const places = new Map<RejectedCandle["reason"], number>();
  let unplaced = 0;
  for (const row of rejected) {
    const { reason, openTimeMs = window.sinceMs } = row;
    if (openTimeMs < window.sinceMs || openTimeMs >= window.untilMs) continue;
    const isPlaced = row.openTimeMs !== undefined && (reason !== "time_not_aligned" || isShifted);
    const timeMs = isPlaced ? floorTime(timeframe, openTimeMs) : undefined;
    const isFirst = timeMs === undefined ? unplaced++ < UNPLACED_ROWS_MAX : !times.has(timeMs);
    if (timeMs !== undefined) times.add(timeMs);
    const place = places.get(reason);
    if (isFirst || place === undefined) {
      places.set(reason, place ?? kept.length);
      kept.push(row);
    } else {
      const example = kept[place] ?? row;
      kept[place] = { ...example, rows: rowsOf(example) + 1 };
    }
  }
  return kept;
}

/** How many rows of an answer a rejected row stands for. */
export function rowsOf({ rows = 1 }: RejectedCandle): number {
  return rows;
}

/** How many rows of an answer were rejected. */
export function rejectedRows(rejected: readonly RejectedCandle[]): number {
  return rejected.reduce((sum, row) => sum + rowsOf(row), 0);
}
