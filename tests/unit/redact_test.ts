import assert from "node:assert/strict";
import { inspect } from "node:util";
import { brokenPlace } from "../../lib/exchange/whole_answer.ts";
import { storableRows } from "../../lib/store/candle_columns.ts";
import {
  errorText,
  hideSecrets,
  isSecretName,
  redact,
  redactError,
  redactorOf,
  shortText,
} from "../../lib/text/redact.ts";
import { printable } from "../../lib/text/printable.ts";
import { spellingsOf } from "../support/echo.ts";

const redactions: Record<string, readonly [text: string, redacted: string]> = {
  "the password of a database URL": [
    "connect to postgres://titan:hunter2@db:5432/candles?sslmode=require failed",
    "connect to postgres://titan:***@db:5432/candles?sslmode=require failed",
  ],
  "a password with an at sign in it": ["postgres://u:p@ss@h/db", "postgres://u:***@h/db"],
  "a password without a user": ["redis://:hunter2@h", "redis://:***@h"],
  "the passwords of several URLs": [
    "http://a:b@c/ https://d:e@f/",
    "http://a:***@c/ https://d:***@f/",
  ],
  "a token in the place of a user": ["https://ghp_abc@h/x", "https://***@h/x"],
  "a query's parameters": [
    "GET /v3?symbol=BTCUSDT&apiKey=abc,d&timestamp=1&signature=0f0f",
    "GET /v3?symbol=BTCUSDT&apiKey=***&timestamp=1&signature=***",
  ],
  "a parameter with a longer name": ["?access_token=abc&x=1", "?access_token=***&x=1"],
  "a password set in a connection string": ["host=h password = x y", "host=h password = *** y"],
  "a header's value": ["X-MBX-APIKEY: abc", "X-MBX-APIKEY: ***"],
  "a signature header": ["CB-ACCESS-SIGN: abc, n: 1", "CB-ACCESS-SIGN: ***, n: 1"],
  "an authorization header": ["Authorization: Bearer abc.def", "Authorization: Bearer ***"],
  "a credential without its header": [
    "sent Bearer abcdefghijklmnopqrst",
    "sent Bearer ***",
  ],
  "JSON values": ['{"apiKey":"a\\"b","n":1,"secret":"s"}', '{"apiKey":"***","n":1,"secret":"***"}'],
  "a JSON number": ['{"password": 12345, "n": 1}', '{"password": ***, "n": 1}'],
  "JSON inside a JSON string": [
    JSON.stringify(JSON.stringify({ secret: 'a\\"b\n', n: 1, token: "t" })),
    JSON.stringify(JSON.stringify({ secret: "***", n: 1, token: "***" })),
  ],
  "JSON that was cut short": ['{"n":1,"secret":"abc', '{"n":1,"secret":"***'],
  "a signed URL inside of another": [
    "GET /?url=https%3A%2F%2Fx%2F%3Fa%3D1%26signature%3Dabc%26b%3D2 failed",
    "GET /?url=https%3A%2F%2Fx%2F%3Fa%3D1%26signature%3D***%26b%3D2 failed",
  ],
  "the key of a HTX request": ["?AccessKeyId=abc&Timestamp=1", "?AccessKeyId=***&Timestamp=1"],
  "a parameter that is a key only there": ["/v1?key=abc&auth=d", "/v1?key=***&auth=***"],
  "a cookie": ["cookie: sid=abc;", "cookie: ***;"],
  "an object as it is inspected": ["{ apiKey: 'abc', n: 1 }", "{ apiKey: '***', n: 1 }"],
};
for (const [name, [text, redacted]] of Object.entries(redactions)) {
  Deno.test(`redacting hides ${name}, and nothing more when done twice`, () => {
    assert.equal(redact(text), redacted);
    assert.equal(redact(redacted), redacted);
  });
}

for (
  const text of [
    "Unexpected token '<', \"<html>\" is not valid JSON",
    "design=1 author: me tokenCount: 5 basic candles",
    "http://host:8080/path?email=a@b",
    "binance BTC/USDT:USDT 1m [2024-01-01T00:00:00.000Z, 2024-01-02T00:00:00.000Z)",
    "postgres://titan@db/candles",
    "password=&x=1",
    "key=1 auth: none, assigned: 3",
  ]
) {
  Deno.test(`redacting leaves alone what is no secret: ${text}`, () => {
    assert.equal(redact(text), text);
  });
}

