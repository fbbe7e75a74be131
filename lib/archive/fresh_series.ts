/** What polls need to know of streams: which series they keep fresh. @module */
import type { Series } from "../market/series.ts";

export interface FreshSeries {
  /** Call when markets may be new: streams what the markets in force have. */
  follow(): void;
  /** Whether a stream has told of every candle of the series up to now. */
  isFresh(series: Series, nowMs: number): boolean;
  /**
   * Takes what an answer had and the archive had not: `addedFromMs` is the open time of the oldest such candle, in
   * milliseconds; undefined when there was none.
   */
  noteAnswer(series: Series, answer: { readonly addedFromMs?: number | undefined }): void;
}
