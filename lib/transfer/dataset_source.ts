/** What a dataset is made of, read from the archive: its months, and month by month the series with their candles. @module */
import { addCandles, ceilTime, parseTimeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import {
  type CandleColumns,
  DATASET_ROWS_MAX,
  readCandleColumns,
} from "../store/dataset_candles.ts";
import {
  type DatasetArchive,
  type DatasetChoice,
  type DatasetMonth,
  monthWindow,
  readDatasetArchive,
  readDatasetMonths,
  readSeriesMonths,
  type SeriesMonth,
} from "../store/dataset_months.ts";
import type { Database } from "../store/connection/database.ts";
import type { Numbers } from "./candle_parquet.ts";

/** Asks which months there are. */
interface MonthsRequest {
  readonly dataset: "months";
  readonly choice: DatasetChoice;
}

/** Asks for the series of one month. */
interface MonthRequest {
  readonly dataset: "month";
  readonly choice: DatasetChoice;
  readonly of: Pick<DatasetMonth, "timeframe" | "exchange" | "month">;
  /** How the candles' numbers are to be told; null to leave the candles out. */
  readonly numbers: Numbers | null;
  /** Whether to tell also of series whose candles of that time RETENTION has dropped. */
  readonly isExpired: boolean;
}

export type DatasetRequest = MonthsRequest | MonthRequest;

/**
 * Of the months: the archive, then the months. Of one month: each series with its candles behind it, and last the archive
 * again, as it was when all was read.
 */
export type DatasetPage =
  | { readonly archive: DatasetArchive }
  | { readonly months: readonly DatasetMonth[] }
  | { readonly series: SeriesMonth }
  | { readonly candles: CandleColumns };

/** Reads one kind of request, from the database or from the daemon that holds it. */
export type DatasetSource = (request: DatasetRequest) => AsyncGenerator<DatasetPage, void>;

/** So many months are sent at once. */
const MONTHS_AT_ONCE = 1_000;

/** Reads what was asked for, in short statements. @throws StoreError */
export async function* datasetPages(
  database: Database,
  request: DatasetRequest,
): AsyncGenerator<DatasetPage, void> {
  if (request.dataset === "month") {
    yield* monthPages(database, request);
    yield { archive: await readDatasetArchive(database) };
    return;
  }
  const months = await readDatasetMonths(database, request.choice);
  // Afterwards: a month that RETENTION has taken from them is known to be dropped.
  yield { archive: await readDatasetArchive(database) };
  for (let at = 0; at < months.length; at += MONTHS_AT_ONCE) {
    yield { months: months.slice(at, at + MONTHS_AT_ONCE) };
  }
}

/** The versions are read before the candles: what changes between is read, and its version differs the next time. */
async function* monthPages(
  database: Database,
  { of, choice, numbers, isExpired }: MonthRequest,
): AsyncGenerator<DatasetPage, void> {
  const { exchange, month } = of;
  const timeframe = parseTimeframe(of.timeframe);
  const all = await readSeriesMonths(database, { timeframe, exchange, month }, {
    ...choice,
    isExpired,
  });
  for (const series of all) {
    yield { series };
    if (numbers === null) continue;
    const { symbol } = series;
    let { sinceMs, untilMs }: Window = monthWindow(month, choice);
    sinceMs = ceilTime(timeframe, sinceMs);
    while (sinceMs < untilMs) {
      const nextMs = Math.min(untilMs, addCandles(timeframe, sinceMs, DATASET_ROWS_MAX));
      const candles = await readCandleColumns(database, { exchange, symbol, timeframe }, {
        numbers,
        sinceMs,
        untilMs: nextMs,
      });
      if (candles !== undefined) yield { candles };
      sinceMs = nextMs;
    }
  }
}