Deno.test("redacting hides the given secrets plain, percent-encoded and escaped as in JSON", () => {
  const secret = 'p@ss "word"\n';
  assert.equal(redactorOf([secret])(`got ${secret}.`), "got ***.");
  assert.equal(redactorOf([secret])(`got ${encodeURIComponent(secret)}.`), "got ***.");
  assert.equal(redactorOf([secret])(`got ${JSON.stringify(secret)}.`), 'got "***".');
});

Deno.test("redacting hides a secret wholly when a shorter one is a part of it", () => {
  assert.equal(redactorOf(["hunter2h", "hunter2hunter3"])("hunter2hunter3"), "***");
});

Deno.test("redacting hides a short secret where it stands alone, and spares the words it is in", () => {
  assert.equal(redactorOf(["db"])("a db pool on db1 with (db)"), "a *** pool on db1 with (***)");
});

Deno.test("redacting takes secrets literally and survives the empty and the broken one", () => {
  assert.equal(redactorOf(["a.c", "", "$&", "\ud800"])("a.c abc $& ok"), "*** abc *** ok");
});

Deno.test("redacting takes time in proportion to the text, whatever the text is made of", () => {
  const pieces = [
    "a",
    "://a:",
    "password",
    'password="',
    "a-_",
    "token: ",
    "http://aaaa ",
    '\\"',
    " ",
  ];
  for (const piece of pieces) {
    // Anything quadratic would take minutes, and the test would be noticed to hang.
    redact(piece.repeat(1_000_000 / piece.length));
    redact(`password${piece.repeat(1_000_000 / piece.length)}`);
  }
});

Deno.test("names of secrets are known by their end", () => {
  for (const name of ["apiKey", "X-MBX-APIKEY", "api_key", "privateKey", "db_password", "sign"]) {
    assert(isSecretName(name), name);
  }
  for (const name of ["tokenCount", "design", "symbol", "key", "passwordless"]) {
    assert(!isSecretName(name), name);
  }
});

Deno.test("an error is redacted with its causes, and stays as it was itself", () => {
  class FetchError extends Error {
    override readonly name = "FetchError";
    readonly kind = "transient";
  }
  const root = Object.assign(new Error("refused http://u:hunter2@h"), { code: "ECONNREFUSED" });
  const error = new FetchError("GET ?apiKey=abc", { cause: root });
  const { stack, cause, ...others } = redactError(error);
  assert.deepEqual(others, { name: "FetchError", message: "GET ?apiKey=***", kind: "transient" });
  assert.match(stack ?? "", /^ +at .*redact_test\.ts/);
  assert.doesNotMatch(stack ?? "", /apiKey/);
  assert.equal(cause?.message, "refused http://u:***@h");
  assert.equal(cause?.code, "ECONNREFUSED");
  assert.equal(error.message, "GET ?apiKey=abc");
  assert.match(error.stack ?? "", /apiKey=abc/);
});

Deno.test("the given secrets are hidden in an error's message, stack, kind and causes", () => {
  const error = new Error("hunter2-hunter2", { cause: { why: "hunter2-hunter2" } });
  error.stack = "Error: hunter2-hunter2\n    at hunter2-hunter2 (x.ts:1:1)";
  hideSecrets(["hunter2-hunter2"]);
  const redacted = redactError(error);
  assert.doesNotMatch(JSON.stringify(redacted), /hunter2/);
  assert.equal(redacted.cause?.message, '{"why":"***"}');
});

Deno.test("a chain of causes that never ends is cut", () => {
  const error = new Error("round");
  error.cause = error;
  let depth = 0;
  for (let at = redactError(error).cause; at !== undefined; at = at.cause) depth++;
  assert.equal(depth, 8);
});

