/** Proxies of single exchanges, by real CCXT classes and a real forward proxy. @module */
import assert from "node:assert/strict";
import { type ExchangeClient, openExchange } from "../../lib/exchange/client.ts";
import { FetchError, type FetchErrorKind } from "../../lib/exchange/fetch_error.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { openTestArchive } from "../support/local_archive.ts";
import { startSocksProxy } from "../support/socks_proxy.ts";
import { openAnyTest } from "../support/test_database.ts";
import { binance } from "../support/local_exchange/binance.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { NOW_MS, withExchange } from "../support/dialects/local_client.ts";
import { withForwardProxy } from "../support/forward_proxy.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { testClock } from "../support/test_clock.ts";

const SINCE_MS = Date.UTC(2024, 5, 1, 11, 30);
const FIVE_MINUTES = { sinceMs: SINCE_MS, untilMs: SINCE_MS + 5 * 60_000 };

type Options = Readonly<Record<string, unknown>>;

/** The client of a proxy is kept for as long as its exchange, which is as long as the process. */
function proxyTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `a proxy of one exchange: ${name}`, sanitizeResources: false, fn });
}

async function openAt({ url }: { url: string }, config: Options): Promise<ExchangeClient> {
  return await openExchange("binance", {
    clock: new ManualClock({ startMs: NOW_MS }),
    config: { urls: { api: { public: `${url}/api/v3` } }, ...config },
  });
}

async function fiveCandles(client: ExchangeClient): Promise<number> {
  const list = await client.loadMarkets();
  const series = { exchange: client.id, symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };
  const { rows } = await client.fetchCandles(series, FIVE_MINUTES, { list });
  return rows.filter((row) => (row as number[])[0]! < FIVE_MINUTES.untilMs).length;
}

async function failure(ask: Promise<unknown>, kind: FetchErrorKind): Promise<string> {
  const error = await ask.then(() => undefined, (error: unknown) => error);
  assert(error instanceof FetchError, Deno.inspect(error));
  assert.equal(error.kind, kind, error.message);
  return error.message;
}

function withPassword(url: string, userinfo: string): string {
  return url.replace("://", `://${userinfo}@`);
}

for (const option of ["httpProxy", "httpsProxy", "http_proxy", "https_proxy"]) {
  proxyTest(`${option}: the proxy is asked for the exchange's full URL`, async () => {
    await withExchange({ dialect: binance }, async (exchange) => {
      await withForwardProxy({}, async (proxy) => {
        assert.equal(await fiveCandles(await openAt(exchange, { [option]: proxy.url })), 5);
        const [markets, candles, ...more] = proxy.asked;
        assert.deepEqual(more, []);
        assert.equal(markets, `GET ${exchange.url}/api/v3/exchangeInfo HTTP/1.1`);
        assert(candles?.startsWith(`GET ${exchange.url}/api/v3/klines?`), candles);
      });
    });
  });
}

proxyTest("it carries no other's requests", async () => {
  await withExchange({ dialect: [binance, kraken] }, async (exchange) => {
    await withForwardProxy({}, async (proxy) => {
      const proxied = await openAt(exchange, { httpProxy: proxy.url });
      const direct = await openExchange("kraken", {
        clock: new ManualClock({ startMs: NOW_MS }),
        config: { urls: { api: { public: exchange.url } } },
      });
      const [, listed] = await Promise.all([proxied.loadMarkets(), direct.loadMarkets()]);
      assert(listed.size > 0);
      assert.deepEqual(proxy.asked, [`GET ${exchange.url}/api/v3/exchangeInfo HTTP/1.1`]);
      assert(exchange.requests.some(({ path }) => path.includes("AssetPairs")));
    });
  });
});

proxyTest("it takes the place of the one for all", async () => {
  await withExchange({ dialect: binance }, async (exchange) => {
    await withForwardProxy({}, async (proxy) => {
      const client = await openExchange("binance", {
        clock: new ManualClock({ startMs: NOW_MS }),
        proxyUrl: "http://127.0.0.1:9/",
        config: { urls: { api: { public: `${exchange.url}/api/v3` } }, httpProxy: proxy.url },
      });
      assert.equal(await fiveCandles(client), 5);
      assert.equal(proxy.asked.length, 2);
    });
  });
});

proxyTest(
  "two proxies of one exchange are a permanent mistake, not an outage to be waited for",
  async () => {
    const client = await openAt({ url: "http://127.0.0.1:2" }, {
      proxyUrl: "http://127.0.0.1:9/",
      httpProxy: "http://127.0.0.1:2",
    });
    assert.match(await failure(client.loadMarkets(), "permanent"), /conflicting proxy settings/);
  },
);

proxyTest(
  "user and password of a proxy's URL are sent, percent-decoded, and to the proxy alone",
  async () => {
    await withExchange({ dialect: binance }, async (exchange) => {
      await withForwardProxy({ credentials: "me@home:pa/ss w" }, async (proxy) => {
        const httpProxy = withPassword(proxy.url, "me%40home:pa%2Fss%20w");
        assert.equal(await fiveCandles(await openAt(exchange, { httpProxy })), 5);
      });
    });
  },
);

