/** A clock that begins at the same moment in every run, and moves only by what is waited for. @module */
import { type Clock, systemClock } from "../../lib/clock.ts";

/**
 * In the middle of an hour and of a minute, so that no candle closes unless a test has it so. A Friday: chunks of `1m`
 * begin on Thursdays.
 */
export const START_MS = Date.UTC(2024, 2, 15, 12, 30, 30);

/** Waits are real, work takes no time: however slow the machine, the clock shows the same. */
export class TestClock implements Clock {
  #nowMs: number;

  constructor(startMs: number = START_MS) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  async sleep(
    ms: number,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    const untilMs = this.#nowMs + Math.max(0, ms);
    await systemClock.sleep(ms, options);
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Lets time pass that nobody waits for. */
  pass(ms: number): void {
    this.#nowMs += ms;
  }

  /** Sets the clock to where it began: the next test finds the same moment. */
  restart(startMs: number = START_MS): void {
    this.#nowMs = startMs;
  }
}

/** The clock of a test file: of its archives, and of the exchanges they ask. */
export const testClock = new TestClock();
