import assert from "node:assert/strict";
import {
  candleLimits,
  isTimeframeTrue,
  newestCandlesMax,
  opensElsewhere,
  PAGE_ROWS_DEFAULT,
} from "../../lib/exchange/limits.ts";
import { SPOT_LIMITS } from "../../lib/exchange/spot_limits.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";

Deno.test("an exchange without corrections gives as many rows as CCXT announces", () => {
  assert.deepEqual(candleLimits("nowhere", "spot", 1_000), {
    pageRowsMax: 1_000,
    pageRowsSource: "ccxt",
  });
});

Deno.test("an exchange of which nothing is known is asked for few rows", () => {
  assert.deepEqual(candleLimits("nowhere", "spot", undefined), {
    pageRowsMax: PAGE_ROWS_DEFAULT,
    pageRowsSource: "default",
  });
});

Deno.test("what was observed at an exchange beats what CCXT announces", () => {
  const mexc = candleLimits("mexc", "spot", 1_000);
  assert.deepEqual([mexc.pageRowsMax, mexc.pageRowsSource], [500, "table"]);
  assert.equal(candleLimits("gemini", "spot", undefined).pageRowsMax, 2_015);
});

Deno.test("exchanges that keep only their newest candles say how many", () => {
  assert.deepEqual(["kraken", "gate", "mexc"].map((id) => kept(id)), [719, 9_998, undefined]);
});

Deno.test("an exchange that keeps its candles for a time says how many of each timeframe", () => {
  assert.deepEqual(["1m", "1h", "1d"].map((text) => kept("gemini", text)), [1_440, 1_463, 364]);
  assert.equal(kept("gemini", "1w"), undefined);
});

Deno.test("a timeframe that the exchange answers with another one is not offered", () => {
  assert.equal(isTimeframeTrue("bitstamp", "spot", "1w"), false);
  assert.equal(isTimeframeTrue("bitstamp", "spot", "1d"), true);
  assert.equal(isTimeframeTrue("binance", "spot", "1w"), true);
});

Deno.test("candles that open on another clock than UTC are known", () => {
  assert.equal(opensElsewhere("htx", "spot", "1d"), true);
  assert.equal(opensElsewhere("htx", "spot", "4h"), false);
  assert.equal(opensElsewhere("constructor", "spot", "1d"), false);
});

Deno.test("an exchange that is not told the window has only its newest candles", () => {
  const untold = Object.entries(SPOT_LIMITS).filter(([, limits]) =>
    limits.isSinceHonoured === false
  );
  assert.deepEqual(untold.map(([id]) => id), ["bithumb", "coinex", "gemini"]);
  for (const [id, { newestCandlesMax }] of untold) assert(newestCandlesMax !== undefined, id);
});

Deno.test("a name that objects inherit is an exchange without corrections", () => {
  assert.deepEqual(candleLimits("constructor", "spot", 7), {
    pageRowsMax: 7,
    pageRowsSource: "ccxt",
  });
  assert.equal(candleLimits("__proto__", "spot", undefined).pageRowsMax, PAGE_ROWS_DEFAULT);
  assert.equal(kept("constructor"), undefined);
  assert.equal(isTimeframeTrue("constructor", "spot", "1w"), true);
});

function kept(exchange: string, timeframe = "1m"): number | undefined {
  return newestCandlesMax({ exchange, symbol: "BTC/USDT", timeframe: parseTimeframe(timeframe) });
}
