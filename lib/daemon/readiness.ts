/** Looks once a second whether the database is ready, so that any number of probes costs it nothing. @module */
import type { Clock } from "../clock.ts";

interface ReadinessOptions {
  /** Why the database is not ready; empty when it is. Ends soon, at once when the signal aborts, and does not throw. */
  readonly look: (signal: AbortSignal) => Promise<readonly string[]>;
  readonly clock: Clock;
}

const LOOK_EVERY_MS = 1_000;

export class Readiness {
  readonly #options: ReadinessOptions;
  readonly #stopping = new AbortController();
  #reasons: readonly string[] = ["the database was not asked yet"];
  /** One look at a time, so that the newest one is what is remembered. */
  #newest: Promise<void> = Promise.resolve();
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** What was found at the newest look. */
  get reasons(): readonly string[] {
    return this.#reasons;
  }

  /** Begins to look. */
  start(): void {
    this.#looking = this.#lookAgain();
  }

  /** Looks when the look that is under way has ended. */
  async look(): Promise<void> {
    const look = async (): Promise<void> => {
      this.#reasons = await this.#options.look(this.#stopping.signal);
    };
    this.#newest = this.#newest.then(look);
    await this.#newest;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#looking;
  }

  async #lookAgain(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.look();
      await this.#options.clock.sleep(LOOK_EVERY_MS, { signal }).catch(() => {});
    }
  }
}
