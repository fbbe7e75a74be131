/** Turns any error of a request into a `FetchError`. Only this file knows CCXT's error classes. @module */
import { denialOf } from "./denial.ts";
import { FetchError } from "./fetch_error.ts";
import { pageTexts } from "./page_text.ts";
import { isPassingCode } from "./passing_codes.ts";
import { errorText, shortText } from "../text/redact.ts";

/** What is known about the HTTP response behind an error. */
interface AnswerFacts {
  /** HTTP status of the last response; undefined when none came. */
  readonly status: number | undefined;
  /** The `Retry-After` header of the last response. */
  readonly retryAfter: string | undefined;
  /** The parsed body of the last response; undefined when it was not JSON. */
  readonly json?: unknown;
  /** The body that was not JSON, or its beginning. */
  readonly text?: string | undefined;
  /** See {@linkcode FetchError.excerpt}. */
  readonly excerpt?: string | undefined;
  /** The proxy that the request went through, without credentials. */
  readonly via?: string | undefined;
}

export interface ClassifyOptions {
  /** The action that failed, for the message: `fetch candles of binance BTC/USDT 1m`. */
  readonly action: string;
  readonly answer: AnswerFacts;
  /** The exchange's class in CCXT and its ancestors. */
  readonly classes: readonly string[];
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
 * - Some permanent failures (400, 401, 404) arrive as `ExchangeNotAvailable`, a network error to CCXT.
 * - A 403 without an error of the exchange comes from a firewall in front of it (Binance, Bybit). Without a reason it
 *   counts as `rate_limited`, because more requests would prolong the block; with one it is {@linkcode denialOf}'s.
 * - A refused symbol stays refused, even if the refusal is a 500 (Bitfinex). It must not open the breaker.
 * - Many an `ExchangeError`, and some a `BadRequest`, mean "busy, try again later" ({@linkcode isPassingCode}).
 *
 * Only what names the request's own fault is `permanent`. An error of which nothing is known is `transient` with
 * `isUnknown`: it is tried again, and final when it stays.
 */
export function classify(error: unknown, options: ClassifyOptions): FetchError {
  if (error instanceof FetchError && error.kind !== "transient") return error;
  const { answer, action } = options;
  const classes = classNames(error);
  if (classes.has("AbortError")) {
    return new FetchError("cancelled", messageOf(error, options), { cause: error });
  }
  const denial = denialOf(answer);
  if (denial !== undefined) {
    const status = answer.status === undefined ? "" : `HTTP ${answer.status}`;
    const facts = [status, answer.via === undefined ? "" : `through its proxy ${answer.via}`]
      .filter((fact) => fact !== "").join(", ");
    const message = `Cannot ${action}: access is refused (${facts}): "${denial}"`;
    return new FetchError("denied", message, { cause: error });
  }
  if (error instanceof FetchError) return error;
  return classifyAnswered(error, classes, options);
}

function classifyAnswered(
  error: unknown,
  classes: ReadonlySet<string>,
  options: ClassifyOptions,
): FetchError {
  const { answer } = options;
  const { status } = answer;
  const text = error instanceof Error ? error.message : String(error);
  const message = messageOf(error, options);
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
  if (isOwnFault(error, classes, options)) {
    return new FetchError("permanent", message, { cause: error });
  }
  return new FetchError("transient", message, {
    cause: error,
    // Only of an answer: the body of an HTTP error says nothing about a candle.
    excerpt: answer.status !== undefined && answer.status >= 400 ? undefined : answer.excerpt,
    isUnknown: isUnknown(error, classes, options),
  });
}

/** Whether an error names the request's own fault, so that the same request will fail again. */
function isOwnFault(
  error: unknown,
  classes: ReadonlySet<string>,
  { answer, classes: exchange }: ClassifyOptions,
): boolean {
  const { status, json } = answer;
  const text = error instanceof Error ? error.message : String(error);
  // CCXT itself refused, before anything was asked.
  if (status === undefined) return classes.has("ExchangeError");
  if (isPassingCode(exchange, json) || (json !== undefined && PASSING.test(text))) return false;
  if (classes.has("BadSymbol")) return true;
  if (status >= 500) return false;
  if (status >= 400 && json === undefined && !OWN_STATUS.has(status)) return false;
  if (PERMANENT_STATUS.has(status)) return !isNetworkError(error, classes);
  if (isEmptyObject(json) || isUnreadableAnswer(error, answer)) return false;
  return OWN_FAULT.some((name) => classes.has(name)) ||
    (classes.has("ExchangeError") && (NAMES_FAULT.test(text) || FAULT_NAMED.test(text)));
}

/** Whether the exchange answered with an error of which nothing is known. */
function isUnknown(
  error: unknown,
  classes: ReadonlySet<string>,
  { answer, classes: exchange }: ClassifyOptions,
): boolean {
  const { status, json } = answer;
  if (status === undefined || status >= 500 || isPassingCode(exchange, json)) return false;
  if (status >= 400) return !isNetworkError(error, classes);
  return classes.has("ExchangeError") && !isEmptyObject(json) && !isUnreadableAnswer(error, answer);
}

/** Whether CCXT knows the error as one of the way to the exchange. Most statuses are `ExchangeNotAvailable` to it. */
function isNetworkError(error: unknown, classes: ReadonlySet<string>): boolean {
  return classes.has("OperationFailed") &&
    Object.getPrototypeOf(error)?.constructor?.name !== "ExchangeNotAvailable";
}

/** Classes of CCXT that name what is wrong with a request, or with who sends it. */
const OWN_FAULT = [
  "ArgumentsRequired",
  "AuthenticationError",
  "BadRequest",
  "InvalidProxySettings",
  "NotSupported",
  "RestrictedLocation",
] as const;

/** "System error. Please try again later.", "Service unavailable", "system busy", "under maintenance". */
const PASSING =
  /try(?:ing)? again|retry later|\bbusy\b|maintenance|(?:service|system|server|temporar\w+) (?:is |are )?(?:currently |temporarily )?(?:unavailable|abnormal|upgrad\w+|suspended)|temporarily|(?:system|internal|server|network|gateway|unknown)[ _]?(?:server )?(?:error|exception|failure)|overload|time[ds]?[ _-]?out/i;

/** What a plain `ExchangeError` is about, when its text says that the request names something wrong. */
const FAULT =
  "(?:invalid|unknown|unsupported|illegal|wrong|missing|not (?:found|exist\\w*|valid|support\\w*|listed)|do(?:es)? not exist|(?:is )?required|delisted)";
const SUBJECT =
  "(?:symbols?|markets?|pairs?|instruments?|currenc(?:y|ies)|products?|arguments?|param(?:eter)?s?|intervals?|granularity|periods?|limit)";
const NAMES_FAULT = new RegExp(`\\b${SUBJECT}\\b.{0,40}\\b${FAULT}`, "i");
const FAULT_NAMED = new RegExp(`\\b${FAULT}\\b.{0,24}\\b${SUBJECT}\\b`, "i");

/** What was being done and what went wrong; of a page its sentences, not its HTML. */
function messageOf(error: unknown, { action, answer }: ClassifyOptions): string {
  const { status, text: page } = answer;
  const told = error instanceof Error ? error.message : String(error);
  // CCXT puts the body at the end.
  const at = page?.trimStart().startsWith("<") === true ? told.indexOf(page.trim()) : -1;
  const text = at === -1
    ? errorText(error)
    : `${shortText(told.slice(0, at))}"${
      shortText(pageTexts(page ?? "").join(" "), PAGE_QUOTE_MAX)
    }"`;
  return `Cannot ${action}: ${text}${
    status === undefined || status < 400 ? "" : ` (HTTP ${status})`
  }`;
}

/** Characters quoted of a page. */
const PAGE_QUOTE_MAX = 200;

/** Gate: "Candlestick too long ago. Maximum 10000 points ago are allowed". */
const TOO_OLD = /too long ago/i;

/** KuCoin 429000, BingX 100410, Bitstamp 400.002, and Bybit 10006 and OKX 50011, should their class ever change. */
const RATE_LIMIT_CODE =
  /"?(?:code|retCode|response_code)"?:\s*"?(?:429000|100410|400\.002|10006|50011)"?(?![\w.])/;

/** Statuses that say enough without an error of the exchange: a gateway's 404 may pass, a 401 does not. */
const OWN_STATUS: ReadonlySet<number> = new Set([401, 403]);

/** A retry would fail again: bad request, unauthorized, forbidden, not found, gone. */
const PERMANENT_STATUS: ReadonlySet<number> = new Set([400, 401, 403, 404, 410]);

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
export function retryAfterMs(
  { status, retryAfter }: Pick<AnswerFacts, "status" | "retryAfter">,
  nowMs: number,
): number | undefined {
  if (retryAfter === undefined || status === undefined || status < 400) return undefined;
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(retryAfter)) return nowMs + Number(retryAfter) * 1000;
  const dateMs = DATE.test(retryAfter) ? Date.parse(retryAfter) : NaN;
  return Number.isNaN(dateMs) ? undefined : dateMs;
}

/** An HTTP or ISO 8601 date. `Date.parse` alone would read the year in "retry in 2030" as a date. */
const DATE = /^\s*(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? |\d{4}-\d\d-\d\dT)/;

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
