/** The rate limiter of one exchange. Live polls go before backfill. @module */
import type { Clock } from "../clock.ts";

/** `live` requests are served before all waiting `backfill` requests. */
export type Priority = "live" | "backfill";

interface PaceOptions {
  /** Minimum time between two requests of cost 1: CCXT's `rateLimit`. Milliseconds. */
  readonly intervalMs: number;
  readonly clock: Clock;
}

/**
 * A timer that fires late by so much delays one request, and not all that wait behind it: over twenty requests the delays
 * would add up. It is less than what the network does to the time between two requests.
 * Milliseconds.
 */
const LATE_MS_MAX = 25;

interface Waiter {
  readonly grant: () => void;
}

/**
 * A leaky bucket with a queue of two priorities. It replaces CCXT's own throttle, which has no priorities and cannot be
 * aborted, and whose wait would count against the request's deadline.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #waiting: Readonly<Record<Priority, Set<Waiter>>> = {
    live: new Set(),
    backfill: new Set(),
  };
  /**
   * How long to wait before the next request, measured at `#atMs`. A duration and not a time: a time would be wrong by
   * hours after the clock is set. Below zero while requests wait whose turn comes late.
   */
  #owedMs = 0;
  #atMs: number;
  #granting = false;
  /** Whether those that wait have waited for a timer. */
  #isTimed = false;
  /** Aborted to end the current wait early: when no request waits any more, or when the wait became shorter. */
  #pause = new AbortController();

  constructor({ intervalMs, clock }: PaceOptions) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#atMs = clock.now();
  }

  /** How many requests are waiting. */
  get waiting(): number {
    return this.#waiting.live.size + this.#waiting.backfill.size;
  }

  /**
   * Resolves when a request of cost 1 may be sent, and charges for it.
   *
   * @throws the signal's reason when it is aborted first; the turn then goes to the next request.
   */
  turn(priority: Priority, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const queue = this.#waiting[priority];
      const onAbort = (): void => {
        queue.delete(waiter);
        if (this.waiting === 0) this.#pause.abort();
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        grant: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      queue.add(waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
      if (!this.#granting) void this.#grantAll();
    });
  }

  /**
   * Charges extra cost, for requests that cost more than 1 or that had no turn. A negative cost is a refund; it also
   * shortens the current wait.
   */
  charge(cost: number): void {
    const waitMs = this.#waitMs();
    this.#owedMs = Math.max(Math.min(0, waitMs), waitMs + cost * this.#intervalMs);
    if (cost < 0) this.#pause.abort();
  }

  async #grantAll(): Promise<void> {
    this.#granting = true;
    while (this.waiting > 0) {
      const waitMs = this.#waitMs();
      if (waitMs > 0) {
        this.#pause = new AbortController();
        // Rounded up: the clock counts whole milliseconds, so after a shorter sleep no time would seem to have passed.
        // Rejects when `#pause` is aborted; the next round of the loop then computes the wait anew.
        await this.#clock.sleep(Math.ceil(waitMs), { signal: this.#pause.signal })
          .then(() => this.#isTimed = true, () => {});
        continue;
      }
      const queue = this.#waiting.live.size > 0 ? this.#waiting.live : this.#waiting.backfill;
      const [next] = queue;
      if (next === undefined) break;
      queue.delete(next);
      this.charge(1);
      next.grant();
    }
    this.#granting = false;
    this.#isTimed = false;
  }

  /** How long to wait from now on. If the clock was set back, no time has passed. */
  #waitMs(): number {
    const nowMs = this.#clock.now();
    const leastMs = this.#isTimed ? -LATE_MS_MAX : 0;
    this.#owedMs = Math.max(leastMs, this.#owedMs - Math.max(0, nowMs - this.#atMs));
    this.#atMs = nowMs;
    return this.#owedMs;
  }
}
