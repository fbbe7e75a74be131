/** Has files that are read side by side store the candles of one series one after the other, always in the same order. @module */

/** One file's place in the order. */
interface Turn {
  /** The series of its tables that were judged and are not stored yet. */
  names: ReadonlySet<string>;
  /** Whether another table may come of which the series are not known yet. */
  isOpen: boolean;
}

/**
 * The order of files. Of two files with different values for a candle, the first one's are stored, so a file waits for all
 * earlier ones that may have candles of its series.
 */
export class SeriesTurns {
  /** Of the files that are being read, in their order. Earlier files have ended. */
  readonly #turns = new Map<number, Turn>();
  #changed = Promise.withResolvers<void>();

  /** A file begins. Call it in the order of the files. */
  enter(file: number): void {
    this.#turns.set(file, { names: new Set(), isOpen: true });
  }

  /**
   * Waits until all earlier files have stored their candles of these series.
   *
   * @param options.isLast whether the file has no further table.
   * @throws the reason of `signal`
   */
  async wait(
    file: number,
    names: readonly string[],
    { isLast, signal }: { readonly isLast: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    this.#turns.set(file, { names: new Set(names), isOpen: !isLast });
    this.#tell();
    const stop = (): void => this.#tell();
    signal.addEventListener("abort", stop, { once: true });
    try {
      for (;;) {
        signal.throwIfAborted();
        const before = [...this.#turns].filter(([other]) => other < file);
        const mustWait = before.some(([, turn]) =>
          turn.isOpen || names.some((name) => turn.names.has(name))
        );
        if (!mustWait) return;
        await this.#changed.promise;
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** A table was stored. */
  stored(file: number): void {
    this.#turns.set(file, { ...this.#turns.get(file)!, names: new Set() });
    this.#tell();
  }

  /** A file ended, whatever became of it. */
  end(file: number): void {
    this.#turns.delete(file);
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
