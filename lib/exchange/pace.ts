/** The one limiter of an exchange: spaces its requests and lets live polls go before backfill. @module */
import type { Clock } from "../clock.ts";

/** Live asks are served before any backfill ask that is waiting. */
export type Priority = "live" | "backfill";

interface PaceOptions {
  /** Least time between two requests of cost 1, CCXT's `rateLimit`. Milliseconds. */
  readonly intervalMs: number;
  readonly clock: Clock;
}

interface Waiter {
  readonly grant: () => void;
}

/**
 * A leaky bucket with a queue of two priorities. It replaces CCXT's own throttle, whose queue knows no
 * priority and cannot be aborted, and which would make the wait for a turn count against the deadline of
 * the request.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #waiting: Readonly<Record<Priority, Set<Waiter>>> = {
    live: new Set(),
    backfill: new Set(),
  };
  /** How long nothing may be sent, as of `#atMs`: a time to come would be hours off when the clock is set. */
  #owedMs = 0;
  #atMs: number;
  #granting = false;
  /** Ends the wait between two turns when nobody is left who waits for one, or when it has become shorter. */
  #pause = new AbortController();

  constructor({ intervalMs, clock }: PaceOptions) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#atMs = clock.now();
  }

  /** How many asks are waiting for their turn. */
  get waiting(): number {
    return this.#waiting.live.size + this.#waiting.backfill.size;
  }

  /**
   * Resolves when a request of cost 1 may be sent, and takes its share of the pace.
   *
   * @throws the signal's reason when it is aborted first; the turn then goes to the next.
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
   * Takes a further share of the pace, for requests that cost more than 1 or that were not expected. A negative cost
   * gives back what a turn has taken too much, also to whoever is already waiting for the next.
   */
  charge(cost: number): void {
    this.#owedMs = Math.max(0, this.#waitMs() + cost * this.#intervalMs);
    if (cost < 0) this.#pause.abort();
  }

  async #grantAll(): Promise<void> {
    this.#granting = true;
    while (this.waiting > 0) {
      const waitMs = this.#waitMs();
      if (waitMs > 0) {
        this.#pause = new AbortController();
        // To the clock's next millisecond: of a fraction it could see nothing pass, and the wait would begin again.
        // Rejects when the last waiter went away or less is to be waited: the next round sees both by itself.
        await this.#clock.sleep(Math.ceil(waitMs), { signal: this.#pause.signal }).catch(() => {});
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
  }

  /** How long nothing may be sent from now on. A clock that was set back has seen no time pass. */
  #waitMs(): number {
    const nowMs = this.#clock.now();
    this.#owedMs = Math.max(0, this.#owedMs - Math.max(0, nowMs - this.#atMs));
    this.#atMs = nowMs;
    return this.#owedMs;
  }
}
