/** Ends work that takes too long, even if the work ignores its signal. @module */
import type { Clock } from "../clock.ts";

/** The work took too long. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  readonly timeoutMs: number;

  constructor(action: string, timeoutMs: number) {
    super(`Cannot finish ${action}: it took longer than ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** Made once: `abort()` without a reason creates an exception with a stack each time. */
const ENDED = new Error("the work has ended");

interface DeadlineOptions {
  readonly clock: Clock;
  /** Ends the work early; the promise then rejects with this signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * What is being done, for the error's text.
   *
   * @default "the action"
   */
  readonly name?: string | undefined;
}

/**
 * Runs `fn` for at most `timeoutMs` milliseconds. After that, or when `signal` aborts, the signal passed to `fn` is
 * aborted and the promise rejects at once. If `fn` ignores its signal, its later result or error is dropped.
 *
 * @throws RangeError when `timeoutMs` is not a positive finite number.
 * @throws DeadlineError when the time is over.
 * @throws the reason of `signal` when that aborts first, before or during the work.
 */
export async function withDeadline<T>(
  timeoutMs: number,
  fn: (signal: AbortSignal) => Promise<T>,
  { clock, signal, name = "the action" }: DeadlineOptions,
): Promise<T> {
  assertTimeoutMs(timeoutMs);
  signal?.throwIfAborted();

  const work = new AbortController();
  const timer = new AbortController();
  const onAbort = (): void => work.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });

  // Added before `fn` runs, so the promise rejects with the reason itself and not with an error that `fn` makes of it.
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const interrupt = (): void => reject(work.signal.reason);
  work.signal.addEventListener("abort", interrupt, { once: true });
  // The sleep rejects only when `timer` is aborted, that is when the work has ended.
  clock.sleep(timeoutMs, { signal: timer.signal }).then(
    () => work.abort(new DeadlineError(name, timeoutMs)),
    () => {},
  );

  try {
    return await Promise.race([fn(work.signal), interrupted]);
  } finally {
    timer.abort(ENDED);
    // Other code may keep the signal for long, and its listeners would keep the result in memory.
    work.signal.removeEventListener("abort", interrupt);
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * Checks a timeout before any work begins.
 *
 * @throws RangeError when `timeoutMs` is not a positive finite number.
 */
export function assertTimeoutMs(timeoutMs: number): void {
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) {
    throw new RangeError(`Cannot set a deadline of ${timeoutMs} ms: expected a positive number`);
  }
}
