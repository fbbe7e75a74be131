/** One run for all who wait for its result; it is aborted only when the last of them has gone. @module */

interface Run<T> {
  readonly result: Promise<T>;
  readonly stopping: AbortController;
  /** Callers that wait for the result. */
  waiting: number;
}

/** Runs never overlap: who comes while one is being aborted begins the next, after its end. */
export class SharedRun<T> {
  #run: Run<T> | undefined;
  /** Settles, never rejects, when the newest run has ended. */
  #ended: Promise<unknown> = Promise.resolve();

  /**
   * Waits for the run that is under way, or begins one with `fn`.
   *
   * @param fn is given a signal of its own, which no single caller's abort aborts while others wait.
   * @throws the reason of `signal` when that aborts. The last caller to leave aborts the run, and waits for its end.
   * @throws what `fn` throws, to every caller.
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
        // Its result is for those who waited; who comes from now on begins another.
        if (this.#run === run) this.#run = undefined;
      }
    };
    const run: Run<T> = { result: work(), stopping, waiting: 0 };
    this.#ended = run.result.catch(() => {});
    return run;
  }
}

/** Settles like `result`, unless `signal` aborts first. */
async function untilAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
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
