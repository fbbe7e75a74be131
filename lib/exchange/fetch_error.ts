/** The only error that `lib/exchange/` throws to its callers. Its kind tells them what to do. @module */

/**
 * - `transient`: a retry may succeed soon.
 * - `rate_limited`: no requests before `untilMs`, a time that the exchange named or that we chose.
 * - `permanent`: the same request will fail again.
 * - `retention`: the data is older than what the exchange keeps. It is gone for good.
 * - `cancelled`: we cancelled the request.
 */
export type FetchErrorKind = "transient" | "rate_limited" | "permanent" | "retention" | "cancelled";

interface FetchErrorOptions extends ErrorOptions {
  /** For `rate_limited`: no requests before this time. Milliseconds since the Unix epoch. */
  readonly untilMs?: number | undefined;
}

/** A failed request to an exchange. Callers never see CCXT's error classes. */
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
