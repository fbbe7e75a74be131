import assert from "node:assert/strict";
import { wrap } from "../../lib/cli/text.ts";

Deno.test("words stay whole in lines that are short enough, and nothing is lost", () => {
  assert.deepEqual(wrap("a page of five candles", 10), ["a page of", "five", "candles"]);
  assert.deepEqual(wrap("short", 10), ["short"]);
  assert.deepEqual(wrap("", 10), [""]);
});

Deno.test("a word that is longer than a line is cut", () => {
  assert.deepEqual(wrap("see abcdefghijklmno now", 6), ["see", "abcdef", "ghijkl", "mno", "now"]);
});