Deno.test("what is thrown and no error still becomes a text", () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  for (
    const [thrown, message] of [
      ["token=abc", "token=***"],
      [undefined, "undefined"],
      [{ secret: "s" }, '{"secret":"***"}'],
      [circular, "[object Object]"],
      [10n, "[object BigInt]"],
    ] as const
  ) {
    assert.deepEqual(redactError(thrown), { name: "NotAnError", message });
  }
});

Deno.test("an error of several addresses tells of the first", () => {
  const redacted = redactError(
    new AggregateError([new Error("refused ::1"), new Error("refused")]),
  );
  assert.equal(redacted.cause?.message, "refused ::1");
});

Deno.test("redacting hides a secret in base64, wherever in a longer text it begins", () => {
  const secret = "s3cr3t-of-mine";
  const hide = redactorOf([secret]);
  for (const before of ["", "u", "us", "use", "user:"]) {
    const text = btoa(`${before}${secret}`);
    const shown = hide(`sent ${text} and ${encodeURIComponent(text)}.`);
    assert.match(shown, /^sent [\w+/]{0,8}\*\*\* and [\w+/%]{0,8}\*\*\*\.$/);
  }
});

Deno.test("redacting hides a private key line by line, and a long secret in parts", () => {
  const lines = ["MIIEvQIBADANBgkqhkiG9w0", "BAQEFAASCBKcwggSjAgEAAo"];
  const key = `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----`;
  assert.equal(redactorOf([key])(`line ${lines[1]} is bad`), "line *** is bad");
  const long = Array.from({ length: 100 }, (_, at) => `part${at};`).join("");
  assert.doesNotMatch(redactorOf([long])(`all: ${long}`), /part/);
});

Deno.test("redacting leaves alone what everybody would guess for a password", () => {
  hideSecrets(["titan10", "postgres", "no", ""]);
  assert.equal(redact("no: Run titan10 migrate"), "no: Run titan10 migrate");
  assert.equal(redact("postgres://titan10:no@h"), "postgres://titan10:***@h");
});

const bytesOf = (text: string): readonly number[] => [...new TextEncoder().encode(text)];
const hexOf = (text: string): string =>
  bytesOf(text).map((byte) => byte.toString(16).padStart(2, "0")).join("");
const asLatin = (text: string): string => String.fromCharCode(...bytesOf(text));

/** How programs write what they repeat, besides what `echo.ts` does. */
const REPEATED: Readonly<Record<string, readonly [secret: string, repeated: string]>> = {
  "dollars, as a replacement has them": ["a$&b$1c$`d$$-12345", "a$&b$1c$`d$$-12345"],
  "quotes in CSV and in rows of PostgreSQL": ['say "word" 12345', '"say ""word"" 12345"'],
  "quotes in a word of a shell": ["it's mine 12345", String.raw`'it'\''s mine 12345'`],
  "in hexadecimal digits": ["hexadecimal-12345", hexOf("hexadecimal-12345")],
  "as PostgreSQL shows bytes": [
    "hexadecimal-12345",
    String.raw`\x` + hexOf("hexadecimal-12345").toUpperCase(),
  ],
  "control characters made visible": [
    "bell\u0007and\u009bmore",
    printable("bell\u0007and\u009bmore"),
  ],
  "directions made visible": ["left\u202eright-12345", printable("left\u202eright-12345")],
  "as a value that is looked into": ["bell\u0007and\u0000more", inspect("bell\u0007and\u0000more")],
  "without zeros": ["zero\u0000byte-12345", "zerobyte-12345"],
  "lines as one": ["line-one\nline-two\n\tline-3", "line-one line-two line-3"],
  "lines as a URL has them": ["line-one\nline-two", new URL("http://h/?line-one\nline-two").href],
  "lines that are moved in": ["line-one\nline-two", "line-one\n      line-two"],
  "lines of another system": ["line-one\nline-two", "line-one\r\nline-two"],
  "without the space around it": ["  in the middle 12345 ", "in the middle 12345"],
  "another script read as Latin": ["pässwörd-密码-12", asLatin("pässwörd-密码-12")],
  "another script that is not known": ["pässwörd-密码-12", "p?ssw?rd-??-12"],
  "another script that was not read": ["pässwörd-12", "p\ufffdssw\ufffdrd-12"],
  "another script escaped by bytes": ["pässwörd-12", String.raw`p\xc3\xa4ssw\xc3\xb6rd-12`],
  "another script escaped by characters": [
    "pä-密码-😀-12",
    String.raw`p\xe4-\u{5bc6}\u{7801}-\u{1f600}-12`,
  ],
  "another script as escape() has it": ["pä-密码-😀-12", escape("pä-密码-😀-12")],
  "as HTML": ["a/b=c`d<é>-12345", "a&#x2F;b&#61;c&#x60;d&lt;&#233;&gt;-12345"],
  "as a name of a host": ["Name-Of-A-Host-12", new URL("http://Name-Of-A-Host-12.example/").href],
  "as a code of a coin": ["coin-12abcdef", "COIN-12ABCDEF/USDT"],
  "JSON in base64": ['a "quoted"\n secret', btoa(JSON.stringify({ key: 'a "quoted"\n secret' }))],
  "Latin in base64": ["pässwörd-12", btoa("user:pässwörd-12")],
  "one that begins like another": ["begins-alike", "begins-alike-and-goes-on-12"],
  "one that another begins with": ["begins-alike-and-goes-on-12", "begins-alike"],
};

