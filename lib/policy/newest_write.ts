/** Writes a value that changes faster than it can be written: one write at a time, the newest value last. @module */

/** Writes a value. If it changes several times during a write, only the newest value is written next. */
export class NewestWrite<T> {
  readonly #write: (value: T) => Promise<void>;
  #newest: { readonly value: T } | undefined = undefined;
  #writing: Promise<void> | undefined = undefined;

  /** @param write must not throw. If it cannot write a value, that value is skipped. */
  constructor(write: (value: T) => Promise<void>) {
    this.#write = write;
  }

  /** Resolves when this value, and all values set meanwhile, are written or skipped. */
  set(value: T): Promise<void> {
    this.#newest = { value };
    this.#writing ??= this.#writeAll();
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#newest !== undefined) {
      const { value } = this.#newest;
      this.#newest = undefined;
      await this.#write(value);
    }
    // No await since #newest was last read, so a later set() starts a new write and no value is lost.
    this.#writing = undefined;
  }
}
