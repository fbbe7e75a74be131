/** `retry(breaker(deadline(fn)))`: runs a call with all three, in this order. @module */
import { type Breaker, BreakerOpenError } from "./breaker.ts";
import { assertTimeoutMs, withDeadline } from "./deadline.ts";
import { retry, type RetryOptions } from "./retry.ts";

export interface ResilienceOptions extends RetryOptions {
  /** Shared by all calls to the same exchange. */
  readonly breaker: Breaker;
  /** What the call is about, for the breaker. @default the other side as a whole */
  readonly subject?: string | undefined;
  /** How long one attempt may take, not counting the wait in `before`. */
  readonly timeoutMs: number;
  /**
   * Awaited before each attempt, outside breaker and deadline. Used to wait for a rate limiter: that wait is not a
   * failure and does not count against the deadline. Not called while the breaker is open. Its errors are retried like
   * any other error. It gets `waits`.
   */
  readonly before?: ((signal: AbortSignal | undefined) => Promise<void>) | undefined;
  /**
   * What is being done, for the text of a `DeadlineError`.
   *
   * @default "the action"
   */
  readonly name?: string | undefined;
}

/**
 * Runs `fn` through a breaker, with retries and a deadline for each attempt. There is no retry while the breaker is
 * open. If an attempt has just opened it, that attempt's own error is thrown.
 *
 * @throws RangeError when an option is out of its range.
 * @throws BreakerOpenError at once when the breaker is open, before or after `before`.
 * @throws DeadlineError when the last attempt took too long.
 * @throws the reason of `signal` when it is aborted, or of `waits` while nothing is under way.
 * @throws the last error of `fn` or `before` itself.
 */
export async function withResilience<T>(
  fn: (context: { readonly attempt: number; readonly signal: AbortSignal }) => Promise<T>,
  options: ResilienceOptions,
): Promise<T> {
  const { breaker, subject, timeoutMs, before, clock, name, isRetryable = () => true } = options;
  const { waits = options.signal } = options;
  // Checked here: inside the breaker a bad option would count as a failure of the exchange.
  assertTimeoutMs(timeoutMs);
  return await retry(async ({ attempt, signal }) => {
    breaker.check({ subject });
    await before?.(waits);
    waits?.throwIfAborted();
    return await breaker.run(
      () =>
        withDeadline(timeoutMs, (inner) => fn({ attempt, signal: inner }), { clock, signal, name }),
      { signal, subject },
    );
  }, {
    ...options,
    isRetryable: (error) =>
      !(error instanceof BreakerOpenError) && breaker.passes && isRetryable(error),
  });
}
