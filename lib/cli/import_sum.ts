/** Adds up what comes of each table of an import of files. @module */
import { type Coverage, coverageCandles, subtract } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import { errorText } from "../text/redact.ts";
import type { ImportReport } from "../transfer/candle_import.ts";
import type { LeftOutFiles, RefusedFile } from "../transfer/file_list.ts";
import type { TakenTable } from "../transfer/import_batch.ts";
import type { RowPlace } from "../transfer/import_places.ts";

/** How many of each kind are told. */
export const TOLD_MAX = 3;

/** How many refused files the JSON names: more is no list that anybody reads. */
const REFUSED_MAX = 1_000;

/** What may become of a row: a row is counted once. */
export const ROW_COUNTS = [
  "added",
  "same",
  "replaced",
  "conflicts",
  "rejected",
  "unclosed",
  "blank",
  "expired",
  "outside",
] as const;

export type RowCounts = Readonly<Record<"rows" | (typeof ROW_COUNTS)[number], number>>;

/** The result for one series, of all files. */
export type SeriesReport = Omit<ImportReport, "id">;

/** Where a row is, in words. */
export interface ToldPlace {
  readonly file: string;
  readonly place: string;
  readonly series: string;
  readonly time: string | null;
  readonly reason: string;
}

/** One series, of all its files. */
interface SeriesSum {
  report: SeriesReport;
  tables: number;
  /** The first of its files, by name. */
  readonly file: string;
}

/** Adds up what comes of each table. Holds little of each, however many they are. */
export class ImportSum {
  /** How many files were to be read. */
  readonly files: number;
  /** How many of them were read to their end. */
  filesDone = 0;
  /** How many tables were taken. */
  tables = 0;
  /** How many of them were imported before. */
  known = 0;
  /** How many files and tables were refused. */
  refusals = 0;
  /** How many tables have a last line that was left out. */
  cuts = 0;
  readonly refused: RefusedFile[] = [];
  /** The first of each kind. */
  readonly conflicts: ToldPlace[] = [];
  readonly rejected: ToldPlace[] = [];
  readonly cut: Pick<ToldPlace, "file" | "place">[] = [];
  readonly leftOut: { count: number; readonly first: string[] };
  readonly #series = new Map<string, SeriesSum>();
  #lastRefused: { readonly error: unknown } | undefined;

  constructor(files: number, leftOut: LeftOutFiles) {
    this.files = files;
    this.leftOut = { count: leftOut.count, first: [...leftOut.first] };
  }

  get series(): readonly Readonly<SeriesSum>[] {
    return [...this.#series.values()];
  }

  /** Over all series. */
  get total(): RowCounts {
    const total = { rows: 0, ...NONE };
    for (const { report } of this.#series.values()) addCounts(total, report);
    return total;
  }

  take(table: TakenTable): void {
    this.tables++;
    if (table.isKnown) this.known++;
    for (const report of table.reports) this.#add(report, table.file);
    for (const row of table.conflicts) keep(this.conflicts, placeOf(table, row));
    for (const row of table.rejected) keep(this.rejected, placeOf(table, row));
    const { cutLine } = table.candles;
    if (cutLine === undefined) return;
    this.cuts++;
    keep(this.cut, { file: table.path, place: table.place(cutLine) });
  }

  /** The error of the only file, if nothing of it was taken. */
  get refusedAlone(): { readonly error: unknown } | undefined {
    return this.tables === 0 && this.refusals === 1 && this.files <= 1
      ? this.#lastRefused
      : undefined;
  }

  refuse(path: string, error: unknown): void {
    this.refusals++;
    this.#lastRefused = { error };
    if (this.refused.length === REFUSED_MAX) return;
    this.refused.push({ path, reason: errorText(error) });
  }

  leaveOut(path: string): void {
    this.leftOut.count++;
    keep(this.leftOut.first, path);
  }

  /** Works out anew what is owed of series that several files brought, from what is covered now. */
  settleOwed(coverageOf: (series: Series) => Coverage): void {
    for (const one of this.#series.values()) {
      const { series, firstMs, lastMs } = one.report;
      if (one.tables === 1 || firstMs === undefined || lastMs === undefined) continue;
      const { timeframe } = series;
      const window = { sinceMs: firstMs, untilMs: addCandles(timeframe, lastMs, 1) };
      const owed = coverageCandles(timeframe, subtract([window], coverageOf(series)));
      one.report = { ...one.report, owed };
    }
  }

  #add({ id: _, ...report }: ImportReport, file: string): void {
    const name = seriesName(report.series);
    const known = this.#series.get(name);
    if (known === undefined) {
      this.#series.set(name, { report, tables: 1, file });
      return;
    }
    const { report: before } = known;
    const counts = { ...before };
    addCounts(counts, report);
    known.tables++;
    known.report = {
      ...counts,
      owed: before.owed + report.owed,
      firstMs: leastOf(before.firstMs, report.firstMs),
      lastMs: mostOf(before.lastMs, report.lastMs),
    };
  }
}

const NONE = Object.fromEntries(ROW_COUNTS.map((name) => [name, 0])) as Omit<RowCounts, "rows">;

function addCounts(sum: Record<keyof RowCounts, number>, counts: RowCounts): void {
  for (const name of ["rows", ...ROW_COUNTS] as const) sum[name] += counts[name];
}

function keep<T>(told: T[], one: T): void {
  if (told.length < TOLD_MAX) told.push(one);
}

function placeOf(
  { path, place }: Pick<TakenTable, "path" | "place">,
  { line, series, timeMs, why }: RowPlace,
): ToldPlace {
  return {
    file: path,
    place: place(line),
    series: seriesName(series),
    time: iso(timeMs),
    reason: why,
  };
}

function iso(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}

function leastOf(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined ? other : other === undefined ? one : Math.min(one, other);
}

function mostOf(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined ? other : other === undefined ? one : Math.max(one, other);
}
