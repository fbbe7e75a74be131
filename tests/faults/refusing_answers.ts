/** Answers that refuse a request although it is right: busy ones with status 200, and pages for a denied address. @module */
import type { Fault } from "../support/local_exchange/fault.ts";

/** A code that no documentation has: nothing is known of it, so it may pass. */
const UNKNOWN_CODE = "987654";
const UNKNOWN_TEXT = "The moon is in the wrong house";

/** Bodies that mean busy, maintenance or a system error, by dialect. Codes are from the exchanges' documentation. */
const BUSY: Readonly<Record<string, readonly unknown[]>> = {
  binance: [
    { code: -1001, msg: "Internal error; unable to process your request. Please try again." },
    { code: -1000, msg: "An unknown error occurred while processing the request." },
    { code: -1008, msg: "Server is currently overloaded with other requests." },
    { code: -Number(UNKNOWN_CODE), msg: UNKNOWN_TEXT },
  ],
  bybit: [
    ...[[10016, "System error. Please try again later."], [170001, "Internal error."], [
      Number(UNKNOWN_CODE),
      UNKNOWN_TEXT,
    ]].map(([retCode, retMsg]) => ({ retCode, retMsg, result: {}, retExtInfo: {}, time: 0 })),
  ],
  gate: [
    { label: "SERVER_ERROR", message: "Internal server error" },
    { label: "TOO_BUSY", message: "Service is too busy" },
    { label: "MOON", message: UNKNOWN_TEXT },
  ],
  hitbtc: [
    { error: { code: 500, message: "Internal Server Error", description: "" } },
    { error: { code: 503, message: "Service unavailable", description: "Try it again later" } },
    { error: { code: Number(UNKNOWN_CODE), message: UNKNOWN_TEXT, description: "" } },
  ],
  okx: [
    { code: "50001", data: [], msg: "Service temporarily unavailable. Try again later" },
    { code: "50026", data: [], msg: "System error. Try again later" },
    { code: "63999", data: [], msg: "Internal system error" },
    { code: UNKNOWN_CODE, data: [], msg: UNKNOWN_TEXT },
  ],
};

/** Status 200 with an error that passes, as the exchange words it. */
export function busyAnswers(dialect: string): readonly Fault[] {
  return (BUSY[dialect] ?? []).map((body) => ({
    kind: "status",
    status: 200,
    body: JSON.stringify(body),
  }));
}

/** What stands in front of an exchange and says that this address, or its country, is refused. */
export const DENIED_PAGES: readonly Fault[] = [
  {
    kind: "status",
    status: 403,
    body:
      "<!DOCTYPE HTML><HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD>" +
      "<BODY><H1>403 ERROR</H1><HR noshade>The Amazon CloudFront distribution is configured to " +
      "block access from your country.</BODY></HTML>",
  },
  {
    kind: "status",
    status: 403,
    body: '<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head><body>' +
      "<noscript>Enable JavaScript and cookies to continue</noscript>" +
      "<script>window._cf_chl_opt={cvId:'3'};</script></body></html>",
  },
  { kind: "status", status: 403, body: "error code: 1009" },
  {
    kind: "status",
    status: 451,
    body: JSON.stringify({
      code: 0,
      msg: "Service unavailable from a restricted location according to 'b. Eligibility' in the " +
        "terms of use.",
    }),
  },
];
