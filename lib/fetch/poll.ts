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
  type PageFailure,
  reportExchangeFailure,
  reportLostSymbol,
  reportPageFailures,
} from "../archive/failure.ts";
import { followedSeries, lastClosedMs, type Markets } from "../archive/markets_in_force.ts";
import { lostSymbols } from "./lost_symbols.ts";
import { LatePolls } from "./late_polls.ts";
import type { Capacity } from "../market/capacity.ts";
import { BreakerOpenError } from "../policy/breaker.ts";
import { refreshMarkets } from "./markets.ts";
import { readCheckpoints } from "../store/ledger.ts";
import { noteFirstPolls } from "./first_poll.ts";
import { ingestPage } from "./page.ts";
import type { PageOutcome } from "./page_outcome.ts";
import { RefusedPolls } from "./refused_polls.ts";
import { isLastWanted } from "./series_end.ts";
import { ThinnedPolls } from "./thinned_polls.ts";

/** If the exchange's clock is behind by at most this, polls wait for the newest candle; else the next tick gets it. */
const EARLY_MS_MAX = 10_000;

/** If a series was asked for at most this long ago, a candle that is revised now has changed since then. */
const SETTLING_SEEN_MS = 5 * 60_000;

export interface PollReport {
  /** Requests: one per series, and a second one if the newest candle was still forming at the exchange. */
  readonly asked: number;
  readonly failed: number;
  readonly added: number;
  readonly revised: number;
  /** Candles that streams had told of, and that an answer had for the first time. */
  readonly streamed: number;
  /** Series left out because their request of an earlier tick is still running. */
  readonly skipped: number;
}

interface PollOptions {
  /** Called when an exchange answers again after a pause longer than one page, with the start of that pause. */
  readonly onOwing?: ((exchange: string, sinceMs: number) => void) | undefined;
  /** Called when the markets of an exchange are new, with what its polls take, and when they could not be loaded. */
  readonly onMarkets?: ((exchange: string, capacity: Capacity | undefined) => void) | undefined;
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
      if (!isResumed) await resume(archive, poll);
      isResumed = true;
      const report = await poll.runOnce({ signal });
      options.onEnd(report);
      return { ...report };
    },
  };
}

/** Sets until when each series is answered for, so that the first poll also fetches a short pause. */
async function resume(archive: Archive, poll: Poll): Promise<void> {
  for (const checkpoint of await readCheckpoints(archive.database)) {
    const { series, covered, unsettled, followedFromMs } = checkpoint;
    const untilMs = covered.at(-1)?.untilMs ?? unsettled[0]?.sinceMs;
    // What is covered before the first poll is a range of its own.
    if (untilMs === undefined || followedFromMs === Infinity) continue;
    poll.resumeFrom(series, Math.max(untilMs, followedFromMs ?? -Infinity));
  }
}

/** Polls one archive. Remembers until when each series is answered for, and which requests are still running. */
export class Poll {
  readonly #archive: Archive;
  readonly #options: PollOptions;
  readonly #late: LatePolls;
  /** Until when a series is answered for without a hole, as far as polling knows. Milliseconds. */
  readonly #answeredUntilMs = new Map<string, number>();
  /** When the exchange last answered for a series. Milliseconds. */
  readonly #askedMs = new Map<string, number>();
  /** Series with a running request, by name, and exchanges whose markets are being loaded. */
  readonly #busy = new Set<string | ArchivedExchange>();
  readonly #refused = new RefusedPolls();
  readonly #thinned: ThinnedPolls;

  constructor(archive: Archive, options: PollOptions = {}) {
    this.#archive = archive;
    this.#options = options;
    this.#late = new LatePolls(archive);
    this.#thinned = new ThinnedPolls(options.streams);
  }

  /** Sets where the ledger ends, so that the first poll fetches the time since the last run, up to one page. */
  resumeFrom(series: Series, answeredUntilMs: number): void {
    this.#answeredUntilMs.set(seriesName(series), answeredUntilMs);
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
    return sum(reports);
  }

