import assert from "node:assert/strict";
import { BAN_MS_MAX, classify, type ClassifyOptions } from "../../lib/exchange/classify.ts";
import { FetchError, type FetchErrorKind } from "../../lib/exchange/fetch_error.ts";

const NOW_MS = Date.UTC(2024, 5, 1, 12);
const BAN_DEFAULT_MS = 60_000;

// Named and related like CCXT's own, whose names are all that is read.
class BaseError extends Error {}
class ExchangeError extends BaseError {}
class AuthenticationError extends ExchangeError {}
class PermissionDenied extends AuthenticationError {}
class BadRequest extends ExchangeError {}
class BadSymbol extends BadRequest {}
class NotSupported extends ExchangeError {}
class OperationRejected extends ExchangeError {}
class RestrictedLocation extends OperationRejected {}
class OperationFailed extends BaseError {}
class BadResponse extends OperationFailed {}
class NullResponse extends BadResponse {}
class NetworkError extends OperationFailed {}
class DDoSProtection extends NetworkError {}
class RateLimitExceeded extends NetworkError {}
class ExchangeNotAvailable extends NetworkError {}
class OnMaintenance extends ExchangeNotAvailable {}
class InvalidNonce extends NetworkError {}
class RequestTimeout extends NetworkError {}

type ErrorClass = new (message: string) => Error;

interface Row {
  readonly error: ErrorClass;
  readonly message?: string;
  readonly status?: number;
  readonly retryAfter?: string;
  readonly kind: FetchErrorKind;
  /** For `transient`, where it matters. */
  readonly isUnknown?: boolean;
  /** For `rate_limited`: how long after NOW_MS. */
  readonly waitMs?: number;
}

const BANNED_UNTIL_MS = NOW_MS + 3_600_000;
const TEXTS = {
  binance:
    `binance {"code":-1003,"msg":"Way too much request weight used; IP banned until ${BANNED_UNTIL_MS}."}`,
  bingx:
    `bingx {"code":100410,"msg":"code:100410:The endpoint trigger frequency limit rule is currently in the ` +
    `disabled period and will be unblocked after ${BANNED_UNTIL_MS}"}`,
  bingxErrors:
    `bingx {"code":100410,"msg":"over 20 error code:100202 requests within 480000 ms for ` +
    `this api, please verify and fix it ,can retry after time: ${BANNED_UNTIL_MS}"}`,
  bingxLimit: 'bingx {"code":100410,"msg":"rate limited","debugMsg":""}',
  bitvavo:
    'bitvavo {"errorCode":105,"error":"Your IP or API key has been banned for not respecting the rate ' +
    `limit. The ban expires at ${BANNED_UNTIL_MS}."}`,
  bitstamp:
    'bitstamp {"response_code":"400.002","response_explanation":"Request rejected due to exceeded rate limit."}',
  kucoin: 'kucoin {"code":"429000","msg":"Too Many Requests"}',
  bybit: 'bybit {"retCode":10006,"retMsg":"Too many visits!"}',
  okx: 'okx {"code":"50011","msg":"Too Many Requests","data":[]}',
  gate:
    'gate {"label":"INVALID_PARAM_VALUE","message":"Candlestick too long ago. Maximum 10000 points ago are ' +
    'allowed"}',
};

