import assert from "node:assert/strict";
import { redactorOf } from "../../lib/text/redact.ts";

const asJson = (text: string): string => JSON.stringify(text).slice(1, -1);

Deno.test("redacting takes time in proportion to the text, whatever the secret is made of", () => {
  const spellings = [
    (text: string) => text,
    asJson,
    (text: string) => asJson(asJson(text)),
    (text: string) => text.replaceAll("'", "''").replaceAll('"', '""'),
    (text: string) => text.replaceAll("'", "'\\''"),
    encodeURIComponent,
  ];
  for (
    const piece of ['\\"', "'\\", "\\'\"", "/\\", "a\n", "é\n", "\n\\", '"%22', "\\u005c", "&amp;"]
  ) {
    const hide = redactorOf([`${piece.repeat(12)}z`]);
    for (const spell of spellings) {
      const almost = spell(`${piece.repeat(12)}y`);
      // Anything that tries every way to read the text would take years, and the test would be noticed to hang.
      for (const text of [almost, spell(piece)]) hide(text.repeat(10_000 / text.length));
    }
  }
});

Deno.test("redacting hides a secret of quotes and backslashes, however they are escaped", () => {
  for (const secret of [`a\\"b\\"c'\\d`, `\\"\\"'\\'x/`, `'/'"\\\\y\n\\z`]) {
    const hide = redactorOf([secret]);
    for (
      const told of [
        secret,
        asJson(secret),
        asJson(asJson(asJson(secret))),
        encodeURIComponent(secret),
        asJson(encodeURIComponent(secret)),
        secret.replaceAll("'", "''"),
        secret.replaceAll("'", "'\\''"),
        secret.replaceAll('"', "&quot;").replaceAll("'", "&#39;"),
      ]
    ) assert.equal(hide(`(${told})`), "(***)", told);
  }
});