Deno.test("a secret is hidden however a program writes what it repeats", () => {
  const hide = redactorOf(Object.values(REPEATED).map(([secret]) => secret));
  for (const [how, [, repeated]] of Object.entries(REPEATED)) {
    const shown = hide(`you sent ${repeated} to us`);
    assert.match(shown, /^you sent .* to us$/s, how);
    const left = shown.replaceAll("***", " ");
    for (let at = 0; at + 6 <= repeated.length; at++) {
      const part = repeated.slice(at, at + 6);
      const isAround = ["http://h/?.example/", '{"key":"', "eyJrZXkiOiJ", "dXNlcjp"].some((
        around,
      ) => around.includes(part));
      assert(isAround || !left.includes(part), `${how}: ${shown}`);
    }
  }
});

Deno.test("the text of an error is cut, never in the middle of a secret", () => {
  hideSecrets(["cut-me-not-0123456789"]);
  for (let before = 970; before < 1010; before++) {
    const text = errorText(new Error(`${"x".repeat(before)}cut-me-not-0123456789 and more`));
    assert.doesNotMatch(text, /cut|me|not|[1-9]{3}/);
    assert(text.length < 1_050, `${text.length} characters`);
  }
  // Of a text of many megabytes only the beginning is searched, and nothing is shown of what was not.
  const huge = shortText(`${"x".repeat(4_090)}${"cut-me-not-0123456789".repeat(100_000)}`, 4_096);
  assert.match(huge, /^x{4090}[*]{6}… \d+ more characters$/);
  assert.match(shortText("cut-me-not-0123456789".repeat(100_000)), /^[*]*… \d+ more characters$/);
});

Deno.test("of a text that is cut, no part of a secret is left in any spelling at any place", () => {
  const secret = 'part/01+of"a secret, 23456789';
  hideSecrets([secret]);
  // The last begins with a name, which is no secret.
  for (const spelling of spellingsOf(secret).slice(0, -1)) {
    for (let shown = 6; shown < spelling.length; shown += 3) {
      const inside = "x".repeat(200 - shown);
      const body = `[${"x".repeat(9_000)}${spelling}${inside}?${inside}${spelling}${
        "x".repeat(9_000)
      }]`;
      const place = brokenPlace(body, new SyntaxError(`at character ${body.indexOf("?")}`)) ?? "";
      assert.match(place, /x\?x/);
      assertNoPart(place, spelling);
      const row = `["${"x".repeat(500 - shown)}${spelling}${"x".repeat(4_000)}`.slice(0, 4_000);
      const [stored] = storableRows([{ reason: "unreadable", row, openTimeMs: 0 }]);
      assert.match(stored!.row, /^\["x{200}/);
      assertNoPart(stored!.row, spelling);
    }
  }
});

function assertNoPart(text: string, spelling: string): void {
  for (let at = 0; at + 6 <= spelling.length; at++) {
    assert(!text.includes(spelling.slice(at, at + 6)), `${text} tells a part of ${spelling}`);
  }
}
