/** Polling: each tick fetches the last closed candles of every series of all exchanges, concurrently. @module */
import { settingsOf } from "../config/exchange_settings.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import { subtract, unite } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Archive } from "../archive/archive.ts";
import type { FreshSeries } from "../archive/fresh_series.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Job } from "../archive/job.ts";
import {
  forgetPageFailures,
  forgetSeriesFailure,
  isCancelled,
  isLost,
  type PageFailure,
  reportExchangeFailure,
  reportLostSymbol,
  reportPageFailures,
} from "../archive/failure.ts";
import { followedSeries, lastClosedMs } from "../archive/markets_in_force.ts";
import { lostSymbols } from "./lost_symbols.ts";
import { LatePolls } from "./late_polls.ts";
import type { Capacity } from "../market/capacity.ts";
import { BreakerOpenError } from "../policy/breaker.ts";
import { refreshMarkets } from "./markets.ts";
import { noteFirstPolls } from "./first_poll.ts";
import { ingestPage } from "./page.ts";
import type { PageOutcome } from "./page_outcome.ts";
import { PollPositions } from "./poll_positions.ts";
import { NOTHING_POLLED, type PollReport, sumOfPolls } from "./poll_report.ts";
import { RefusedPolls } from "./refused_polls.ts";
import { isLastWanted } from "./series_end.ts";
import { ThinnedPolls } from "./thinned_polls.ts";

/** If the exchange's clock is behind by at most this, polls wait for the newest candle; else the next tick gets it. */
const EARLY_MS_MAX = 10_000;

/** If a series was asked for at most this long ago, a candle that is revised now has changed since then. */
const SETTLING_SEEN_MS = 5 * 60_000;

interface PollOptions {
  /** Called when an exchange answers again after a pause longer than one page, with the start of that pause. */
  readonly onOwing?: ((exchange: string, sinceMs: number) => void) | undefined;
  /** Called when the markets of an exchange are new, with what its polls take, and when they could not be loaded. */
  readonly onMarkets?: ((exchange: string, capacity: Capacity | undefined) => void) | undefined;
  /** Called when a tick has polled all of an exchange that was due. */
  readonly onPolled?: ((exchange: string) => void) | undefined;
  /** What streams keep fresh is polled less often. @default there are none */
  readonly streams?: FreshSeries | undefined;
}

/** The polling job. `onEnd` is called with the report of each tick. */
export function pollJob(
  archive: Archive,
  options: PollOptions & { readonly onEnd: (report: PollReport) => void },
): Job {
  const poll = new Poll(archive, options);
  let isResumed = false;
  return {
    name: "poll",
    get cron() {
      return archive.config.pollCron;
    },
    mayOverlap: true,
    runOnce: async (signal) => {
      if (!isResumed) await poll.resume();
      isResumed = true;
      const report = await poll.runOnce({ signal });
      options.onEnd(report);
      return { ...report };
    },
  };
}

/** Polls what this node holds. Remembers until when each series is answered for, and which requests are still running. */
export class Poll {
  readonly #archive: Archive;
  readonly #options: PollOptions;
  readonly #late: LatePolls;
  readonly #positions: PollPositions;
  /** Series with a running request, by name, and exchanges whose markets are being loaded. */
  readonly #busy = new Set<string | ArchivedExchange>();
  readonly #refused = new RefusedPolls();
  readonly #thinned: ThinnedPolls;

  constructor(archive: Archive, options: PollOptions = {}) {
    this.#archive = archive;
    this.#options = options;
    this.#late = new LatePolls(archive);
    this.#positions = new PollPositions(archive);
    this.#thinned = new ThinnedPolls(options.streams);
  }

  /** Sets where the ledger ends, so that the first poll fetches the time since the last run, up to one page. */
  resumeFrom(series: Series, answeredUntilMs: number): void {
    this.#positions.note(series, { answeredUntilMs });
  }

