/** Reads files as an import would, and stores nothing. @module */
import { type Candle, checkRow } from "../market/candle.ts";
import { priceOf } from "../market/price.ts";
import { type Series, seriesName } from "../market/series.ts";
import { closedUntil } from "../market/timeframe.ts";
import { type CandleFile, type FileOptions, readCandleFile } from "./candle_file.ts";
import type { ListedFile } from "./file_list.ts";
import { openTables } from "./open_tables.ts";
import { PLACES_MAX, type RowPlace } from "./import_places.ts";

/** What a table holds, as it was understood. */
export interface TriedTable {
  /** As people call it. */
  readonly path: string;
  readonly place: (line: number) => string;
  readonly candles: CandleFile;
  readonly series: readonly TriedSeries[];
  /** The first rows that would be rejected. */
  readonly rejected: readonly RowPlace[];
}

interface TriedSeries {
  readonly series: Series;
  readonly rows: number;
  /** Rows that would be stored, or compared with what is stored. */
  readonly candles: number;
  readonly rejected: number;
  readonly unclosed: number;
  readonly blank: number;
  readonly outside: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  readonly first: readonly Candle[];
}

interface TrialOptions {
  readonly format: FileOptions;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  readonly nowMs: number;
  readonly input: ReadableStream<Uint8Array>;
  readonly signal: AbortSignal;
  readonly onTried: (table: TriedTable) => void;
  readonly onRefused: (path: string, error: unknown) => void;
  readonly onLeftOut: (path: string, why: string) => void;
}

/** Reads the files, one after the other. @throws the reason of `signal` */
export async function tryFiles(
  files: readonly ListedFile[],
  options: TrialOptions,
): Promise<void> {
  const { signal, input, onLeftOut, onRefused } = options;
  for (const { path } of files) {
    signal.throwIfAborted();
    try {
      const tables = openTables(path, {
        input: path === "-" ? input : undefined,
        signal,
        onLeftOut,
      });
      for await (const table of tables) {
        try {
          const candles = await readCandleFile(table, options.format);
          const tried = await tryRows(candles, options);
          options.onTried({ path: table.path, place: table.place, candles, ...tried });
        } catch (error) {
          signal.throwIfAborted();
          onRefused(table.path, error);
        } finally {
          await table.close();
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      onRefused(path, error);
    }
  }
}

class Tally {
  readonly count = { rows: 0, candles: 0, rejected: 0, unclosed: 0, blank: 0, outside: 0 };
  readonly first: Candle[] = [];
  firstMs: number | undefined;
  lastMs: number | undefined;

  constructor(readonly series: Series) {}
}

async function tryRows(
  candles: CandleFile,
  { sinceMs = -Infinity, untilMs = Infinity, nowMs }: TrialOptions,
): Promise<Pick<TriedTable, "series" | "rejected">> {
  const tallies = new Map<string, Tally>();
  const places: RowPlace[] = [];
  for await (const { series, row, state, line = 0 } of candles.rows()) {
    const name = seriesName(series);
    const tally = tallies.get(name) ?? new Tally(series);
    tallies.set(name, tally);
    const { count } = tally;
    count.rows++;
    if (state !== "candle") {
      count[state]++;
      continue;
    }
    const { candle, rejected } = checkRow(series.timeframe, row, priceOf(series.symbol));
    const timeMs = candle?.openTimeMs ?? rejected?.openTimeMs;
    if (timeMs !== undefined && (timeMs < sinceMs || timeMs >= untilMs)) count.outside++;
    else if (timeMs !== undefined && timeMs >= closedUntil(series.timeframe, nowMs)) {
      count.unclosed++;
    } else if (candle === undefined) {
      count.rejected++;
      if (places.length === PLACES_MAX) continue;
      places.push({ series, line, timeMs, why: rejected.reason.replaceAll("_", " ") });
    } else {
      count.candles++;
      if (tally.first.length < ROWS_SHOWN) tally.first.push(candle);
      tally.firstMs = Math.min(tally.firstMs ?? Infinity, candle.openTimeMs);
      tally.lastMs = Math.max(tally.lastMs ?? -Infinity, candle.openTimeMs);
    }
  }
  const series = [...tallies.values()].map(({ series, count, first, firstMs, lastMs }) => ({
    series,
    ...count,
    first,
    firstMs,
    lastMs,
  }));
  return { series, rejected: places };
}

/** How many rows are shown as they are understood. */
const ROWS_SHOWN = 3;
