/**
 * Carries an archive from one database to another: candles series by series, then the ledger, and then both are compared.
 * Stopped half way, it goes on when it is started again.
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
  LEDGER_TABLES,
  noteCopied,
  readCopied,
  readExpiries,
  readLedgerRows,
  readRollupsHolding,
  readSourceSeries,
  readTimeframes,
  removeOutside,
  type SourceSeries,
  sumSeries,
  writeCopiedCandles,
  writeLedgerRows,
} from "../store/copy.ts";
import type { Database } from "../store/connection/database.ts";
import { retryStore } from "./store_retry.ts";

interface CopyOptions {
  readonly config: Pick<Config, "retry">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Where to, as people may see it. */
  readonly targetName: string;
  /** Told how many candles are in the copy, and how many there are. */
  readonly onProgress?: ((copied: number, candles: number) => void) | undefined;
}

export interface CopyReport {
  readonly series: number;
  readonly candles: number;
  /** Of these, those that were there from an earlier start. */
  readonly found: number;
  /** Rows of the ledger, by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Rollups that hold what `RETENTION` has dropped from the candles, which is not in the copy. */
  readonly leftBehind: readonly string[];
}

/** Both have the same schema. Nobody else writes to either. */
interface Route {
  readonly source: Database;
  readonly target: Database;
}

/**
 * Copies all there is. What the target works out by itself is not copied: rollups, and when policies ran.
 *
 * @throws StoreError `refused` when the target holds anything but an earlier start of this copy.
 * @throws Error when a series has not arrived as it is.
 */
export async function copyArchive(
  { source, target }: Route,
  options: CopyOptions,
): Promise<CopyReport> {
  const keep = <T>(statements: () => Promise<T>): Promise<T> => retryStore(statements, options);
  const id = await archiveId(source);
  await keep(() => claimTarget(target, id, options.targetName));
  const timeframes = await readTimeframes(source);
  await keep(() => ensureCandleTables(target, timeframes));
  const all = await readSourceSeries(source);
  const candles = all.reduce((sum, one) => sum + one.candles, 0);
  const there = await keep(() => readCopied(target));
  let copied = 0;
  let found = 0;
  for (const one of all) {
    if (there.get(seriesName(one.series)) === one.state) found += one.candles;
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
  await keep(() => finishCopy(target, expiries));
  return { series: all.length, candles, found, rows, leftBehind: await readRollupsHolding(source) };
}

/** Copies the candles of one series, reading ahead by a page, and compares what has arrived. */
async function copySeries(
  { source, target }: Route,
  { series, firstMs, lastMs, state }: SourceSeries,
  options: Omit<CopyOptions, "onProgress"> & { readonly onProgress: (copied: number) => void },
): Promise<void> {
  if (firstMs === undefined || lastMs === undefined) return;
  const { timeframe } = series;
  const keep = <T>(statements: () => Promise<T>): Promise<T> => retryStore(statements, options);
  await keep(() => removeOutside(target, series, { firstMs, lastMs }));
  let writing = Promise.resolve();
  let copied = 0;
  for (let sinceMs = firstMs; sinceMs <= lastMs;) {
    const untilMs = addCandles(timeframe, sinceMs, PAGE_ROWS_MAX);
    // Both are waited for before either fails, so that no statement is left behind.
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
      : keep(() => writeCopiedCandles(target, series, rows)).then(() => {
        copied += rows.length;
        options.onProgress(copied);
      });
    sinceMs = untilMs;
  }
  await writing;
  const [here, arrived] = await Promise.all([
    sumSeries(source, series),
    keep(() => sumSeries(target, series)),
  ]);
  if (here.sums !== arrived.sums || here.candles !== arrived.candles) {
    throw new Error(
      `Cannot copy ${seriesName(series)}: ${arrived.candles} candles have arrived of ` +
        `${here.candles}, and they do not come to the same. Is somebody else writing to either?`,
    );
  }
  await keep(() => noteCopied(target, series, state));
}

/** The ledger is small beside the candles, and so it is copied as a whole, or begun anew. */
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
      // Not sent twice: a page that was taken without our knowing would be there twice.
      if (rows.length > 0) await writeLedgerRows(target, table, rows);
      count += rows.length;
      if (rows.length < LEDGER_ROWS_MAX) break;
      after = rows.at(-1);
    }
    counts[table] = count;
  }
  return counts;
}
