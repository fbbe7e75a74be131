import assert from "node:assert/strict";
import { nearSymbols } from "../../lib/exchange/near_symbols.ts";

const LISTED = [
  ...["BTC/USDT", "BTC/USDT:USDT", "BTC/USDT:USDT@mark", "BTC/USDT:USDT@index"],
  ...["BTC/USD:BTC", "ETH/USDT:USDT", "ETH/USDT:USDT@mark"],
];

Deno.test("of a price that a market does not have, its other prices are named", () => {
  const others = ["BTC/USDT:USDT@mark", "BTC/USDT:USDT@index"];
  assert.deepEqual(nearSymbols("BTC/USDT:USDT@premium", LISTED), others);
  assert.deepEqual(nearSymbols("BTC/USD:BTC@mark", LISTED), []);
});

Deno.test("a misspelled market keeps its price, where that is listed", () => {
  assert.deepEqual(nearSymbols("ETG/USDT:USDT@mark", LISTED), ["ETH/USDT:USDT@mark"]);
  assert.deepEqual(nearSymbols("ETG/USDT:USDT@index", LISTED), ["ETH/USDT:USDT"]);
});

Deno.test("instead of trades no other price is named", () => {
  assert.deepEqual(nearSymbols("BTX/USDT:USDT", LISTED), ["BTC/USDT:USDT"]);
});
