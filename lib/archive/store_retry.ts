/** Retries statements while the database is unavailable. They must be safe to run twice. @module */
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { retry, type RetryOptions } from "../policy/retry.ts";
import { StoreError } from "../store/connection/store_error.ts";

interface StoreRetryOptions {
  readonly config: Pick<Config, "retry">;
  readonly clock: Clock;
  readonly random: () => number;
  /** Ends the wait between two attempts, but no statement that has begun. */
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: RetryOptions["onRetry"];
}

/**
 * Runs statements until they succeed, at most RETRY_ATTEMPTS times.
 *
 * @throws StoreError
 */
export function retryStore<T>(
  statements: () => Promise<T>,
  { config, clock, random, signal, onRetry }: StoreRetryOptions,
): Promise<T> {
  return retry(statements, {
    ...config.retry,
    clock,
    random,
    signal,
    onRetry,
    isRetryable: (error) => error instanceof StoreError && error.kind === "unavailable",
  });
}