const TABLE: readonly Row[] = [
  // What CCXT's class alone says.
  { error: NetworkError, kind: "transient" },
  { error: RequestTimeout, kind: "transient" },
  { error: ExchangeNotAvailable, kind: "transient" },
  { error: OnMaintenance, status: 200, kind: "transient" },
  { error: InvalidNonce, status: 200, kind: "transient" },
  { error: BadResponse, status: 200, kind: "transient" },
  { error: NullResponse, status: 200, kind: "transient" },
  { error: OperationFailed, kind: "transient" },
  { error: ExchangeError, status: 200, kind: "transient", isUnknown: true },
  { error: OperationRejected, status: 200, kind: "transient", isUnknown: true },
  { error: BadRequest, status: 200, kind: "permanent" },
  { error: BadSymbol, status: 200, kind: "permanent" },
  // A plain ExchangeError whose text names what is wrong with the request, or says that it passes.
  { error: ExchangeError, message: "Not supported symbols", status: 200, kind: "permanent" },
  { error: ExchangeError, message: "market FOO does not exist", status: 200, kind: "permanent" },
  {
    error: ExchangeError,
    message: "symbol service busy, try again later",
    status: 200,
    kind: "transient",
    isUnknown: true,
  },
  {
    error: BadRequest,
    message: "Invalid request, please try again later",
    status: 400,
    kind: "transient",
    isUnknown: true,
  },
  { error: BadSymbol, kind: "permanent" },
  { error: NotSupported, kind: "permanent" },
  { error: AuthenticationError, status: 200, kind: "permanent" },
  { error: PermissionDenied, status: 200, kind: "permanent" },
  { error: RestrictedLocation, status: 200, kind: "permanent" },
  { error: RateLimitExceeded, status: 200, kind: "rate_limited", waitMs: BAN_DEFAULT_MS },
  { error: DDoSProtection, status: 503, kind: "rate_limited", waitMs: BAN_DEFAULT_MS },
  // The runtime's own errors: a connection that breaks in the middle of the body, a parser that stumbles.
  {
    error: TypeError,
    message: "error reading a body from connection",
    status: 200,
    kind: "transient",
  },
  { error: TypeError, message: "response.map is not a function", status: 200, kind: "transient" },
  { error: SyntaxError, status: 200, kind: "transient" },
  // Futile statuses, whatever the class.
  { error: ExchangeNotAvailable, status: 400, kind: "permanent" },
  { error: AuthenticationError, status: 401, kind: "permanent" },
  { error: PermissionDenied, status: 403, kind: "permanent" },
  { error: ExchangeNotAvailable, status: 404, kind: "permanent" },
  { error: ExchangeNotAvailable, status: 410, kind: "permanent" },
  { error: ExchangeNotAvailable, status: 451, kind: "denied" },
  // The exchange's own error says more than the status.
  { error: OnMaintenance, status: 400, kind: "transient" },
  { error: OperationFailed, status: 400, kind: "transient" },
  // Statuses that pass.
  { error: RequestTimeout, status: 408, kind: "transient" },
  { error: ExchangeNotAvailable, status: 500, kind: "transient" },
  { error: ExchangeError, status: 500, kind: "transient" },
  { error: ExchangeError, status: 503, kind: "transient" },
  { error: RequestTimeout, status: 504, kind: "transient" },
  { error: BadRequest, status: 502, kind: "transient" },
  // Bitfinex answers 500 for a symbol that it does not know.
  { error: BadSymbol, message: "symbol: invalid", status: 500, kind: "permanent" },
  // Rate limits that no class, or the wrong one, speaks of.
  { error: ExchangeError, status: 429, kind: "rate_limited", waitMs: BAN_DEFAULT_MS },
  // A firewall's refusal is no answer of the exchange.
  { error: ExchangeNotAvailable, status: 403, kind: "rate_limited", waitMs: BAN_DEFAULT_MS },
  { error: Error, status: 418, kind: "rate_limited", waitMs: BAN_DEFAULT_MS },
  {
    error: ExchangeNotAvailable,
    message: TEXTS.bitstamp,
    status: 400,
    kind: "rate_limited",
    waitMs: BAN_DEFAULT_MS,
  },
  {
    error: ExchangeNotAvailable,
    message: 'bitstamp {"response_code":"400.0021"}',
    status: 400,
    kind: "permanent",
  },
  {
    error: ExchangeError,
    message: TEXTS.kucoin,
    status: 200,
    kind: "rate_limited",
    waitMs: BAN_DEFAULT_MS,
  },
  {
    error: ExchangeError,
    message: TEXTS.bybit,
    status: 200,
    kind: "rate_limited",
    waitMs: BAN_DEFAULT_MS,
  },
  {
    error: ExchangeError,
    message: TEXTS.okx,
    status: 200,
    kind: "rate_limited",
    waitMs: BAN_DEFAULT_MS,
  },
  { error: RateLimitExceeded, status: 403, kind: "rate_limited", waitMs: BAN_DEFAULT_MS },
  { error: ExchangeError, message: 'x {"code":4290001}', status: 200, kind: "transient" },
  { error: ExchangeError, message: 'x {"orderId":429000}', status: 200, kind: "transient" },
  // Bans that name their end.
  {
    error: DDoSProtection,
    message: TEXTS.binance,
    status: 418,
    kind: "rate_limited",
    waitMs: 3_600_000,
  },
  {
    error: DDoSProtection,
    message: TEXTS.binance,
    status: 429,
    kind: "rate_limited",
    waitMs: 3_600_000,
  },
  {
    error: PermissionDenied,
    message: TEXTS.bingx,
    status: 200,
    kind: "rate_limited",
    waitMs: 3_600_000,
  },
  {
    error: OperationFailed,
    message: TEXTS.bingxErrors,
    status: 200,
    kind: "rate_limited",
    waitMs: 3_600_000,
  },
  {
    error: OperationFailed,
    message: TEXTS.bingxLimit,
    status: 200,
    kind: "rate_limited",
    waitMs: BAN_DEFAULT_MS,
  },
  {
    error: RateLimitExceeded,
    message: TEXTS.bitvavo,
    status: 403,
    kind: "rate_limited",
    waitMs: 3_600_000,
  },
  {
    error: ExchangeError,
    message: "IP blocked until: 1717246860000",
    status: 403,
    kind: "rate_limited",
    waitMs: 1_717_246_860_000 - NOW_MS,
  },
  {
    error: PermissionDenied,
    message: `bingx: unblocked after ${NOW_MS - 1}`,
    status: 200,
    kind: "rate_limited",
    waitMs: BAN_DEFAULT_MS,
  },
  {
    error: PermissionDenied,
    message: "bingx: unblocked after a review of your account",
    status: 200,
    kind: "permanent",
  },
  // Too old to be had, even where the status says "bad request".
  { error: BadRequest, message: TEXTS.gate, status: 400, kind: "retention" },
  { error: ExchangeError, message: "Data too long ago", kind: "retention" },
];