  /** Does so for all series of the ledger. Where leases are kept it is done for each when it is this node's. */
  async resume(): Promise<void> {
    if (this.#archive.leases.node === undefined) await this.#positions.resume();
  }

  /**
   * One tick. It may begin before the last one has ended. A series whose request is still running is skipped; the
   * others are not affected.
   */
  async runOnce(
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<PollReport> {
    const { exchanges } = this.#archive;
    this.#thinned.countTick();
    const reports = await Promise.all(
      exchanges.map((exchange) => this.#pollExchange(exchange, signal)),
    );
    for (const text of lostSymbols(this.#archive)) await reportLostSymbol(this.#archive, text);
    return sumOfPolls(reports);
  }

  async #pollExchange(
    exchange: ArchivedExchange,
    signal: AbortSignal | undefined,
  ): Promise<PollReport> {
    const archive = this.#archive;
    if (!exchange.share.mayAsk) return await this.#leave(exchange);
    if (this.#busy.has(exchange)) {
      // At the first time it is not known of how many series.
      const skipped = Math.max(1, exchange.series.length);
      this.#late.note(exchange.id, skipped);
      return { ...NOTHING_POLLED, skipped };
    }
    this.#busy.add(exchange);
    try {
      await refreshMarkets(archive, exchange, { signal });
      await this.#follow(exchange);
    } catch (error) {
      if (!isCancelled(error, signal)) await reportExchangeFailure(archive, exchange.id, error);
      this.#options.onMarkets?.(exchange.id, undefined);
      return { ...NOTHING_POLLED, failed: exchange.series.length };
    } finally {
      this.#busy.delete(exchange);
    }
    const markets = exchange.share.markets;
    if (markets === undefined) return await this.#leave(exchange);
    archive.failures.clear(exchange.id);
    this.#options.streams?.follow();
    const capacity = await this.#late.judge(exchange, markets);
    if (capacity !== undefined) this.#options.onMarkets?.(exchange.id, capacity);
    archive.metrics.settleSeconds.set({ exchange: exchange.id }, exchange.settleMs / 1000);
    const nowMs = archive.clock.now();
    const due = followedSeries(markets, settingsOf(archive.config, exchange.id)).filter((series) =>
      this.#isDue(exchange, series, nowMs)
    );
    const free = due.filter((series) => !this.#busy.has(seriesName(series)));
    const skipped = due.length - free.length;
    this.#late.note(exchange.id, skipped);
    for (const series of free) this.#busy.add(seriesName(series));
    const noting = noteFirstPolls(archive, free, (one) => this.#window(exchange, one, nowMs));
    const failures: PageFailure[] = [];
    const reports = free.map(async (series) => {
      try {
        return await this.#pollSeries(exchange, series, { nowMs, signal, failures });
      } finally {
        // While it waits for a lock, no further tick may wait for it, too.
        await noting;
        this.#busy.delete(seriesName(series));
      }
    });
    const report = sumOfPolls([{ ...NOTHING_POLLED, skipped }, ...await Promise.all(reports)]);
    await reportPageFailures(archive, exchange.id, failures);
    // What an open breaker holds back was told when it opened.
    if (failures.every(({ error }) => error instanceof BreakerOpenError)) {
      forgetPageFailures(archive, exchange.id);
    }
    this.#options.onPolled?.(exchange.id);
    return report;
  }

  /** Goes on where the ledger ends of what has become this node's, and forgets what it does not hold any more. */
  async #follow(exchange: ArchivedExchange): Promise<void> {
    const { failures } = this.#archive;
    for (const series of await this.#positions.follow(exchange.id, exchange.series)) {
      this.#refused.forget(exchange, series);
      failures.clear(seriesName(series));
    }
  }

  /** Another node asks the exchange. */
  async #leave(exchange: ArchivedExchange): Promise<PollReport> {
    await this.#follow(exchange);
    this.#late.leave(exchange);
    this.#options.onMarkets?.(exchange.id, undefined);
    return NOTHING_POLLED;
  }

  /**
   * Whether a candle has closed, or has become final, since the last answer. So a `1d` series is polled twice a day: its
   * newest candle is stored at once, and confirmed when it cannot change any more.
   */
  #isDue(exchange: ArchivedExchange, series: Series, nowMs: number): boolean {
    if (this.#refused.isLeftAlone(exchange, series, nowMs)) return false;
    const { answeredUntilMs: answeredMs, askedMs = -Infinity } = this.#positions.of(series);
    const { value } = exchange.markets;
    if (answeredMs === undefined) return isLastWanted(this.#archive, value, { series, nowMs });
    const closedAtMs = (ms: number): number => lastClosedMs(value, series, ms);
    const closedMs = closedAtMs(nowMs);
    if (closedMs <= answeredMs || this.#thinned.isLeftOut(series, nowMs)) return false;
    // Later than now: the clock was set back.
    const isNew = closedMs > askedMs || askedMs > nowMs;
    return isNew || closedAtMs(nowMs - exchange.settleMs) > answeredMs;
  }

  async #pollSeries(
    exchange: ArchivedExchange,
    series: Series,
    { nowMs, signal, failures }: {
      readonly nowMs: number;
      readonly signal: AbortSignal | undefined;
      readonly failures: PageFailure[];
    },
  ): Promise<PollReport> {
    const archive = this.#archive;
    const window = this.#window(exchange, series, nowMs);
    let [report, stored]: [PollReport, PageOutcome | undefined] = [NOTHING_POLLED, undefined];
    const onStored = (part: PageOutcome): void => {
      const { added, revised, streamed } = part;
      stored = { ...part, answered: unite(stored?.answered ?? [], part.answered) };
      report = sumOfPolls([report, { ...NOTHING_POLLED, added, revised, streamed }]);
      this.#options.streams?.noteAnswer(series, part);
    };
    const ask = (): Promise<PageOutcome> => {
      report = sumOfPolls([report, { ...NOTHING_POLLED, asked: 1 }]);
      return ingestPage(archive, exchange, series, { window, priority: "live", signal, onStored });
    };
    try {
      let last = await ask();
      const { earlyMs = Infinity } = last;
      if (earlyMs <= EARLY_MS_MAX) {
        await archive.clock.sleep(earlyMs, { signal });
        last = await ask();
      }
      await this.#learnSettling(exchange, series, last);
      // A candle that has not closed by the exchange's clock is still to come.
      this.#positions.note(series, { askedMs: nowMs - (last.earlyMs ?? 0) });
      forgetSeriesFailure(archive, series);
      this.#refused.forget(exchange, series);
      return report;
    } catch (error) {
      if (isRefusal(error)) {
        this.#refused.note(exchange, series, nowMs);
        // Its market may be delisted.
        exchange.markets.doubt();
      }
      if (isLost(error)) return report;
      if (!isCancelled(error, signal)) failures.push({ series, error });
      return sumOfPolls([report, { ...NOTHING_POLLED, failed: 1 }]);
    } finally {
      if (stored !== undefined) this.#noteAnswered(series, stored, window);
    }
  }

  /** Learns how long after its close a candle may still change: as long as one has changed between two polls. */
  async #learnSettling(
    exchange: ArchivedExchange,
    series: Series,
    { revisedFromMs }: PageOutcome,
  ): Promise<void> {
    if (revisedFromMs === undefined) return;
    const nowMs = this.#archive.clock.now();
    const { askedMs = -Infinity } = this.#positions.of(series);
    if (nowMs - askedMs > SETTLING_SEEN_MS) return;
    await exchange.learnSettling(series, revisedFromMs);
  }

  /** Later polls begin at the end of what was answered. If time before is still owed, a catch-up fetches it. */
  #noteAnswered(series: Series, { answered, earlyMs }: PageOutcome, window: Window): void {
    // Where all candles of a page are too young to be final, those before it are left.
    const untilMs = answered.at(-1)?.untilMs ?? window.sinceMs;
    const { answeredUntilMs: knownMs = -Infinity } = this.#positions.of(series);
    // A page that has not closed by the exchange's clock says nothing of time.
    if (answered.length === 0 && (knownMs >= untilMs || earlyMs !== undefined)) return;
    this.#positions.note(series, { answeredUntilMs: untilMs });
    // What the first answer began with is where the series begins.
    const sinceMs = Number.isFinite(knownMs) ? knownMs : untilMs;
    const [left] = sinceMs < untilMs ? subtract([{ sinceMs, untilMs }], answered) : [];
    if (left !== undefined) this.#options.onOwing?.(series.exchange, left.sinceMs);
  }

  /** The newest closed candles, which exchanges may still revise, and all since the last answer. At most one page. */
  #window(exchange: ArchivedExchange, series: Series, nowMs: number): Window {
    const { timeframe } = series;
    const untilMs = lastClosedMs(exchange.markets.value, series, nowMs);
    const recentMs = addCandles(timeframe, untilMs, -this.#archive.config.pollCandles);
    const pageMs = addCandles(timeframe, untilMs, -exchange.pageRowsMax(series));
    const { answeredUntilMs: answeredMs = recentMs } = this.#positions.of(series);
    return { sinceMs: Math.max(pageMs, Math.min(recentMs, answeredMs)), untilMs };
  }
}

/** Whether an error says that the same request will fail again, or would if it stays. */
function isRefusal(error: unknown): boolean {
  return error instanceof FetchError &&
    (error.kind === "permanent" || error.kind === "denied" || error.isUnknown);
}
