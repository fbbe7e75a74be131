/** Imports many files: each table is judged and stored by itself, so that a bad one does not stop the others. @module */
import { basename } from "node:path";
import type { Candle } from "../market/candle.ts";
import { type Series, seriesName } from "../market/series.ts";
import { readConflicts } from "../store/import_conflicts.ts";
import type { Database } from "../store/connection/database.ts";
import { StoreError } from "../store/connection/store_error.ts";
import {
  type ImportOutcomeOptions,
  noteWholeImports,
  wholeImports,
} from "../store/whole_imports.ts";
import { retryStore } from "../archive/store_retry.ts";
import { BatchProgress, type ImportProgress } from "./batch_progress.ts";
import { type CandleFile, type FileOptions, readCandleFile } from "./candle_file.ts";
import { type ImportContext, type ImportReport, importRows } from "./candle_import.ts";
import type { ListedFile } from "./file_list.ts";
import type { LineFile } from "./file_lines.ts";
import { openTables } from "./open_tables.ts";
import { findPlaces, PLACES_MAX, type RowPlace } from "./import_places.ts";
import { SeriesTurns } from "./series_turns.ts";

/** A table that was read as a whole. */
interface ReadTable {
  /** As people call it. */
  readonly path: string;
  /** As the archive calls it, in the table `imports`. */
  readonly file: string;
  /** How people find a line of it. */
  readonly place: (line: number) => string;
  readonly candles: CandleFile;
}

/** A table that was taken. */
export interface TakenTable extends ReadTable {
  /** The same file was imported as a whole before, with the same options: it was not imported again. */
  readonly isKnown: boolean;
  readonly reports: readonly ImportReport[];
  /** The first rows that contradict stored candles. */
  readonly conflicts: readonly RowPlace[];
  /** The first rows that were rejected. */
  readonly rejected: readonly RowPlace[];
}

interface BatchOptions {
  readonly format: FileOptions;
  /** Rows before `sinceMs`, or at or after `untilMs`, are left out. Milliseconds. */
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  readonly isComplete: boolean;
  readonly replaces: boolean;
  /** All other options that decide what comes of a file: how it is read. JSON. */
  readonly reading: Readonly<Record<string, unknown>>;
  /** Whether files that were imported before are imported again. */
  readonly isAgain: boolean;
  /** How many files are read at once. */
  readonly atOnce: number;
  readonly input: ReadableStream<Uint8Array>;
  readonly signal: AbortSignal;
  readonly onTaken: (table: TakenTable) => void;
  readonly onRefused: (path: string, error: unknown) => void;
  readonly onLeftOut: (path: string, why: string) => void;
  readonly onProgress: (progress: ImportProgress) => void;
}

/** The open archive. Candles are stored with retries, so a database that is away for a moment does no harm. */
type BatchContext = Omit<ImportContext, "database" | "hasTimescaledb"> & {
  /** Opens the archive; called when the first table was judged, so that nothing is made for files that are refused. */
  readonly open: () => Promise<{ readonly database: Database; readonly hasTimescaledb: boolean }>;
};

/**
 * Imports the files, several at once, in a way that always comes to the same as one after the other.
 *
 * @throws what ended it early: the reason of `signal`, or a StoreError when the database is away. What was stored stays, and
 * doing it again goes on.
 */
export async function importFiles(
  context: BatchContext,
  files: readonly ListedFile[],
  options: BatchOptions,
): Promise<void> {
  const batch = new ImportBatch(context, files, options);
  await batch.run();
}

class ImportBatch {
  readonly #context: BatchContext;
  readonly #files: readonly ListedFile[];
  readonly #options: BatchOptions;
  readonly #turns = new SeriesTurns();
  /** Aborted when one file met what ends all. */
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  readonly #progress: BatchProgress;
  #next = 0;

