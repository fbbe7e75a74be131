/** Names in commands for users to run: one word of a shell each, here and on the page. @module */
import assert from "node:assert/strict";
import { shellWord as wordOnPage } from "../../lib/serve/page/text.js";
import { shellWord } from "../../lib/text/shell_word.ts";

const WORDS: Readonly<Record<string, string>> = {
  "binance:BTC/USDT:USDT": "binance:BTC/USDT:USDT",
  "okx:$(reboot)/USDT": "'okx:$(reboot)/USDT'",
  "okx:A B/USDT": "'okx:A B/USDT'",
  "okx:it's/USDT": String.raw`'okx:it'\''s/USDT'`,
  "okx:`x`;x|x&x/USDT": "'okx:`x`;x|x&x/USDT'",
  "gate:币安人生/USDT": "'gate:币安人生/USDT'",
  "": "''",
};

Deno.test("a name is one word of a shell, whatever an exchange calls its market", () => {
  for (const [text, word] of Object.entries(WORDS)) {
    assert.equal(shellWord(text), word);
    assert.equal(wordOnPage(text), word);
  }
});
