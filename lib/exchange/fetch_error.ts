/** The one error that leaves this floor: what went wrong with an exchange, and what to do about it. @module */

/**
 * - `transient`: worth asking again soon.
 * - `rate_limited`: the exchange names (or we choose) a time before which nothing may be asked.
 * - `permanent`: the same ask will fail again.
 * - `retention`: the asked data is older than what the exchange keeps; it is gone for good.
 * - `cancelled`: we stopped asking.
 */
export type FetchErrorKind = "transient" | "rate_limited" | "permanent" | "retention" | "cancelled";

interface FetchErrorOptions extends ErrorOptions {
  /** For `rate_limited`: nothing may be asked before this time. Milliseconds since the Unix epoch. */
  readonly untilMs?: number | undefined;
}

/** A request to an exchange that failed. Above this floor nobody knows CCXT's classes. */
export class FetchError extends Error {
  override readonly name = "FetchError";
  readonly kind: FetchErrorKind;
  readonly untilMs: number | undefined;

  constructor(kind: FetchErrorKind, message: string, options: FetchErrorOptions = {}) {
    super(message, options);
    this.kind = kind;
    this.untilMs = options.untilMs;
  }
}