  constructor(context: BatchContext, files: readonly ListedFile[], options: BatchOptions) {
    this.#context = context;
    this.#files = files;
    this.#options = options;
    this.#progress = new BatchProgress(options.onProgress);
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal]);
  }

  async run(): Promise<void> {
    const readers = Array.from({ length: this.#options.atOnce }, () => this.#readFiles());
    const ends = await Promise.allSettled(readers);
    this.#options.signal.throwIfAborted();
    // The others were ended by the first.
    this.#ended.signal.throwIfAborted();
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  async #readFiles(): Promise<void> {
    while (this.#next < this.#files.length) {
      this.#signal.throwIfAborted();
      const at = this.#next++;
      const file = this.#files[at]!;
      this.#turns.enter(at);
      this.#progress.enter(at, file);
      try {
        await this.#readFile(file, at);
      } catch (error) {
        if (this.#endsAll(error)) {
          this.#ended.abort(error);
          throw error;
        }
        this.#options.onRefused(file.path, error);
      } finally {
        this.#turns.end(at);
      }
      this.#progress.end(at);
    }
  }

  async #readFile({ path }: ListedFile, at: number): Promise<void> {
    const { input, onLeftOut } = this.#options;
    const tables = openTables(path, {
      input: path === "-" ? input : undefined,
      signal: this.#signal,
      onLeftOut,
      onBytes: (count) => this.#progress.addBytes(at, count),
    });
    for await (const table of tables) {
      try {
        await this.#readTable(table, { path, at });
      } catch (error) {
        if (this.#endsAll(error)) throw error;
        this.#options.onRefused(table.path, error);
      } finally {
        this.#turns.stored(at);
        await table.close();
      }
    }
  }

  async #readTable(
    table: LineFile,
    { path, at }: { readonly path: string; readonly at: number },
  ): Promise<void> {
    const { format, onTaken, isAgain } = this.#options;
    const candles = await readCandleFile(table, format);
    const names = candles.series.map(seriesName);
    // A file that is no archive holds one table.
    const isLast = table.name === basename(path);
    await this.#turns.wait(at, names, { isLast, signal: this.#signal });
    const archive = await this.#open();
    const options = this.#outcomeOptions(table);
    const file = fileName(path, table);
    const read = { path: table.path, file, place: table.place, candles };
    const sha256 = table.sha256();
    if (!isAgain && await this.#isKnown(archive.database, candles.series, { sha256, options })) {
      return onTaken({ ...read, isKnown: true, reports: [], conflicts: [], rejected: [] });
    }
    const reports = await this.#store({ ...this.#context, ...archive }, table, {
      candles,
      at,
      file,
    });
    const { database } = archive;
    await this.#retry(() =>
      noteWholeImports(database, reports.map(({ id }) => id), {
        options,
        mayGrow: this.#mayGrow(reports),
      })
    );
    onTaken({
      ...read,
      isKnown: false,
      reports,
      ...await this.#places(database, candles, reports),
    });
  }

  async #store(
    context: ImportContext,
    table: LineFile,
    { candles, at, file }: {
      readonly candles: CandleFile;
      readonly at: number;
      readonly file: string;
    },
  ): Promise<readonly ImportReport[]> {
    const { sinceMs, untilMs, isComplete, replaces } = this.#options;
    try {
      const reports = await importRows(context, candles.pieces(), {
        file,
        sinceMs,
        untilMs,
        isComplete,
        isCut: candles.cutLine !== undefined,
        replaces,
        signal: this.#signal,
        sha256: table.sha256,
        onRows: (rows) => this.#progress.setRows(at, rows),
      });
      return reports;
    } finally {
      this.#progress.endTable(at);
    }
  }

  /** All that decides what comes of the table's bytes. Its name does, too: it may say which series it holds. */
  #outcomeOptions({ name }: LineFile): ImportOutcomeOptions {
    const { reading, sinceMs, untilMs, isComplete, replaces } = this.#options;
    const known = { ...reading, since: sinceMs, until: untilMs, name, complete: isComplete };
    return { ...known, replace: replaces };
  }

  async #isKnown(
    database: Database,
    series: readonly Series[],
    file: { readonly sha256: string; readonly options: ImportOutcomeOptions },
  ): Promise<boolean> {
    if (file.sha256 === "") return false;
    const whole = await this.#retry(() => wholeImports(database, series, file));
    return whole.length === series.length;
  }

  /** Whether the same file may bring more later: what was left out may be final then, or may be kept. */
  #mayGrow(reports: readonly ImportReport[]): boolean {
    const { isComplete, untilMs } = this.#options;
    return reports.some(({ unclosed, expired }) => unclosed + expired > 0) ||
      // The time that has not come was not claimed.
      (isComplete && untilMs !== undefined && untilMs > this.#context.clock.now() - SETTLED_MS);
  }

  async #places(
    database: Database,
    candles: CandleFile,
    reports: readonly ImportReport[],
  ): Promise<Pick<TakenTable, "conflicts" | "rejected">> {
    const { sinceMs = -Infinity, untilMs = Infinity } = this.#options;
    const conflicts = new Map<string, readonly Candle[]>();
    let rejected = 0;
    for (const report of reports) {
      rejected += report.rejected;
      if (report.conflicts === 0) continue;
      const first = await this.#retry(() => readConflicts(database, report.id, PLACES_MAX));
      conflicts.set(seriesName(report.series), first);
    }
    return await findPlaces(candles.rows(), {
      conflicts,
      rejected,
      isAsked: (timeMs) => timeMs === undefined || (timeMs >= sinceMs && timeMs < untilMs),
    });
  }

  /** Opens the archive once. An archive that cannot be opened ends all. */
  async #open(): ReturnType<BatchContext["open"]> {
    try {
      return await this.#context.open();
    } catch (error) {
      this.#ended.abort(error);
      throw error;
    }
  }

  /** Whether an error is no fault of one file. */
  #endsAll(error: unknown): boolean {
    return this.#signal.aborted || (error instanceof StoreError && error.kind === "unavailable");
  }

  #retry<T>(statement: () => Promise<T>): Promise<T> {
    return retryStore(statement, { ...this.#context, signal: this.#signal });
  }
}

/** Longer than any timeframe, and than any exchange changes a candle after its close. */
const SETTLED_MS = 40 * 24 * 3_600_000;

/** The file's name, after that of the member of an archive. Standard input is `-`. */
function fileName(path: string, { name }: LineFile): string {
  const own = basename(path);
  return name === "" || name === own ? own : `${name} in ${own}`;
}
