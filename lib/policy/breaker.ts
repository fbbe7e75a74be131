/** Circuit breaker: stops calls to something that keeps failing, and tests with one trial call whether it is back. @module */
import type { Clock } from "../clock.ts";

/** How a call counts: `failure`, the other side is down; `success`, it is up; `ignore`, the call does not tell. */
export type BreakerVerdict = "failure" | "success" | "ignore";

export type BreakerState =
  /** Calls pass; consecutive failures are counted. */
  | { readonly kind: "closed" }
  /** Calls are refused until `untilMs`; the first call from then on is the trial. */
  | { readonly kind: "open"; readonly untilMs: number }
  /** The one trial call is running. All other calls are refused. */
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
   * Decides how an error counts. Return `success` for an error that the other side answered with: it is up. Return
   * `ignore` for a cancelled call.
   *
   * @default every error is a failure
   */
  readonly judge?: ((error: unknown) => BreakerVerdict) | undefined;
  /** Called with every new state. It must not throw. */
  readonly onChange?: ((state: BreakerState) => void) | undefined;
  /**
   * What the breaker guards, for the error's text.
   *
   * @default "the other side"
   */
  readonly name?: string | undefined;
}

/** The breaker refused a call. */
export class BreakerOpenError extends Error {
  override readonly name = "BreakerOpenError";
  /** No call passes before this time. In the past while a trial runs. Milliseconds since the Unix epoch. */
  readonly untilMs: number;

  constructor(
    action: string,
    { kind, untilMs }: { readonly kind: "open" | "half_open"; readonly untilMs: number },
  ) {
    const reason = kind === "open"
      ? `its breaker is open until ${new Date(untilMs).toISOString()}`
      : "its breaker is half open and a trial call is running";
    super(`Cannot send a request to ${action}: ${reason}`);
    this.untilMs = untilMs;
  }
}

/** A call that a breaker guards. */
interface GuardedCall {
  /** When it is aborted, the caller ended the call, not the other side. */
  readonly signal?: AbortSignal | undefined;
  /**
   * What the call is about, see {@linkcode Breaker.failsAlone}.
   *
   * @default the other side as a whole
   */
  readonly subject?: string | undefined;
}

/**
 * A circuit breaker: closed → open after consecutive failures → half open for exactly one trial call → closed or open
 * again. Only calls change the state; there is no timer.
 *
 * A subject that always fails keeps nothing from the others: when its trial has failed, it leaves the next one to them
 * for a cooldown more; and when another one closes the breaker, its failures do not count until it is answered.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #cooldownMs: number;
  readonly #strategy: Strategy;
  #state: BreakerState = { kind: "closed" };
  #troubledSinceMs: number | undefined = undefined;
  /** Number of state changes. A call counts only if the state has not changed since the call began. */
  #era = 0;
  /** All subjects so far: the only one leaves no trial to others. */
  readonly #subjects = new Set<string>();
  /** Subjects of the failures in a row that are counted. */
  readonly #failed = new Set<string>();
  /** Subjects whose trial has failed, or that opened the breaker which another closed; not answered since. */
  readonly #suspects = new Set<string>();

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
   * When the breaker left the closed state. Milliseconds since the Unix epoch; undefined while it is closed.
   */
  get troubledSinceMs(): number | undefined {
    return this.#troubledSinceMs;
  }

  /**
   * Whether a call would pass now. Also true for an open breaker whose cooldown is over. Reading it reserves nothing: a
   * later `run` may still be refused.
   */
  get passes(): boolean {
    return this.#lets(0);
  }

  /** Whether this subject failed before another closed the breaker, and was not answered since. */
  failsAlone(subject: string | undefined): boolean {
    return this.#state.kind === "closed" && this.#isSuspect(subject);
  }

  #isSuspect(subject: string | undefined): boolean {
    return subject !== undefined && this.#suspects.has(subject);
  }

  /** @throws BreakerOpenError when a call about `subject` would not pass now. */
  check({ subject }: GuardedCall = {}): void {
    const state = this.#state;
    if (subject !== undefined) this.#subjects.add(subject);
    const isYielding = this.#subjects.size > 1 && this.#isSuspect(subject);
    const laterMs = isYielding ? this.#cooldownMs : 0;
    if (state.kind === "closed" || this.#lets(laterMs)) return;
    const { kind, untilMs } = state;
    const name = this.#options.name ?? "the other side";
    throw new BreakerOpenError(name, { kind, untilMs: untilMs + laterMs });
  }

  /** Whether a call passes that may be the trial only `laterMs` after the cooldown. */
  #lets(laterMs: number): boolean {
    const state = this.#state;
    if (state.kind !== "open") return state.kind === "closed";
    const leftMs = state.untilMs - this.#options.clock.now();
    // More than a cooldown left means that the clock was set back. Do not refuse calls for that long.
    return leftMs <= -laterMs || leftMs > this.#cooldownMs;
  }

  /**
   * Calls `fn` and counts its outcome. An error after `signal` was aborted is ignored.
   *
   * @throws BreakerOpenError without calling `fn`, while the breaker is open or its trial call is running.
   * @throws whatever `fn` throws.
   */
  async run<T>(fn: () => Promise<T>, call: GuardedCall = {}): Promise<T> {
    const { signal, subject } = call;
    this.check(call);
    const state = this.#state;
    if (state.kind === "open") this.#enter({ kind: "half_open", untilMs: state.untilMs });
    const era = this.#era;

    // Set before `judge` is called: if it throws, the trial must still end.
    let verdict: BreakerVerdict = "failure";
    try {
      const value = await fn();
      verdict = "success";
      return value;
    } catch (error) {
      verdict = signal?.aborted ? "ignore" : this.#options.judge?.(error) ?? "failure";
      throw error;
    } finally {
      // A call that began in an earlier state says nothing about the present one.
      if (era === this.#era) this.#settle(verdict, subject);
    }
  }

  #settle(verdict: BreakerVerdict, subject: string | undefined): void {
    const state = this.#state;
    if (verdict === "ignore") {
      // Open again, but with the old end of the cooldown: the next call is the trial.
      if (state.kind === "half_open") this.#enter({ kind: "open", untilMs: state.untilMs });
    } else if (verdict === "success") {
      this.#strategy.succeeded();
      if (state.kind === "half_open") this.#judgeSubjects(subject);
      this.#failed.clear();
      if (subject !== undefined) this.#suspects.delete(subject);
      if (state.kind === "half_open") this.#enter({ kind: "closed" });
    } else if (state.kind === "half_open") {
      if (subject !== undefined) this.#suspects.add(subject);
      this.#open();
    } else if (!this.failsAlone(subject)) {
      if (subject !== undefined) this.#failed.add(subject);
      if (this.#strategy.failed()) this.#open();
    }
  }

  /** A trial succeeded: the subjects that opened the breaker are suspects, until they are answered. */
  #judgeSubjects(answered: string | undefined): void {
    // A trial about no subject does not tell whether any of them is answered.
    if (answered === undefined) this.#suspects.clear();
    else for (const subject of this.#failed) this.#suspects.add(subject);
  }

  #open(): void {
    this.#enter({ kind: "open", untilMs: this.#options.clock.now() + this.#cooldownMs });
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

/** Decides after how many failures the breaker opens. */
interface Strategy {
  /** Counts a failure. Returns whether the breaker must open. */
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