Deno.test("an error is classified by its status and text first, by CCXT's class second", () => {
  for (const row of TABLE) {
    const { kind, untilMs } = classifyRow(row);
    const expected = {
      kind: row.kind,
      untilMs: row.waitMs === undefined ? undefined : NOW_MS + row.waitMs,
    };
    assert.deepEqual({ kind, untilMs }, expected, describe(row));
    if (row.isUnknown !== undefined) {
      assert.equal(classifyRow(row).isUnknown, row.isUnknown, describe(row));
    }
  }
});

Deno.test("a code that passes is known to, for its class and for those that inherit from it", () => {
  const classified = (classes: readonly string[], json: unknown): FetchError =>
    classify(new BadRequest("an error"), {
      ...options({}),
      classes,
      answer: { status: 200, retryAfter: undefined, json },
    });
  for (
    const [classes, json] of [
      [["bybiteu", "bybit", "Exchange"], { retCode: 10016, retMsg: "?" }],
      [["kucoin"], { code: "408000" }],
      [["hitbtc"], { error: { code: 22008, message: "?" } }],
      [["coinbase"], { errors: [{ id: "internal_server_error" }] }],
    ] as const
  ) {
    const { kind, isUnknown } = classified(classes, json);
    assert.deepEqual([kind, isUnknown], ["transient", false], JSON.stringify(json));
  }
  for (
    const [classes, json] of [
      [["okx"], { retCode: 10016 }],
      [["bybit"], { retCode: 100160 }],
      [["bybit"], { result: { size: 10016 } }],
      [["bybit"], { retCode: "constructor" }],
    ] as const
  ) {
    assert.equal(classified(classes, json).kind, "permanent", JSON.stringify(json));
  }
});

