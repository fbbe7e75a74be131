import assert from "node:assert/strict";
import { printable } from "../../lib/text/printable.ts";

Deno.test("controls, escapes, separators and turns of direction become visible", () => {
  assert.equal(
    printable("a\x1b[31m\n\r\t\0\x07\x7f\x9b\u2028\u202e\u200fz"),
    "a\\x1b[31m\\n\\r\\t\\x00\\x07\\x7f\\x9b\\u{2028}\\u{202e}\\u{200f}z",
  );
});

Deno.test("text of any script and any emoji stays as it is", () => {
  const text = "BTC/USDT:USDT-240628 币安人生 … ← é 🚀";
  assert.equal(printable(text), text);
});
