/** API keys of single exchanges: what real CCXT classes do with them when all that is asked for is public. @module */
import assert from "node:assert/strict";
import { openExchange } from "../../lib/exchange/client.ts";
import { binance } from "../support/local_exchange/binance.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { coinbase } from "../support/dialects/coinbase.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { NOW_MS, withExchange } from "../support/dialects/local_client.ts";
import { TESTED_DIALECTS } from "../support/dialects/tested_dialects.ts";
import { configOf } from "../support/local_archive.ts";
import { ManualClock } from "../support/manual_clock.ts";

const SINCE_MS = Date.UTC(2024, 5, 1, 11, 30);
const FIVE_MINUTES = { sinceMs: SINCE_MS, untilMs: SINCE_MS + 5 * 60_000 };

const KEYS = {
  apiKey: "apikey-93bbdeadbeef",
  secret: "apisecret-04ccfeedface",
  password: "passphrase-15dd",
  uid: "uid-26eeab",
};

/** A request as the exchange gets it. */
interface Sent {
  /** Of the exchange's own URL. */
  readonly path: string;
  readonly headers: Headers;
  /** All of it, to be searched. */
  readonly text: string;
}

/** An exchange, and before it a proxy prefix that sees everything. */
async function withGate(
  dialect: Dialect | readonly Dialect[],
  use: (gate: { readonly proxyUrl: string; readonly sent: readonly Sent[] }) => Promise<void>,
): Promise<void> {
  await withExchange({ dialect }, async ({ url }) => {
    const sent: Sent[] = [];
    const gate = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const { pathname, search } = new URL(request.url);
        const asked = new URL(decodeURIComponent((pathname + search).replace("/proxy/", "")));
        const { headers } = request;
        const text = decodeURIComponent(JSON.stringify([asked, ...headers, await request.text()]));
        sent.push({ path: asked.pathname, headers, text });
        // What is signed at Coinbase has the same answers under another path.
        const path = asked.pathname.replace("brokerage/products", "brokerage/market/products");
        return await fetch(`${url}/proxy/https://${asked.host}${path}${asked.search}`);
      },
    );
    try {
      await use({ proxyUrl: `http://127.0.0.1:${gate.addr.port}/proxy/`, sent });
    } finally {
      await gate.shutdown();
    }
  });
}

/** Opens each exchange as the program would by these variables, and asks for markets and a few candles. */
async function askAll(variables: Readonly<Record<string, string>>): Promise<void> {
  const { exchanges, exchangeOptions, exchangeProxyUrl } = configOf(variables);
  await Promise.all(exchanges.map(async (id) => {
    const client = await openExchange(id, {
      clock: new ManualClock({ startMs: NOW_MS }),
      config: exchangeOptions[id],
      proxyUrl: exchangeProxyUrl,
    });
    const list = await client.loadMarkets();
    const symbol = [...list.keys()].find((symbol) => symbol.startsWith("BTC/")) ?? "";
    const series = { exchange: id, symbol, timeframe: parseTimeframe("1m") };
    const { rows } = await client.fetchCandles(series, FIVE_MINUTES, { list });
    assert(rows.length >= 5, `${id}: ${rows.length} candles`);
  }));
}

function hasSecret(text: string): boolean {
  return Object.values(KEYS).some((secret) => text.includes(secret));
}

for (const dialect of TESTED_DIALECTS) {
  const id = dialect.exchange;
  Deno.test(`${id}: keys change nothing of what is asked for candles, and are not sent`, async () => {
    await withGate(dialect, async ({ proxyUrl, sent }) => {
      const variables = { EXCHANGES: id, EXCHANGE_PROXY_URL: proxyUrl };
      await askAll(variables);
      const without = sent.map(({ path }) => path).sort();
      await askAll({ ...variables, [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify(KEYS) });
      const withKeys = sent.slice(without.length);
      assert.notDeepEqual(without, []);
      assert.deepEqual(withKeys.map(({ path }) => path).sort(), without);
      assert.deepEqual(withKeys.filter(({ text }) => hasSecret(text)), []);
    });
  });
}

Deno.test("coinbase: keys sign the candles where its class is told so, and no other exchange sees them", async () => {
  await withGate([coinbase, binance, kraken], async ({ proxyUrl, sent }) => {
    const options = { fetchOHLCV: { usePrivate: true } };
    await askAll({
      EXCHANGES: "coinbase,binance,kraken",
      EXCHANGE_PROXY_URL: proxyUrl,
      EXCHANGE_COINBASE: JSON.stringify({ ...KEYS, options }),
    });
    const signed = sent.filter(({ headers }) => headers.has("cb-access-sign"));
    const candles = signed.find(({ path }) => path.endsWith("/candles"));
    assert.equal(candles?.headers.get("cb-access-key"), KEYS.apiKey);
    assert.match(candles?.path ?? "", /^\/api\/v3\/brokerage\/products\/BTC-[A-Z]+\/candles$/);
    assert(sent.length > signed.length);
    for (const { path, text } of sent) {
      if (hasSecret(text)) assert.match(path, /^\/api\/v3\/brokerage\/products\//);
      // Keys name, secrets sign.
      assert(!text.includes(KEYS.secret), text);
    }
  });
});

Deno.test("a key as a header goes with every request of its exchange, and with no other's", async () => {
  await withGate([binance, kraken], async ({ proxyUrl, sent }) => {
    await askAll({
      EXCHANGES: "binance,kraken",
      EXCHANGE_PROXY_URL: proxyUrl,
      EXCHANGE_BINANCE: JSON.stringify({ headers: { "X-MBX-APIKEY": KEYS.apiKey } }),
    });
    const paths = (isBinance: boolean): readonly string[] =>
      sent.filter(({ headers }) => headers.has("x-mbx-apikey") === isBinance)
        .map(({ path }) => path).sort();
    assert.deepEqual(paths(true), ["/api/v3/exchangeInfo", "/api/v3/klines"]);
    assert.deepEqual(paths(false), ["/0/public/AssetPairs", "/0/public/OHLC"]);
  });
});
