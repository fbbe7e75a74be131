import assert from "node:assert/strict";
import { openExchange } from "../../lib/exchange/client.ts";
import { systemClock } from "../../lib/clock.ts";
import { readConfig } from "../../lib/config/config.ts";
import { VARIABLES } from "../../lib/config/variables.ts";
import { ENV_EXAMPLE, envExample } from "../support/env_example.ts";
import { TESTED_EXCHANGES } from "../support/tested_exchanges.ts";

const text = await Deno.readTextFile(ENV_EXAMPLE);

/** What each commented line would set. */
const settings = new Map(
  [...text.matchAll(/^# ([A-Z0-9_]+(?:<ID>)?)=(.*)$/gm)].map((
    [, name = "", value = ""],
  ) => [name, value]),
);

/** Lines that show how something is written, not what it is by default. */
const EXAMPLES = new Map([
  ["EXCHANGES", TESTED_EXCHANGES.join(",")],
  ["DATABASE_URL", "postgres://titan10:password@localhost:5432/titan10"],
  [
    "EXCHANGE_BINANCE",
    `'{"httpsProxy":"http://user:password@proxy.example:3128"}'`,
  ],
  [
    "EXCHANGE_BYBIT",
    `'{"socksProxy":"socks5h://user:password@proxy.example:1080"}'`,
  ],
  [
    "EXCHANGE_COINBASE",
    `'{"apiKey":"…","secret":"…","options":{"fetchOHLCV":{"usePrivate":true}}}'`,
  ],
  ["EXCHANGE_MEXC", `'{"headers":{"X-MEXC-APIKEY":"…"}}'`],
]);

Deno.test(".env.example is what the table of settings makes of it", () => {
  assert.equal(text, envExample(), "deno task env:example writes it anew");
});

Deno.test(".env.example shows every variable with its default, and no other", () => {
  const expected = new Map<string, string>(
    VARIABLES.map(({ name, default: text }) => [name, text ?? ""]),
  );
  for (const [name, value] of EXAMPLES) expected.set(name, value);
  assert.deepEqual([...settings].sort(), [...expected].sort());
});

Deno.test(".env.example explains every variable in the lines above it", () => {
  for (const block of text.split("\n\n").filter((block) => /^# [A-Z0-9_]+=/m.test(block))) {
    assert.match(block.split("\n")[0] ?? "", /^# [A-Z][^=]* [a-z]/, block);
  }
});

Deno.test(".env.example changes nothing as it is, and is readable with every comment taken away", () => {
  const rules = {
    knownExchanges: TESTED_EXCHANGES,
    isCron: (text: string) => text.split(" ").length === 5,
  };
  assert.deepEqual(readConfig({ env: {}, dotenv: text }, rules), readConfig({ env: {} }, rules));
  const uncommented = text.replace(/^# (?=[A-Z0-9_]+=)/gm, "");
  const config = readConfig({ env: {}, dotenv: uncommented }, rules);
  assert.equal(config.databaseUrl, EXAMPLES.get("DATABASE_URL"));
  assert.equal(config.pollCron, "* * * * *");
  assert.deepEqual(config.exchangeOptions, {
    binance: { httpsProxy: "http://user:password@proxy.example:3128" },
    bybit: { socksProxy: "socks5h://user:password@proxy.example:1080" },
    coinbase: { apiKey: "…", secret: "…", options: { fetchOHLCV: { usePrivate: true } } },
    mexc: { headers: { "X-MEXC-APIKEY": "…" } },
  });
});

Deno.test(".env.example names twenty exchanges, and CCXT has minutes and days of each", async () => {
  assert.equal(new Set(TESTED_EXCHANGES).size, 20);
  for (const id of TESTED_EXCHANGES) {
    const { timeframes } = await openExchange(id, { clock: systemClock });
    assert(timeframes.includes("1m") && timeframes.includes("1d"), id);
  }
});
