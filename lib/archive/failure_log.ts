/** Which failures have been told already. @module */

/** Newest message of every series and exchange: one that lasts is reported when it changes, not every minute. */
export class FailureLog {
  readonly #messages = new Map<string, string>();

  /** Whether this message is news about `name`. */
  isNews(name: string, message: string): boolean {
    if (this.#messages.get(name) === message) return false;
    this.#messages.set(name, message);
    return true;
  }

  /** Forgets what was wrong with `name`. */
  clear(name: string): void {
    this.#messages.delete(name);
  }
}
