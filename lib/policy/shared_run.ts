/** Concurrent callers share one run of a function. It is aborted only when all callers have aborted. @module */

interface Run<T> {
  readonly result: Promise<T>;
  readonly stopping: AbortController;
  /** How many callers wait for the result. */
  waiting: number;
}

/** Runs never overlap: a call that comes while a run is being aborted starts the next run after that one has ended. */
export class SharedRun<T> {
  #run: Run<T> | undefined;
  /** Resolves when the newest run has ended, also when that run failed. */
  #ended: Promise<unknown> = Promise.resolve();

  /**
   * Waits for the current run, or starts one with `fn`.
   *
   * @param fn receives a signal that is aborted only when no caller waits for the result any more.
   * @throws the reason of `signal` when it aborts. If no other caller waits, this also aborts the run and waits until
   * the run has ended.
   * @throws what `fn` throws; every caller gets the same error.
   */
  async join(
    fn: (signal: AbortSignal) => Promise<T>,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    const run = this.#run ??= this.#begin(fn);
    run.waiting++;
    try {
      return await untilAborted(run.result, signal);
    } finally {
      run.waiting--;
      if (run.waiting === 0 && this.#run === run) {
        this.#run = undefined;
        run.stopping.abort(signal?.reason);
        await run.result.catch(() => {});
      }
    }
  }

  #begin(fn: (signal: AbortSignal) => Promise<T>): Run<T> {
    const stopping = new AbortController();
    const before = this.#ended;
    const work = async (): Promise<T> => {
      try {
        await before;
        stopping.signal.throwIfAborted();
        return await fn(stopping.signal);
      } finally {
        // The run has ended, so later callers start a new one.
        if (this.#run === run) this.#run = undefined;
      }
    };
    const run: Run<T> = { result: work(), stopping, waiting: 0 };
    this.#ended = run.result.catch(() => {});
    return run;
  }
}

/** Settles as `result` does, or rejects with the reason of `signal` if that aborts first. */
export async function untilAborted<T>(
  result: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await result;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
