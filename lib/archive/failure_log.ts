/** Remembers which failures were logged already. @module */

/** The last message of each series and exchange. A lasting failure is logged only when its message changes. */
export class FailureLog {
  readonly #messages = new Map<string, string>();

  /** Whether this message differs from the last one about `name`. */
  isNews(name: string, message: string): boolean {
    if (this.#messages.get(name) === message) return false;
    this.#messages.set(name, message);
    return true;
  }

  /** Whether there is a message about `name`. */
  has(name: string): boolean {
    return this.#messages.has(name);
  }

  /** Forgets the message about `name`: it works again. */
  clear(name: string): void {
    this.#messages.delete(name);
  }
}
