/** Until when an exchange wants to be left alone. @module */
import type { FetchError } from "./fetch_error.ts";

/** How long to stay away when an exchange says "too many requests" and not until when; doubles each time. */
const BAN_DEFAULT_MS = 60_000;
const BAN_DEFAULT_MS_MAX = 60 * 60_000;

/** The ban of one exchange, or several in a row. */
export class Ban {
  #untilMs = 0;
  /** How long the ban was when the exchange answered with it. */
  #lengthMs = 0;
  #reason = "";
  #inARow = 0;
  /** Whether nothing was answered since. */
  #isUnanswered = false;

  /** In the past when nothing forbids asking. Milliseconds. */
  get untilMs(): number {
    return this.#untilMs;
  }

  get reason(): string {
    return this.#reason;
  }

  /** Puts a ban from before a restart back in force, unless a longer one is. */
  restore(untilMs: number, reason: string): void {
    if (untilMs <= this.#untilMs) return;
    this.#untilMs = untilMs;
    this.#reason = reason;
    this.#isUnanswered = true;
  }

  /**
   * The exchange has answered: the next ban is the first again. Returns whether that ends a ban: answers on their way when
   * it began do not.
   */
  answered(nowMs: number): boolean {
    this.#inARow = 0;
    const isEnd = this.#isUnanswered && nowMs >= this.#untilMs;
    if (isEnd) this.#isUnanswered = false;
    return isEnd;
  }

  /** How long a ban lasts of which the exchange does not say until when. */
  defaultMs(nowMs: number): number {
    const before = nowMs < this.#untilMs ? Math.max(0, this.#inARow - 1) : this.#inARow;
    return Math.min(BAN_DEFAULT_MS * 2 ** before, BAN_DEFAULT_MS_MAX);
  }

  /**
   * Notes a ban. Returns whether it is news. Requests that were already on their way when it began answer with the same
   * ban, each a little later: it counts once, and does not grow. A longer one is news.
   */
  note({ untilMs = 0, message }: FetchError, nowMs: number): boolean {
    const isOver = nowMs >= this.#untilMs;
    if (isOver) this.#inARow++;
    const lengthMs = untilMs - nowMs;
    if (untilMs <= this.#untilMs || (!isOver && lengthMs <= this.#lengthMs)) return false;
    this.#untilMs = untilMs;
    this.#isUnanswered = true;
    this.#lengthMs = lengthMs;
    this.#reason = message;
    return true;
  }
}
