/** Repeats an action that failed, with growing random delays. @module */
import type { Clock } from "../clock.ts";
import { assertBackoffBounds, backoffMs } from "./backoff.ts";

interface Attempt {
  /** Counted from 1. */
  readonly attempt: number;
  readonly signal: AbortSignal | undefined;
}

/** An attempt failed and another one will follow. */
export interface RetryEvent {
  /** The attempt that failed, counted from 1. */
  readonly attempt: number;
  readonly error: unknown;
  /** How long until the next attempt. */
  readonly delayMs: number;
}

export interface RetryOptions {
  /**
   * How many attempts at most, including the first.
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
  /** Ends the retries. Checked before each attempt and during each delay. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Ends the retries, but no attempt that is under way: it is not given to `fn`. Must abort when `signal` does.
   *
   * @default `signal`
   */
  readonly waits?: AbortSignal | undefined;
  /**
   * Whether another attempt may succeed.
   *
   * @default always true
   */
  readonly isRetryable?: ((error: unknown) => boolean) | undefined;
  /**
   * The least delay after this error, in milliseconds, where somebody has asked for one. It is kept, also above `maxMs`.
   *
   * @default none
   */
  readonly delayMsMin?: ((error: unknown) => number | undefined) | undefined;
  /** Called before each delay. */
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
}

/** Far more than any outage needs: with the default delays this takes over eight hours. */
const ATTEMPTS_MAX = 1000;

/**
 * Runs `fn` until it succeeds, with full jitter between attempts.
 *
 * @throws RangeError when an option is out of its range, before the first attempt.
 * @throws the reason of `signal` or `waits` when it is aborted before an attempt or during a delay.
 * @throws the last error itself, unwrapped, when it is not retryable or no attempt is left.
 */
export async function retry<T>(
  fn: (context: Attempt) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { attempts = 5, minMs = 1_000, maxMs = 60_000 } = options;
  const { clock, random, signal, isRetryable = () => true, delayMsMin, onRetry } = options;
  const { waits = signal } = options;
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > ATTEMPTS_MAX) {
    throw new RangeError(
      `Cannot retry: attempts must be a whole number from 1 to ${ATTEMPTS_MAX}, not ${attempts}`,
    );
  }
  assertBackoffBounds({ minMs, maxMs });

  for (let attempt = 1;; attempt++) {
    waits?.throwIfAborted();
    try {
      return await fn({ attempt, signal });
    } catch (error) {
      if (attempt === attempts || !isRetryable(error)) throw error;
      // Checked before `onRetry`: after an abort there is no retry to report.
      waits?.throwIfAborted();
      const delayMs = Math.max(
        backoffMs({ attempt: attempt - 1, minMs, maxMs, random }),
        delayMsMin?.(error) ?? 0,
      );
      onRetry?.({ attempt, error, delayMs });
      await clock.sleep(delayMs, { signal: waits });
    }
  }
}
