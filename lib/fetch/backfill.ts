/** Backfill: fetches all owed candles, newest first, until none are owed or the exchange has no more. @module */
import { SETTLE_MS } from "../market/answer.ts";
import { coverageCandles, intersect } from "../market/coverage.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import { type Series, seriesName } from "../market/series.ts";
import { floorTime } from "../market/timeframe.ts";
import { type Owed, readOwed } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { BackfillCompression } from "./backfill_compression.ts";
import type { BackfillProgress, BackfillReport } from "./backfill_report.ts";
import { desireOf } from "../archive/desire.ts";
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
import { refreshMarkets } from "./markets.ts";
import { queueByLoss, type QueuedPage } from "./page_queue.ts";
import { Refusals } from "./refusals.ts";

/**
 * Pages of one exchange in flight, requested or being written. Enough to use the exchange's full rate while the
 * database writes; few enough that polls hardly wait. Measured with answers of 100 ms and a rate of one request per
 * 50 ms: six pages of 1,000 rows in flight take a sixth of the time of 500 rows one by one; four take a little longer,
 * eight take as long as six. With an exchange as fast as the database, six store 7 % more than four. It also limits the
 * pages that a stop loses, and the rows in memory.
 */
const PAGES_IN_FLIGHT = 6;

/** The longest pause between passes that bring nothing. The pause doubles each time. */
const PAUSE_MS_MAX = 10 * 60_000;

/** A one-shot backfill gives up an exchange after this many waits in a row. */
const FAILURES_IN_A_ROW_MAX = 5 * PAGES_IN_FLIGHT;

interface BackfillOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether to wait without limit for exchanges that are down, as the daemon does. If false, give up and report, as a
   * person at a terminal expects.
   */
  readonly patient: boolean;
  /** Pages of one exchange in flight. @default PAGES_IN_FLIGHT */
  readonly pagesInFlight?: number | undefined;
  /** Called after every page. */
  readonly onProgress?: (progress: BackfillProgress) => void;
  /** Called with the id of each exchange whose backfill has ended, however it ended. */
  readonly onExchangeEnd?: (exchange: string) => void;
}

/** Backfills all exchanges concurrently. */
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
      options.onExchangeEnd?.(exchange.id);
      await compression.end(exchange.id);
    }
  }));
}

interface ExchangeBackfillOptions extends BackfillOptions {
  readonly compression: BackfillCompression;
  /** Does not fetch candles owed before this time. Milliseconds. @default fetches all */
  readonly sinceMs?: number | undefined;
}

/** The backfill of one exchange. */
export class ExchangeBackfill {
  readonly #archive: Archive;
  readonly #exchange: ArchivedExchange;
  readonly #options: ExchangeBackfillOptions;
  readonly #untilMs: number;
  readonly #problems = new Map<string, string>();
  readonly #refusals: Refusals;
  #progress: BackfillProgress;
  /** Candles owed when the ledger was last read, and how many of them may still be published. */
  #left: number | undefined = undefined;
  #young = 0;
  #failuresInARow = 0;
  #gaveUp = false;

