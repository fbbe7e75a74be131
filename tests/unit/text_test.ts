import assert from "node:assert/strict";
import { cut, shorten, table, width, wrap } from "../../lib/cli/text.ts";

Deno.test("words stay whole in lines that are short enough, and nothing is lost", () => {
  assert.deepEqual(wrap("a page of five candles", 10), ["a page of", "five", "candles"]);
  assert.deepEqual(wrap("short", 10), ["short"]);
  assert.deepEqual(wrap("", 10), [""]);
});

Deno.test("a word that is longer than a line is cut", () => {
  assert.deepEqual(wrap("see abcdefghijklmno now", 6), ["see", "abcdef", "ghijkl", "mno", "now"]);
});

Deno.test("a width is what a terminal shows: wide characters twice, marks and colours not at all", () => {
  assert.equal(width("BTC/USDT"), 8);
  assert.equal(width("币安/USDT"), 9);
  assert.equal(width("e\u0301é"), 2);
  assert.equal(width("\x1b[31mred\x1b[0m"), 3);
  assert.equal(width("🚀"), 2);
});

Deno.test("a text that is too wide loses its middle or its end, never half a character", () => {
  assert.equal(shorten("binance BTC/USDT 1m", 19), "binance BTC/USDT 1m");
  assert.equal(shorten("binance BTC/USDT 1m", 11), "binan…DT 1m");
  assert.equal(shorten("币安人生币安", 6), "币…安");
  assert.equal(cut("binance", 5), "bina…");
  assert.equal(cut("🚀🚀🚀", 4), "🚀…");
});

Deno.test("a table aligns numbers right, and shortens its first column to fit", () => {
  assert.equal(
    table(["NAME", "COUNT"], [["a very long name indeed", "1"], ["币", "1,000"]], {
      numeric: [1],
      columns: 20,
    }),
    ["NAME           COUNT", "a very…indeed      1", "币             1,000"].join("\n"),
  );
});