  async #pollExchange(
    exchange: ArchivedExchange,
    signal: AbortSignal | undefined,
  ): Promise<PollReport> {
    const archive = this.#archive;
    if (this.#busy.has(exchange)) {
      // At the first time it is not known of how many series.
      const skipped = Math.max(1, exchange.series.length);
      this.#late.note(exchange.id, skipped);
      return { ...NOTHING, skipped };
    }
    this.#busy.add(exchange);
    let markets: Markets;
    try {
      markets = await refreshMarkets(archive, exchange, { signal });
    } catch (error) {
      if (!isCancelled(error, signal)) await reportExchangeFailure(archive, exchange.id, error);
      this.#options.onMarkets?.(exchange.id, undefined);
      return { ...NOTHING, failed: exchange.series.length };
    } finally {
      this.#busy.delete(exchange);
    }
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
    const report = sum([{ ...NOTHING, skipped }, ...await Promise.all(reports)]);
    await reportPageFailures(archive, exchange.id, failures);
    // What an open breaker holds back was told when it opened.
    if (failures.every(({ error }) => error instanceof BreakerOpenError)) {
      forgetPageFailures(archive, exchange.id);
    }
    return report;
  }

  /**
   * Whether a candle has closed, or has become final, since the last answer. So a `1d` series is polled twice a day: its
   * newest candle is stored at once, and confirmed when it cannot change any more.
   */
  #isDue(exchange: ArchivedExchange, series: Series, nowMs: number): boolean {
    const name = seriesName(series);
    if (this.#refused.isLeftAlone(exchange, series, nowMs)) return false;
    const answeredMs = this.#answeredUntilMs.get(name);
    const { value } = exchange.markets;
    if (answeredMs === undefined) return isLastWanted(this.#archive, value, { series, nowMs });
    const closedAtMs = (ms: number): number => lastClosedMs(value, series, ms);
    const closedMs = closedAtMs(nowMs);
    if (closedMs <= answeredMs || this.#thinned.isLeftOut(series, nowMs)) return false;
    const askedMs = this.#askedMs.get(name) ?? -Infinity;
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
    let [report, stored]: [PollReport, PageOutcome | undefined] = [NOTHING, undefined];
    const onStored = (part: PageOutcome): void => {
      const { added, revised, streamed } = part;
      stored = { ...part, answered: unite(stored?.answered ?? [], part.answered) };
      report = sum([report, { ...NOTHING, added, revised, streamed }]);
      this.#options.streams?.noteAnswer(series, part);
    };
    const ask = (): Promise<PageOutcome> => {
      report = sum([report, { ...NOTHING, asked: 1 }]);
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
      this.#askedMs.set(seriesName(series), nowMs - (last.earlyMs ?? 0));
      forgetSeriesFailure(archive, series);
      this.#refused.forget(exchange, series);
      return report;
    } catch (error) {
      if (isRefusal(error)) {
        this.#refused.note(exchange, series, nowMs);
        // Its market may be delisted.
        exchange.markets.doubt();
      }
      if (isCancelled(error, signal)) return report;
      failures.push({ series, error });
      return sum([report, { ...NOTHING, failed: 1 }]);
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
    const askedMs = this.#askedMs.get(seriesName(series)) ?? -Infinity;
    if (nowMs - askedMs > SETTLING_SEEN_MS) return;
    await exchange.learnSettling(series, revisedFromMs);
  }

  /** Later polls begin at the end of what was answered. If time before is still owed, a catch-up fetches it. */
  #noteAnswered(series: Series, { answered, earlyMs }: PageOutcome, window: Window): void {
    const name = seriesName(series);
    // Where all candles of a page are too young to be final, those before it are left.
    const untilMs = answered.at(-1)?.untilMs ?? window.sinceMs;
    const knownMs = this.#answeredUntilMs.get(name) ?? -Infinity;
    // A page that has not closed by the exchange's clock says nothing of time.
    if (answered.length === 0 && (knownMs >= untilMs || earlyMs !== undefined)) return;
    this.#answeredUntilMs.set(name, untilMs);
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
    const answeredMs = this.#answeredUntilMs.get(seriesName(series)) ?? recentMs;
    return { sinceMs: Math.max(pageMs, Math.min(recentMs, answeredMs)), untilMs };
  }
}

/** Whether an error says that the same request will fail again, or would if it stays. */
function isRefusal(error: unknown): boolean {
  return error instanceof FetchError &&
    (error.kind === "permanent" || error.kind === "denied" || error.isUnknown);
}

const NOTHING: PollReport = {
  ...{ asked: 0, failed: 0, skipped: 0 },
  ...{ added: 0, revised: 0, streamed: 0 },
};

function sum(reports: readonly PollReport[]): PollReport {
  return reports.reduce((total, report) => ({
    asked: total.asked + report.asked,
    failed: total.failed + report.failed,
    skipped: total.skipped + report.skipped,
    added: total.added + report.added,
    revised: total.revised + report.revised,
    streamed: total.streamed + report.streamed,
  }), NOTHING);
}
