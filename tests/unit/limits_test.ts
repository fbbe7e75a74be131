import assert from "node:assert/strict";
import { candleLimits, PAGE_ROWS_DEFAULT } from "../../lib/exchange/limits.ts";

Deno.test("an exchange without corrections gives as many rows as CCXT announces", () => {
  assert.deepEqual(candleLimits("binance", 1_000), {
    pageRowsMax: 1_000,
    newestCandlesMax: undefined,
  });
});

Deno.test("an exchange of which nothing is known is asked for few rows", () => {
  assert.deepEqual(candleLimits("nowhere", undefined), {
    pageRowsMax: PAGE_ROWS_DEFAULT,
    newestCandlesMax: undefined,
  });
});

Deno.test("what was observed at an exchange beats what CCXT announces", () => {
  assert.equal(candleLimits("mexc", 1_000).pageRowsMax, 500);
  assert.equal(candleLimits("bitget", 1_000).pageRowsMax, 200);
  assert.equal(candleLimits("gemini", undefined).pageRowsMax, 1_000);
  assert.equal(candleLimits("kraken", 10_000).pageRowsMax, 720);
});

Deno.test("exchanges that keep only their newest candles say how many", () => {
  const kept = (exchange: string): number | undefined =>
    candleLimits(exchange, 1_000).newestCandlesMax;
  assert.deepEqual(["kraken", "gate", "gemini", "mexc"].map(kept), [719, 10_000, 1_440, undefined]);
});

Deno.test("a name that objects inherit is an exchange without corrections", () => {
  assert.deepEqual(candleLimits("constructor", 7), { pageRowsMax: 7, newestCandlesMax: undefined });
  assert.equal(candleLimits("__proto__", undefined).pageRowsMax, PAGE_ROWS_DEFAULT);
});
