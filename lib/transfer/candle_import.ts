/**
 * Imports candles from a file, with the same checks as for candles of an exchange. A file covers only the candles in it,
 * and nothing between them, unless the user says that it is complete. Stored candles are kept, unless the user asks to
 * replace them.
 * @module
 */
import type { CandleRun } from "../market/candle_run.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { PreparedImportPage } from "../store/import_page.ts";
import {
  type ImportContext,
  type ImportOptions,
  type ImportReport,
  SeriesImport,
} from "./series_import.ts";

export type { ImportContext, ImportReport };

/** A row of a file: `[time, open, high, low, close, volume]`, the time in milliseconds if it could be parsed. */
export interface FileRow {
  readonly series: Series;
  readonly row: readonly unknown[];
  /** Rows of candles that had not closed are left out, and so are rows without values: at that time there is none. */
  readonly state: "candle" | "unclosed" | "blank";
  /** Of its file, from 1. */
  readonly line?: number | undefined;
}

/** Candles that passed all checks of a row, ascending. */
interface FileRun {
  readonly series: Series;
  readonly run: CandleRun;
}

export type FilePiece = FileRow | FileRun;

/** Most rows of a page. One page is written while the next one is read, so twice as many are in memory. */
const ROWS_MAX = 10_000;

/** How many series of one file are written at once. The database has other work, too, and a statement uses a whole processor. */
const SERIES_AT_ONCE = 2;

/**
 * Imports a file's rows, in any order and of any number of series. Rows may come one by one or, which is quicker, many at
 * a time. An interrupted import can be started again: rows that are stored already count as `same`.
 *
 * @throws StoreError
 */
export async function importRows(
  context: ImportContext,
  rows: AsyncIterable<FilePiece | readonly FilePiece[]>,
  options: ImportOptions,
): Promise<readonly ImportReport[]> {
  const imports = new SeriesImports(context, options);
  try {
    for await (const piece of rows) {
      const page = Array.isArray(piece) ? piece as readonly FilePiece[] : [piece as FilePiece];
      for (const row of page) {
        const one = imports.of(row.series);
        if (!one.isBegun) await one.start();
        if (imports.add(one, row)) await imports.flush();
      }
    }
    await imports.flush();
    return await imports.end();
  } finally {
    // Who closes the database must not meet a statement that still runs.
    await imports.settled();
  }
}

/** The imports of all series of a file. While a page is written, the next one is read. */
class SeriesImports {
  readonly #context: ImportContext;
  readonly #options: ImportOptions;
  readonly #imports = new Map<string, SeriesImport>();
  /** Of the last row: rows of one series come together. */
  #last: { readonly series: Series; readonly import: SeriesImport } | undefined;
  #held = 0;
  #read = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(context: ImportContext, options: ImportOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** The import of a series. */
  of(series: Series): SeriesImport {
    if (this.#last?.series !== series) this.#last = { series, import: this.#importOf(series) };
    return this.#last.import;
  }

  /** Takes a row. True: it is time to flush. */
  add(one: SeriesImport, piece: FilePiece): boolean {
    this.#held += "run" in piece ? piece.run.length : 1;
    if ("run" in piece) one.addRun(piece.run);
    else if (piece.state === "candle") one.add(piece.row);
    else one.leaveOut(piece.state, piece.row);
    return this.#held >= ROWS_MAX;
  }

  /** Waits until the page before is written, and begins to write what is held. */
  async flush(): Promise<void> {
    this.#options.signal.throwIfAborted();
    const all: (readonly [SeriesImport, readonly PreparedImportPage[]])[] = [];
    for (const one of this.#imports.values()) {
      const pages = one.prepare();
      if (pages.length > 0) all.push([one, pages]);
    }
    await this.#writing;
    const rows = this.#held;
    this.#held = 0;
    this.#writing = this.#write(all, rows);
    // It is thrown by the next flush.
    this.#writing.catch(() => {});
  }

  async end(): Promise<readonly ImportReport[]> {
    await this.#writing;
    const reports: ImportReport[] = [];
    for (const one of this.#imports.values()) reports.push(await one.end());
    return reports;
  }

  async settled(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  async #write(
    all: readonly (readonly [SeriesImport, readonly PreparedImportPage[]])[],
    rows: number,
  ): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < all.length) {
        const [one, pages] = all[next++]!;
        try {
          await one.write(pages);
        } catch (error) {
          next = all.length;
          throw error;
        }
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: SERIES_AT_ONCE }, lane));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    this.#read += rows;
    this.#options.onRows?.(this.#read);
  }

  #importOf(series: Series): SeriesImport {
    const name = seriesName(series);
    let one = this.#imports.get(name);
    if (one === undefined) {
      one = new SeriesImport(this.#context, series, this.#options);
      this.#imports.set(name, one);
    }
    return one;
  }
}
