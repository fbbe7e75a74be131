import assert from "node:assert/strict";
import { marketClassOf, partsOf } from "../../lib/market/market_class.ts";

const CLASSES = {
  "BTC/USDT": "spot",
  "BTC/USDT:USDT": "linear",
  "BTC/USD:BTC": "inverse",
  "BTC/USD:BTC-241227": "inverse",
  "BTC/USDT:USDT@mark": "linear@mark",
  "BTC/USD:BTC@index": "inverse@index",
  "BTC/USDC:USDC-241227@premium": "linear@premium",
  // Of spot markets there is no other price.
  "BTC/USDT@mark": "spot",
} as const;

Deno.test("a symbol says of which class its market is: how it is settled, and of what price its candles are", () => {
  for (const [symbol, marketClass] of Object.entries(CLASSES)) {
    assert.equal(marketClassOf(symbol), marketClass, symbol);
  }
});

Deno.test("a class is its kind and its price", () => {
  assert.deepEqual(partsOf("inverse@mark"), { kind: "inverse", price: "mark" });
  assert.deepEqual(partsOf("spot"), { kind: "spot", price: "trade" });
});
