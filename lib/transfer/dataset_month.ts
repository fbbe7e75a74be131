/** Writes the file of one month of a dataset, and beside it what it covers and why candles are missing. @module */
import type { Clock } from "../clock.ts";
import {
  type DatasetArchive,
  type DatasetChoice,
  type DatasetMonth,
  monthWindow,
} from "../store/dataset_months.ts";
import type { Numbers } from "./candle_parquet.ts";
import { type FormerFile, openCarried } from "./dataset_carried.ts";
import { datasetCandles } from "./dataset_columns.ts";
import { datasetFile, type WrittenFile } from "./dataset_file.ts";
import {
  besidePath,
  type DatasetFileEntry,
  formerPath,
  isoOf,
  manifestBytes,
  type MonthManifest,
  monthPath,
  parseMonth,
  type SeriesEntry,
} from "./dataset_manifest.ts";
import type { DatasetPlace } from "./dataset_place.ts";
import {
  addArchived,
  type Entry,
  newEntry,
  seriesEntry,
  tells,
  toldOf,
  withFormer,
  writeOlder,
} from "./dataset_series.ts";
import type { DatasetSource } from "./dataset_source.ts";

export interface MonthContext {
  readonly place: DatasetPlace;
  readonly source: DatasetSource;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly choice: DatasetChoice;
  readonly numbers: Numbers;
}

/** RETENTION drops candles only now and then: a month is read anew when it has done so meanwhile. */
const READS_MAX = 3;

/**
 * Writes a month. Candles that RETENTION has dropped since are taken from the file that is there.
 *
 * @returns undefined when it has no final candle yet: then there is no file.
 */
export async function writeMonth(
  context: MonthContext,
  month: DatasetMonth,
  { archive, ...files }: Omit<Attempt, "expiredMs">,
): Promise<DatasetFileEntry | undefined> {
  let expiredMs = archive.expiredMs[month.timeframe];
  for (let reads = 1;; reads++) {
    const result = await tryMonth(context, month, { archive, ...files, expiredMs });
    if (result.expiredMs === expiredMs) return result.entry;
    if (reads === READS_MAX) {
      throw new Error(
        `Cannot write ${
          monthPath(month)
        }: RETENTION drops candles of it while they are read. Run the command again`,
      );
    }
    expiredMs = result.expiredMs;
  }
}

interface Attempt {
  readonly archive: DatasetArchive;
  /** The file that is there; also one of which nothing is told, because a run ended before it told of it. */
  readonly former: FormerFile | undefined;
  /** Whether anything is there of this month. */
  readonly isThere: boolean;
  /** Called before anything is changed: not for a month without candles, of which nothing is there. */
  readonly onChange: () => Promise<void>;
  readonly expiredMs: number | undefined;
}

async function tryMonth(
  context: MonthContext,
  month: DatasetMonth,
  { archive, former, isThere, onChange, expiredMs }: Attempt,
): Promise<{ entry?: DatasetFileEntry | undefined; expiredMs: number | undefined }> {
  const { place, choice, numbers, signal } = context;
  const path = monthPath(month);
  const window = monthWindow(month.month, choice);
  const isExpired = expiredMs !== undefined && expiredMs > window.sinceMs;
  const carried = isExpired && former !== undefined
    ? await openCarried(place, former, { beforeMs: expiredMs, numbers })
    : undefined;
  const output = await place.write(path);
  try {
    const file = datasetFile(output, numbers);
    const entries: Entry[] = [];
    const pages = context.source({ dataset: "month", choice, of: month, numbers, isExpired });
    for await (const page of ahead(pages)) {
      signal.throwIfAborted();
      if ("series" in page) {
        await writeOlder(entries.at(-1), file);
        entries.push(newEntry(page.series, carried));
      } else if ("candles" in page) {
        const entry = entries.at(-1)!;
        const of = { ...month, symbol: entry.series.symbol };
        await addArchived(entry, datasetCandles(page.candles, { numbers, of }), file);
      } else if ("archive" in page) {
        await writeOlder(entries.at(-1), file);
        const now = page.archive.expiredMs[month.timeframe];
        const hasMoved = now !== expiredMs && (now ?? -Infinity) > window.sinceMs;
        if (hasMoved) return { expiredMs: now };
      }
    }
    const written = await file.finish();
    // Between two ranges of an archive there are many such months, in each run.
    if (written.rows === 0 && !isThere) return { entry: undefined, expiredMs };
    await onChange();
    if (carried !== undefined) await keepTold(place, path);
    // Without it the file says nothing of itself: if this ends before the next one is there, the month is written again.
    await place.remove(besidePath(path));
    if (written.rows === 0) {
      await place.remove(path);
      await place.remove(formerPath(path));
      return { entry: undefined, expiredMs };
    }
    await output.finish();
    const entry = entryOf(month, written);
    await tellMonth(context, {
      month,
      archive,
      entry,
      series: entries.map(seriesEntry).filter(tells),
    });
    if (carried !== undefined) await place.remove(formerPath(path));
    return { entry, expiredMs };
  } finally {
    await output.close();
  }
}

