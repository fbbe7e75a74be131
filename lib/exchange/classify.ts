/** Turns whatever a request threw into a `FetchError`: the one place that reads CCXT's error classes. @module */
import { FetchError } from "./fetch_error.ts";

/** What is known of the HTTP answer behind an error. */
interface AnswerFacts {
  /** HTTP status of the last answer; undefined when none came. */
  readonly status: number | undefined;
  /** The `Retry-After` header of the last answer. */
  readonly retryAfter: string | undefined;
  /** The parsed body of the last answer, where it was JSON. */
  readonly json?: unknown;
}

export interface ClassifyOptions {
  /** What was being done, for the message: `fetch candles of binance BTC/USDT 1m`. */
  readonly action: string;
  readonly answer: AnswerFacts;
  readonly nowMs: number;
  /** How long to stay away when the exchange says "too many requests" without saying until when. */
  readonly banDefaultMs: number;
}

/**
 * No ban is taken to last longer: Binance's longest is three days, and a mistaken or hostile answer must not
 * silence an exchange for ever.
 */
export const BAN_MS_MAX = 7 * 24 * 60 * 60_000;

/**
 * Classifies by HTTP status and known texts first, by CCXT's class second: some bans arrive as plain
 * `ExchangeError` (KuCoin's 429000) or `PermissionDenied` (BingX), and some hopeless answers (400, 403, 404,
 * 451) as `ExchangeNotAvailable`, which CCXT counts among network errors. A 403 that is no answer of the
 * exchange's own comes from the firewall before it (Binance, Bybit): asking on would prolong it. A symbol that
 * is refused stays refused even where the refusal comes as a 500 (Bitfinex): it must not trip the breaker.
 */
export function classify(error: unknown, options: ClassifyOptions): FetchError {
  if (error instanceof FetchError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const { status } = options.answer;
  const answered = status === undefined || status < 400 ? "" : ` (HTTP ${status})`;
  const message = `Cannot ${options.action}: ${text}${answered}`;
  const classes = classNames(error);

  if (classes.has("AbortError")) return new FetchError("cancelled", message, { cause: error });
  if (TOO_OLD.test(text)) return new FetchError("retention", message, { cause: error });
  const untilMs = bannedUntilMs(text, options);
  if (
    untilMs !== undefined || status === 429 || status === 418 || BAN_TEXT.test(text) ||
    RATE_LIMIT_CODE.test(text) ||
    classes.has("RateLimitExceeded") || classes.has("DDoSProtection") ||
    (status === 403 && !classes.has("ExchangeError"))
  ) {
    return new FetchError("rate_limited", message, {
      cause: error,
      untilMs: untilMs ?? options.nowMs + options.banDefaultMs,
    });
  }
  if (status !== undefined && FUTILE_STATUS.has(status)) {
    return new FetchError("permanent", message, { cause: error });
  }
  const isAnswer = !isServerError(status) && !isEmptyObject(options.answer.json) &&
    !isUnreadAnswer(error, options.answer);
  if (classes.has("BadSymbol") || (classes.has("ExchangeError") && isAnswer)) {
    return new FetchError("permanent", message, { cause: error });
  }
  return new FetchError("transient", message, { cause: error });
}

/** Gate: "Candlestick too long ago. Maximum 10000 points ago are allowed". */
const TOO_OLD = /too long ago/i;

/** KuCoin 429000, BingX 100410, Bitstamp 400.002, and Bybit 10006 and OKX 50011, should their class ever change. */
const RATE_LIMIT_CODE =
  /"?(?:code|retCode|response_code)"?:\s*"?(?:429000|100410|400\.002|10006|50011)"?(?![\w.])/;

/** Asking again gets the same: bad request, unauthorized, forbidden, not found, gone, legal reasons. */
const FUTILE_STATUS: ReadonlySet<number> = new Set([400, 401, 403, 404, 410, 451]);

/**
 * Binance: "IP banned until 1700000000000"; BingX: "unblocked after 1700000000000", "retry after time:
 * 1700000000000"; Bitvavo: "The ban expires at 1700000000000".
 */
const BAN_TEXT =
  /(?:banned|block(?:ed)?|unblock(?:ed)?|retry|\bban)\D{0,24}?(?:until|after|expires at)\D{0,8}(\d{13})/i;

function bannedUntilMs(text: string, { answer, nowMs }: ClassifyOptions): number | undefined {
  const namedMs = Number(BAN_TEXT.exec(text)?.[1] ?? 0);
  const untilMs = Math.max(namedMs, retryAfterMs(answer, nowMs) ?? 0);
  // A time that has passed, by a clock that differs from ours, says no more than "too many requests" does.
  return untilMs > nowMs ? Math.min(untilMs, nowMs + BAN_MS_MAX) : undefined;
}

/** `Retry-After` is seconds or an HTTP date (RFC 9110, 10.2.3); it counts only beside a refusal. */
function retryAfterMs({ status, retryAfter }: AnswerFacts, nowMs: number): number | undefined {
  if (retryAfter === undefined || status === undefined || status < 400) return undefined;
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(retryAfter)) return nowMs + Number(retryAfter) * 1000;
  const dateMs = DATE.test(retryAfter) ? Date.parse(retryAfter) : NaN;
  return Number.isNaN(dateMs) ? undefined : dateMs;
}

/** A date of HTTP or of ISO 8601. `Date.parse` reads a year, and so a ban of a week, even in "retry in 2030". */
const DATE = /^\s*(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? |\d{4}-\d\d-\d\dT)/;

function isServerError(status: number | undefined): boolean {
  return status !== undefined && status >= 500;
}

/** `{}` refuses nothing: CCXT makes an `ExchangeError` of it only because it holds no code that means success. */
function isEmptyObject(json: unknown): boolean {
  return typeof json === "object" && json !== null && Object.keys(json).length === 0;
}

/**
 * Whether CCXT made a plain `ExchangeError` of a body that was not JSON, because it found no code that means
 * success (Crypto.com): a maintenance page refuses nothing.
 */
function isUnreadAnswer(error: unknown, { status, json }: AnswerFacts): boolean {
  return status !== undefined && json === undefined &&
    Object.getPrototypeOf(error)?.constructor?.name === "ExchangeError";
}

/** The names of an error's class and of all classes above it. */
function classNames(error: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  if (error instanceof Error) names.add(error.name);
  for (let proto = error; typeof proto === "object" && proto !== null;) {
    proto = Object.getPrototypeOf(proto);
    const name = (proto as { constructor?: { name?: string } } | null)?.constructor?.name;
    if (name !== undefined) names.add(name);
  }
  return names;
}
