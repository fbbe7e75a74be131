/** Stops calling what keeps failing, and finds out with one trial when it is back. @module */
import type { Clock } from "../clock.ts";

/** What a breaker makes of an error: the other side is down, is up after all, or nothing is known. */
export type Verdict = "failure" | "success" | "ignore";

export type BreakerState =
  /** Calls pass; consecutive failures are counted. */
  | { readonly kind: "closed" }
  /** Calls are refused until `untilMs`; the first call from then on is the trial. */
  | { readonly kind: "open"; readonly untilMs: number }
  /** The one trial is under way and everything else is refused. */
  | { readonly kind: "half_open"; readonly untilMs: number };

export interface BreakerOptions {
  /**
   * How many failures in a row open the breaker.
   *
   * @default 5
   */
  readonly failures?: number | undefined;
  /**
   * How long an open breaker refuses calls.
   *
   * @default 60000
   */
  readonly cooldownMs?: number | undefined;
  readonly clock: Clock;
  /**
   * What an error says about the other side. An error it *answered* with proves that it is up: judge it
   * `success`. A cancelled call proves nothing: `ignore`.
   *
   * @default every error is a failure
   */
  readonly judge?: ((error: unknown) => Verdict) | undefined;
  /** Told of every change of kind. It must not throw. */
  readonly onChange?: ((state: BreakerState) => void) | undefined;
  /**
   * What the breaker guards, for the error's text.
   *
   * @default "the other side"
   */
  readonly name?: string | undefined;
}

/** Rejects a call that a breaker did not let pass. */
export class BreakerOpenError extends Error {
  override readonly name = "BreakerOpenError";
  /** Milliseconds since the epoch before which no call can pass; may be past while a trial runs. */
  readonly untilMs: number;

  constructor(action: string, state: Exclude<BreakerState, { kind: "closed" }>) {
    const reason = state.kind === "open"
      ? `its breaker is open until ${new Date(state.untilMs).toISOString()}`
      : "its breaker is half open and the one trial is under way";
    super(`Cannot call ${action}: ${reason}`);
    this.untilMs = state.untilMs;
  }
}

/**
 * A circuit breaker: closed → open after consecutive failures → half open for exactly one trial → closed
 * or open again. The state moves only with calls, never by a timer, so an idle breaker costs nothing.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #cooldownMs: number;
  readonly #strategy: Strategy;
  #state: BreakerState = { kind: "closed" };
  #troubledSinceMs: number | undefined = undefined;
  /** Counts the changes of state, so that a call's outcome is held against the state it began in. */
  #era = 0;

  /** @throws RangeError when `failures` or `cooldownMs` is out of its range. */
  constructor(options: BreakerOptions) {
    const { failures = 5, cooldownMs = 60_000 } = options;
    if (!Number.isFinite(cooldownMs) || cooldownMs <= 0) {
      throw new RangeError(
        `Cannot make a breaker: cooldownMs must be a positive number, not ${cooldownMs}`,
      );
    }
    this.#options = options;
    this.#cooldownMs = cooldownMs;
    this.#strategy = consecutiveFailures(failures);
  }

  get state(): BreakerState {
    return this.#state;
  }

  /**
   * When it was last closed: trials that failed since do not count. Milliseconds since the epoch; undefined while it
   * is closed.
   */
  get troubledSinceMs(): number | undefined {
    return this.#troubledSinceMs;
  }

  /**
   * Whether a call would be let through now, which may be so of an open breaker whose cooldown is over.
   * Reading it takes no turn: a later `run` may still be refused.
   */
  get passes(): boolean {
    const state = this.#state;
    if (state.kind !== "open") return state.kind === "closed";
    const leftMs = state.untilMs - this.#options.clock.now();
    // More than a cooldown is left only where the clock was set back, which must not refuse calls for as long.
    return leftMs <= 0 || leftMs > this.#cooldownMs;
  }

  /** @throws BreakerOpenError when a call would not be let through now. */
  check(): void {
    const state = this.#state;
    if (state.kind === "closed" || this.passes) return;
    throw new BreakerOpenError(this.#options.name ?? "the other side", state);
  }

  /**
   * Calls `fn` and learns from how it ends. Nothing is learnt from an error once `signal` is aborted: the
   * caller ended the call, not the other side.
   *
   * @throws BreakerOpenError without calling `fn`, while the breaker is open or its one trial is under way.
   * @throws whatever `fn` throws.
   */
  async run<T>(
    fn: () => Promise<T>,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    this.check();
    const state = this.#state;
    if (state.kind === "open") this.#enter({ kind: "half_open", untilMs: state.untilMs });
    const era = this.#era;

    // A judge that throws must not leave the trial under way for ever.
    let verdict: Verdict = "failure";
    try {
      const value = await fn();
      verdict = "success";
      return value;
    } catch (error) {
      verdict = signal?.aborted ? "ignore" : this.#options.judge?.(error) ?? "failure";
      throw error;
    } finally {
      // A call that outlived its state says nothing about the present one.
      if (era === this.#era) this.#settle(verdict);
    }
  }

  #settle(verdict: Verdict): void {
    const state = this.#state;
    if (verdict === "ignore") {
      // The cooldown has been served already, so the next call may be the trial.
      if (state.kind === "half_open") this.#enter({ kind: "open", untilMs: state.untilMs });
    } else if (verdict === "success") {
      this.#strategy.succeeded();
      if (state.kind === "half_open") this.#enter({ kind: "closed" });
    } else if (this.#strategy.failed() || state.kind === "half_open") {
      this.#enter({ kind: "open", untilMs: this.#options.clock.now() + this.#cooldownMs });
    }
  }

  #enter(state: BreakerState): void {
    this.#state = state;
    this.#troubledSinceMs = state.kind === "closed"
      ? undefined
      : this.#troubledSinceMs ?? this.#options.clock.now();
    this.#era++;
    this.#options.onChange?.(state);
  }
}

/** Decides when failures are enough; knows nothing of states. */
interface Strategy {
  /** Whether this failure is one too many. */
  failed(): boolean;
  succeeded(): void;
}

function consecutiveFailures(failuresMax: number): Strategy {
  if (!Number.isInteger(failuresMax) || failuresMax < 1) {
    throw new RangeError(
      `Cannot make a breaker: failures must be a whole number from 1, not ${failuresMax}`,
    );
  }
  let failures = 0;
  return {
    failed: () => ++failures >= failuresMax,
    succeeded: () => {
      failures = 0;
    },
  };
}