for (const scheme of ["socks5", "socks5h"]) {
  Deno.test({
    name: `${scheme}: the proxy is given user and password, and finds the exchange by its name`,
    sanitizeResources: false,
    sanitizeOps: false,
    fn: async () => {
      await withExchange({ dialect: binance }, async ({ port }) => {
        const proxy = startSocksProxy("me@home", "pa/ss");
        try {
          const socksProxy = `${scheme}://me%40home:pa%2Fss@${proxy.host}`;
          const client = await openAt({ url: `http://localhost:${port}` }, { socksProxy });
          assert.equal(await fiveCandles(client), 5);
          assert.deepEqual(new Set(proxy.asked), new Set([`localhost:${port}`]));
          const wrong = socksProxy.replace("pa%2Fss", "hunter2");
          const other = await openAt({ url: `http://localhost:${port}` }, { socksProxy: wrong });
          const message = await failure(other.loadMarkets(), "transient");
          assert(message.includes(`through its proxy ${scheme}://${proxy.host}: `), message);
          assert.doesNotMatch(message, /hunter2/);
        } finally {
          await proxy.close();
        }
      });
    },
  });
}

proxyTest("a prefix with user and password gets them as basic authorization", async () => {
  await withExchange({ dialect: binance }, async (exchange) => {
    const seen = new Set<string | null>();
    const gate = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      seen.add(request.headers.get("authorization"));
      const { pathname, search } = new URL(request.url);
      return fetch(exchange.url + pathname + search);
    });
    try {
      const proxyUrl = `http://me:hunter2@127.0.0.1:${gate.addr.port}/proxy/`;
      const client = await openExchange("binance", {
        clock: new ManualClock({ startMs: NOW_MS }),
        config: { proxyUrl },
      });
      assert.equal(await fiveCandles(client), 5);
      assert.deepEqual([...seen], [`Basic ${btoa("me:hunter2")}`]);
    } finally {
      await gate.shutdown();
    }
  });
});

/** Nothing of these is asked: the tests end at the proxy. */
const TARGETS = { plain: "http://127.0.0.1:2", encrypted: "https://127.0.0.1:2" };

for (const [kind, url] of Object.entries(TARGETS)) {
  proxyTest(`${kind}: wrong credentials of a proxy are no refusal by the exchange`, async () => {
    await withForwardProxy({ credentials: "me:right" }, async (proxy) => {
      const httpProxy = withPassword(proxy.url, "me:hunter2");
      const message = await failure(
        (await openAt({ url }, { httpProxy })).loadMarkets(),
        "transient",
      );
      assert(
        message.endsWith(
          `its proxy ${proxy.url} needs credentials, or refuses the given ones (HTTP 407)`,
        ),
        message,
      );
      assert.match(message, /^Cannot load the markets of binance: /);
      assert.doesNotMatch(message, /hunter2|me:/);
      assert.notDeepEqual(proxy.asked, []);
    });
  });

  for (const scheme of ["http", "socks5", "socks5h"]) {
    proxyTest(
      `${kind}: a ${scheme} proxy that is away is named, without its password`,
      async () => {
        const option = scheme === "http" ? "httpsProxy" : "socksProxy";
        const client = await openAt({ url }, { [option]: `${scheme}://me:hunter2@127.0.0.1:1` });
        const message = await failure(client.loadMarkets(), "transient");
        assert.match(message, /^Cannot load the markets of binance: /);
        assert(
          message.includes(`through its proxy ${scheme}://127.0.0.1:1: `),
          message,
        );
        assert.doesNotMatch(message, /hunter2|me:/);
      },
    );
  }
}

proxyTest("a tunnel that the proxy does not open is an outage, and named", async () => {
  await withForwardProxy({ refusal: "503 Service Unavailable" }, async (proxy) => {
    const client = await openAt({ url: TARGETS.encrypted }, { httpsProxy: proxy.url });
    const message = await failure(client.loadMarkets(), "transient");
    assert(message.includes(`through its proxy ${proxy.url}: `), message);
    assert.deepEqual(new Set(proxy.asked), new Set(["CONNECT 127.0.0.1:2 HTTP/1.1"]));
  });
});

Deno.test({
  name:
    "a proxy that is away opens the breaker of its exchange alone, and its password is told nowhere",
  sanitizeResources: false,
  fn: async () => {
    const opened = await openAnyTest();
    try {
      await withExchange({ dialect: kraken, clock: testClock }, async (exchange) => {
        const archive = await openTestArchive(opened.database, {
          EXCHANGES: "binance,kraken",
          SYMBOLS: "BTC/USDT",
          TIMEFRAMES: "1m",
          BACKFILL: "1m:1h",
          BREAKER_COOLDOWN: "10m",
          EXCHANGE_BINANCE: JSON.stringify({ httpsProxy: "http://me:hunter2-secret@127.0.0.1:2" }),
          EXCHANGE_KRAKEN: JSON.stringify({
            urls: { api: { public: exchange.url } },
            rateLimit: 1,
          }),
        });
        const poll = new Poll(archive);
        for (let tick = 0; tick < 3; tick++) await poll.runOnce();
        const states = archive.exchanges.map(({ id, breakers }) => [id, breakers.main.state.kind]);
        assert.deepEqual(states, [["binance", "open"], ["kraken", "closed"]]);
        const checkpoints = await readCheckpoints(opened.database);
        assert.deepEqual(checkpoints.map((one) => one.series.exchange), ["kraken"]);
        const metrics = await archive.metrics.text();
        assert.match(metrics, /titan10_breaker_state\{exchange="binance",state="open"\} 1/);
        const log = archive.lines.join("\n");
        assert.match(
          log,
          /binance GET [^"]* through its proxy http:\/\/127\.0\.0\.1:2: /,
        );
        assert.doesNotMatch(log + metrics, /hunter2/);
      });
    } finally {
      await opened.drop();
    }
  },
});
