/** Tries again what failed for a passing reason. @module */
import type { Clock } from "../clock.ts";
import { assertBackoffBounds, backoffMs } from "./backoff.ts";

/** What one attempt is told. */
interface Attempt {
  /** Counted from 1. */
  readonly attempt: number;
  readonly signal: AbortSignal | undefined;
}

/** An attempt that failed and will be followed by another. */
export interface RetryEvent {
  /** The attempt that failed, counted from 1. */
  readonly attempt: number;
  readonly error: unknown;
  /** How long the wait before the next attempt will be. */
  readonly delayMs: number;
}

export interface RetryOptions {
  /**
   * How often to try at most, the first time included.
   *
   * @default 5
   */
  readonly attempts?: number | undefined;
  /**
   * Upper bound of the first delay.
   *
   * @default 1000
   */
  readonly minMs?: number | undefined;
  /**
   * Upper bound of every delay.
   *
   * @default 60000
   */
  readonly maxMs?: number | undefined;
  readonly clock: Clock;
  /** Uniform in `[0, 1)`, as `Math.random`. */
  readonly random: () => number;
  /** Ends everything; checked before each attempt and during each delay. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether another attempt may succeed.
   *
   * @default every error is worth another attempt
   */
  readonly isRetryable?: ((error: unknown) => boolean) | undefined;
  /** Called before each delay. */
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
}

/** More attempts than any outage can use: at the default bounds they would take over eight hours. */
const ATTEMPTS_MAX = 1000;

/**
 * Runs `fn` until it succeeds, with full jitter between attempts.
 *
 * @throws RangeError when an option is out of its range, before the first attempt.
 * @throws the reason of `signal` when it is aborted before an attempt or during a delay.
 * @throws the last error itself, unwrapped, when it is not retryable or no attempt is left.
 */
export async function retry<T>(
  fn: (context: Attempt) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { attempts = 5, minMs = 1_000, maxMs = 60_000 } = options;
  const { clock, random, signal, isRetryable = () => true, onRetry } = options;
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > ATTEMPTS_MAX) {
    throw new RangeError(
      `Cannot retry: attempts must be a whole number from 1 to ${ATTEMPTS_MAX}, not ${attempts}`,
    );
  }
  assertBackoffBounds({ minMs, maxMs });

  for (let attempt = 1;; attempt++) {
    signal?.throwIfAborted();
    try {
      return await fn({ attempt, signal });
    } catch (error) {
      if (attempt === attempts || !isRetryable(error)) throw error;
      // An abort during the attempt ends here, so nobody is told of a retry that never comes.
      signal?.throwIfAborted();
      const delayMs = backoffMs({ attempt: attempt - 1, minMs, maxMs, random });
      onRetry?.({ attempt, error, delayMs });
      await clock.sleep(delayMs, { signal });
    }
  }
}
