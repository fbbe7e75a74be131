/** The files in which exchanges publish their candles: which there are, and how their rows are read. @module */
import type { CandleRun } from "../../market/candle_run.ts";
import type { Series } from "../../market/series.ts";
import type { Window } from "../../market/window.ts";

/** A file of one series, for one month or one day. */
export interface PublishedFile {
  readonly series: Series;
  /** Its address, without any proxy. */
  readonly url: string;
  readonly name: string;
  /** The month or the day: no row may lie outside. */
  readonly window: Window;
}

/** A row: `[openTimeMs, open, high, low, close, volume]`, the values as the file writes them. */
export type PublishedRow = readonly [number, string, string, string, string, string];

/** The files of one series. */
export interface SeriesFiles {
  /** Where they are, for people. */
  readonly host: string;
  /** The file of the month or the day that begins at this time; undefined if none of that length is published. */
  readonly fileAt: (period: FilePeriod, sinceMs: number) => PublishedFile | undefined;
}

export type FilePeriod = "month" | "day";

/** What is proved of a series. */
export interface FiledSeries {
  readonly series: Series;
  /** The exchange's own id of the market. */
  readonly marketId: string;
  /** The host that is asked for the series' candles: the files are of the markets of certain hosts only. */
  readonly host: string;
}

/** How one exchange publishes files. */
export interface PublishedFormat {
  readonly filesOf: (series: FiledSeries) => SeriesFiles | undefined;
  /** @throws FileFaultError when the text is not what the file should be. */
  readonly readRows: (file: PublishedFile, text: string) => PublishedRow[];
  /** The same as candles, of a file in UTF-8 that needs no closer look; undefined of others. */
  readonly readRun: (file: PublishedFile, bytes: Uint8Array) => CandleRun | undefined;
  /** An address that is always there, and small. */
  readonly probeUrl: string;
}

/** A file that came, and cannot be trusted. */
export class FileFaultError extends Error {
  override readonly name = "FileFaultError";
}
