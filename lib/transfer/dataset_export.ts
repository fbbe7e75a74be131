/**
 * Writes the archive as a dataset of Parquet files by timeframe, exchange and month, and run again, only the files whose
 * months have changed. An interrupted run is continued by the next one.
 * @module
 */
import type { DatasetArchive, DatasetMonth } from "../store/dataset_months.ts";
import { monthWindow } from "../store/dataset_months.ts";
import {
  besidePath,
  type DatasetFileEntry,
  type DatasetManifest,
  isoOf,
  manifestBytes,
  monthOfPath,
  monthPath,
  parseManifest,
  ROOT,
} from "./dataset_manifest.ts";
import { type MonthContext, readMonth, retellMonth, writeMonth } from "./dataset_month.ts";
import { otherWriter } from "./dataset_place.ts";

export interface DatasetOptions extends MonthContext {
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

/** So many files are written before the manifest is: what it lacks after a crash is found beside the files. */
const FILES_A_MANIFEST = 50;

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
    else if ("months" in page) months.push(...page.months);
  }
  if (archive === undefined) throw new Error("Cannot read which archive it is: nothing was told");
  return await new DatasetRun(options, archive).run(months);
}

/** One run over all months of a dataset. */
class DatasetRun {
  readonly #options: DatasetOptions;
  readonly #archive: DatasetArchive;
  readonly #files = new Map<string, DatasetFileEntry>();
  readonly #written: string[] = [];
  readonly #retold: string[] = [];
  readonly #removed: string[] = [];
  #rows = 0;
  #kept = 0;
  /** What the manifest is now; undefined where there is none. */
  #version: string | undefined;
  #isClaimed = false;
  #unnamed = 0;

  constructor(options: DatasetOptions, archive: DatasetArchive) {
    this.#options = options;
    this.#archive = archive;
  }

