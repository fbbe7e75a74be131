/** Asks for everything that is owed, newest first, until nothing is or nothing more can be had. @module */
import { coverageCandles, intersect } from "../market/coverage.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import { type Series, seriesName } from "../market/series.ts";
import { type Owed, readOwed } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { BackfillCompression } from "./backfill_compression.ts";
import { desireOf } from "../archive/desire.ts";
import { prepareExchange } from "./exchange_series.ts";
import {
  isCancelled,
  PAUSE_MS,
  pauseReason,
  reportExchangeFailure,
  reportSeriesFailure,
  resumeAtMs,
} from "../archive/failure.ts";
import { ingestPage } from "./page.ts";
import { findListings } from "./listing_search.ts";
import { queueByLoss, type QueuedPage } from "./page_queue.ts";

/**
 * Pages of one exchange in flight, asked for or being stored: enough that it is asked at its own pace while the
 * database writes; few enough that a poll waits for hardly anything. Measured with answers that take 100 ms and a pace
 * of 50 ms: pages of 1,000 rows, six in flight, take a sixth of the time of 500 rows one by one, with four a little
 * more, with eight no less. Where the exchange is as quick as the database, six store 7 % more than four. A stop in
 * the middle costs at most so many pages, asked again. With at most 10,000 rows a page it bounds the rows in memory.
 */
const PAGES_IN_FLIGHT = 6;

/** Passes that bring nothing follow each other ever more slowly, up to this. */
const PAUSE_MS_MAX = 10 * 60_000;

/** A one-shot backfill gives an exchange up after so many waits in a row. */
const FAILURES_IN_A_ROW_MAX = 5 * PAGES_IN_FLIGHT;

interface BackfillOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether to wait for exchanges that are down for as long as that takes, as the daemon does, or to give them
   * up and report, as a person at a terminal expects.
   */
  readonly patient: boolean;
  /** Pages of one exchange in flight. @default PAGES_IN_FLIGHT */
  readonly pagesInFlight?: number | undefined;
  /** Told after every page. */
  readonly onProgress?: (progress: BackfillProgress) => void;
}

/** One exchange's backfill so far. */
export interface BackfillProgress {
  readonly exchange: string;
  /** Candles owed when it began. */
  readonly owed: number;
  /** Of those, how many the exchange has answered for. */
  readonly answered: number;
  readonly pages: number;
  readonly added: number;
  readonly revised: number;
  readonly rejected: number;
  readonly failed: number;
  /** Until when nothing is asked because of a ban, a breaker or a database that is away. Milliseconds. */
  readonly pausedUntilMs: number | undefined;
  /** Why, in a few words; undefined while it is not paused. */
  readonly pausedWhy: string | undefined;
}

export interface BackfillReport extends BackfillProgress {
  /** Candles still owed at the end, those that are only just due included; undefined when nobody could tell. */
  readonly left: number | undefined;
  /** Why some of what was owed was not answered for, one message a cause. */
  readonly problems: readonly string[];
}

/** Backfills all exchanges at once; none waits for another. */
export async function backfill(
  archive: Archive,
  options: BackfillOptions,
): Promise<readonly BackfillReport[]> {
  const compression = new BackfillCompression(archive, options);
  await compression.start();
  return await Promise.all(archive.exchanges.map(async (exchange) => {
    try {
      return await new ExchangeBackfill(archive, exchange, { ...options, compression }).run();
    } finally {
      await compression.end(exchange.id);
    }
  }));
}

interface ExchangeBackfillOptions extends BackfillOptions {
  readonly compression: BackfillCompression;
}

class ExchangeBackfill {
  readonly #archive: Archive;
  readonly #exchange: ArchivedExchange;
  readonly #options: ExchangeBackfillOptions;
  readonly #untilMs: number;
  readonly #problems = new Map<string, string>();
  /** Series that answered with something final, such as "no such symbol": left alone for this run. */
  readonly #hopeless = new Set<string>();
  #progress: BackfillProgress;
  /** Candles owed when the ledger was last asked. */
  #left: number | undefined = undefined;
  #failuresInARow = 0;
  #gaveUp = false;

