/**
 * Imports candles from a file, with the same checks as for candles of an exchange. A file covers only the candles in it,
 * and nothing between them, unless the user says that it is complete. Stored candles are kept, unless the user asks to
 * replace them.
 * @module
 */
import type { Config } from "../config/config.ts";
import type { Clock } from "../clock.ts";
import { type Candle, checkRow, type RejectedCandle } from "../market/candle.ts";
import { type Coverage, coverageCandles, coverageOf, subtract } from "../market/coverage.ts";
import { priceOf } from "../market/price.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles, ceilTime, closedUntil } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { readSettling } from "../store/capabilities.ts";
import { ensureCandleTables } from "../store/candle_table.ts";
import { setCompressionPolicy } from "../store/compression.ts";
import type { Database } from "../store/connection/database.ts";
import {
  beginImport,
  type BegunImport,
  endImport,
  type ImportPage,
  writeImportPage,
} from "../store/import_write.ts";
import { retryStore } from "../archive/store_retry.ts";

/** A row of a file: `[time, open, high, low, close, volume]`, the time in milliseconds if it could be parsed. */
export interface FileRow {
  readonly series: Series;
  readonly row: readonly unknown[];
  /** Rows of candles that had not closed are left out, and so are rows without values: at that time there is none. */
  readonly state: "candle" | "unclosed" | "blank";
}

interface ImportOptions {
  /** The file's name in the table `imports`. */
  readonly file: string;
  /** Rows before `sinceMs`, or at or after `untilMs`, are left out. Milliseconds. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /**
   * Whether candles that are missing in the file do not exist: between `sinceMs` and `untilMs`, or else between the
   * file's first and last candle.
   */
  readonly isComplete: boolean;
  /** Whether the last line of the file was left out because it may be cut. @default false */
  readonly isCut?: boolean | undefined;
  /** Whether to replace stored candles that differ. The old values go to `candle_revisions`. */
  readonly replaces: boolean;
  readonly signal: AbortSignal;
  /** The file's hash, called after all rows were read. Hexadecimal. */
  readonly sha256: () => string;
  /** Called with the number of rows read so far. */
  readonly onRows?: ((rows: number) => void) | undefined;
}

/** The result for one series. */
export interface ImportReport {
  readonly series: Series;
  readonly rows: number;
  /** Rows before `since`, or at or after `until`. */
  readonly outside: number;
  /** Rows of candles that had not closed, or so lately that they may still change. */
  readonly unclosed: number;
  /** Rows that hold a time and no values. */
  readonly blank: number;
  /** Rows older than what `RETENTION` keeps. */
  readonly expired: number;
  readonly rejected: number;
  readonly added: number;
  readonly replaced: number;
  /** Candles already stored with other values. The stored ones were kept. */
  readonly conflicts: number;
  /** Candles already stored with the same values. */
  readonly same: number;
  /** Candles between the file's first and last one that are not covered. */
  readonly owed: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
}

interface ImportContext {
  readonly config: Pick<Config, "retry" | "compressAfterMs">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly database: Database;
  readonly hasTimescaledb: boolean;
}

/** Most rows in memory, of all series together. */
const ROWS_MAX = 10_000;

/** Most times of unclosed candles in memory. A file has some where it was joined from several; with more, nothing is claimed. */
const UNCLOSED_MAX = 10_000;

/**
 * Imports a file's rows, in any order and of any number of series. An interrupted import can be started again: rows that
 * are stored already count as `same`.
 *
 * @throws StoreError
 */
