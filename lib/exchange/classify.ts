/** Turns any error of a request into a `FetchError`. Only this file knows CCXT's error classes. @module */
import { FetchError } from "./fetch_error.ts";

/** What is known about the HTTP response behind an error. */
interface AnswerFacts {
  /** HTTP status of the last response; undefined when none came. */
  readonly status: number | undefined;
  /** The `Retry-After` header of the last response. */
  readonly retryAfter: string | undefined;
  /** The parsed body of the last response; undefined when it was not JSON. */
  readonly json?: unknown;
}

export interface ClassifyOptions {
  /** The action that failed, for the message: `fetch candles of binance BTC/USDT 1m`. */
  readonly action: string;
  readonly answer: AnswerFacts;
  readonly nowMs: number;
  /** How long to wait when the exchange says "too many requests" but not until when. */
  readonly banDefaultMs: number;
}

/**
 * The longest ban that is honoured. Binance's longest ban is three days. The limit keeps a wrong or hostile answer from
 * stopping an exchange for ever.
 */
export const BAN_MS_MAX = 7 * 24 * 60 * 60_000;

/**
 * Classifies by HTTP status and known texts first, and by CCXT's class second, because CCXT's class can mislead:
 *
 * - Some bans arrive as plain `ExchangeError` (KuCoin's 429000) or `PermissionDenied` (BingX).
 * - Some permanent failures (400, 403, 404, 451) arrive as `ExchangeNotAvailable`, a network error to CCXT.
 * - A 403 without an error of the exchange comes from a firewall in front of it (Binance, Bybit). It counts as
 *   `rate_limited`, because more requests would prolong the block.
 * - A refused symbol stays refused, even if the refusal is a 500 (Bitfinex). It must not open the breaker.
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
  if (status !== undefined && PERMANENT_STATUS.has(status)) {
    return new FetchError("permanent", message, { cause: error });
  }
  const isAnswer = !isServerError(status) && !isEmptyObject(options.answer.json) &&
    !isUnreadableAnswer(error, options.answer);
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

/** A retry would fail again: bad request, unauthorized, forbidden, not found, gone, legal reasons. */
const PERMANENT_STATUS: ReadonlySet<number> = new Set([400, 401, 403, 404, 410, 451]);

/**
 * Binance: "IP banned until 1700000000000"; BingX: "unblocked after 1700000000000", "retry after time:
 * 1700000000000"; Bitvavo: "The ban expires at 1700000000000".
 */
const BAN_TEXT =
  /(?:banned|block(?:ed)?|unblock(?:ed)?|retry|\bban)\D{0,24}?(?:until|after|expires at)\D{0,8}(\d{13})/i;

function bannedUntilMs(text: string, { answer, nowMs }: ClassifyOptions): number | undefined {
  const namedMs = Number(BAN_TEXT.exec(text)?.[1] ?? 0);
  const untilMs = Math.max(namedMs, retryAfterMs(answer, nowMs) ?? 0);
  // A time in the past (the clocks differ) tells nothing; the caller then uses `banDefaultMs`.
  return untilMs > nowMs ? Math.min(untilMs, nowMs + BAN_MS_MAX) : undefined;
}

/** `Retry-After` is seconds or an HTTP date (RFC 9110, 10.2.3). It is ignored unless the status is an error. */
function retryAfterMs({ status, retryAfter }: AnswerFacts, nowMs: number): number | undefined {
  if (retryAfter === undefined || status === undefined || status < 400) return undefined;
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(retryAfter)) return nowMs + Number(retryAfter) * 1000;
  const dateMs = DATE.test(retryAfter) ? Date.parse(retryAfter) : NaN;
  return Number.isNaN(dateMs) ? undefined : dateMs;
}

/** An HTTP or ISO 8601 date. `Date.parse` alone would read the year in "retry in 2030" as a date. */
const DATE = /^\s*(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? |\d{4}-\d\d-\d\dT)/;

function isServerError(status: number | undefined): boolean {
  return status !== undefined && status >= 500;
}

/** `{}` is not a refusal: CCXT throws `ExchangeError` only because it finds no success code in it. */
function isEmptyObject(json: unknown): boolean {
  return typeof json === "object" && json !== null && Object.keys(json).length === 0;
}

/**
 * Whether CCXT threw a plain `ExchangeError` for a body that was not JSON, because it found no success code in it
 * (Crypto.com). A maintenance page is not a refusal.
 */
function isUnreadableAnswer(error: unknown, { status, json }: AnswerFacts): boolean {
  return status !== undefined && json === undefined &&
    Object.getPrototypeOf(error)?.constructor?.name === "ExchangeError";
}

/** The names of an error's class and of all its base classes. */
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