  constructor(archive: Archive, exchange: ArchivedExchange, options: ExchangeBackfillOptions) {
    this.#archive = archive;
    this.#exchange = exchange;
    this.#options = options;
    this.#untilMs = archive.clock.now();
    this.#refusals = new Refusals(archive.clock, options);
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
      // With `sinceMs` only recent candles are fetched, so the start of the listing does not matter.
      if (this.#options.sinceMs === undefined) await this.#findListings();
      await this.#runPasses();
    }
    const { owed, answered } = this.#progress;
    let left = this.#left;
    if (this.#isOver() && left !== undefined) left = Math.max(0, owed - answered);
    return { ...this.#progress, left, young: this.#young, problems: [...this.#problems.values()] };
  }

  /** Loads the markets. Returns whether that worked; the daemon retries until it does. */
  async #prepare(): Promise<boolean> {
    const { signal, patient } = this.#options;
    const prepare = (): Promise<unknown> =>
      refreshMarkets(this.#archive, this.#exchange, { signal });
    for (let pauseMs = PAUSE_MS; !this.#isOver(); pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
      if (await this.#persist(prepare)) return true;
      if (!patient) return false;
      await this.#pause(this.#archive.clock.now() + pauseMs, "no markets yet");
    }
    return false;
  }

  /** Finds listings, so that the years before them are not requested. If that fails, they are requested. */
  async #findListings(): Promise<void> {
    const { signal } = this.#options;
    try {
      const owed = await this.#readOwed() ?? [];
      await findListings(this.#archive, this.#exchange, { owed, signal });
    } catch (error) {
      if (isCancelled(error, signal)) return;
      this.#archive.log.debug("listings were not found", { exchange: this.#exchange.id, error });
    }
  }

  /**
   * Repeats passes over the candles still owed, because a page may be answered only in part. Ends after a pass that
   * brings nothing, unless something failed and may work later.
   */
  async #runPasses(): Promise<void> {
    let pauseMs = PAUSE_MS;
    while (!this.#isOver()) {
      const owed = await this.#readOwed();
      if (owed === undefined) return;
      if (this.#left === undefined) this.#update({ owed: candlesOf(owed) });
      this.#left = candlesOf(owed);
      this.#young = candlesOf(owedSince(owed, this.#untilMs - SETTLE_MS));
      if (owed.every(({ series }) => this.#refusals.isHopeless(series))) return;
      const before = this.#progress;
      const { reachLearned } = await this.#runPass(owed);
      if (this.#progress.answered > before.answered || reachLearned) {
        pauseMs = PAUSE_MS;
        continue;
      }
      const restMs = this.#refusals.restUntilMs(owed.map(({ series }) => series));
      if (restMs !== undefined) {
        await this.#pause(restMs, "refused, asking again");
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
        if (this.#refusals.isLeftAlone(page.series)) continue;
        // The exchange has proved that it has nothing this old.
        if (page.window.untilMs <= (bounds.get(seriesName(page.series)) ?? -Infinity)) continue;
        const reachFromMs = await this.#runPage(page);
        if (reachFromMs !== undefined) bounds.set(seriesName(page.series), reachFromMs);
      }
    };
    const { pagesInFlight = PAGES_IN_FLIGHT } = this.#options;
    await Promise.all(Array.from({ length: pagesInFlight }, worker));
    return { reachLearned: bounds.size > 0 };
  }

  /** Retries until the page is stored or its failure is final. Returns the oldest time the exchange has, if proved. */
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
      // Not after an answer for nothing: refusals in between would never add up.
      if (answered > 0) this.#refusals.forget(series);
      if (outcome.added + outcome.revised === 0) return;
      await compression.noteWritten(this.#exchange.id, { timeframe: series.timeframe, window });
    }, series);
    return reachFromMs;
  }

  /**
   * Repeats a step while a ban, an open breaker or an unavailable database stops it. Returns whether the step
   * succeeded; a failure is reported, not thrown.
   */
  async #persist(step: () => Promise<unknown>, series?: Series): Promise<boolean> {
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
    if (error instanceof FetchError && series !== undefined) this.#refusals.note(series, error);
    this.#problems.set(`${name} ${series === undefined ? "" : seriesName(series)}`, message);
    this.#update({ failed: this.#progress.failed + 1 });
  }

  /** Whether to wait for an exchange that is down or bans us: the daemon always, the one-shot command for a while. */
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
      owed = owedSince(await readOwed(database, desires), this.#options.sinceMs);
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

function owedSince(all: readonly Owed[], sinceMs = -Infinity): readonly Owed[] {
  return all.flatMap(({ series, owed }) => {
    const from = sinceMs === -Infinity ? sinceMs : floorTime(series.timeframe, sinceMs);
    const left = intersect(owed, [{ sinceMs: from, untilMs: Infinity }]);
    return left.length === 0 ? [] : [{ series, owed: left }];
  });
}

function candlesOf(owed: readonly Owed[]): number {
  return owed.reduce((sum, { series, owed }) => sum + coverageCandles(series.timeframe, owed), 0);
}
