/** Candles of a dataset's file that the archive has no longer, for the file that takes its place. @module */
import type { Numbers } from "./candle_parquet.ts";
import { VALUES } from "./candle_parquet.ts";
import type { DatasetCandles } from "./dataset_columns.ts";
import {
  besidePath,
  type DatasetFileEntry,
  formerPath,
  type MonthManifest,
  parseMonth,
  type SeriesEntry,
} from "./dataset_manifest.ts";
import { errorText } from "../text/redact.ts";
import type { DatasetPlace } from "./dataset_place.ts";

export interface CarriedCandles {
  /** Candles before this time are carried. */
  readonly beforeMs: number;
  candlesOf(symbol: string): AsyncGenerator<DatasetCandles, void>;
  /** What was told of a series; undefined where nothing was. */
  toldOf(symbol: string): SeriesEntry | undefined;
}

/** A file that is there. */
export interface FormerFile extends Pick<DatasetFileEntry, "path" | "bytes"> {
  /** Undefined where nothing is told of it. */
  readonly sha256: string | undefined;
}

/** Opens the file. @throws Error when it cannot be read: then it is all that is left of these candles, and stays */
export async function openCarried(
  place: DatasetPlace,
  former: FormerFile,
  options: { readonly beforeMs: number; readonly numbers: Numbers },
): Promise<CarriedCandles> {
  const { path } = former;
  // What the place says of itself stays as it is.
  let ofPlace: unknown;
  const slice = async (start: number, end: number): Promise<Uint8Array<ArrayBuffer>> => {
    return await place.slice(path, start, end).catch((error) => {
      ofPlace = error;
      throw error;
    });
  };
  const told = await toldBefore(place, former);
  try {
    return await openFormer(slice, former, { ...options, told });
  } catch (error) {
    if (error === ofPlace) throw error;
    throw new Error(
      `Cannot read ${path} of the dataset ${place.name}: ${
        errorText(error)
      }. It may be all that is left of candles ` +
        "that RETENTION has dropped. Bring it back from a copy, or remove it to write what the archive still has",
      { cause: error },
    );
  }
}

/** What was told of a file; where a run ended before it told of it, what was told of the one before. */
async function toldBefore(
  place: DatasetPlace,
  { path, sha256 }: FormerFile,
): Promise<MonthManifest | undefined> {
  const beside = await place.read(besidePath(path));
  const told = beside && parseMonth(beside.bytes);
  if (told !== undefined) return told.file.sha256 === sha256 ? told : undefined;
  const before = await place.read(formerPath(path));
  return before && parseMonth(before.bytes);
}

async function openFormer(
  slice: (start: number, end: number) => Promise<Uint8Array<ArrayBuffer>>,
  { bytes }: FormerFile,
  { beforeMs, numbers, told }: {
    readonly beforeMs: number;
    readonly numbers: Numbers;
    readonly told: MonthManifest | undefined;
  },
): Promise<CarriedCandles> {
  const { parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const file = {
    byteLength: bytes,
    slice: async (start: number, end = bytes): Promise<ArrayBuffer> =>
      (await slice(start < 0 ? bytes + start : start, end)).buffer,
  };
  const metadata = await parquetMetadataAsync(file);
  // Decimals and times as they are in the file.
  for (const element of metadata.schema) {
    if (element.name === "symbol") continue;
    delete element.converted_type;
    delete element.logical_type;
  }
  const series = new Map(told?.series.map((entry) => [entry.symbol, entry]));
  const groups: {
    readonly rowStart: number;
    readonly rowEnd: number;
    readonly symbols: Set<string>;
  }[] = [];
  let rowStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows);
    const rows = await parquetReadObjects({
      file,
      metadata,
      columns: ["symbol"],
      rowStart,
      rowEnd,
    });
    groups.push({ rowStart, rowEnd, symbols: new Set(rows.map(({ symbol }) => symbol as string)) });
    rowStart = rowEnd;
  }
  return {
    beforeMs,
    toldOf: (symbol) => series.get(symbol),
    async *candlesOf(symbol): AsyncGenerator<DatasetCandles, void> {
      for (const { rowStart, rowEnd, symbols } of groups) {
        if (!symbols.has(symbol)) continue;
        const { compressors } = await import("hyparquet-compressors");
        const rows = (await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd }))
          .filter((row) => row.symbol === symbol && Number(row.time) < beforeMs);
        yield {
          rows: rows.length,
          times: BigInt64Array.from(rows, ({ time }) => time as bigint),
          values: VALUES.map((name) =>
            numbers === "double"
              ? Float64Array.from(rows, (row) => row[name] as number | null ?? NaN)
              : rows.map((row) => row[name] as Uint8Array | null ?? null)
          ),
        };
      }
    },
  };
}

/**
 * The candles of a symbol before the time that RETENTION has reached, by time: those of the file, and those that came to the
 * archive once more, as the neighbour of a gap does. Of a candle that both have, the archive's counts.
 */
export async function* olderCandles(
  carried: CarriedCandles,
  symbol: string,
  again: readonly DatasetCandles[],
): AsyncGenerator<DatasetCandles, void> {
  if (again.length === 0) {
    yield* carried.candlesOf(symbol);
    return;
  }
  const newest = new Map<bigint, { readonly piece: DatasetCandles; readonly at: number }>();
  for (const piece of [...await Array.fromAsync(carried.candlesOf(symbol)), ...again]) {
    piece.times.forEach((time, at) => newest.set(time, { piece, at }));
  }
  const times = BigInt64Array.from(newest.keys()).sort();
  yield {
    rows: times.length,
    times,
    values: VALUES.map((_, column) => {
      const all = Array.from(times, (time) => {
        const { piece, at } = newest.get(time)!;
        return piece.values[column]![at]!;
      });
      return typeof all.find((value) => value !== null) === "number"
        ? Float64Array.from(all as number[])
        : all as (Uint8Array | null)[];
    }),
  };
}

/** Candles before a time, and those from it on. */
export function splitAt(
  { rows, times, values }: DatasetCandles,
  timeMs: number,
): readonly [DatasetCandles, DatasetCandles] {
  const found = times.findIndex((time) => Number(time) >= timeMs);
  const at = found < 0 ? rows : found;
  const part = (from: number, to: number): DatasetCandles => ({
    rows: to - from,
    times: times.slice(from, to),
    values: values.map((column) => column.slice(from, to)),
  });
  return [part(0, at), part(at, rows)];
}
