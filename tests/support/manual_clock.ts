/** A clock that stands still until a test moves it. @module */
import { setImmediate as turnOfTheEventLoop } from "node:timers/promises";
import type { Clock } from "../../lib/clock.ts";

interface Sleeper {
  dueMs: number;
  wake(): void;
}

/** A loop that sleeps 0 ms for ever would otherwise hang the test instead of failing it. */
const WAKES_MAX = 100_000;

export class ManualClock implements Clock {
  #nowMs: number;
  /** By due time; those due together in the order in which they lay down. */
  readonly #sleepers: Sleeper[] = [];

  /** @param startMs what the clock shows first, 2024-01-01T00:00:00Z unless told. */
  constructor({ startMs = Date.UTC(2024, 0, 1) }: { readonly startMs?: number } = {}) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  /** How many sleeps are pending; 0 at the end of a test means that no timer leaked. */
  get sleepers(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        dueMs: this.#nowMs + Math.max(0, ms),
        wake: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      const later = this.#sleepers.findIndex(({ dueMs }) => dueMs > sleeper.dueMs);
      this.#sleepers.splice(later === -1 ? this.#sleepers.length : later, 0, sleeper);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /**
   * Sets what the clock shows, as an administrator or NTP does: nobody sleeps longer or less for it. Negative sets it
   * back.
   */
  set(ms: number): void {
    this.#nowMs += ms;
    for (const sleeper of this.#sleepers) sleeper.dueMs += ms;
  }

  /**
   * Moves the clock, waking every sleeper that falls due at its own moment and in order, and letting all
   * that follows from it run before the next. Resolves when nothing is left to run at the new time;
   * `advance(0)` lets pending continuations run.
   *
   * @throws RangeError when time would go backwards.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`Cannot advance a clock by ${ms} ms`);
    const untilMs = this.#nowMs + ms;
    for (let wakes = 0;; wakes++) {
      // One turn of the event loop empties the whole queue of microtasks, however long its chains.
      await turnOfTheEventLoop();
      const sleeper = this.#sleepers[0];
      if (sleeper === undefined || sleeper.dueMs > untilMs) break;
      if (wakes === WAKES_MAX) {
        throw new Error(`Cannot advance a clock: more than ${WAKES_MAX} sleeps fell due`);
      }
      this.#sleepers.shift();
      this.#nowMs = sleeper.dueMs;
      sleeper.wake();
    }
    this.#nowMs = untilMs;
  }
}