Deno.test("Retry-After is waited out, in seconds or until an HTTP date, with any refusing status", () => {
  for (
    const [retryAfter, waitMs] of [
      ["120", 120_000],
      [" 7 ", 7_000],
      ["1.5", 1_500],
      ["Sat, 01 Jun 2024 12:05:00 GMT", 300_000],
      ["Saturday, 01-Jun-24 12:05:00 GMT", 300_000],
      ["2024-06-01T12:05:00Z", 300_000],
      // As good as no answer: the default applies.
      ["", BAN_DEFAULT_MS],
      ["soon", BAN_DEFAULT_MS],
      ["retry in 2030", BAN_DEFAULT_MS],
      ["-5", BAN_DEFAULT_MS],
      ["0", BAN_DEFAULT_MS],
      ["0x20", BAN_DEFAULT_MS],
      ["NaN", BAN_DEFAULT_MS],
      ["Infinity", BAN_DEFAULT_MS],
      ["120, 240", BAN_DEFAULT_MS],
      ["Sat, 01 Jun 2024 11:59:00 GMT", BAN_DEFAULT_MS],
      ["Sat, 32 Jun 2024 12:05:00 GMT", BAN_DEFAULT_MS],
      // Longer than anybody bans.
      ["99999999999999999999", BAN_MS_MAX],
      ["9".repeat(400), BAN_MS_MAX],
      ["Fri, 01 Jan 2500 00:00:00 GMT", BAN_MS_MAX],
    ] as const
  ) {
    const row: Row = {
      error: RateLimitExceeded,
      status: 429,
      retryAfter,
      kind: "rate_limited",
      waitMs,
    };
    const { kind, untilMs } = classifyRow(row);
    assert.deepEqual(
      { kind, untilMs },
      { kind: "rate_limited", untilMs: NOW_MS + waitMs },
      describe(row),
    );
  }
});

Deno.test("Retry-After makes a refusal without a rate limit's status wait as well", () => {
  const refused = classifyRow({
    error: ExchangeNotAvailable,
    status: 503,
    retryAfter: "30",
    kind: "rate_limited",
  });
  assert.deepEqual([refused.kind, refused.untilMs], ["rate_limited", NOW_MS + 30_000]);
});

Deno.test("a Retry-After that says nothing useful does not make a rate limit of a failure", () => {
  for (const retryAfter of ["soon", "-5", "0", "Sat, 01 Jun 2024 11:59:00 GMT"]) {
    const row: Row = { error: ExchangeNotAvailable, status: 500, retryAfter, kind: "transient" };
    assert.equal(classifyRow(row).kind, "transient", describe(row));
  }
});

Deno.test("a Retry-After beside a success, or without any answer, is not a refusal", () => {
  const beside = classifyRow({
    error: BadResponse,
    status: 200,
    retryAfter: "30",
    kind: "transient",
  });
  assert.deepEqual([beside.kind, beside.untilMs], ["transient", undefined]);
  assert.equal(
    classifyRow({ error: NetworkError, retryAfter: "30", kind: "transient" }).kind,
    "transient",
  );
});

Deno.test("of a ban's text and Retry-After the later one counts", () => {
  const message = TEXTS.binance;
  const ban: Row = { error: DDoSProtection, message, status: 418, kind: "rate_limited" };
  assert.equal(classifyRow({ ...ban, retryAfter: "10" }).untilMs, BANNED_UNTIL_MS);
  assert.equal(classifyRow({ ...ban, retryAfter: "7200" }).untilMs, NOW_MS + 7_200_000);
});

Deno.test("no ban is taken to last longer than a week, nor to have ended before it began", () => {
  const until = (timeMs: number): number | undefined =>
    classifyRow({
      error: DDoSProtection,
      message: `IP banned until ${timeMs}`,
      status: 418,
      kind: "rate_limited",
    }).untilMs;
  assert.equal(until(9_999_999_999_999), NOW_MS + BAN_MS_MAX);
  assert.equal(until(NOW_MS - 1), NOW_MS + BAN_DEFAULT_MS);
});

Deno.test("an error that CCXT makes of an answer without content passes, of one with content nothing is known", () => {
  const unknown = (json: unknown, status = 200): readonly unknown[] => {
    const answer = { status, retryAfter: undefined, json };
    const { kind, isUnknown } = classify(new ExchangeError("okx {}"), { ...options({}), answer });
    return [kind, isUnknown];
  };
  for (const json of [{}, []]) assert.deepEqual(unknown(json), ["transient", false]);
  for (const json of [{ code: 1 }, null, "text"]) {
    assert.deepEqual(unknown(json), ["transient", true]);
  }
  assert.deepEqual(unknown({}, 404), ["permanent", false]);
});

