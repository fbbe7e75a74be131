/** The only error that `lib/exchange/` throws to its callers. Its kind tells them what to do. @module */

/**
 * - `transient`: a retry may succeed soon.
 * - `rate_limited`: no requests before `untilMs`, a time that the exchange named or that we chose.
 * - `denied`: this address, or its country, is refused. A proxy or another machine may help, waiting seldom does.
 * - `permanent`: the same request will fail again.
 * - `retention`: the data is older than what the exchange keeps. It is gone for good.
 * - `cancelled`: we cancelled the request.
 */
export type FetchErrorKind =
  | "transient"
  | "rate_limited"
  | "denied"
  | "permanent"
  | "retention"
  | "cancelled";

interface FetchErrorOptions extends ErrorOptions {
  /**
   * For `rate_limited`: no requests before this time. For `denied`: set once a second answer has proved it, when to ask
   * again. Milliseconds since the Unix epoch.
   */
  readonly untilMs?: number | undefined;
  /** @default false */
  readonly isUnknown?: boolean | undefined;
  readonly excerpt?: string | undefined;
}

/** A failed request to an exchange. Callers never see CCXT's error classes. */
export class FetchError extends Error {
  override readonly name = "FetchError";
  readonly kind: FetchErrorKind;
  readonly untilMs: number | undefined;
  /**
   * For `transient`: the exchange answered with an error of which nothing is known, neither that it passes nor that the
   * request is at fault. It is final if it stays.
   */
  readonly isUnknown: boolean;
  /**
   * The place where a whole answer is not JSON; undefined for all other errors. One value of one candle can be the
   * reason, so a shorter window may be answered well.
   */
  readonly excerpt: string | undefined;

  constructor(kind: FetchErrorKind, message: string, options: FetchErrorOptions = {}) {
    super(message, options);
    this.kind = kind;
    this.untilMs = options.untilMs;
    this.isUnknown = options.isUnknown === true;
    this.excerpt = options.excerpt;
  }
}
