/** Lets the statements of visitors wait for those of the archive, on a database with one connection. @module */
import type { Clock } from "../../clock.ts";
import { Slots } from "../../policy/slots.ts";

/**
 * While a backfill keeps the database busy without a pause, a visitor's statement is sent after this time all the same:
 * four a second cost pages little, and the web page still shows how far it is.
 */
const PATIENCE_MS = 250;

/** Orders the statements of one connection, which answers them in the order in which they are sent. */
export class VisitorTurns {
  readonly #clock: Clock;
  /** Only one statement of a visitor is sent at a time: those sent could no longer be overtaken. */
  readonly #visitors = new Slots({ atOnce: 1 });
  /** How many statements of the archive were sent and are not answered. */
  #unanswered = 0;
  #idle = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs statements of the archive, at once. */
  async archive<T>(run: () => Promise<T>): Promise<T> {
    this.#unanswered++;
    try {
      return await run();
    } finally {
      if (--this.#unanswered === 0) {
        this.#idle.resolve();
        this.#idle = Promise.withResolvers();
      }
    }
  }

  /** Runs statements of a visitor, when no other statement is waiting for its answer. */
  async visitor<T>(run: () => Promise<T>): Promise<T> {
    const end = await this.take();
    try {
      return await run();
    } finally {
      end();
    }
  }

  /**
   * Waits for the same, where it is not known beforehand how many statements there will be.
   *
   * @returns what ends the visitor's turn.
   * @throws the signal's reason when it aborts first.
   */
  async take(signal?: AbortSignal): Promise<() => void> {
    await this.#visitors.take({ signal });
    await this.#untilIdle();
    return () => this.#visitors.giveBack();
  }

  async #untilIdle(): Promise<void> {
    if (this.#unanswered === 0) return;
    const over = new AbortController();
    const enough = this.#clock.sleep(PATIENCE_MS, over).catch(() => {});
    try {
      await Promise.race([this.#idle.promise, enough]);
    } finally {
      over.abort();
    }
  }
}
