/** The only file that reads the time or sets timers. All other code gets a `Clock` as an argument. @module */

/** Time as an argument. Tests pass a manual clock, so that they do not wait for real time. */
export interface Clock {
  /** Milliseconds since the Unix epoch, UTC. */
  now(): number;
  /** Milliseconds of a clock that is never set, from any beginning. @default there is none: {@linkcode Clock.now} counts */
  steadyMs?(): number;
  /**
   * Resolves after `ms` milliseconds.
   *
   * @throws the signal's reason, at once when it is aborted before or during the wait.
   */
  sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}

/** `setTimeout` fires at once for longer delays, so longer sleeps are split. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  steadyMs: () => performance.now(),
  async sleep(ms, { signal } = {}): Promise<void> {
    signal?.throwIfAborted();
    for (let leftMs = Math.max(0, ms);; leftMs -= TIMEOUT_MS_MAX) {
      await wait(Math.min(leftMs, TIMEOUT_MS_MAX), signal);
      if (leftMs <= TIMEOUT_MS_MAX) return;
    }
  },
};

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
