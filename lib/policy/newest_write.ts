/** Keeps a value that changes faster than it can be written: one write at a time, and the newest value last. @module */

/** What changes while a write is under way is written next, the values in between are left out. */
export class NewestWrite<T> {
  readonly #write: (value: T) => Promise<void>;
  #newest: { readonly value: T } | undefined = undefined;
  #writing: Promise<void> | undefined = undefined;

  /** @param write never throws: a value that could not be written is given up. */
  constructor(write: (value: T) => Promise<void>) {
    this.#write = write;
  }

  /** Resolves when no value is left to write, this one and all that came meanwhile. */
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
    // In the same turn as the last look: what is set from now on begins anew.
    this.#writing = undefined;
  }
}
