import assert from "node:assert/strict";
import { secretsOf } from "../../lib/config/secrets.ts";

Deno.test("the secrets of settings are all found, encoded and decoded", () => {
  const secrets = secretsOf({
    DATABASE_URL: "postgres://titan:p%40ss@h1:5432,h2:5432/db",
    ALERT_WEBHOOK_URL: "https://hooks.example.com/services/T0/B0/abc?x=1",
    EXCHANGE_PROXY_URL: "http://user:proxypass@proxy/?token=proxytoken&url=",
    HTTP_TOKEN: "0123456789abcdef",
    HTTPS_PROXY: "http://me:environment@proxy:3128",
    PGPASSWORD: "frompsql",
    AWS_ACCESS_KEY_ID: "AKIAID",
    AWS_SECRET_ACCESS_KEY: "aws/key",
    AWS_SESSION_TOKEN: "awstoken",
    AWS_REGION: "eu-central-1",
    AWS_ENDPOINT_URL: "http://minio:miniopass@minio:9000",
    DATASET_URL: "s3://id:bucketpass@candles/x",
    EXCHANGE_BINANCE: JSON.stringify({
      apiKey: "binancekey",
      secret: "binancesecret",
      options: { defaultType: "spot" },
    }),
    EXCHANGE_KRAKEN: JSON.stringify({
      httpsProxy: "http://u:krakenpass@h",
      headers: { Authorization: "Bearer krakentoken", "X-Any": "any" },
      uid: "krakenuid",
      walletAddress: "0xabc",
    }),
    EXCHANGE_OKX: JSON.stringify({ password: 123456, rateLimit: 5 }),
    SYMBOLS: "BTC/USDT",
  });
  assert.deepEqual(
    [...secrets].sort(),
    [
      "p%40ss",
      "p@ss",
      "titan:p%40ss",
      "titan:p@ss",
      "/services/T0/B0/abc?x=1",
      "proxypass",
      "user:proxypass",
      "proxytoken",
      "0123456789abcdef",
      "environment",
      "me:environment",
      "frompsql",
      "AKIAID",
      "aws/key",
      "awstoken",
      "miniopass",
      "minio:miniopass",
      "bucketpass",
      "id:bucketpass",
      "binancekey",
      "binancesecret",
      "krakenpass",
      "u:krakenpass",
      "krakentoken",
      "any",
      "krakenuid",
      "0xabc",
      "123456",
    ].sort(),
  );
});

Deno.test("a database URL's password in its query is found too, and that of a client's key", () => {
  assert.deepEqual(
    secretsOf({ DATABASE_URL: "postgres://h1,h2/db?user=u&password=p%20w&sslpassword=pem" }),
    ["p%20w", "p w", "pem"],
  );
});

Deno.test("a password that is the user's or the database's name is a word of messages, and no secret by itself", () => {
  const found = (url: string): readonly string[] => secretsOf({ DATABASE_URL: url });
  assert.deepEqual(found("postgres://candles:candles@db/archive"), ["candles:candles"]);
  assert.deepEqual(found("postgres://titan:can%64les@h1,h2:5432/candles?sslmode=disable"), [
    "titan:can%64les",
    "titan:candles",
  ]);
  assert(found("postgres://candles:candle@db/candles1").includes("candle"));
});

Deno.test("of a header each part that may be a key is secret by itself, under any scheme and name", () => {
  const found = (value: string): readonly string[] =>
    secretsOf({ EXCHANGE_KRAKEN: JSON.stringify({ headers: { "X-Any": value } }) });
  assert(found("Token abcdef-12345").includes("abcdef-12345"));
  assert(found("lang=en; sid=cookie-96bb==; b=2").includes("cookie-96bb"));
  assert(found('Custom key="abcdefghijklmnopqrst", v=1').includes("abcdefghijklmnopqrst"));
  assert.deepEqual(found("lang=en; theme=dark"), ["lang=en; theme=dark"]);
});

Deno.test("what a chat's webhook consists of is secret, also by itself", () => {
  const found = (url: string): readonly string[] => secretsOf({ ALERT_WEBHOOK_URL: url });
  const slack = found(
    "https://hooks.slack.com/services/T01ABCDEF/B02GHIJKL/aBcDeFgHiJkLmNoPqRsTuVwX",
  );
  for (const part of ["T01ABCDEF", "B02GHIJKL", "aBcDeFgHiJkLmNoPqRsTuVwX"]) {
    assert(slack.includes(part), part);
  }
  const telegram = found(
    "https://api.telegram.org/bot123456:AAE-xyz/sendMessage?chat_id=-1001234567",
  );
  for (const part of ["123456:AAE-xyz", "AAE-xyz", "-1001234567"]) {
    assert(telegram.includes(part), part);
  }
  assert(!slack.includes("services") && !telegram.includes("sendMessage"), "words are no secrets");
  assert.deepEqual(found("https://hooks.example.com/?abc"), ["?abc"]);
});

Deno.test("settings without secrets have none, and settings that cannot be read do no harm", () => {
  assert.deepEqual(secretsOf({ DATABASE_URL: "postgres://h/db", EXCHANGE_OKX: "{}" }), []);
  assert.deepEqual(secretsOf({ EXCHANGE_OKX: '{"secret":', ALERT_WEBHOOK_URL: "http://" }), []);
});

/** What the value of a header says, in the words of HTTP or of the exchange. */
const PLAIN: readonly (readonly [name: string, value: string])[] = [
  ["Accept", "application/json, text/plain; q=0.9, */*"],
  ["X-Content", "application/vnd.api+json; charset=utf-8"],
  ["Accept-Language", "en-US,en;q=0.5"],
  ["accept-encoding", "gzip, deflate, br, zstd"],
  ["Connection", "keep-alive"],
  ["Cache-Control", "no-cache, max-age=0"],
  ["User-Agent", "trader"],
  ["User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0"],
  ["Origin", "https://www.kraken.com"],
  ["Referer", "https://www.kraken.com/trade"],
  ["X-Requested-With", "XMLHttpRequest"],
  ["X-Exchange", "Kraken"],
  ["X-Test", "true"],
  ["X-Version", "2.1"],
];

/** What may be a secret in the same places. */
const SECRET: readonly (readonly [name: string, value: string, hidden?: string])[] = [
  ["Accept", "application/json; token=k7Qp2", "application/json; token=k7Qp2"],
  ["User-Agent", "trader 8f3a9c1d2e", "8f3a9c1d2e"],
  ["User-Agent", "qwertyuiopasdfghjklzxc"],
  ["Origin", "https://me:hunter2@www.kraken.com", "hunter2"],
  ["Referer", "https://www.kraken.com/?token=abcde"],
  ["Authorization", "en-US"],
  ["X-API-KEY", "gzip"],
  ["X-Client", "ab12"],
  ["X-Client", "hunter"],
  ["X-Client", "correct horse"],
  ["X-Client", "12345"],
  ["X-Client", "text/8f3a"],
  ["X-Client", "a\nb"],
];

Deno.test("words of HTTP in a header are no secrets, and what may be one is, in any header", () => {
  const of = (name: string, value: string): readonly string[] =>
    secretsOf({ EXCHANGE_KRAKEN: JSON.stringify({ headers: { [name]: value } }) });
  for (const [name, value] of PLAIN) assert.deepEqual(of(name, value), [], `${name}: ${value}`);
  for (const [name, value, hidden = value] of SECRET) {
    assert(of(name, value).includes(hidden), `${name}: ${value}: ${of(name, value)}`);
  }
});
