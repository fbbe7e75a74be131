import assert from "node:assert/strict";
import {
  isTimeframeTrue,
  newestCandlesMax,
  opensElsewhere,
  PAGE_ROWS_DEFAULT,
  pageRowsMax,
} from "../../lib/exchange/limits.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";

Deno.test("an exchange without corrections gives as many rows as CCXT announces", () => {
  assert.equal(pageRowsMax("binance", 1_000), 1_000);
  assert.equal(kept("binance"), undefined);
});

Deno.test("an exchange of which nothing is known is asked for few rows", () => {
  assert.equal(pageRowsMax("nowhere", undefined), PAGE_ROWS_DEFAULT);
  assert.equal(kept("nowhere"), undefined);
});

Deno.test("what was observed at an exchange beats what CCXT announces", () => {
  assert.equal(pageRowsMax("mexc", 1_000), 500);
  assert.equal(pageRowsMax("bitget", 1_000), 200);
  assert.equal(pageRowsMax("gemini", undefined), 2_015);
  assert.equal(pageRowsMax("kraken", 10_000), 720);
});

Deno.test("exchanges that keep only their newest candles say how many", () => {
  assert.deepEqual(["kraken", "gate", "mexc"].map((id) => kept(id)), [719, 9_998, undefined]);
});

Deno.test("an exchange that keeps its candles for a time says how many of each timeframe", () => {
  assert.deepEqual(["1m", "1h", "1d"].map((text) => kept("gemini", text)), [1_440, 1_463, 364]);
  assert.equal(kept("gemini", "1w"), undefined);
});

Deno.test("a timeframe that the exchange answers with another one is not offered", () => {
  assert.equal(isTimeframeTrue("bitstamp", "1w"), false);
  assert.equal(isTimeframeTrue("bitstamp", "1d"), true);
  assert.equal(isTimeframeTrue("binance", "1w"), true);
});

Deno.test("candles that open on another clock than UTC are known", () => {
  assert.equal(opensElsewhere("htx", "1d"), true);
  assert.equal(opensElsewhere("htx", "4h"), false);
  assert.equal(opensElsewhere("constructor", "1d"), false);
});

Deno.test("a name that objects inherit is an exchange without corrections", () => {
  assert.equal(pageRowsMax("constructor", 7), 7);
  assert.equal(kept("constructor"), undefined);
  assert.equal(pageRowsMax("__proto__", undefined), PAGE_ROWS_DEFAULT);
  assert.equal(isTimeframeTrue("constructor", "1w"), true);
});

function kept(exchange: string, timeframe = "1m"): number | undefined {
  return newestCandlesMax({ exchange, timeframe: parseTimeframe(timeframe) });
}
