import assert from "node:assert/strict";
import { configureLogging, logger } from "../../lib/telemetry/log.ts";
import { printable } from "../../lib/text/printable.ts";
import { hideSecrets, redact, redactorOf } from "../../lib/text/redact.ts";
import { fc } from "../support/property.ts";

/** What moves a cursor, ends a line or turns the direction of writing. */
const CONTROL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;

const texts = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc.string(),
  fc.string({
    unit: fc.constantFrom(..."a\x1b[\n\r\t\0\x7f\x9b\u2028\u2029\u061c\u200e\u200f\u202e\u2066"),
  }),
);

/** Secrets of any characters. One made of what stands for a secret could not be told from it. */
const secrets = fc.oneof(
  fc.string({ minLength: 8, maxLength: 24 }),
  fc.string({ unit: "binary", minLength: 8, maxLength: 24 }),
).filter((secret) => !secret.includes("*"));

/** Some of them, which the process has to hide: it never forgets one. */
const HIDDEN = fc.sample(secrets, 20);
hideSecrets(HIDDEN);
const hiddenSecrets = fc.constantFrom(...HIDDEN, "hunter2hunter2");
hideSecrets(["hunter2hunter2"]);

Deno.test("no control character comes out of a printable text, and a text without any stays as it is", () => {
  fc.assert(fc.property(texts, (text) => {
    const shown = printable(text);
    assert.doesNotMatch(shown, CONTROL);
    assert.equal(printable(shown), shown);
    if (!CONTROL.test(text)) assert.equal(shown, text);
  }));
});

Deno.test("no given secret comes out, plain, percent-encoded or as JSON writes it, whatever stands around it", () => {
  const around = fc.string().filter((text) => !text.includes("*"));
  const spellings = fc.constantFrom(
    (secret: string) => secret,
    (secret: string) => encodeURIComponent(secret.toWellFormed()),
    (secret: string) =>
      encodeURIComponent(encodeURIComponent(secret.toWellFormed()))
        .replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase()),
    (secret: string) => JSON.stringify(secret),
    (secret: string) => JSON.stringify(JSON.stringify({ a: secret, n: 1 })),
    (secret: string) => new URLSearchParams({ n: secret.toWellFormed() }).toString(),
    (secret: string) => base64(`user:${secret}`),
    (secret: string) => encodeURIComponent(base64(secret)),
  );
  fc.assert(
    fc.property(fc.uniqueArray(secrets, { minLength: 1, maxLength: 3 }), around, spellings, (
      secrets,
      text,
      spell,
    ) => {
      const told = secrets.map((secret) => `${text}${spell(secret)}`).join(" ");
      const shown = redactorOf(secrets)(told);
      assertHidden(shown, secrets);
      for (const secret of secrets) assert(!shown.includes(spell(secret)), shown);
    }),
  );
});

Deno.test("values of names that mark a secret never come out, in a query, a header, JSON or an object", () => {
  const values = fc.stringMatching(/^[\w.~+/=-]{12,40}$/);
  const names = fc.constantFrom(
    "apiKey",
    "secret",
    "password",
    "X-MBX-APIKEY",
    "signature",
    "token",
  );
  fc.assert(fc.property(names, values, fc.string(), (name, value, text) => {
    const told = [
      `GET /?${name}=${encodeURIComponent(value)}&x=1`,
      `${name}: ${value}`,
      JSON.stringify({ [name]: value, text }),
      JSON.stringify(JSON.stringify({ [name]: value, text })),
      `{ ${name}: '${value}' }`,
      `postgres://titan:${value.replaceAll("/", "")}@host/db`,
    ];
    for (const form of told) assertHidden(redact(form), [value, value.replaceAll("/", "")]);
  }));
});

Deno.test("whatever is logged, a JSON line is one line of JSON without control characters and secrets", () => {
  const values = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  });
  const errors = texts.map((text) => new Error(text, { cause: text }));
  fc.assert(
    fc.property(
      texts,
      fc.dictionary(texts, fc.oneof(values, texts, errors)),
      hiddenSecrets,
      (message, properties, secret) => {
        const lines: string[] = [];
        configureLogging({
          level: "debug",
          format: "json",
          write: (line) => lines.push(line),
        });
        const error = new Error(`refused ${secret}`, { cause: new Error(secret) });
        logger("test").warn("{message}", { ...properties, message, secret, told: secret, error });
        assert.equal(lines.length, 1);
        const [line = ""] = lines;
        assert.doesNotMatch(line, CONTROL);
        assertHidden(line, [secret]);
        assert.equal(JSON.parse(line).level, "warning");
      },
    ),
    // A key that cannot be made a text took the whole line with it.
    { examples: [["", { found: new Map([[Object.create(null), 1]]) }, "hunter2hunter2"]] },
  );
});

Deno.test("whatever is logged, a pretty entry has no control characters but its own line breaks", () => {
  fc.assert(fc.property(texts, texts, hiddenSecrets, (message, value, secret) => {
    const lines: string[] = [];
    configureLogging({
      level: "debug",
      format: "pretty",
      write: (line) => lines.push(line),
    });
    logger("test").warn("{message}", { message, value, told: secret, error: new Error(value) });
    for (const line of lines.join("\n").split("\n")) assert.doesNotMatch(line, CONTROL);
    assertHidden(lines.join("\n"), [secret]);
  }));
});

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function assertHidden(text: string, secrets: readonly string[]): void {
  for (const secret of secrets) {
    const spellings = [secret, encodeURIComponent(secret.toWellFormed())];
    for (const spelling of [...spellings, JSON.stringify(secret).slice(1, -1)]) {
      assert.ok(!text.includes(spelling), `${JSON.stringify(spelling)} is seen in ${text}`);
    }
  }
}
