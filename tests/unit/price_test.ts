/** Which price of which market a symbol of a series is about. @module */
import assert from "node:assert/strict";
import { marketSymbol, pricedSymbol, priceOf } from "../../lib/market/price.ts";
import { kindOf } from "../../lib/market/symbol.ts";

Deno.test("the price stands behind the symbol of the market", () => {
  for (const price of ["mark", "index", "premium"] as const) {
    const symbol = pricedSymbol("BTC/USD:BTC", price);
    assert.equal(symbol, `BTC/USD:BTC@${price}`);
    assert.deepEqual([marketSymbol(symbol), priceOf(symbol)], ["BTC/USD:BTC", price]);
    assert.equal(kindOf(symbol), "inverse");
  }
  assert.equal(kindOf("BTC/USD:BTC-241227@mark"), "inverse");
});

Deno.test("without a known price behind it a symbol is about trades", () => {
  for (const symbol of ["BTC/USDT", "BTC/USDT:USDT", "A@B/USDT", "BTC/USDT:USDT@marks", "@mark"]) {
    assert.deepEqual([marketSymbol(symbol), priceOf(symbol)], [symbol, "trade"], symbol);
  }
  assert.equal(pricedSymbol("BTC/USDT", "trade"), "BTC/USDT");
});
