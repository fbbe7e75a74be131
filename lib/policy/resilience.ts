/** `retry(breaker(deadline(fn)))`: the one order in which the three are put together. @module */
import { type Breaker, BreakerOpenError } from "./breaker.ts";
import { assertTimeoutMs, withDeadline } from "./deadline.ts";
import { retry, type RetryOptions } from "./retry.ts";

export interface ResilienceOptions extends RetryOptions {
  /** Shared by everything that calls the same other side. */
  readonly breaker: Breaker;
  /** How long one attempt may take, without its turn. */
  readonly timeoutMs: number;
  /**
   * Awaited before each attempt, outside breaker and deadline: the turn at a rate limiter, whose waiting
   * is nobody's failure and must not count against the deadline. It is not asked for while the breaker is
   * open, so nobody queues for a side that is down. What it throws is retried like any other error.
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
 * Runs `fn` with a deadline for each attempt, through a breaker, with retries. An open breaker is not
 * retried: neither is one that the last attempt has just opened, where the attempt's own error is thrown.
 *
 * @throws RangeError when an option is out of its range.
 * @throws BreakerOpenError at once when the breaker is open before an attempt or after its turn.
 * @throws DeadlineError when the last attempt took too long.
 * @throws the reason of `signal` when it is aborted.
 * @throws the last error of `fn` or `before` itself.
 */
export async function withResilience<T>(
  fn: (context: { readonly attempt: number; readonly signal: AbortSignal }) => Promise<T>,
  options: ResilienceOptions,
): Promise<T> {
  const { breaker, timeoutMs, before, clock, name, isRetryable = () => true } = options;
  // Here rather than at the first attempt, where it would count as a failure of the other side.
  assertTimeoutMs(timeoutMs);
  return await retry(async ({ attempt, signal }) => {
    breaker.check();
    await before?.(signal);
    return await breaker.run(
      () =>
        withDeadline(timeoutMs, (inner) => fn({ attempt, signal: inner }), { clock, signal, name }),
      { signal },
    );
  }, {
    ...options,
    isRetryable: (error) =>
      !(error instanceof BreakerOpenError) && breaker.passes && isRetryable(error),
  });
}