/** What was told of time that RETENTION has dropped is nowhere else while the file is replaced. */
async function keepTold(place: DatasetPlace, path: string): Promise<void> {
  const beside = await place.read(besidePath(path));
  if (beside === undefined) return;
  const output = await place.write(formerPath(path));
  try {
    await output.write(beside.bytes);
    await output.finish();
  } finally {
    await output.close();
  }
}

function entryOf(month: DatasetMonth, written: WrittenFile): DatasetFileEntry {
  const { series, state, told } = month;
  return { path: monthPath(month), ...written, series, state, told };
}

/** Writes anew only why candles are missing. Undefined when what is told there is not of the file: write that. */
export async function retellMonth(
  context: MonthContext,
  month: DatasetMonth,
  { archive, known }: { readonly archive: DatasetArchive; readonly known: DatasetFileEntry },
): Promise<DatasetFileEntry | undefined> {
  const former = await readMonth(context.place, known.path);
  if (former?.file.sha256 !== known.sha256) return undefined;
  const bySymbol = new Map(former.series.map((entry) => [entry.symbol, entry]));
  const isExpired = isExpiredAt(archive, month, context.choice);
  const series: SeriesEntry[] = [];
  const { choice } = context;
  for await (
    const page of context.source({ dataset: "month", choice, of: month, numbers: null, isExpired })
  ) {
    if (!("series" in page)) continue;
    const old = bySymbol.get(page.series.symbol);
    const { candles = 0, first = null, last = null } = old ?? {};
    const told = toldOf(page.series);
    series.push({
      ...told,
      candles,
      first,
      last,
      ...(isExpired && old !== undefined
        ? withFormer(told, old, archive.expiredMs[month.timeframe]!)
        : {}),
    });
  }
  const entry = { ...known, told: month.told };
  await tellMonth(context, { month, archive, entry, series });
  return entry;
}

function isExpiredAt(archive: DatasetArchive, month: DatasetMonth, choice: DatasetChoice): boolean {
  const expiredMs = archive.expiredMs[month.timeframe];
  return expiredMs !== undefined && expiredMs > monthWindow(month.month, choice).sinceMs;
}

/** What is told beside a file. */
export async function readMonth(
  place: DatasetPlace,
  path: string,
): Promise<MonthManifest | undefined> {
  const found = await place.read(besidePath(path));
  return found && parseMonth(found.bytes);
}

async function tellMonth(
  { place, clock, numbers }: MonthContext,
  { month, archive, entry, series }: {
    readonly month: DatasetMonth;
    readonly archive: DatasetArchive;
    readonly entry: DatasetFileEntry;
    readonly series: readonly SeriesEntry[];
  },
): Promise<void> {
  const output = await place.write(besidePath(entry.path));
  try {
    await output.write(manifestBytes({
      list: "series",
      schema: 1,
      archive: archive.id,
      timeframe: month.timeframe,
      exchange: month.exchange,
      month: month.month,
      numbers,
      writtenAt: isoOf(clock.now()),
      file: entry,
      series,
    }));
    await output.finish();
  } finally {
    await output.close();
  }
}

/** The pages, the next one asked for while one is worked on. */
async function* ahead<Page>(pages: AsyncGenerator<Page, void>): AsyncGenerator<Page, void> {
  let next = pages.next();
  try {
    for (;;) {
      const { value, done } = await next;
      if (done === true) return;
      next = pages.next();
      // Told by the next turn; here only so that it is not taken for unheard of.
      next.catch(() => {});
      yield value;
    }
  } finally {
    await next.catch(() => {});
    await pages.return();
  }
}