  constructor(archive: Archive, exchange: ArchivedExchange, options: ExchangeBackfillOptions) {
    this.#archive = archive;
    this.#exchange = exchange;
    this.#options = options;
    this.#untilMs = archive.clock.now();
    this.#progress = {
      exchange: exchange.id,
      owed: 0,
      answered: 0,
      pages: 0,
      added: 0,
      revised: 0,
      rejected: 0,
      failed: 0,
      pausedUntilMs: undefined,
      pausedWhy: undefined,
    };
  }

  async run(): Promise<BackfillReport> {
    if (await this.#prepare()) {
      await this.#findListings();
      await this.#runPasses();
    }
    const { owed, answered } = this.#progress;
    const isCut = this.#isOver() && this.#left !== undefined;
    const left = isCut ? Math.max(0, owed - answered) : this.#left;
    return { ...this.#progress, left, problems: [...this.#problems.values()] };
  }

  /** Resolves to whether there are markets to ask for; the daemon goes on trying until there are. */
  async #prepare(): Promise<boolean> {
    const { signal, patient } = this.#options;
    const prepare = (): Promise<void> =>
      prepareExchange(this.#archive, this.#exchange, { priority: "backfill", signal });
    for (let pauseMs = PAUSE_MS; !this.#isOver(); pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
      if (await this.#persist(prepare)) return true;
      if (!patient) return false;
      await this.#pause(this.#archive.clock.now() + pauseMs, "no markets yet");
    }
    return false;
  }

  /** Spares the asks for the years before a listing; where it cannot be found, those are asked for instead. */
  async #findListings(): Promise<void> {
    const { signal } = this.#options;
    const owed = await this.#readOwed() ?? [];
    try {
      await findListings(this.#archive, this.#exchange, { owed, signal });
    } catch (error) {
      if (isCancelled(error, signal)) return;
      this.#archive.log.debug("listings were not found", { exchange: this.#exchange.id, error });
    }
  }

  /**
   * Pass after pass over what the ledger says is still owed: a page may have been answered in part only. A pass
   * that brings nothing is the last, unless something failed that is worth waiting for.
   */
  async #runPasses(): Promise<void> {
    let isFirst = true;
    let pauseMs = PAUSE_MS;
    while (!this.#isOver()) {
      const owed = await this.#readOwed();
      if (owed === undefined) return;
      this.#left = candlesOf(owed);
      if (isFirst) this.#update({ owed: this.#left });
      isFirst = false;
      if (owed.every(({ series }) => this.#hopeless.has(seriesName(series)))) return;
      const before = this.#progress;
      const { reachLearned } = await this.#runPass(owed);
      if (this.#progress.answered > before.answered || reachLearned) {
        pauseMs = PAUSE_MS;
        continue;
      }
      if (this.#progress.failed === before.failed || !this.#options.patient) return;
      await this.#pause(this.#archive.clock.now() + pauseMs, "nothing more came");
      pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX);
    }
  }

  async #runPass(owed: readonly Owed[]): Promise<{ readonly reachLearned: boolean }> {
    const pages = queueByLoss(owed, {
      rowsMax: (timeframe) => this.#exchange.pageRowsMax(timeframe),
      newestCandlesMax,
      nowMs: this.#untilMs,
    });
    const bounds = new Map<string, number>();
    const worker = async (): Promise<void> => {
      for (const page of pages) {
        if (this.#isOver()) return;
        if (this.#hopeless.has(seriesName(page.series))) continue;
        // The exchange has proved that nothing so old is to be had.
        if (page.window.untilMs <= (bounds.get(seriesName(page.series)) ?? -Infinity)) continue;
        const reachFromMs = await this.#runPage(page);
        if (reachFromMs !== undefined) bounds.set(seriesName(page.series), reachFromMs);
      }
    };
    const { pagesInFlight = PAGES_IN_FLIGHT } = this.#options;
    await Promise.all(Array.from({ length: pagesInFlight }, worker));
    return { reachLearned: bounds.size > 0 };
  }

  /** Asks until the page is stored or its failure is final; returns what it proved about the reach. */
  async #runPage({ series, window, owed }: QueuedPage): Promise<number | undefined> {
    const { signal, compression } = this.#options;
    let reachFromMs: number | undefined;
    await this.#persist(async () => {
      const outcome = await ingestPage(this.#archive, this.#exchange, series, {
        window,
        priority: "backfill",
        owed,
        signal,
      });
      reachFromMs = outcome.reachFromMs;
      const answered = coverageCandles(series.timeframe, intersect(owed, outcome.answered));
      this.#update({
        answered: this.#progress.answered + answered,
        pages: this.#progress.pages + 1,
        added: this.#progress.added + outcome.added,
        revised: this.#progress.revised + outcome.revised,
        rejected: this.#progress.rejected + outcome.rejected,
      });
      this.#archive.failures.clear(seriesName(series));
      if (outcome.added + outcome.revised === 0) return;
      await compression.noteWritten(this.#exchange.id, { timeframe: series.timeframe, window });
    }, series);
    return reachFromMs;
  }

  /**
   * Runs a step again for as long as what stops it will pass: a ban, an open breaker, a database that is away.
   * Resolves to whether the step has succeeded; a failure is reported, not thrown.
   */
  async #persist(step: () => Promise<void>, series?: Series): Promise<boolean> {
    while (!this.#isOver()) {
      try {
        await step();
        this.#failuresInARow = 0;
        return true;
      } catch (error) {
        if (isCancelled(error, this.#options.signal)) return false;
        await this.#report(error, series);
        const untilMs = resumeAtMs(error, this.#archive.clock.now());
        if (untilMs === undefined || !this.#mayWait()) return false;
        await this.#pause(untilMs, pauseReason(error));
      }
    }
    return false;
  }

  async #report(error: unknown, series: Series | undefined): Promise<void> {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    if (series === undefined) await reportExchangeFailure(this.#archive, this.#exchange.id, error);
    else await reportSeriesFailure(this.#archive, series, error);
    if (error instanceof FetchError && error.kind === "permanent" && series !== undefined) {
      this.#hopeless.add(seriesName(series));
    }
    this.#problems.set(`${name} ${series === undefined ? "" : seriesName(series)}`, message);
    this.#update({ failed: this.#progress.failed + 1 });
  }

  /** What is down or bans us is waited for by the daemon, and for a while by the one-shot. */
  #mayWait(): boolean {
    if (this.#options.patient) return true;
    this.#failuresInARow++;
    if (this.#failuresInARow >= FAILURES_IN_A_ROW_MAX) this.#gaveUp = true;
    return !this.#gaveUp;
  }

  async #pause(untilMs: number, why: string): Promise<void> {
    const { clock } = this.#archive;
    this.#update({ pausedUntilMs: untilMs, pausedWhy: why });
    await this.#options.compression.noteWaiting(this.#exchange.id);
    try {
      await clock.sleep(untilMs - clock.now(), { signal: this.#options.signal });
    } catch (error) {
      if (!isCancelled(error, this.#options.signal)) throw error;
    }
    this.#update({ pausedUntilMs: undefined, pausedWhy: undefined });
  }

  async #readOwed(): Promise<readonly Owed[] | undefined> {
    const { config, database } = this.#archive;
    const desires = this.#exchange.series.map((series) =>
      desireOf(series, config, {
        nowMs: this.#untilMs,
        newestCandlesMax: newestCandlesMax(series),
      })
    );
    let owed: readonly Owed[] | undefined;
    await this.#persist(async () => {
      owed = await readOwed(database, desires);
    });
    return owed;
  }

  #isOver(): boolean {
    return this.#gaveUp || this.#options.signal?.aborted === true;
  }

  #update(change: Partial<BackfillProgress>): void {
    this.#progress = { ...this.#progress, ...change };
    this.#options.onProgress?.(this.#progress);
  }
}

function candlesOf(owed: readonly Owed[]): number {
  return owed.reduce((sum, { series, owed }) => sum + coverageCandles(series.timeframe, owed), 0);
}