Deno.test("a status that refuses is final with the exchange's own words, a page in front of it may pass", () => {
  const kindOf = (error: ErrorClass, status: number | undefined, text?: string): FetchErrorKind => {
    const answer = { status, retryAfter: undefined, json: undefined, text };
    return classify(new error(`cryptocom ${text}`), { ...options({}), answer }).kind;
  };
  const page = "<!DOCTYPE html><html><title>404 Not Found</title><hr>nginx</html>";
  assert.equal(kindOf(ExchangeError, 200, page), "transient");
  assert.equal(kindOf(PermissionDenied, 200), "permanent");
  assert.equal(kindOf(ExchangeError, 404, page), "transient");
  assert.equal(kindOf(ExchangeNotAvailable, 410, page), "transient");
  assert.equal(kindOf(AuthenticationError, 401, page), "permanent");
  assert.equal(kindOf(ExchangeError, undefined), "permanent");
});

Deno.test("a message quotes the sentences of a page and none of its HTML", () => {
  const text =
    "<html><head><style>a{}</style><title>Oops</title></head><body>Back <b>soon</b>&nbsp;!</body>";
  const error = new ExchangeNotAvailable(`binance GET https://x.test 502 Bad Gateway ${text}`);
  const answer = { status: 502, retryAfter: undefined, json: undefined, text };
  assert.match(
    classify(error, { ...options({}), answer }).message,
    /502 Bad Gateway "Oops Back soon !" \(HTTP 502\)$/,
  );
});

Deno.test("an abort is a cancellation, a timeout is not", () => {
  const abort = new DOMException("The signal has been aborted", "AbortError");
  assert.equal(classify(abort, options({})).kind, "cancelled");
  const timeout = new DOMException("Signal timed out.", "TimeoutError");
  assert.equal(classify(timeout, options({})).kind, "transient");
});

Deno.test("what is thrown without being an error is transient and shown as text", () => {
  for (const thrown of ["a text", undefined, null, 7, {}, Symbol("s")]) {
    const { kind, cause } = classify(thrown, options({}));
    assert.deepEqual([kind, cause], ["transient", thrown]);
  }
});

Deno.test("the message says what was being done and what the exchange said, and the cause is kept", () => {
  const cause = new BadSymbol("binance does not have market symbol NO/SUCH");
  const error = classify(cause, options({}));
  assert.equal(
    error.message,
    "Cannot fetch candles of binance NO/SUCH 1m: binance does not have market symbol NO/SUCH",
  );
  assert.equal(error.cause, cause);
  assert.ok(error instanceof FetchError);
});

Deno.test("an error that was classified before is passed on as it is", () => {
  const error = new FetchError("retention", "Cannot fetch", { untilMs: 5 });
  assert.equal(classify(error, options({ status: 429 })), error);
});

function options(
  { status, retryAfter }: { readonly status?: number; readonly retryAfter?: string },
): ClassifyOptions {
  return {
    action: "fetch candles of binance NO/SUCH 1m",
    classes: ["binance"],
    answer: { status, retryAfter, json: status === undefined ? undefined : { code: 1 } },
    nowMs: NOW_MS,
    banDefaultMs: BAN_DEFAULT_MS,
  };
}

function classifyRow(row: Row): FetchError {
  return classify(new row.error(row.message ?? "something went wrong"), options(row));
}

function describe({ error, message, status, retryAfter }: Row): string {
  return `${error.name} ${status} ${retryAfter} ${message}`;
}

Deno.test("the place where an answer is not JSON is kept of an answer, and not of an HTTP error", () => {
  const excerpt = (status: number): string | undefined => {
    const answer = { status, retryAfter: undefined, excerpt: "[NaN," };
    return classify(new BadResponse("binance [NaN,"), { ...options({}), answer }).excerpt;
  };
  assert.equal(excerpt(200), "[NaN,");
  for (const status of [400, 404, 500, 502, 503]) assert.equal(excerpt(status), undefined);
});
