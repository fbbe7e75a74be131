/** Imports a file's rows of one series: checks them, stores them in pages, and notes at the end what the file covers. @module */
import type { Config } from "../config/config.ts";
import type { Clock } from "../clock.ts";
import { type Candle, checkRow, type RejectedCandle } from "../market/candle.ts";
import type { CandleRun } from "../market/candle_run.ts";
import { type Coverage, coverageCandles, coverageOf, subtract } from "../market/coverage.ts";
import { type Price, priceOf } from "../market/price.ts";
import type { Series } from "../market/series.ts";
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
  writeImportPage,
} from "../store/import_write.ts";
import {
  type PreparedImportPage,
  prepareImportPage,
  prepareImportRun,
} from "../store/import_page.ts";
import { byTime, joined } from "./page_parts.ts";
import { retryStore } from "../archive/store_retry.ts";

export interface ImportOptions {
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
  /** In the table `imports`. */
  readonly id: string;
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

export interface ImportContext {
  readonly config: Pick<Config, "retry" | "compressAfterMs">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly database: Database;
  readonly hasTimescaledb: boolean;
}

/** Rows that are sent into columns together. */
const PART_ROWS = 1_000;

/** Most times of unclosed candles in memory. A file has some where it was joined from several; with more, nothing is claimed. */
const UNCLOSED_MAX = 10_000;

/** Timeframes whose tables an open database has for sure: of thousands of files, only the first asks for them. */
const READY = new WeakMap<Database, Set<string>>();

/** One series of a file that is imported. Its pages are written in the order in which they were prepared. */
export class SeriesImport {
  readonly #context: ImportContext;
  readonly #series: Series;
  readonly #price: Price;
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
  /** Rows that are not in a part yet. */
  #candles: Candle[] = [];
  readonly #rejected: RejectedCandle[] = [];
  /** Of the next page. */
  readonly #parts: PreparedImportPage[] = [];
  /** Before it candles are final. Milliseconds. */
  #closedMs = -Infinity;
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
    this.#price = priceOf(series.symbol);
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

  get isBegun(): boolean {
    return this.#begun !== undefined;
  }

  /** Enters the import. To be called before the first row is added. */
  async start(): Promise<void> {
    this.#begun ??= await this.#begin();
    this.#closedMs = this.#closedNow();
  }

  /** Checks a row, and keeps it for the next page if it may be stored. */
  add(row: readonly unknown[]): void {
    this.#count.rows++;
    const { candle, rejected } = checkRow(this.#series.timeframe, row, this.#price);
    const timeMs = (candle ?? rejected).openTimeMs;
    if (timeMs !== undefined && !this.#mayStore(timeMs)) return;
    if (candle === undefined) this.#rejected.push(rejected);
    else if (this.#candles.push(candle) === PART_ROWS) this.#endPart();
  }

  /** The same of candles that passed the check. */
  addRun(run: CandleRun): void {
    this.#endPart();
    const { sinceMs = -Infinity, untilMs = Infinity } = this.#options;
    const { firstMs, lastMs } = run;
    const mayStore = firstMs >= Math.max(sinceMs, this.#begun!.expiredUntilMs) &&
      lastMs < Math.min(untilMs, this.#closedMs);
    if (mayStore) {
      this.#count.rows += run.length;
      this.#parts.push(prepareImportRun(this.#series, run, this.#options));
      return;
    }
    for (let at = 0; at < run.length; at++) {
      const { openTimeMs, open, high, low, close, volume } = run.candle(at);
      this.add([openTimeMs, open, high, low, close, volume]);
    }
  }

  /**
   * Pages of all that was added since, in the order in which they are to be written. A second row for the same time comes
   * in a page after the first: it is compared with the stored one, like any other conflict.
   */
  prepare(): readonly PreparedImportPage[] {
    const rejected = this.#rejected.splice(0);
    this.#endPart();
    const parts = this.#parts.splice(0);
    if (rejected.length > 0) parts.push(this.#part([], rejected));
    return joined(parts);
  }

  /** Sends what was added into columns: candles that live until their page is whole cost the garbage collector the most. */
  #endPart(): void {
    let candles: readonly Candle[] = this.#candles;
    this.#candles = [];
    this.#closedMs = this.#closedNow();
    while (candles.length > 0) {
      const { first, repeated } = byTime(candles);
      this.#parts.push(this.#part(first, []));
      candles = repeated;
    }
  }

  #part(
    candles: readonly Candle[],
    rejected: readonly RejectedCandle[],
  ): PreparedImportPage {
    const { replaces } = this.#options;
    return prepareImportPage(this.#series, { candles, rejected, replaces });
  }

  /** Stores pages, one after the other. */
  async write(pages: readonly PreparedImportPage[]): Promise<void> {
    for (const page of pages) await this.#write(page);
  }

  #begin(): Promise<BegunImport> {
    const { timeframe } = this.#series;
    return this.#store(async ({ config, database, clock, hasTimescaledb }) => {
      const ready = READY.get(database) ?? new Set();
      READY.set(database, ready);
      const name = `${timeframe.text} ${config.compressAfterMs}`;
      if (!ready.has(name)) {
        await ensureCandleTables(database, [timeframe]);
        if (hasTimescaledb) await setCompressionPolicy(database, timeframe, config.compressAfterMs);
        ready.add(name);
      }
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
      id,
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
      untilMs: Math.min(ceilTime(timeframe, untilMs), this.#closedNow(), knownUntilMs),
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
    else if (openTimeMs >= this.#closedMs) this.#count.unclosed++;
    else if (openTimeMs < this.#begun!.expiredUntilMs) this.#count.expired++;
    else return true;
    return false;
  }

  /** The end of the last candle that can be final: a file may have been made right after a candle closed. */
  #closedNow(): number {
    return closedUntil(this.#series.timeframe, this.#context.clock.now() - this.#settleMs);
  }

  async #write(page: PreparedImportPage): Promise<void> {
    const { id } = this.#begun!;
    const { added, replaced, conflicts } = await this.#store(({ database }) =>
      writeImportPage(database, page, { id, isNew: this.#areNew })
    );
    if (page.candles > 0) this.#areNew = added === page.candles;
    this.#count.rejected += page.rejected;
    this.#count.added += added;
    this.#count.replaced += replaced;
    this.#count.conflicts += conflicts;
    this.#count.same += page.candles - added - replaced - conflicts;
    this.#firstMs = Math.min(this.#firstMs, page.firstMs);
    this.#lastMs = Math.max(this.#lastMs, page.lastMs);
  }

  /** With retries: storing the same rows twice does no harm. */
  #store<T>(statement: (context: ImportContext) => Promise<T>): Promise<T> {
    const { signal } = this.#options;
    return retryStore(() => statement(this.#context), { ...this.#context, signal });
  }
}
