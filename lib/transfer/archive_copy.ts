/**
 * Copies an archive from one database to another: the candles of each series, which are then compared, and the ledger. An
 * interrupted copy continues when it is started again.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { seriesName } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import { PAGE_ROWS_MAX, readCandlePage } from "../store/candle_pages.ts";
import { ensureCandleTables } from "../store/candle_table.ts";
import {
  archiveId,
  claimTarget,
  clearLedger,
  finishCopy,
  LEDGER_ROWS_MAX,
  noteCopied,
  readCopied,
  readExpiries,
  readLedgerRows,
  readRollupsHolding,
  readSourceSeries,
  readTimeframes,
  removeCopied,
  type SourceSeries,
  sumSeries,
  writeCopiedCandles,
  writeLedgerRows,
} from "../store/copy.ts";
import type { Database } from "../store/connection/database.ts";
import { LEDGER_TABLES } from "../store/ledger_tables.ts";
import { retryStore } from "../archive/store_retry.ts";

interface CopyOptions {
  readonly config: Pick<Config, "retry">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** The target's name for messages, without secrets. */
  readonly targetName: string;
  /** Called with the number of copied candles and of all candles. */
  readonly onProgress?: ((copied: number, candles: number) => void) | undefined;
}

export interface CopyReport {
  readonly series: number;
  readonly candles: number;
  /** How many of them an earlier start had copied. */
  readonly found: number;
  /** Number of copied rows of the ledger, by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Rollups with data of candles that `RETENTION` has dropped. That data is not in the copy. */
  readonly leftBehind: readonly string[];
}

/** Both have the same schema. No other process may write to them during the copy. */
interface Route {
  readonly source: Database;
  readonly target: Database;
}

/**
 * Copies the whole archive, except what the target computes itself: rollups, and the run times of policies.
 *
 * @throws StoreError `refused` when the target is neither empty nor an earlier start of this copy.
 * @throws Error when the copy of a series differs from its source.
 */
export async function copyArchive(
  { source, target }: Route,
  options: CopyOptions,
): Promise<CopyReport> {
  const withRetry = <T>(statements: () => Promise<T>): Promise<T> =>
    retryStore(statements, options);
  const id = await archiveId(source);
  await withRetry(() => claimTarget(target, id, options.targetName));
  const timeframes = await readTimeframes(source);
  await withRetry(() => ensureCandleTables(target, timeframes));
  const all = await readSourceSeries(source);
  const candles = all.reduce((sum, one) => sum + one.candles, 0);
  const copiedBefore = await withRetry(() => readCopied(target));
  let copied = 0;
  let found = 0;
  for (const one of all) {
    if (copiedBefore.get(seriesName(one.series)) === one.state) found += one.candles;
    else {
      await copySeries({ source, target }, one, {
        ...options,
        onProgress: (more) => options.onProgress?.(copied + more, candles),
      });
    }
    copied += one.candles;
    options.onProgress?.(copied, candles);
  }
  const rows = await copyLedger({ source, target }, options);
  const expiries = await readExpiries(source);
  await withRetry(() => finishCopy(target, expiries));
  return { series: all.length, candles, found, rows, leftBehind: await readRollupsHolding(source) };
}

/** Copies the candles of one series, reading one page ahead, and compares the result. */
async function copySeries(
  { source, target }: Route,
  { series, firstMs, lastMs, state }: SourceSeries,
  options: Omit<CopyOptions, "onProgress"> & { readonly onProgress: (copied: number) => void },
): Promise<void> {
  const { timeframe } = series;
  const withRetry = <T>(statements: () => Promise<T>): Promise<T> =>
    retryStore(statements, options);
  await withRetry(() => removeCopied(target, series));
  if (firstMs === undefined || lastMs === undefined) return;
  let writing = Promise.resolve();
  let copied = 0;
  for (let sinceMs = firstMs; sinceMs <= lastMs;) {
    const untilMs = addCandles(timeframe, sinceMs, PAGE_ROWS_MAX);
    // Wait for both before throwing, so that no statement is still running.
    const [read, written] = await Promise.allSettled([
      readCandlePage(source, series, { sinceMs, untilMs }),
      writing,
    ]);
    if (written.status === "rejected") throw written.reason;
    if (read.status === "rejected") throw read.reason;
    options.signal.throwIfAborted();
    const rows = read.value;
    writing = rows.length === 0
      ? Promise.resolve()
      : withRetry(() => writeCopiedCandles(target, series, rows)).then(() => {
        copied += rows.length;
        options.onProgress(copied);
      });
    sinceMs = untilMs;
  }
  await writing;
  const [here, arrived] = await Promise.all([
    sumSeries(source, series),
    withRetry(() => sumSeries(target, series)),
  ]);
  if (here.sums !== arrived.sums || here.candles !== arrived.candles) {
    throw new Error(
      `Cannot copy ${seriesName(series)}: the target has ${arrived.candles} candles, the source ` +
        `${here.candles}, and they are not the same. Stop other programs that write to either database`,
    );
  }
  await withRetry(() => noteCopied(target, series, state));
}

/** Copies the ledger. It is small, so an interrupted copy of it starts again from the beginning. */
async function copyLedger(
  { source, target }: Route,
  options: CopyOptions,
): Promise<Readonly<Record<string, number>>> {
  await retryStore(() => clearLedger(target), options);
  const counts: Record<string, number> = {};
  for (const table of Object.keys(LEDGER_TABLES)) {
    let after: string | undefined;
    let count = 0;
    for (;;) {
      options.signal.throwIfAborted();
      const rows = await readLedgerRows(source, table, after);
      // Without a retry: if the database had stored the page although the call failed, it would be stored twice.
      if (rows.length > 0) await writeLedgerRows(target, table, rows);
      count += rows.length;
      if (rows.length < LEDGER_ROWS_MAX) break;
      after = rows.at(-1);
    }
    counts[table] = count;
  }
  return counts;
}
