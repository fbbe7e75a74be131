import assert from "node:assert/strict";
import { VARIABLES } from "../../lib/config/variables.ts";
import { misspellingsIn } from "../../lib/config/misspelling.ts";

const NAMES = VARIABLES.map(({ name }) => name);

Deno.test("a misspelt setting in .env is found, and what belongs to others is not", () => {
  const dotenv = [
    "TIMEFRAME=1m",
    "HTTP_TOKN=x",
    "EXCHANGES=kraken",
    "EXCHANGE_KRAKEN={}",
    "# SYMBOL=BTC/USDT",
    "HTTP_PROXY=http://proxy:3128",
    "DENO_TLS_CA_STORE=system",
    "GRAFANA_ADMIN_PASSWORD=x",
    "DATABASE_PASSWORD=x",
  ].join("\n");
  assert.deepEqual(misspellingsIn(dotenv, NAMES), [
    { name: "TIMEFRAME", similar: ["TIMEFRAMES"] },
    { name: "HTTP_TOKN", similar: ["HTTP_TOKEN"] },
  ]);
});

Deno.test("no setting of ours is like another's, or a correct .env would be refused", () => {
  const dotenv = NAMES.filter((name) => !name.includes("<")).map((name) => `${name}=`).join("\n");
  assert.deepEqual(misspellingsIn(dotenv, NAMES), []);
});
