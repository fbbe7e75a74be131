/**
 * Error codes that mean "busy, later, system error, maintenance", although CCXT's class for them says that the request is
 * at fault, or nothing. Codes whose class is a network error in CCXT are not listed: their class says it.
 *
 * Source: `exceptions` in `js/src/<id>.js` of CCXT 4.5.84, whose comments quote the exchanges' documentation. Of
 * upbit, whitebit, bitstamp, bitfinex, kraken, gate and htx every such code already has a class that says so.
 * @module
 */

/** Code → meaning, by the id of the class that has it in its `exceptions`. */
export const PASSING_CODES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  binance: { "-1001": "Internal error; unable to process your request. Please try again." },
  bingx: {
    "500": "internal system error",
    "504": "server timeout",
    "100503": "service unavailable",
  },
  bitget: {
    "1": "System error",
    "30009": "system error",
    "30030": "endpoint request failed. Please try again",
    "32047": "system error",
    "40015": "System is abnormal, please try again later",
    "gateway internal error": "gateway internal error",
    "system exception": "system exception",
  },
  bitvavo: {
    "101": "Unknown error. Operation may or may not have succeeded.",
    "400": "Unknown error. Please contact support with a copy of your request.",
  },
  bybit: {
    "5004": "Server Timeout",
    "10016": "System error. Please try again later.",
    "131201": "Internal error",
    "170001": "Internal error.",
    "170032": "Network error. Please try again later",
    "170234": "System Error",
    "340099": "Server error",
  },
  coinbase: { internal_server_error: "500 Internal server error" },
  cryptocom: { "10001": "SYS_ERROR", "50001": "INTERNAL_SERVER_ERROR" },
  gemini: { System: "We are experiencing technical issues" },
  hitbtc: { "500": "Internal Server Error", "22008": "Gateway timeout exceeded." },
  kucoin: {
    "126038": "Third-party service call failed (internal exception)",
    "408000": "Network timeout, please try again later",
  },
  mexc: {
    "500": "Internal error",
    "513": "Invalid request, please try again later",
    "20002": "Internal system error",
  },
  okx: { "63999": "Internal system error" },
  poloniex: { "415": "System Error", "1001": "SYSTEM_CONFIG_ERROR" },
};

/** Names under which exchanges give the code of an error. */
const CODE_NAMES: ReadonlySet<string> = new Set([
  "code",
  "retCode",
  "ret_code",
  "errorCode",
  "error_code",
  "err-code",
  "err_code",
  "label",
  "reason",
  "error",
  "errors",
  "id",
]);

/** Twice what is known: `{ error: { code: 500 } }`, `{ errors: [{ id: "…" }] }`. */
const DEPTH_MAX = 4;

/**
 * Whether an answer's code is one that passes.
 *
 * @param classes The exchange's class and its ancestors: a code that one does not have is its parent's.
 */
export function isPassingCode(classes: readonly string[], json: unknown): boolean {
  const codes = codesOf(json);
  return classes.some((id) => {
    const known = PASSING_CODES[id];
    return known !== undefined && codes.some((code) => Object.hasOwn(known, code));
  });
}

function codesOf(json: unknown, depth = 0): readonly string[] {
  if (typeof json === "string" || typeof json === "number") return depth > 0 ? [String(json)] : [];
  if (typeof json !== "object" || json === null || depth >= DEPTH_MAX) return [];
  if (Array.isArray(json)) {
    return json.slice(0, DEPTH_MAX).flatMap((one) => codesOf(one, depth + 1));
  }
  return Object.entries(json).flatMap(([name, value]) =>
    CODE_NAMES.has(name) ? codesOf(value, depth + 1) : []
  );
}
