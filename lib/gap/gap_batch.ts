/** Gaps that are asked for together. @module */
import { type Series, seriesName } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import { type Window, windowCandles } from "../market/window.ts";
import type { DueGap } from "../store/gaps.ts";
import type { RowsMax } from "../fetch/page_queue.ts";

/** Gaps of one series that fit into one page, or a single gap that may need several pages. */
export interface GapBatch {
  readonly series: Series;
  /** The requested window. */
  readonly window: Window;
  readonly gaps: readonly DueGap[];
}

/** Puts gaps that are near each other into one request, which then also covers the time between them. */
export function batchGaps(gaps: readonly DueGap[], rowsMax: RowsMax): readonly GapBatch[] {
  const batches: GapBatch[] = [];
  for (const group of Map.groupBy(gaps, ({ series }) => seriesName(series)).values()) {
    const newestFirst = group.toSorted((a, b) => b.window.untilMs - a.window.untilMs);
    let batch: GapBatch | undefined;
    for (const gap of newestFirst) {
      const { series } = gap;
      const window: Window = {
        sinceMs: gap.window.sinceMs,
        untilMs: batch?.window.untilMs ?? gap.window.untilMs,
      };
      if (
        batch !== undefined &&
        windowCandles(series.timeframe, window) + 2 <= rowsMax(series)
      ) {
        batch = { series, window, gaps: [...batch.gaps, gap] };
        batches[batches.length - 1] = batch;
      } else {
        batch = { series, window: gap.window, gaps: [gap] };
        batches.push(batch);
      }
    }
  }
  return batches;
}

/**
 * The window, extended by one candle on each side. Not before the first candle of the series that came: an answer for the
 * one before it would say nothing about the gap, and make the series longer with every ask.
 */
export function withNeighbours({ series: { timeframe }, window, gaps }: GapBatch): Window {
  const { sinceMs, untilMs } = window;
  const isFirst = gaps.some((gap) => gap.isFirst && gap.window.sinceMs === sinceMs);
  return {
    sinceMs: isFirst ? sinceMs : addCandles(timeframe, sinceMs, -1),
    untilMs: addCandles(timeframe, untilMs, 1),
  };
}
