/** Judges the answers of one exchange, and learns from them what it can do and whose clock is ahead. @module */
import type { Clock } from "../clock.ts";
import type { Page } from "../exchange/candle_request.ts";
import { judgePage, newestTime, type PageVerdict, provesSinceHonoured } from "../market/answer.ts";
import { answerTime } from "../market/answer_time.ts";
import { priceOf } from "../market/price.ts";
import { type Series, seriesName } from "../market/series.ts";
import { closedUntil } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Capabilities } from "./learned_limits.ts";

/** The verdict on an answer, and how far this machine's clock is ahead of it. */
export interface PageAnswer extends PageVerdict {
  /** This machine's clock minus the answer's `Date` header. Milliseconds; undefined if it has no such header. */
  readonly clockAheadMs: number | undefined;
}

/** An answer may take this long to arrive. If the clock is further ahead of its `Date`, the clock is wrong. */
const AHEAD_MS_MAX = 60_000;

interface PageJudgeOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly capabilities: Capabilities;
}

/** The judge of one exchange's answers. */
export class PageJudge {
  readonly #exchange: string;
  readonly #options: PageJudgeOptions;
  /** The newest open time that the exchange has sent of each series. Milliseconds. */
  readonly #newestSeenMs = new Map<string, number>();
  #isClockAhead = false;

  constructor(exchange: string, options: PageJudgeOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  /** The verdict on an answer to the request for a window. */
  judge(
    series: Series,
    window: Window,
    { rows, dateMs, isSinceSent, isUntilSent }: Page & { readonly isUntilSent: boolean },
  ): PageAnswer {
    const { capabilities, clock } = this.#options;
    const { timeframe } = series;
    const { rowsMaxSeen } = capabilities.of(series);
    capabilities.learnRows(series, rows.length);
    // An end alone may have made the answer older.
    if (!isUntilSent) this.#learnSince(series, rows);
    const known = capabilities.of(series).isSinceHonoured?.value;
    const nowMs = clock.now();
    const answerMs = answerTime(nowMs, { dateMs, newestMs: newestTime(rows) });
    this.#noteClock(nowMs - answerMs);
    const verdict = {
      ...judgePage({
        timeframe,
        price: priceOf(series.symbol),
        window,
        rows,
        rowsMaxSeen,
        nowMs: answerMs,
        isSinceHonoured: isSinceSent ? known : isUntilSent ? undefined : false,
        settleMs: capabilities.settleMs,
      }),
      clockAheadMs: dateMs === undefined ? undefined : nowMs - dateMs,
    };
    capabilities.learnPage(series, window, verdict);
    if (isUntilSent && verdict.candles.length > 0) capabilities.learnUntilNeeded(series);
    const dueMs = Math.min(window.untilMs, closedUntil(timeframe, nowMs));
    return dueMs > answerMs ? { ...verdict, earlyMs: dueMs - answerMs } : verdict;
  }

  #noteClock(aheadMs: number): void {
    const isAhead = aheadMs > AHEAD_MS_MAX;
    if (isAhead && !this.#isClockAhead) {
      this.#options.log.warn(
        "this machine's clock is ahead of the exchange's clock: the exchange's time is used for its candles",
        { exchange: this.#exchange, seconds: Math.round(aheadMs / 1000) },
      );
    }
    this.#isClockAhead = isAhead;
  }

  /**
   * Learns whether this exchange honours `since`. An answer that ends well before a candle which the exchange sent
   * earlier for the same series proves that. A series without new trades proves nothing.
   */
  #learnSince(series: Series, rows: readonly unknown[]): void {
    const newestMs = newestTime(rows);
    if (newestMs === undefined) return;
    const { timeframe } = series;
    const seenMs = this.#newestSeenMs.get(seriesName(series)) ?? -Infinity;
    if (provesSinceHonoured(timeframe, { newestMs, seenMs })) {
      this.#options.capabilities.learnSinceHonoured(series);
    }
    this.#newestSeenMs.set(seriesName(series), Math.max(seenMs, newestMs));
  }
}