export async function importRows(
  context: ImportContext,
  rows: AsyncIterable<FileRow>,
  options: ImportOptions,
): Promise<readonly ImportReport[]> {
  const imports = new Map<string, SeriesImport>();
  let held = 0;
  let read = 0;
  const flush = async (): Promise<void> => {
    for (const one of imports.values()) await one.flush();
    read += held;
    held = 0;
    options.onRows?.(read);
  };
  for await (const { series, row, state } of rows) {
    const name = seriesName(series);
    let one = imports.get(name);
    if (one === undefined) {
      one = new SeriesImport(context, series, options);
      imports.set(name, one);
    }
    if (state === "candle") one.held.push(row);
    else one.leaveOut(state, row);
    if (++held < ROWS_MAX) continue;
    options.signal.throwIfAborted();
    await flush();
  }
  await flush();
  const reports: ImportReport[] = [];
  for (const one of imports.values()) reports.push(await one.end());
  return reports;
}

class SeriesImport {
  readonly held: (readonly unknown[])[] = [];
  readonly #context: ImportContext;
  readonly #series: Series;
  readonly #options: ImportOptions;
  readonly #count = {
    rows: 0,
    outside: 0,
    unclosed: 0,
    blank: 0,
    expired: 0,
    rejected: 0,
    added: 0,
    replaced: 0,
    conflicts: 0,
    same: 0,
  };
  #begun: BegunImport | undefined;
  #firstMs = Infinity;
  #lastMs = -Infinity;
  /** How long after its close a candle of the exchange may still change, as the archive knows when the import begins. */
  #settleMs = Infinity;
  /** Times of candles that had not closed; undefined when there are too many to hold. */
  #unclosedMs: Set<number> | undefined = new Set();

  /** Whether the candles of the last page were all new, so that the next ones may be. */
  #areNew = true;

  constructor(context: ImportContext, series: Series, options: ImportOptions) {
    this.#context = context;
    this.#series = series;
    this.#options = options;
  }

  /** Counts a row that is not stored. */
  leaveOut(state: "unclosed" | "blank", [timeMs]: readonly unknown[]): void {
    this.#count.rows++;
    this.#count[state]++;
    // A blank row says that there is no candle; one of an unclosed candle says that the exchange has it.
    if (state !== "unclosed" || typeof timeMs !== "number") return;
    this.#unclosedMs?.add(timeMs);
    if (this.#unclosedMs?.size === UNCLOSED_MAX) this.#unclosedMs = undefined;
  }

  /** Stores the rows in `held`. */
  async flush(): Promise<void> {
    const rows = this.held.splice(0);
    if (rows.length === 0) return;
    const { timeframe, symbol } = this.#series;
    const price = priceOf(symbol);
    const checked = rows.map((row) => checkRow(timeframe, row, price));
    const candles = checked.flatMap(({ candle }) => candle ?? []);
    const rejected = checked.flatMap(({ rejected }) => rejected ?? []);
    this.#begun ??= await this.#begin();
    this.#count.rows += rows.length;
    await this.#write(
      candles.filter(({ openTimeMs }) => this.#mayStore(openTimeMs)),
      rejected.filter(({ openTimeMs }) => openTimeMs === undefined || this.#mayStore(openTimeMs)),
    );
  }

  #begin(): Promise<BegunImport> {
    const { timeframe } = this.#series;
    return this.#store(async ({ config, database, clock, hasTimescaledb }) => {
      await ensureCandleTables(database, [timeframe]);
      if (hasTimescaledb) await setCompressionPolicy(database, timeframe, config.compressAfterMs);
      this.#settleMs = (await readSettling(database, clock.now()))(this.#series.exchange);
      return await beginImport(database, this.#series, this.#options.file);
    });
  }

  async end(): Promise<ImportReport> {
    const { timeframe } = this.#series;
    const { isComplete, sha256 } = this.#options;
    const { id } = this.#begun ??= await this.#begin();
    const fileWindow = this.#lastMs < this.#firstMs
      ? undefined
      : { sinceMs: this.#firstMs, untilMs: addCandles(timeframe, this.#lastMs, 1) };
    const claimed = isComplete && fileWindow !== undefined ? this.#claimed(fileWindow) : [];
    const covered = await this.#store(({ database }) =>
      endImport(database, this.#series, {
        id,
        sha256: sha256(),
        claimed,
      })
    );
    return {
      ...this.#count,
      series: this.#series,
      owed: fileWindow === undefined
        ? 0
        : coverageCandles(timeframe, subtract([fileWindow], coverageOf(covered))),
      firstMs: fileWindow?.sinceMs,
      lastMs: fileWindow === undefined ? undefined : this.#lastMs,
    };
  }

  /** What a complete file covers. */
  #claimed(fileWindow: Window): Coverage {
    const { timeframe } = this.#series;
    const { sinceMs = fileWindow.sinceMs, untilMs = fileWindow.untilMs, isCut } = this.#options;
    // The exchange has the candles whose rows were left out at the end, so nothing is claimed after the last one stored.
    const knownUntilMs = isCut === true || this.#count.unclosed > 0 ? fileWindow.untilMs : Infinity;
    const claimed: Window = {
      sinceMs: ceilTime(timeframe, Math.max(sinceMs, this.#begun!.expiredUntilMs)),
      untilMs: Math.min(ceilTime(timeframe, untilMs), this.#closedMs(), knownUntilMs),
    };
    if (claimed.sinceMs >= claimed.untilMs || this.#unclosedMs === undefined) return [];
    const unclosed = [...this.#unclosedMs].map((timeMs) => ({
      sinceMs: timeMs,
      untilMs: addCandles(timeframe, timeMs, 1),
    }));
    return subtract([claimed], coverageOf(unclosed));
  }

  /** Whether a row may be stored. If not, counts it by its reason. */
  #mayStore(openTimeMs: number): boolean {
    const { sinceMs = -Infinity, untilMs = Infinity } = this.#options;
    if (openTimeMs < sinceMs || openTimeMs >= untilMs) this.#count.outside++;
    else if (openTimeMs >= this.#closedMs()) this.#count.unclosed++;
    else if (openTimeMs < this.#begun!.expiredUntilMs) this.#count.expired++;
    else return true;
    return false;
  }

  /** The end of the last candle that can be final: a file may have been made right after a candle closed. */
  #closedMs(): number {
    return closedUntil(this.#series.timeframe, this.#context.clock.now() - this.#settleMs);
  }

  async #write(
    candles: readonly Candle[],
    rejected: readonly RejectedCandle[],
  ): Promise<void> {
    if (candles.length === 0 && rejected.length === 0) return;
    const byTime = new Map<number, Candle>();
    const repeated: Candle[] = [];
    for (const candle of candles) {
      if (byTime.has(candle.openTimeMs)) repeated.push(candle);
      else byTime.set(candle.openTimeMs, candle);
    }
    const page: ImportPage = {
      candles: [...byTime.values()].sort((a, b) => a.openTimeMs - b.openTimeMs),
      rejected,
      replaces: this.#options.replaces,
      isNew: this.#areNew,
    };
    const { id } = this.#begun!;
    const written = await this.#store(({ database }) =>
      writeImportPage(database, this.#series, { id, page })
    );
    const { added, replaced, conflicts } = written;
    this.#areNew = added === page.candles.length;
    this.#count.rejected += rejected.length;
    this.#count.added += added;
    this.#count.replaced += replaced;
    this.#count.conflicts += conflicts;
    this.#count.same += page.candles.length - added - replaced - conflicts;
    this.#firstMs = Math.min(this.#firstMs, page.candles[0]?.openTimeMs ?? Infinity);
    this.#lastMs = Math.max(this.#lastMs, page.candles.at(-1)?.openTimeMs ?? -Infinity);
    // A second row for the same time is compared with the stored first one, like any other conflict.
    if (repeated.length > 0) await this.#write(repeated, []);
  }

  /** With retries: storing the same rows twice does no harm. */
  #store<T>(statement: (context: ImportContext) => Promise<T>): Promise<T> {
    const { signal } = this.#options;
    return retryStore(() => statement(this.#context), { ...this.#context, signal });
  }
}
