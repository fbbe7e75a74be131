/** The local exchange over real HTTP: Binance's dialect, its limits, its log and its truth. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { LOCAL_SYMBOLS, type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import { ccxtClient } from "../support/dialects/ccxt_client.ts";
import {
  candles,
  columns,
  get,
  NOW_MS,
  STILL_CLOCK,
  withExchange,
} from "../support/dialects/local_client.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const SINCE_MS = Date.UTC(2024, 5, 1, 11);

const MINUTE = parseTimeframe("1m");
const [BTC] = LOCAL_SYMBOLS as readonly [LocalSymbol];

Deno.test("CCXT loads ten active spot markets with one request", async () => {
  await withExchange({}, async (exchange) => {
    const client = await ccxtClient("binance", exchange.url);
    const markets = Object.values(await client.loadMarkets());
    assert.deepEqual(
      markets.map(({ symbol }) => symbol),
      LOCAL_SYMBOLS.map(({ symbol }) => symbol),
    );
    assert.ok(markets.every(({ active, spot }) => active && spot));
    assert.deepEqual(exchange.requests.map(({ path }) => path), ["/api/v3/exchangeInfo"]);
  });
});

Deno.test("CCXT reads tickers whose turnover follows the symbols' scale", async () => {
  await withExchange({}, async (exchange) => {
    const tickers = await (await ccxtClient("binance", exchange.url)).fetchTickers();
    for (const { symbol, quoteVolume24h } of LOCAL_SYMBOLS) {
      const ratio = Number(tickers[symbol]?.quoteVolume) / quoteVolume24h;
      assert.ok(ratio > 0.25 && ratio < 2, `${symbol} ${ratio}`);
    }
    assert.equal(tickers["BTC/USDT"]?.last, (await candles(exchange, { limit: 1 }))[0]?.[4]);
  });
});

Deno.test("CCXT reads exactly the candles that truth() gives", async () => {
  await withExchange({}, async (exchange) => {
    const client = await ccxtClient("binance", exchange.url);
    for (const { symbol } of LOCAL_SYMBOLS) {
      const rows = await client.fetchOHLCV(symbol, "1m", SINCE_MS, 60);
      const window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + HOUR_MS };
      const truth = exchange.truth(symbol, MINUTE, window);
      assert.deepEqual(
        rows,
        truth.map(columns),
      );
    }
  });
});

Deno.test("the forming candle comes last when the window reaches now, and truth() leaves it out", async () => {
  await withExchange({}, async (exchange) => {
    const rows = await candles(exchange, { startTime: NOW_MS - 5 * MINUTE_MS });
    const truth = exchange.truth("BTC/USDT", MINUTE, {
      sinceMs: NOW_MS - 5 * MINUTE_MS,
      untilMs: Infinity,
    });
    assert.equal(rows.length, 5);
    assert.deepEqual(
      truth.map(({ openTimeMs }) => openTimeMs),
      rows.slice(0, -1).map(([time]) => time),
    );
    const later = exchange.truth("BTC/USDT", MINUTE, {
      sinceMs: NOW_MS - MINUTE_MS,
      untilMs: Infinity,
    }, NOW_MS + MINUTE_MS);
    assert.equal(later[0]?.openTimeMs, rows.at(-1)?.[0]);
    assert.ok(Number(later[0]?.volume) > Number(rows.at(-1)?.[5]));
  });
});

Deno.test("klines gives 500 rows unless told, at most 1000, and takes its end as inclusive", async () => {
  await withExchange({}, async (exchange) => {
    assert.equal((await candles(exchange, {})).length, 500);
    assert.equal((await candles(exchange, { limit: 5_000 })).length, 1_000);
    const range = { startTime: SINCE_MS, endTime: SINCE_MS + 2 * MINUTE_MS };
    const times = (await candles(exchange, range)).map(([time]) => time);
    assert.deepEqual(times, [SINCE_MS, SINCE_MS + MINUTE_MS, SINCE_MS + 2 * MINUTE_MS]);
    const oldest = await candles(exchange, { startTime: SINCE_MS, endTime: NOW_MS, limit: 2 });
    assert.deepEqual(oldest.map(([time]) => time), times.slice(0, 2));
    const newestTwo = await candles(exchange, { endTime: SINCE_MS + 2 * MINUTE_MS, limit: 2 });
    assert.deepEqual(newestTwo.map(([time]) => time), times.slice(1));
  });
});

Deno.test("an ask from before the listing jumps forward to the first candle", async () => {
  await withExchange({}, async (exchange) => {
    const [first] = await candles(exchange, { startTime: 0, limit: 1 });
    assert.equal(first?.[0], BTC.listedAtMs);
    const [day] = await candles(exchange, { startTime: 0, limit: 1, interval: "1d" });
    assert.equal(day?.[0], Date.UTC(2017, 7, 17));
  });
});

Deno.test("malformed asks are refused with Binance's codes", async () => {
  await withExchange({}, async (exchange) => {
    const codes: [query: string, code: number][] = [
      ["symbol=NOPE&interval=1m", -1121],
      ["symbol=BTCUSDT&interval=7m", -1120],
      ["interval=1m", -1102],
      ["symbol=BTCUSDT&interval=1m&startTime=yesterday", -1100],
    ];
    for (const [query, code] of codes) {
      const response = await fetch(`${exchange.url}/api/v3/klines?${query}`);
      assert.equal(response.status, 400);
      assert.equal((await response.json()).code, code);
    }
    assert.equal((await get(`${exchange.url}/api/v3/nothing`)).status, 404);
    const client = await ccxtClient("binance", exchange.url);
    await assert.rejects(client.fetchOHLCV("NO/PE"), { name: "BadSymbol" });
  });
});

Deno.test("ping answers and time is the clock's", async () => {
  await withExchange({}, async (exchange) => {
    assert.deepEqual((await get(`${exchange.url}/api/v3/ping`)).body, "{}");
    const { body } = await get(`${exchange.url}/api/v3/time`);
    assert.deepEqual(JSON.parse(body), { serverTime: NOW_MS });
  });
});

Deno.test("behind a proxy prefix plain and percent-encoded URLs say the same", async () => {
  await withExchange({}, async (exchange) => {
    const target = `https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=3`;
    const direct = await get(`${exchange.url}/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=3`);
    for (const url of [target, encodeURIComponent(target)]) {
      assert.deepEqual(await get(exchange.proxyUrl + url), direct);
    }
    const [, plain, encoded] = exchange.requests;
    assert.deepEqual(plain, encoded);
    assert.equal(encoded?.host, "api.binance.com");
    assert.deepEqual(encoded?.query, { symbol: "BTCUSDT", interval: "1m", limit: "3" });
    assert.equal(encoded?.proxied, true);
  });
});

Deno.test("CCXT works through proxyUrl, with the exchange's own URLs untouched", async () => {
  await withExchange({}, async (exchange) => {
    const client = await ccxtClient("binance", "https://api.binance.com", {
      proxyUrl: exchange.proxyUrl,
    });
    await client.loadMarkets();
    assert.equal((await client.fetchOHLCV("BTC/USDT", "1m", SINCE_MS, 3)).length, 3);
    assert.ok(exchange.requests.every(({ proxied, status }) => proxied && status === 200));
  });
});

Deno.test("holes, overrides and listing dates show in answers and in the truth alike", async () => {
  const symbols = [market("BTC/USDT", {
    ...BTC,
    listedAtMs: SINCE_MS,
    holes: [{ sinceMs: SINCE_MS + MINUTE_MS, untilMs: SINCE_MS + 3 * MINUTE_MS }],
    overrides: [{ timeframe: "1m", openTimeMs: SINCE_MS, values: { volume: "1.00000000" } }],
  })];
  await withExchange({ symbols }, async (exchange) => {
    const rows = await candles(exchange, { startTime: 0, limit: 3 });
    const window = { sinceMs: 0, untilMs: SINCE_MS + 5 * MINUTE_MS };
    const truth = exchange.truth("BTC/USDT", MINUTE, window);
    assert.deepEqual(rows.map(([time]) => (time - SINCE_MS) / MINUTE_MS), [0, 3, 4]);
    assert.equal(rows[0]?.[5], "1.00000000");
    assert.deepEqual(rows.map((row) => row.slice(0, 6)), truth.map(columns));
  });
});

Deno.test("a delisted market is listed as closed, keeps its history, and has no ticker", async () => {
  await withExchange({}, async (exchange) => {
    exchange.symbols.delist("DOGE/USDT");
    const client = await ccxtClient("binance", exchange.url);
    assert.equal((await client.loadMarkets())["DOGE/USDT"]?.active, false);
    assert.equal((await client.fetchTickers())["DOGE/USDT"], undefined);
    assert.equal((await client.fetchOHLCV("DOGE/USDT", "1m", SINCE_MS, 5)).length, 5);
    exchange.symbols.delist("DOGE/USDT", { forget: true });
    await assert.rejects(client.fetchOHLCV("DOGE/USDT"), { name: "BadSymbol" });
    assert.throws(() => exchange.symbols.delist("DOGE/USDT"), RangeError);
    exchange.symbols.list(BTC);
    assert.equal(exchange.symbols.all().length, LOCAL_SYMBOLS.length - 1);
  });
});

Deno.test("each visitor's address can have a limit and faults of its own, and is logged", async () => {
  const clients = ["127.0.0.1", "127.0.0.2"].map((localAddress) =>
    Deno.createHttpClient({ localAddress })
  );
  const rateLimit = { perSecond: 2, eachVisitor: true };
  await withExchange({ clock: STILL_CLOCK, rateLimit }, async (exchange) => {
    const asked = async (at: number): Promise<number> => {
      const answer = await fetch(`${exchange.url}/api/v3/ping`, { client: clients[at]! });
      await answer.body?.cancel();
      return answer.status;
    };
    const statuses = [];
    for (const at of [0, 0, 0, 1, 1, 1]) statuses.push(await asked(at));
    assert.deepEqual(statuses, [200, 200, 429, 200, 200, 429]);
    const visitors = exchange.requests.map(({ visitor }) => visitor);
    assert.deepEqual([...new Set(visitors)], ["127.0.0.1", "127.0.0.2"]);
  });
  await withExchange({ clock: STILL_CLOCK }, async (exchange) => {
    const fault = { kind: "status", status: 418 } as const;
    exchange.faults.add({ when: { visitor: "127.0.0.2" }, fault });
    const statuses = [];
    for (const client of clients) {
      const answer = await fetch(`${exchange.url}/api/v3/ping`, { client });
      await answer.body?.cancel();
      statuses.push(answer.status);
    }
    assert.deepEqual(statuses, [200, 418]);
  });
  for (const client of clients) client.close();
});

Deno.test("over the rate limit the answer is 429 with Retry-After, until a second has passed", async () => {
  let nowMs = NOW_MS;
  const clock = { ...STILL_CLOCK, now: () => nowMs };
  await withExchange({ clock, rateLimit: { perSecond: 2 } }, async (exchange) => {
    const statuses: number[] = [];
    for (const passedMs of [0, 0, 999, 1_000]) {
      nowMs = NOW_MS + passedMs;
      const response = await fetch(`${exchange.url}/api/v3/ping`);
      statuses.push(response.status);
      assert.equal(response.headers.get("retry-after"), response.status === 429 ? "1" : null);
      await response.body?.cancel();
    }
    assert.deepEqual(statuses, [200, 200, 429, 200]);
    assert.deepEqual(exchange.requests.map(({ status }) => status), statuses);
  });
});

Deno.test("the request log keeps the newest requests only", async () => {
  await withExchange({ requestsMax: 3 }, async (exchange) => {
    for (let index = 0; index < 10; index++) await get(`${exchange.url}/api/v3/ping?n=${index}`);
    assert.deepEqual(exchange.requests.map(({ query }) => query["n"]), ["7", "8", "9"]);
  });
});

Deno.test("a taken port is an error and a closed exchange frees its own", async () => {
  const first = await startLocalExchange({ clock: STILL_CLOCK });
  await assert.rejects(
    startLocalExchange({ clock: STILL_CLOCK, port: first.port }),
    Deno.errors.AddrInUse,
  );
  await first.close();
  await first.close();
  const second = await startLocalExchange({ clock: STILL_CLOCK, port: first.port });
  assert.equal((await candles(second, {})).length, 500);
  await second.close();
});
