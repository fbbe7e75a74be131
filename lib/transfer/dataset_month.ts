/** Writes the file of one month of a dataset, and beside it what it covers and why candles are missing. @module */
import type { Clock } from "../clock.ts";
import {
  type DatasetArchive,
  type DatasetChoice,
  type DatasetMonth,
  monthWindow,
  type SeriesMonth,
} from "../store/dataset_months.ts";
import type { Numbers } from "./candle_parquet.ts";
import { type CarriedCandles, type FormerFile, openCarried } from "./dataset_carried.ts";
import { type DatasetCandles, datasetCandles } from "./dataset_columns.ts";
import { datasetFile, type WrittenFile } from "./dataset_file.ts";
import {
  besidePath,
  type DatasetFileEntry,
  isoOf,
  manifestBytes,
  type MonthManifest,
  monthPath,
  parseMonth,
  type SeriesEntry,
} from "./dataset_manifest.ts";
import type { DatasetPlace } from "./dataset_place.ts";
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
        entries.push(await beginSeries(page.series, { carried, file }));
      } else if ("candles" in page) {
        const entry = entries.at(-1)!;
        const of = { ...month, symbol: entry.series.symbol };
        await addCandles(entry, datasetCandles(page.candles, { numbers, of }), file);
      } else if ("archive" in page) {
        const now = page.archive.expiredMs[month.timeframe];
        const hasMoved = now !== expiredMs && (now ?? -Infinity) > window.sinceMs;
        if (hasMoved) return { expiredMs: now };
      }
    }
    const written = await file.finish();
    // Between two ranges of an archive there are many such months, in each run.
    if (written.rows === 0 && !isThere) return { entry: undefined, expiredMs };
    await onChange();
    // Without it the file says nothing of itself: if this ends before the next one is there, the month is written again.
    await place.remove(besidePath(path));
    if (written.rows === 0) {
      await place.remove(path);
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
    return { entry, expiredMs };
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

/** A series while its candles are written. */
interface Entry {
  readonly series: SeriesMonth;
  readonly carried: CarriedCandles | undefined;
  candles: number;
  firstMs: number | undefined;
  lastMs: number | undefined;
}

type File = ReturnType<typeof datasetFile>;

async function beginSeries(
  series: SeriesMonth,
  { carried, file }: { readonly carried: CarriedCandles | undefined; readonly file: File },
): Promise<Entry> {
  const entry: Entry = { series, carried, candles: 0, firstMs: undefined, lastMs: undefined };
  for await (const candles of carried?.candlesOf(series.symbol) ?? []) {
    await addCandles(entry, candles, file);
  }
  return entry;
}

async function addCandles(entry: Entry, candles: DatasetCandles, file: File): Promise<void> {
  if (candles.rows === 0) return;
  entry.candles += candles.rows;
  entry.firstMs ??= Number(candles.times[0]);
  entry.lastMs = Number(candles.times.at(-1));
  await file.write(entry.series.symbol, candles);
}

function seriesEntry({ series, carried, candles, firstMs, lastMs }: Entry): SeriesEntry {
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

function tells({ candles, covered, holes }: SeriesEntry): boolean {
  return candles > 0 || covered.length > 0 || holes.length > 0;
}

type Told = Omit<SeriesEntry, "candles" | "first" | "last">;

function toldOf({ symbol, version, covered, holes, units }: SeriesMonth): Told {
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
function withFormer(
  told: Told,
  former: SeriesEntry,
  beforeMs: number,
): Pick<SeriesEntry, "covered" | "holes"> {
  const before = isoOf(beforeMs);
  const older = former.covered.filter(([since]) => since < before)
    .map(([since, until]): [string, string] => [since, until < before ? until : before]);
  const [last, next] = [older.at(-1), told.covered[0]];
  const covered = last !== undefined && next !== undefined && next[0] <= last[1]
    ? [...older.slice(0, -1), [last[0], next[1]] as [string, string], ...told.covered.slice(1)]
    : [...older, ...told.covered];
  return {
    covered,
    holes: [
      ...former.holes.filter(({ since }) => since < before),
      ...told.holes.filter(({ since }) => since >= before),
    ],
  };
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
