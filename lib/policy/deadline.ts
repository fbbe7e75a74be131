/** Ends work that takes too long, whether or not the work listens. @module */
import type { Clock } from "../clock.ts";

/** Rejects `withDeadline` when time is out. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  readonly timeoutMs: number;

  constructor(action: string, timeoutMs: number) {
    super(`Cannot finish ${action}: it took longer than ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** Made once: an abort without a reason makes an exception with a stack every time. */
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
 * Runs `fn` for at most `timeoutMs` milliseconds. When time is out, or `signal` aborts, the signal given
 * to `fn` is aborted and the promise rejects at once: an `fn` deaf to its signal is left behind, and what
 * it settles with later is dropped.
 *
 * @throws RangeError when `timeoutMs` is not a positive finite number.
 * @throws DeadlineError when time is out.
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

  // Listens before `fn` can, so the reason itself wins over whatever error `fn` makes of it.
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const interrupt = (): void => reject(work.signal.reason);
  work.signal.addEventListener("abort", interrupt, { once: true });
  // A clock's sleep rejects only when the timer is put away, which means the work has ended.
  clock.sleep(timeoutMs, { signal: timer.signal }).then(
    () => work.abort(new DeadlineError(name, timeoutMs)),
    () => {},
  );

  try {
    return await Promise.race([fn(work.signal), interrupted]);
  } finally {
    timer.abort(ENDED);
    // A signal may be kept for long by what was given it, and would keep the result.
    work.signal.removeEventListener("abort", interrupt);
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * Lets a caller refuse a bad timeout before anything is started.
 *
 * @throws RangeError when `timeoutMs` is not a positive finite number.
 */
export function assertTimeoutMs(timeoutMs: number): void {
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) {
    throw new RangeError(`Cannot set a deadline of ${timeoutMs} ms: expected a positive number`);
  }
}
