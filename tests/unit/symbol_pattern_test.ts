import assert from "node:assert/strict";
import { fitsPattern, isSymbolPattern } from "../../lib/market/symbol_pattern.ts";

const fitting: readonly (readonly [symbol: string, pattern: string])[] = [
  ["BTC/FDUSD", "*/FDUSD"],
  ["BTC/FDUSD", "BTC/*"],
  ["BTC/FDUSD", "*/*"],
  ["BTC/FDUSD", "BTC/FDUSD"],
  ["BTCUP/USDT", "*UP/*"],
  ["UP/USDT", "*UP/*"],
  ["1000PEPE/USDT", "1000*/USDT"],
  ["ABAB/USDT", "A*B/USDT"],
  ["AXBXC/USDT", "A*B*C/USDT"],
  ["BTC/USDT:USDT", "*/USDT:USDT"],
  ["BTC/USDT:USDT-240628", "BTC/USDT:USDT-*"],
  ["BTC/USDT:USDT@mark", "*/USDT:USDT@mark"],
  ["BTC/USDT:USDT@mark", "BTC/USDT:*@mark"],
  ["BTC/USDT:USDT@mark", "BTC/USDT:USDT@mark"],
];
for (const [symbol, pattern] of fitting) {
  Deno.test(`${symbol} fits ${pattern}`, () => {
    assert(fitsPattern(symbol, pattern));
  });
}

const other: readonly (readonly [symbol: string, pattern: string])[] = [
  ["BTC/USDT", "*/FDUSD"],
  ["BTC/FDUSDT", "*/FDUSD"],
  ["BTC/USDT:USDT", "*/USDT"],
  ["BTC/USDT:USDT", "*/*"],
  ["BTC/USDT", "*/USDT:*"],
  ["UPX/USDT", "*UP/*"],
  ["btc/USDT", "BTC/*"],
  ["AB/USDT", "AB*B/USDT"],
  ["ACB/USDT", "A*B*C/USDT"],
  ["BTC/USDT:USDT@mark", "*/USDT:*"],
  ["BTC/USDT:USDT@mark", "*/USDT:USDT"],
  ["BTC/USDT:USDT", "*/USDT:USDT@mark"],
  ["BTC/USDT:USDT@index", "*/USDT:USDT@mark"],
];
for (const [symbol, pattern] of other) {
  Deno.test(`${symbol} does not fit ${pattern}`, () => {
    assert(!fitsPattern(symbol, pattern));
  });
}

Deno.test("a pattern of many stars is judged at once", () => {
  const pattern = `${"*A".repeat(40)}/USDT`;
  assert(fitsPattern(`${"A".repeat(90)}/USDT`, pattern));
  assert(!fitsPattern(`${"A".repeat(90)}B/USDT`, pattern));
});

Deno.test("a pattern is a symbol with stars for letters", () => {
  const texts = ["*/USDT", "*/*", "*UP/*", "BTC/USDT:*", "*", "BTC/USDT", "*/", "/*", "a,*/b"];
  assert.deepEqual(texts.filter(isSymbolPattern), ["*/USDT", "*/*", "*UP/*", "BTC/USDT:*"]);
});
