/** A series of a dataset's month while its candles are written, and what is told of it. @module */
import type { SeriesMonth } from "../store/dataset_months.ts";
import { type CarriedCandles, olderCandles, splitAt } from "./dataset_carried.ts";
import type { DatasetCandles } from "./dataset_columns.ts";
import type { datasetFile } from "./dataset_file.ts";
import { isoOf, type SeriesEntry } from "./dataset_manifest.ts";

/** A series while its candles are written. */
export interface Entry {
  readonly series: SeriesMonth;
  /** Undefined once its candles are written. */
  older: { readonly carried: CarriedCandles; readonly again: DatasetCandles[] } | undefined;
  readonly carried: CarriedCandles | undefined;
  candles: number;
  firstMs: number | undefined;
  lastMs: number | undefined;
}

type File = ReturnType<typeof datasetFile>;

export function newEntry(series: SeriesMonth, carried: CarriedCandles | undefined): Entry {
  const older = carried && { carried, again: [] };
  return { series, older, carried, candles: 0, firstMs: undefined, lastMs: undefined };
}

/** Writes the candles that come before all that the archive has kept, where that is not done. */
export async function writeOlder(entry: Entry | undefined, file: File): Promise<void> {
  if (entry?.older === undefined) return;
  const { carried, again } = entry.older;
  entry.older = undefined;
  for await (const candles of olderCandles(carried, entry.series.symbol, again)) {
    await addCandles(entry, candles, file);
  }
}

export async function addArchived(
  entry: Entry,
  candles: DatasetCandles,
  file: File,
): Promise<void> {
  if (entry.older === undefined) return await addCandles(entry, candles, file);
  const [again, kept] = splitAt(candles, entry.older.carried.beforeMs);
  if (again.rows > 0) entry.older.again.push(again);
  if (kept.rows === 0) return;
  await writeOlder(entry, file);
  await addCandles(entry, kept, file);
}

async function addCandles(entry: Entry, candles: DatasetCandles, file: File): Promise<void> {
  if (candles.rows === 0) return;
  entry.candles += candles.rows;
  entry.firstMs ??= Number(candles.times[0]);
  entry.lastMs = Number(candles.times.at(-1));
  await file.write(entry.series.symbol, candles);
}

export function seriesEntry({ series, carried, candles, firstMs, lastMs }: Entry): SeriesEntry {
  const told = toldOf(series);
  const former = carried?.toldOf(series.symbol);
  return {
    ...told,
    candles,
    first: firstMs === undefined ? null : isoOf(firstMs),
    last: lastMs === undefined ? null : isoOf(lastMs),
    ...(former === undefined ? {} : withFormer(told, former, carried!.beforeMs)),
  };
}

export function tells({ candles, covered, holes }: SeriesEntry): boolean {
  return candles > 0 || covered.length > 0 || holes.length > 0;
}

type Told = Omit<SeriesEntry, "candles" | "first" | "last">;

export function toldOf({ symbol, version, covered, holes, units }: SeriesMonth): Told {
  return {
    symbol,
    version,
    covered: covered.map(([since, until]): [string, string] => [isoOf(since), isoOf(until)]),
    holes: holes.map(([since, until, missing, reason]) => ({
      since: isoOf(since),
      until: isoOf(until),
      missing,
      reason,
    })),
    volume: units.map(([since, counts, contractSize, kind]) => ({
      since: isoOf(since),
      counts: counts as SeriesEntry["volume"][number]["counts"],
      contractSize,
      kind,
    })),
  };
}

/** Of the time that RETENTION has dropped, what was told before holds; of later time, what is told now. */
export function withFormer(
  told: Told,
  former: SeriesEntry,
  beforeMs: number,
): Pick<SeriesEntry, "covered" | "holes"> {
  const before = isoOf(beforeMs);
  const older = former.covered.filter(([since]) => since < before)
    .map(([since, until]): [string, string] => [since, until < before ? until : before]);
  const kept = told.covered.filter(([, until]) => until > before)
    .map(([since, until]): [string, string] => [since > before ? since : before, until]);
  const [last, next] = [older.at(-1), kept[0]];
  const covered = last !== undefined && next !== undefined && next[0] <= last[1]
    ? [...older.slice(0, -1), [last[0], next[1]] as [string, string], ...kept.slice(1)]
    : [...older, ...kept];
  return {
    covered,
    holes: [
      ...former.holes.filter(({ since }) => since < before),
      ...told.holes.filter(({ since }) => since >= before),
    ],
  };
}
