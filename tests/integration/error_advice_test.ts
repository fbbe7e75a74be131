/** What the page advises about real errors: an exchange's answer, through its real CCXT class, to the sentence. @module */
import assert from "node:assert/strict";
import { openExchange } from "../../lib/exchange/client.ts";
import { FetchError } from "../../lib/exchange/fetch_error.ts";
import { adviceOf } from "../../lib/serve/page/advice.js";
import { binance } from "../support/local_exchange/binance.ts";
import { NOW_MS, withExchange } from "../support/dialects/local_client.ts";
import { ManualClock } from "../support/manual_clock.ts";

const json = (code: number, msg: string): string => JSON.stringify({ code, msg });

const ANSWERS: readonly (readonly [status: number, body: string, advice: RegExp])[] = [
  [401, json(-2014, "API-key format invalid."), /Correct apiKey and secret in EXCHANGE_BINANCE/],
  [401, json(-2015, "Invalid API-key, IP, or permissions for action."), /Correct apiKey/],
  [400, json(-1022, "Signature for this request is not valid."), /Correct apiKey/],
  [
    400,
    json(-1021, "Timestamp for this request is outside of the recvWindow."),
    /clock is wrong: set it by NTP/,
  ],
  [
    451,
    json(0, "Service unavailable from a restricted location according to 'b. Eligibility'."),
    /proxy whose address is accepted, in EXCHANGE_PROXY_URL or EXCHANGE_BINANCE/,
  ],
  [429, json(-1003, "Too many requests; current limit is 2400 request weight."), /^Nothing to do/],
  [503, "<html><title>Service Unavailable</title></html>", /trouble of its own\. Nothing to do/],
];

Deno.test("what the page advises about an exchange's answer names the setting, or says that there is nothing to do", async () => {
  for (const [status, body, advice] of ANSWERS) {
    await withExchange({ dialect: binance }, async (exchange) => {
      exchange.faults.add({ fault: { kind: "status", status, body } });
      const error = await errorAt(exchange.url, {});
      assert.match(adviceOf("binance", error), advice, error);
    });
  }
});

Deno.test({
  name: "what the page advises where nothing answers tells the way out from a proxy",
  // The client of a proxy is kept for as long as the process.
  sanitizeResources: false,
  fn: async () => {
    const away = await errorAt("http://127.0.0.1:2", {});
    assert.match(adviceOf("binance", away), /no way out: titan10 doctor tests it/, away);
    const proxy = { httpProxy: "http://me:hunter2@127.0.0.1:1" };
    const behind = await errorAt("http://127.0.0.1:2", proxy);
    assert.match(adviceOf("binance", behind), /whether that proxy works: EXCHANGE_PROXY_URL or /);
  },
});

/** The text of what goes wrong while the markets are loaded: `/status` shows the same. */
async function errorAt(url: string, config: Readonly<Record<string, unknown>>): Promise<string> {
  const client = await openExchange("binance", {
    clock: new ManualClock({ startMs: NOW_MS }),
    config: { urls: { api: { public: `${url}/api/v3` } }, ...config },
  });
  const error = await client.loadMarkets().then(() => undefined, (error: unknown) => error);
  assert(error instanceof FetchError, Deno.inspect(error));
  return error.message;
}
