import assert from "node:assert/strict";
import { isSecretName, redact, redactError, secretsOf } from "../../lib/text/redact.ts";

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
  ]
) {
  Deno.test(`redacting leaves alone what is no secret: ${text}`, () => {
    assert.equal(redact(text), text);
  });
}

Deno.test("redacting hides the given secrets plain, percent-encoded and escaped as in JSON", () => {
  const secret = 'p@ss "word"\n';
  assert.equal(redact(`got ${secret}.`, [secret]), "got ***.");
  assert.equal(redact(`got ${encodeURIComponent(secret)}.`, [secret]), "got ***.");
  assert.equal(redact(`got ${JSON.stringify(secret)}.`, [secret]), 'got "***".');
});

Deno.test("redacting hides a secret wholly when a shorter one is a part of it", () => {
  assert.equal(redact("hunter2hunter3", ["hunter2h", "hunter2hunter3"]), "***");
});

Deno.test("redacting hides a short secret where it stands alone, and spares the words it is in", () => {
  assert.equal(redact("a db pool on db1 with (db)", ["db"]), "a *** pool on db1 with (***)");
});

Deno.test("redacting takes secrets literally and survives the empty and the broken one", () => {
  assert.equal(redact("a.c abc $& ok", ["a.c", "", "$&", "\ud800"]), "*** abc *** ok");
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
  const redacted = redactError(error, ["hunter2-hunter2"]);
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

Deno.test("a configuration's secrets are all found, encoded and decoded", () => {
  const secrets = secretsOf({
    databaseUrl: "postgres://titan:p%40ss@h1:5432,h2:5432/db",
    alertWebhookUrl: "https://hooks.example.com/services/T0/B0/abc?x=1",
    exchangeProxyUrl: "http://user:proxypass@proxy/?token=proxytoken&url=",
    httpToken: "0123456789abcdef",
    exchangeOptions: {
      binance: { apiKey: "binancekey", secret: "binancesecret", options: { defaultType: "spot" } },
      kraken: {
        httpsProxy: "http://u:krakenpass@h",
        headers: { Authorization: "Bearer krakentoken" },
      },
      okx: { password: 123456, timeout: 5 },
    },
  });
  assert.deepEqual(
    [...secrets].sort(),
    [
      "p%40ss",
      "p@ss",
      "0123456789abcdef",
      "/services/T0/B0/abc?x=1",
      "proxypass",
      "proxytoken",
      "binancekey",
      "binancesecret",
      "krakenpass",
      "krakentoken",
      "123456",
    ].sort(),
  );
});

Deno.test("a database URL's password in its query is found too", () => {
  assert.deepEqual(secretsOf({ databaseUrl: "postgres://h1,h2/db?user=u&password=p%20w" }), [
    "p%20w",
    "p w",
  ]);
});

Deno.test("a webhook whose whole path is its query has that for a secret", () => {
  assert.deepEqual(secretsOf({ alertWebhookUrl: "https://hooks.example.com/?abc" }), ["?abc"]);
});

Deno.test("a configuration without secrets has none", () => {
  assert.deepEqual(secretsOf({ databaseUrl: "postgres://h/db", exchangeOptions: { okx: {} } }), []);
});
