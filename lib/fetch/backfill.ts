/** Backfill: fetches all owed candles, newest first, until none are owed or the exchange has no more. @module */
import { coverageCandles, intersect, subtract } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Window } from "../market/window.ts";
import type { Owed } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { newsOf } from "../archive/markets_in_force.ts";
import { BackfillCompression } from "./backfill_compression.ts";
import { runPass } from "./backfill_pass.ts";
import {
  type BackfillOptions,
  type BackfillProgress,
  type BackfillReport,
  type ExchangeBackfillOptions,
  noProgress,
  PAGES_IN_FLIGHT,
  withPart,
} from "./backfill_report.ts";
import {
  forgetSeriesFailure,
  isCancelled,
  PAUSE_MS,
  pauseReason,
  reportExchangeFailure,
  reportSeriesFailure,
  resumeAtMs,
} from "../archive/failure.ts";
import {
  candlesOf,
  FINAL_DELAYS_MS,
  FINAL_WAIT_MS_MAX,
  NO_YOUNG,
  readOwedOf,
  splitYoung,
  type YoungCandles,
} from "./owed_candles.ts";
import { ingestPage } from "./page.ts";
import type { PageOutcome } from "./page_outcome.ts";
import { History } from "./history_run.ts";
import type { StoredFile } from "./history_file.ts";
import { tryFindListings } from "./listing_search.ts";
import { prepareRun } from "./one_range.ts";
import type { QueuedPage } from "./page_queue.ts";
import { doubtReaches } from "./reach_doubt.ts";
import { Refusals } from "./refusals.ts";

/** The longest pause between passes that bring nothing. The pause doubles each time. */
const PAUSE_MS_MAX = 10 * 60_000;

/** A one-shot backfill gives up an exchange after this many waits in a row. */
const FAILURES_IN_A_ROW_MAX = 5 * PAGES_IN_FLIGHT;

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

/** The backfill of one exchange. */
export class ExchangeBackfill {
  readonly #archive: Archive;
  readonly #exchange: ArchivedExchange;
  readonly #options: ExchangeBackfillOptions;
  readonly #untilMs: number;
  /** Aborts also when other ranges are wanted: pages under way go on to their ends then, and no more are begun. */
  readonly #over: AbortSignal;
  readonly #problems = new Map<string, string>();
  readonly #refusals: Refusals;
  /** Undefined where only recent candles are fetched. */
  readonly #history: History | undefined;
  #progress: BackfillProgress;
  /** Candles owed when the ledger was last read. */
  #left: number | undefined = undefined;
  /** Candles that could not be final when the ledger was last read, and when the last of them is. */
  #young: YoungCandles = NO_YOUNG;
  #failuresInARow = 0;
  #gaveUp = false;

