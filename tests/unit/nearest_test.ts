import assert from "node:assert/strict";
import { nearest } from "../../lib/text/nearest.ts";

const names = ["binance", "binanceus", "bybit", "coinbase", "coinex", "gate", "kraken", "okx"];
const cases: Record<string, readonly string[]> = {
  binanec: ["binance"],
  Binance: ["binance"],
  binnance: ["binance"],
  coinbasepro: ["coinbase"],
  krakn: ["kraken"],
  bibyt: ["bybit"],
  okex: ["okx"],
  nonesuch: [],
  "": [],
  zzz: [],
};
for (const [text, expected] of Object.entries(cases)) {
  Deno.test(`nearest to ${JSON.stringify(text)} is ${expected.join(" ") || "nothing"}`, () => {
    assert.deepEqual(nearest(text, names), expected);
  });
}

Deno.test("of names equally near at most three are given, in order", () => {
  assert.deepEqual(nearest("cat", ["rat", "bat", "hat", "mat", "cats"]), ["bat", "cats", "hat"]);
});
