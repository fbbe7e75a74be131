/** Fetches one file that an exchange publishes, checks a sample of it against the exchange's API, and stores it. @module */
import type { FetchedFile } from "../exchange/archives/file_download.ts";
import { compareDecimals } from "../market/candle.ts";
import type { CandleRun } from "../market/candle_run.ts";
import { type Coverage, coverageCandles, intersect, isCovered, unite } from "../market/coverage.ts";
import type { Series } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import { retryStore } from "../archive/store_retry.ts";
import type { Archive } from "../archive/archive.ts";
import { storeByLease } from "../archive/asked_lease.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { coveredBy, prepareImportRun } from "../store/import_page.ts";
import { beginImport, endImport, writeImportPage } from "../store/import_write.ts";
import type { LeaseStamp } from "../store/lease_stamp.ts";
import type { ChosenFile } from "./history_choice.ts";

/**
 * Rows per statement. A month of minutes is three: few statements, and none so long that a poll of the series, which waits for
 * it, is late.
 */
const ROWS_MAX = 15_000;

/** What a file brought. */
export interface StoredFile {
  readonly answered: Coverage;
  /** How many of the owed candles. */
  readonly candles: number;
  readonly added: number;
}

interface SampleOptions {
  readonly markets: Markets;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks the exchange for one page at a random place of a file, and compares it candle by candle. Candles that the file lacks are
 * no difference: they stay owed.
 *
 * @returns in what they differ; undefined if they are the same.
 * @throws FetchError, DeadlineError, BreakerOpenError, MalformedPageError when the exchange did not answer.
 */
export async function findDifference(
  { random }: Pick<Archive, "random">,
  exchange: ArchivedExchange,
  { series, candles, ...options }: SampleOptions & {
    readonly series: Series;
    readonly candles: CandleRun;
  },
): Promise<string | undefined> {
  const { timeframe } = series;
  const rows = exchange.pageRowsMax(series);
  const { times } = candles;
  const sinceMs = times[Math.floor(random() * Math.max(1, times.length - rows + 1))];
  if (sinceMs === undefined) return undefined;
  const endMs = addCandles(timeframe, candles.lastMs, 1);
  const window = { sinceMs, untilMs: Math.min(endMs, addCandles(timeframe, sinceMs, rows)) };
  const answer = await exchange.askPage(series, window, { ...options, priority: "backfill" });
  const answered = answer.answered === undefined ? [] : intersect([answer.answered], [window]);
  if (!isCovered(answered, sinceMs)) {
    return "its API does not give these candles, so nothing proves the file";
  }
  const rejected = new Set(answer.rejected.map(({ openTimeMs }) => openTimeMs));
  const told = new Map(answer.candles.map((candle) => [candle.openTimeMs, candle]));
  for (const [index, openTimeMs] of times.entries()) {
    if (!isCovered(answered, openTimeMs) || rejected.has(openTimeMs)) continue;
    const candle = candles.candle(index);
    const other = told.get(openTimeMs);
    const at = new Date(openTimeMs).toISOString();
    if (other === undefined) return `it has a candle of ${at} that the API does not have`;
    const field = FIELDS.find((name) => !isSame(candle[name], other[name]));
    if (field !== undefined) {
      return `the ${field} of ${at} is ${candle[field]}, and by the API ${other[field]}`;
    }
  }
  return undefined;
}

const FIELDS = ["open", "high", "low", "close", "volume"] as const;

function isSame(one: string | null, other: string | null): boolean {
  return one === null || other === null ? one === other : compareDecimals(one, other) === 0;
}

/**
 * Stores the owed candles of a file: candles and coverage in one statement, with the file's address and hash beside them. Nothing
 * between the candles counts as covered. As of a page, nothing is stored if another program has found out that the symbol means
 * another market, or has forgotten the series.
 *
 * @throws StoreError; see `isOfOtherMarket` and `isFenced`
 */
export async function storeFile(
  archive: Archive,
  { chosen: { file, owed, marketId }, candles, sha256, stamp, signal }: {
    readonly chosen: ChosenFile;
    readonly candles: CandleRun;
    readonly sha256: FetchedFile["sha256"];
    /** The lease by which the file was asked for. */
    readonly stamp: LeaseStamp | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<StoredFile> {
  const { database, metrics } = archive;
  const { series } = file;
  const { exchange, symbol, timeframe } = series;
  const store = <T>(statement: () => Promise<T>): Promise<T> =>
    retryStore(statement, { ...archive, signal });
  const { id, expiredUntilMs } = await store(() =>
    beginImport(database, series, file.url, marketId)
  );
  const wanted = candles.only((openTimeMs) =>
    openTimeMs >= expiredUntilMs && isCovered(owed, openTimeMs)
  );
  let added = 0;
  let answered: Coverage = [];
  for (let from = 0; from < wanted.length; from += ROWS_MAX) {
    signal?.throwIfAborted();
    const to = Math.min(wanted.length, from + ROWS_MAX);
    const prepared = prepareImportRun(series, wanted, { replaces: false, from, to });
    // What is owed is hardly ever stored.
    const written = await storeByLease(
      archive,
      { exchange, symbol, stamp },
      () => store(() => writeImportPage(database, prepared, { id, isNew: true, marketId, stamp })),
    );
    added += written.added;
    answered = unite(answered, coveredBy(series, wanted.times.subarray(from, to)));
    metrics.candlesWritten.inc({ exchange }, written.added);
  }
  await store(() => endImport(database, series, { id, sha256, claimed: [] }));
  return { answered, candles: coverageCandles(timeframe, answered), added };
}