  constructor(archive: Archive, exchange: ArchivedExchange, options: ExchangeBackfillOptions) {
    this.#archive = archive;
    this.#exchange = exchange;
    this.#options = options;
    this.#untilMs = archive.clock.now();
    this.#over = AbortSignal.any([exchange.work.wants, options.signal ?? []].flat());
    this.#refusals = new Refusals(archive.clock, { ...options, exchange });
    this.#progress = noProgress(exchange.id);
    this.#history = options.sinceMs !== undefined ? undefined : new History(archive, exchange, {
      signal: options.signal,
      isOver: () => this.#isOver(),
      persist: (step, series) => this.#persist(step, series),
      onStored: (file, stored) => this.#noteFile(file, stored),
    });
  }

  async run(): Promise<BackfillReport> {
    if (await this.#prepare()) {
      // With `sinceMs` only recent candles are fetched, so where history begins does not matter.
      if (this.#options.sinceMs === undefined) await this.#findBeginnings();
      await this.#runPasses();
      if (this.#options.awaitsFinal === true) await this.#confirmNewest();
    }
    const { owed, answered } = this.#progress;
    const isCut = this.#isOver() && this.#left !== undefined;
    const own = isCut ? Math.max(0, owed - answered) : this.#left;
    // What is left is left to the node that asks the exchange.
    const left = this.#exchange.share.mayAsk ? own : 0;
    const news = newsOf(this.#exchange.markets.value);
    const problems = [...this.#problems.values()];
    return { ...this.#progress, ...news, left, ...this.#young, problems };
  }

  /** Loads the markets. Returns whether that worked; the daemon retries until it does. */
  async #prepare(): Promise<boolean> {
    const { patient } = this.#options;
    for (let pauseMs = PAUSE_MS; !this.#isOver(); pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
      const step = (): Promise<void> => prepareRun(this.#archive, this.#exchange, this.#options);
      if (await this.#persist(step)) return true;
      if (!patient) return false;
      await this.#pause(this.#archive.clock.now() + pauseMs, "no markets yet");
    }
    return false;
  }

  /** Finds listings, so that the years before them are not requested. If that fails, they are requested. */
  async #findBeginnings(): Promise<void> {
    const { signal } = this.#options;
    await this.#persist(() => doubtReaches(this.#archive, this.#exchange, { signal }));
    const owed = await this.#readOwed() ?? [];
    await tryFindListings(this.#archive, this.#exchange, { owed, signal });
  }

  /**
   * Repeats passes over the candles still owed, because a page may be answered only in part. Ends after a pass that
   * brings nothing, unless something failed and may work later. Only the first pass asks for young candles, and none in
   * the daemon, where polls do.
   */
  async #runPasses(): Promise<void> {
    // Taken once: candles that become final meanwhile would keep the passes going.
    const nowMs = this.#archive.clock.now();
    let pauseMs = PAUSE_MS;
    for (let isFirst = true; !this.#isOver(); isFirst = false) {
      const read = await this.#readOwed();
      if (read === undefined) return;
      const { settleMs } = this.#exchange;
      const { final, ...young } = splitYoung(read, { nowMs, settleMs });
      [this.#left, this.#young] = [candlesOf(final), young];
      if (isFirst) this.#update({ owed: this.#progress.answered + candlesOf(final) });
      const owed = isFirst && !this.#options.patient ? read : final;
      if (owed.every(({ series }) => this.#refusals.isHopeless(series))) return;
      const [before, passMs] = [this.#progress, this.#archive.clock.now()];
      const { files, left } = await this.#history?.choose(owed) ?? { files: [], left: owed };
      const [{ reachLearned }] = await Promise.all([
        runPass(this.#exchange, left, {
          nowMs: this.#untilMs,
          pagesInFlight: this.#options.pagesInFlight,
          isOver: () => this.#isOver(),
          isLeftAlone: (series) => this.#refusals.isLeftAlone(series),
          runPage: (page) => this.#runPage(page),
        }),
        this.#history?.take(files),
      ]);
      // What the files did not bring is asked of the API.
      if (this.#progress.answered > before.answered || reachLearned || files.length > 0) {
        pauseMs = PAUSE_MS;
        continue;
      }
      const restMs = this.#refusals.restUntilMs(owed.map(({ series }) => series), passMs);
      if (restMs !== undefined) {
        await this.#pause(restMs, "refused or down, asking again");
        continue;
      }
      if (this.#progress.failed === before.failed) return;
      if (!this.#options.patient) {
        // Nothing was answered: the young candles are not stored either.
        if (isFirst) [this.#left, this.#young] = [candlesOf(read), NO_YOUNG];
        return;
      }
      await this.#pause(this.#archive.clock.now() + pauseMs, "nothing more came");
      pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX);
    }
  }

  /** Waits until the newest candles are final, if that is soon, and asks for them again. */
  async #confirmNewest(): Promise<void> {
    const { finalMs = Infinity } = this.#young;
    if (finalMs - this.#archive.clock.now() > FINAL_WAIT_MS_MAX) return;
    const left = this.#left;
    for (const delayMs of FINAL_DELAYS_MS) {
      await this.#pause(finalMs + delayMs, "the newest candles may still change");
      await this.#runPasses();
      if (this.#left === left) return;
    }
  }

  /** Retries until the page is stored or its failure is final. Returns what it brought, if it was stored. */
  async #runPage({ series, window, owed }: QueuedPage): Promise<PageOutcome | undefined> {
    const { signal, compression } = this.#options;
    const { timeframe } = series;
    let outcome: PageOutcome | undefined;
    let isWritten = false;
    // A page that fails in part is asked for again without the part that is stored.
    let left = owed;
    const onStored = (part: PageOutcome): void => {
      const answered = coverageCandles(timeframe, intersect(left, part.answered));
      left = subtract(left, part.answered);
      isWritten ||= part.added + part.revised > 0;
      this.#update(withPart(this.#progress, { ...part, answered }));
      // Not after an answer for nothing: refusals in between would never add up.
      if (answered > 0) this.#refusals.forget(series);
    };
    await this.#persist(async () => {
      const [first, last] = [left[0], left.at(-1)];
      if (first === undefined || last === undefined) return;
      outcome = await ingestPage(this.#archive, this.#exchange, series, {
        window: left === owed ? window : { sinceMs: first.sinceMs, untilMs: last.untilMs },
        priority: "backfill",
        owed: left,
        signal,
        onStored,
      });
      this.#update({ pages: this.#progress.pages + 1 });
      forgetSeriesFailure(this.#archive, series);
    }, series);
    if (isWritten) await compression.noteWritten(this.#exchange.id, { timeframe, window });
    return outcome;
  }

  async #noteFile(
    { series: { timeframe }, window }: { readonly series: Series; readonly window: Window },
    { candles, added }: StoredFile,
  ): Promise<void> {
    this.#update(withPart(this.#progress, { answered: candles, added, files: 1 }));
    if (added > 0) {
      await this.#options.compression.noteWritten(this.#exchange.id, { timeframe, window });
    }
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
        const isLeft = series !== undefined && this.#refusals.isLeftAlone(series);
        if (isLeft || untilMs === undefined || !this.#mayWait()) return false;
        await this.#pause(untilMs, pauseReason(error), series);
      }
    }
    return false;
  }

  async #report(error: unknown, series: Series | undefined): Promise<void> {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    if (series === undefined) await reportExchangeFailure(this.#archive, this.#exchange.id, error);
    else await reportSeriesFailure(this.#archive, series, error);
    if (series !== undefined) this.#refusals.note(series, error);
    this.#problems.set(`${name} ${series === undefined ? "" : seriesName(series)}`, message);
    this.#update({ failed: this.#progress.failed + 1 });
  }

  /** Whether to wait for an exchange that is down or bans us: the daemon always, the one-shot command for a while. */
  #mayWait(): boolean {
    if (this.#options.patient) return true;
    if (++this.#failuresInARow >= FAILURES_IN_A_ROW_MAX) this.#gaveUp = true;
    return !this.#gaveUp;
  }

  /** That of a series ends also when another node gets it. */
  async #pause(untilMs: number, why: string, series?: Series): Promise<void> {
    const { clock } = this.#archive;
    this.#update({ pausedUntilMs: untilMs, pausedWhy: why });
    await this.#options.compression.noteWaiting(this.#exchange.id);
    await this.#exchange.work.run(
      { series, signal: this.#over },
      (_, waits) => clock.sleep(untilMs - clock.now(), { signal: waits }),
    ).catch((error) => {
      if (!isCancelled(error, this.#over)) throw error;
    });
    this.#update({ pausedUntilMs: undefined, pausedWhy: undefined });
  }

  async #readOwed(): Promise<readonly Owed[] | undefined> {
    const options = { ...this.#options, nowMs: this.#untilMs };
    let owed: readonly Owed[] | undefined;
    await this.#persist(async () => {
      owed = await readOwedOf(this.#archive, this.#exchange, options);
    });
    return owed;
  }

  #isOver(): boolean {
    return this.#gaveUp || this.#over.aborted || !this.#exchange.share.mayAsk;
  }

  #update(change: Partial<BackfillProgress>): void {
    this.#progress = { ...this.#progress, ...change };
    this.#options.onProgress?.(this.#progress);
  }
}
