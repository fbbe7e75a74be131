/**
 * Writes the archive as a dataset of Parquet files by timeframe, exchange and month, and run again, only the files whose
 * months have changed. An interrupted run is continued by the next one.
 * @module
 */
import { type DatasetArchive, type DatasetMonth, monthWindow } from "../store/dataset_months.ts";
import type { FormerFile } from "./dataset_carried.ts";
import {
  besideOfFormer,
  besidePath,
  type DatasetFileEntry,
  formerPath,
  monthOfPath,
  monthPath,
} from "./dataset_manifest.ts";
import { type MonthContext, readMonth, retellMonth, writeMonth } from "./dataset_month.ts";
import { DatasetRoot, isUnfinished } from "./dataset_root.ts";

interface DatasetOptions extends MonthContext {
  /** The program and its version. */
  readonly program: string;
  /** Whether to write nothing and only to say what would be written. */
  readonly isDryRun: boolean;
  /** Called after each month with how many of all are looked at. */
  readonly onProgress?: ((done: number, months: number, rows: number) => void) | undefined;
}

export interface DatasetReport {
  /** The paths of files that were written, or with `isDryRun` would be. */
  readonly written: readonly string[];
  /** Files of which only the reasons of holes were written anew. */
  readonly retold: readonly string[];
  readonly removed: readonly string[];
  /** Files that were left as they are. */
  readonly kept: number;
  /** Candles in the files that were written. */
  readonly rows: number;
  /** Of all files. */
  readonly files: number;
  readonly allRows: number;
  readonly allBytes: number;
}

/**
 * Brings a dataset up to date.
 *
 * @throws Error when the place holds anything else, another archive's dataset, or one of another choice.
 * @throws StoreError
 */
export async function exportDataset(options: DatasetOptions): Promise<DatasetReport> {
  const { source, choice, signal } = options;
  let archive: DatasetArchive | undefined;
  const months: DatasetMonth[] = [];
  for await (const page of source({ dataset: "months", choice })) {
    signal.throwIfAborted();
    if ("archive" in page) archive = page.archive;
    else if ("months" in page) { for (const month of page.months) months.push(month); }
  }
  if (archive === undefined) throw new Error("Cannot read which archive it is: nothing was told");
  return await new DatasetRun(options, archive).run(months);
}

/** The lengths of the files that are there, by path. */
type Sizes = ReadonlyMap<string, number>;

/** One run over all months of a dataset. */
class DatasetRun {
  readonly #options: DatasetOptions;
  readonly #archive: DatasetArchive;
  readonly #root: DatasetRoot;
  readonly #written: string[] = [];
  readonly #retold: string[] = [];
  readonly #removed: string[] = [];
  #rows = 0;
  #kept = 0;

  constructor(options: DatasetOptions, archive: DatasetArchive) {
    this.#options = options;
    this.#archive = archive;
    this.#root = new DatasetRoot({ ...options, archive });
  }

