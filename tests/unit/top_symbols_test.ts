import assert from "node:assert/strict";
import type { CcxtMarket, CcxtTicker } from "../../lib/exchange/ccxt.ts";
import { topSymbols, type TopSymbolsOptions } from "../../lib/exchange/top_symbols.ts";

type Ticker = Omit<CcxtTicker, "symbol">;

/** Markets by symbol with their 24 h quote volume, or with a whole ticker. */
type Listing = Readonly<Record<string, string | Ticker | undefined>>;

function top(
  listing: Listing,
  options: Partial<TopSymbolsOptions> = {},
  facts: Readonly<Record<string, Partial<CcxtMarket>>> = {},
): readonly string[] {
  const markets = Object.keys(listing).map((symbol) => {
    const [base = "", quote = ""] = symbol.split("/");
    return { symbol, base, quote, spot: true, active: true, ...facts[symbol] };
  });
  const tickers = Object.entries(listing).flatMap(([symbol, ticker]) =>
    ticker === undefined
      ? []
      : [[symbol, { symbol, ...(typeof ticker === "string" ? { quoteVolume: ticker } : ticker) }]]
  );
  return topSymbols(markets, Object.fromEntries(tickers), {
    exchange: "binance",
    choices: [{ count: 10, ...options }],
  });
}

Deno.test("the most traded bases come first, and no more than were asked for", () => {
  const listing = { "ETH/USDT": "900", "BTC/USDT": "1500", "SOL/USDT": "400", "XRP/USDT": "1e3" };
  assert.deepEqual(top(listing), ["BTC/USDT", "XRP/USDT", "ETH/USDT", "SOL/USDT"]);
  assert.deepEqual(top(listing, { count: 2 }), ["BTC/USDT", "XRP/USDT"]);
  assert.deepEqual(top(listing, { count: 0 }), []);
});

Deno.test("each base is there once, in its most traded market against a dollar", () => {
  const listing = {
    "BTC/USDT": "500",
    "BTC/USD": "900",
    "BTC/USDC": "100",
    "ETH/USDC": "700",
    "ETH/USDT": "699",
  };
  assert.deepEqual(top(listing), ["BTC/USD", "ETH/USDC"]);
});

Deno.test("equal volumes are settled by quote, USDT before USD before USDC, then by name", () => {
  const listing = { "A/USDC": "5", "A/USD": "5", "A/USDT": "5", "C/USD": "5", "B/USDC": "5" };
  assert.deepEqual(top(listing), ["A/USDT", "B/USDC", "C/USD"]);
});

Deno.test("quotes that are no dollar are left out, unless one is asked for", () => {
  const listing = { "ETH/BTC": "900", "BTC/EUR": "800", "BTC/USDT": "10", "SOL/BTC": "950" };
  assert.deepEqual(top(listing), ["BTC/USDT"]);
  assert.deepEqual(top(listing, { quote: "BTC" }), ["SOL/BTC", "ETH/BTC"]);
  assert.deepEqual(top(listing, { quote: "EUR" }), ["BTC/EUR"]);
  assert.deepEqual(top(listing, { quote: "KRW" }), []);
});

Deno.test("stablecoins and other currencies are left out as bases, however much they are traded", () => {
  const listing = { "USDC/USDT": "9e9", "DAI/USD": "9e9", "EUR/USDT": "9e9", "BTC/USDT": "1" };
  assert.deepEqual(top(listing), ["BTC/USDT"]);
});

Deno.test("markets that are not spot or not active are left out; where CCXT does not say they stay", () => {
  const listing = { "A/USDT": "9", "B/USDT": "8", "C/USDT": "7" };
  assert.deepEqual(top(listing, {}, { "A/USDT": { spot: false }, "B/USDT": { active: false } }), [
    "C/USDT",
  ]);
  const { symbol, base, quote } = { symbol: "D/USDT", base: "D", quote: "USDT" };
  assert.deepEqual(
    topSymbols([{ symbol, base, quote }], { [symbol]: { symbol, quoteVolume: "1" } }, {
      exchange: "binance",
      choices: [{ count: 1 }],
    }),
    [symbol],
  );
});

Deno.test("base volume times last price stands in for a quote volume that is not given", () => {
  const listing = {
    "A/USDT": { baseVolume: "10", last: "5" },
    "B/USDT": "40",
    "C/USDT": { quoteVolume: "0", baseVolume: "3", last: "20" },
  };
  assert.deepEqual(top(listing), ["C/USDT", "A/USDT", "B/USDT"]);
});

Deno.test("a market without a ticker, or whose volume is no number above zero, is not chosen", () => {
  const listing = {
    "A/USDT": undefined,
    "B/USDT": "0",
    "C/USDT": "NaN",
    "D/USDT": "-5",
    "E/USDT": "Infinity",
    "F/USDT": {},
    "G/USDT": { baseVolume: "5" },
    "H/USDT": { baseVolume: "1e300", last: "1e300" },
    "I/USDT": "1",
    "J/USDT": "1e300",
    "K/USDT": "2000000000000",
    "L/USDT": { baseVolume: "1e10", last: "1e10" },
    "<B>M/USDT": "5",
  };
  assert.deepEqual(top(listing), ["I/USDT"]);
});

Deno.test("a market that looks like another one is not chosen, however much it is said to be traded", () => {
  const listing = { "ВТС/USDT": "9e9", "BTC /USDT": "9e9", "B'TC/USDT": "9e9", "币安/USDT": "2" };
  assert.deepEqual(top({ ...listing, "BTC/USDT": "3" }), ["BTC/USDT", "币安/USDT"]);
});
