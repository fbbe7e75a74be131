/** How long what a node holds is valid, by its own clocks. @module */
import type { Clock } from "../clock.ts";

/** A time by the clock, and by one that is never set. */
interface Moment {
  readonly atMs: number;
  readonly steadyMs: number;
}

export class LeaseClock {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  /** From when on the database counts at the earliest. */
  #since: Moment | undefined;

  constructor(clock: Clock, leaseMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** Call before the database is told that the node lives, and what it returns when the database has answered. */
  start(): () => void {
    const begun = this.#now();
    return () => void (this.#since = begun);
  }

  /** Call when nothing is held. */
  end(): void {
    this.#since = undefined;
  }

  /** Whether the database cannot have given to others yet what was held. */
  get isValid(): boolean {
    if (this.#since === undefined) return false;
    const { atMs, steadyMs } = this.#now();
    // The longer of both: one may stand still while the machine sleeps, and the other may be set back.
    return Math.max(atMs - this.#since.atMs, steadyMs - this.#since.steadyMs) < this.#leaseMs;
  }

  #now(): Moment {
    const atMs = this.#clock.now();
    return { atMs, steadyMs: this.#clock.steadyMs?.() ?? atMs };
  }
}