  async run(months: readonly DatasetMonth[]): Promise<DatasetReport> {
    const { place, signal, onProgress } = this.#options;
    const sizes = new Map<string, number>();
    for await (const { path, bytes } of place.list()) sizes.set(path, bytes);
    const root = this.#root;
    await root.read(sizes.keys());
    // Also files that a killed run had no time to name.
    const gone = new Set(
      [...root.files.keys(), ...sizes.keys()].filter((path) => monthOfPath(path) !== undefined),
    );
    for (const [at, month] of months.entries()) {
      signal.throwIfAborted();
      gone.delete(monthPath(month));
      await this.#bring(month, sizes);
      onProgress?.(at + 1, months.length, this.#rows);
    }
    for (const path of gone) {
      if (!this.#isDropped(path) || !await this.#keep(path, sizes.get(path))) {
        await this.#remove(path, sizes);
      }
    }
    await this.#sweep(sizes);
    await root.finish();
    const all = [...root.files.values()];
    return {
      written: this.#written,
      retold: this.#retold,
      removed: this.#removed,
      kept: this.#kept,
      rows: this.#rows,
      files: all.length,
      allRows: all.reduce((sum, { rows }) => sum + rows, 0),
      allBytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  /** Brings one month up to date. */
  async #bring(month: DatasetMonth, sizes: Sizes): Promise<void> {
    const path = monthPath(month);
    const known = await this.#knownFile(month, sizes.get(path));
    if (known !== undefined && known.state === month.state) {
      if (known.told === month.told) return await this.#keepAs(known);
      if (await this.#retell(month, known)) return;
    }
    const isThere = sizes.has(path) || sizes.has(besidePath(path)) || this.#root.files.has(path);
    if (this.#options.isDryRun) {
      // Between two ranges of an archive there are months without candles, of which no file is made.
      if (isThere || await isAnswered(this.#options, month)) this.#written.push(path);
      return;
    }
    const entry = await writeMonth(this.#options, month, {
      archive: this.#archive,
      former: known ?? leftFile(path, sizes.get(path)),
      isThere,
      onChange: () => this.#root.claim(),
    });
    if (entry === undefined) {
      if (this.#root.files.delete(path) || sizes.has(path)) this.#removed.push(path);
      return;
    }
    this.#written.push(path);
    this.#rows += entry.rows;
    await this.#root.enter(entry);
  }

  /** The file of a month that is there as it was written; also one that a run wrote which ended before its manifest. */
  async #knownFile(
    month: DatasetMonth,
    size: number | undefined,
  ): Promise<DatasetFileEntry | undefined> {
    if (size === undefined) return undefined;
    const path = monthPath(month);
    const named = this.#root.files.get(path);
    if (named?.bytes === size && named.state === month.state) return named;
    return await this.#toldFile(path, size) ?? (named?.bytes === size ? named : undefined);
  }

  /** What is told beside a file, if it is of that file. */
  async #toldFile(path: string, size: number): Promise<DatasetFileEntry | undefined> {
    const told = await readMonth(this.#options.place, path);
    const { id, copiedFrom } = this.#archive;
    const isOurs = told !== undefined && (told.archive === id || told.archive === copiedFrom) &&
      told.numbers === this.#options.numbers && told.file.bytes === size;
    return isOurs ? told.file : undefined;
  }

  /**
   * Keeps the file of a month that the archive has no longer, also one that a run wrote which ended before its manifest.
   *
   * @returns false when it is not there.
   */
  async #keep(path: string, size: number | undefined): Promise<boolean> {
    if (size === undefined) return false;
    const named = this.#root.files.get(path);
    const entry = named?.bytes === size ? named : await this.#toldFile(path, size);
    if (entry !== undefined) {
      await this.#keepAs(entry);
      return true;
    }
    // What nothing is told of stays, for it may be all that is left, and the manifest says nothing wrong of it.
    this.#kept++;
    if (named !== undefined && !this.#options.isDryRun) {
      await this.#root.claim();
      this.#root.files.delete(path);
    }
    return true;
  }

  /** Leaves a file as it is. The manifest may not name it yet, or not as it is. */
  async #keepAs(entry: DatasetFileEntry): Promise<void> {
    this.#kept++;
    if (this.#root.files.get(entry.path) === entry || this.#options.isDryRun) return;
    await this.#root.claim();
    await this.#root.enter(entry);
  }

  /** Whether it could be told why candles are missing, without the file written anew. */
  async #retell(month: DatasetMonth, known: DatasetFileEntry): Promise<boolean> {
    if (this.#options.isDryRun) {
      this.#retold.push(known.path);
      return true;
    }
    await this.#root.claim();
    const entry = await retellMonth(this.#options, month, { archive: this.#archive, known });
    if (entry === undefined) return false;
    this.#retold.push(entry.path);
    await this.#root.enter(entry);
    return true;
  }

  /** Whether RETENTION has dropped all of a month: who keeps files of it keeps them. */
  #isDropped(path: string): boolean {
    const month = monthOfPath(path);
    if (month === undefined) return false;
    const expiredMs = this.#archive.expiredMs[month.timeframe] ?? -Infinity;
    return expiredMs >= monthWindow(month.month, { sinceMs: null, untilMs: null }).untilMs;
  }

  async #remove(path: string, sizes: Sizes): Promise<void> {
    this.#removed.push(path);
    if (this.#options.isDryRun) return;
    await this.#root.claim();
    this.#root.files.delete(path);
    for (const one of [besidePath(path), formerPath(path), path]) {
      // What was not listed may be there all the same, and all that is left of what RETENTION has dropped.
      if (sizes.has(one)) await this.#options.place.remove(one);
    }
  }

  /** Removes what a killed run has left: unfinished files, and what was told before where it is told anew. */
  async #sweep(sizes: Sizes): Promise<void> {
    const { place, isDryRun } = this.#options;
    for (const path of sizes.keys()) {
      if (isDryRun) return;
      const beside = besideOfFormer(path);
      const isToldAnew = beside !== undefined && await place.read(beside) !== undefined;
      if (isToldAnew || isUnfinished(path)) await place.remove(path);
    }
  }
}

/** A file that is there and of which nothing is told. */
function leftFile(path: string, size: number | undefined): FormerFile | undefined {
  return size === undefined ? undefined : { path, bytes: size, sha256: undefined };
}

/** Whether anything of a month is covered: without that it has no final candles. */
async function isAnswered(
  { source, choice }: MonthContext,
  month: DatasetMonth,
): Promise<boolean> {
  const asked = { dataset: "month", choice, of: month, numbers: null, isExpired: false } as const;
  for await (const page of source(asked)) {
    if ("series" in page && page.series.covered.length > 0) return true;
  }
  return false;
}