  async run(months: readonly DatasetMonth[]): Promise<DatasetReport> {
    const sizes = await this.#sizes();
    await this.#readManifest(sizes);
    const gone = new Set(this.#files.keys());
    for (const [at, month] of months.entries()) {
      this.#options.signal.throwIfAborted();
      const path = monthPath(month);
      gone.delete(path);
      await this.#bring(month, sizes);
      this.#options.onProgress?.(at + 1, months.length, this.#rows);
    }
    for (const path of gone) {
      if (this.#isDropped(path)) this.#kept++;
      else await this.#remove(path);
    }
    await this.#sweep(sizes);
    if (this.#isClaimed) await this.#replaceManifest();
    const all = [...this.#files.values()];
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

  async #sizes(): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for await (const { path, bytes } of this.#options.place.list()) sizes.set(path, bytes);
    return sizes;
  }

  /** @throws Error when this is not the dataset that is to be written. */
  async #readManifest(sizes: ReadonlyMap<string, number>): Promise<void> {
    const { place, numbers } = this.#options;
    const refuse = (why: string): never => {
      throw new Error(`Cannot write the dataset ${place.name}: ${why}`);
    };
    const found = await place.read(ROOT);
    if (found === undefined) {
      const other = [...sizes.keys()].find((path) => !isUnfinished(path));
      if (other !== undefined) {
        refuse(
          `it holds ${other}, and no ${ROOT}. Give an empty place, or one that does not exist`,
        );
      }
      return;
    }
    const manifest = parseManifest(found.bytes, `${ROOT} of ${place.name}`);
    this.#version = found.version;
    const { id, copiedFrom } = this.#archive;
    if (manifest.archive !== id && manifest.archive !== copiedFrom) {
      refuse(
        `it is of another archive (${manifest.archive}; this one is ${id}). Give another place`,
      );
    }
    const made = flagsOf(manifest.numbers, manifest.choice);
    const asked = flagsOf(numbers, this.#choice());
    if (made !== asked) {
      refuse(
        `it was made with ${made}, and this command has ${asked}. Give the same flags, or another place`,
      );
    }
    for (const file of manifest.files) this.#files.set(file.path, file);
  }

  /** Brings one month up to date. */
  async #bring(month: DatasetMonth, sizes: ReadonlyMap<string, number>): Promise<void> {
    const path = monthPath(month);
    const size = sizes.get(path);
    let known = this.#files.get(path);
    if (known === undefined || known.state !== month.state || known.bytes !== size) {
      known = await this.#unnamedFile(path, size) ?? known;
    }
    const isThere = known !== undefined && known.bytes === size;
    if (isThere && (known!.state === month.state || this.#isDropped(path))) {
      if (known!.told !== month.told && await this.#retell(month, known!)) return;
      if (known!.told === month.told) {
        this.#kept++;
        this.#note(known!);
        return;
      }
    }
    if (this.#options.isDryRun) {
      this.#written.push(path);
      return;
    }
    await this.#claim();
    const entry = await writeMonth(this.#options, month, {
      archive: this.#archive,
      known: isThere ? known : undefined,
    });
    if (entry === undefined) {
      if (this.#files.delete(path)) this.#removed.push(path);
      return;
    }
    this.#written.push(path);
    this.#rows += entry.rows;
    this.#note(entry);
    await this.#maybeReplace();
  }

  /** A file that a run wrote which ended before its manifest. */
  async #unnamedFile(
    path: string,
    size: number | undefined,
  ): Promise<DatasetFileEntry | undefined> {
    if (size === undefined) return undefined;
    const told = await readMonth(this.#options.place, path);
    const { id, copiedFrom } = this.#archive;
    const isOurs = told !== undefined && (told.archive === id || told.archive === copiedFrom) &&
      told.numbers === this.#options.numbers && told.file.bytes === size;
    return isOurs ? told.file : undefined;
  }

  async #retell(month: DatasetMonth, known: DatasetFileEntry): Promise<boolean> {
    if (this.#options.isDryRun) {
      this.#retold.push(known.path);
      return true;
    }
    await this.#claim();
    const entry = await retellMonth(this.#options, month, { archive: this.#archive, known });
    if (entry === undefined) return false;
    this.#retold.push(entry.path);
    this.#note(entry);
    await this.#maybeReplace();
    return true;
  }

  /** Whether RETENTION has dropped all of a month: who keeps files of it keeps them. */
  #isDropped(path: string): boolean {
    const month = monthOfPath(path);
    if (month === undefined) return false;
    const expiredMs = this.#archive.expiredMs[month.timeframe] ?? -Infinity;
    return expiredMs >= monthWindow(month.month, { sinceMs: null, untilMs: null }).untilMs;
  }

  async #remove(path: string): Promise<void> {
    this.#removed.push(path);
    if (this.#options.isDryRun) return;
    await this.#claim();
    this.#files.delete(path);
    await this.#options.place.remove(path);
    await this.#options.place.remove(besidePath(path));
  }

  /** Removes what a run has left that was killed: unfinished files, and files that it had no time to name. */
  async #sweep(sizes: ReadonlyMap<string, number>): Promise<void> {
    for (const path of sizes.keys()) {
      const isUnnamed = monthOfPath(path) !== undefined && !this.#files.has(path) &&
        !this.#removed.includes(path) && !this.#written.includes(path);
      if (isUnnamed) await this.#remove(path);
      else if (isUnfinished(path) && !this.#options.isDryRun) {
        await this.#options.place.remove(path);
      }
    }
  }

  #note(entry: DatasetFileEntry): void {
    if (this.#files.get(entry.path) !== entry && this.#isClaimed) this.#unnamed++;
    this.#files.set(entry.path, entry);
  }

  /** Before the first change: another program that writes here finds out by it. */
  async #claim(): Promise<void> {
    if (this.#isClaimed) return;
    this.#isClaimed = true;
    await this.#replaceManifest();
    await this.#refuseOneCase();
  }

  async #maybeReplace(): Promise<void> {
    if (this.#unnamed >= FILES_A_MANIFEST) await this.#replaceManifest();
  }

  async #replaceManifest(): Promise<void> {
    const { place, clock, numbers, program } = this.#options;
    const manifest: DatasetManifest = {
      schema: 1,
      program,
      archive: this.#archive.id,
      writtenAt: isoOf(clock.now()),
      numbers,
      choice: this.#choice(),
      files: [...this.#files.values()].sort((a, b) => a.path < b.path ? -1 : 1),
    };
    await place.replace(ROOT, manifestBytes({ list: "files", ...manifest }), this.#version);
    const written = await place.read(ROOT);
    if (written === undefined) throw otherWriter(place.name, ROOT);
    this.#version = written.version;
    this.#unnamed = 0;
  }

  /** @throws Error where names that differ in case alone are one: `timeframe=1m` and `timeframe=1M` would be. */
  async #refuseOneCase(): Promise<void> {
    const { place } = this.#options;
    if (await place.read(ROOT.toUpperCase()) === undefined) return;
    throw new Error(
      `Cannot write the dataset ${place.name}: its names differ by capital letters alone, as those of 1m and 1M, ` +
        "and this place does not tell them apart. Give another place",
    );
  }

  #choice(): DatasetManifest["choice"] {
    const { exchanges, symbols, timeframes, sinceMs, untilMs } = this.#options.choice;
    return {
      exchanges: [...exchanges].sort(),
      symbols: [...symbols].sort(),
      timeframes: [...timeframes].sort(),
      since: sinceMs === null ? null : isoOf(sinceMs),
      until: untilMs === null ? null : isoOf(untilMs),
    };
  }
}

/** What is chosen, as flags, for people and to compare. */
function flagsOf(numbers: string, choice: DatasetManifest["choice"]): string {
  const lists = ([["exchange", choice.exchanges], ["symbol", choice.symbols], [
    "timeframe",
    choice.timeframes,
  ]] as const).filter(([, names]) => names.length > 0)
    .map(([flag, names]) => `--${flag} ${names.join(",")}`);
  return [
    `--numbers ${numbers}`,
    ...lists,
    ...(choice.since === null ? [] : [`--since ${choice.since}`]),
    ...(choice.until === null ? [] : [`--until ${choice.until}`]),
  ].join(" ");
}

function isUnfinished(path: string): boolean {
  return /(^|\/)\.[^/]*\.unfinished$/.test(path);
}
