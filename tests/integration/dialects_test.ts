/** The other dialects of the local exchange, read by the real CCXT classes. @module */
import assert from "node:assert/strict";
import { windowParams } from "../../lib/exchange/window_params.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { binance } from "../support/local_exchange/binance.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import type { LocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { LOCAL_SYMBOLS, type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import { bingx } from "../support/dialects/bingx.ts";
import { bitfinex } from "../support/dialects/bitfinex.ts";
import { bitget } from "../support/dialects/bitget.ts";
import { bitstamp } from "../support/dialects/bitstamp.ts";
import { bitvavo } from "../support/dialects/bitvavo.ts";
import { bybit } from "../support/dialects/bybit.ts";
import { ccxtClient, type CcxtRow } from "../support/dialects/ccxt_client.ts";
import { coinbase } from "../support/dialects/coinbase.ts";
import { cryptocom } from "../support/dialects/cryptocom.ts";
import { gate } from "../support/dialects/gate.ts";
import { gemini } from "../support/dialects/gemini.ts";
import { hitbtc } from "../support/dialects/hitbtc.ts";
import { htx } from "../support/dialects/htx.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { kucoin } from "../support/dialects/kucoin.ts";
import { columns, NOW_MS, withExchange } from "../support/dialects/local_client.ts";
import { mexc } from "../support/dialects/mexc.ts";
import { okx } from "../support/dialects/okx.ts";
import { poloniex } from "../support/dialects/poloniex.ts";
import { upbit } from "../support/dialects/upbit.ts";
import { whitebit } from "../support/dialects/whitebit.ts";

const DIALECTS: readonly Dialect[] = [
  kraken,
  okx,
  coinbase,
  bybit,
  bingx,
  upbit,
  poloniex,
  hitbtc,
  bitvavo,
  cryptocom,
  bitfinex,
  bitstamp,
  gemini,
  whitebit,
  kucoin,
  gate,
  bitget,
  mexc,
  htx,
];

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const SINCE_MS = Date.UTC(2024, 5, 1, 11);

const [BTC] = LOCAL_SYMBOLS as readonly [LocalSymbol];

/** What loading markets asks for when it loads as little as the class allows. */
const MARKET_REQUESTS: Readonly<Record<string, readonly string[]>> = {
  kraken: ["/0/public/AssetPairs"],
  okx: ["/api/v5/public/instruments"],
  coinbase: new Array(3).fill("/api/v3/brokerage/market/products"),
  bybit: ["/v5/market/instruments-info"],
  bingx: [
    "/openApi/cswap/v1/market/contracts",
    "/openApi/spot/v1/common/symbols",
    "/openApi/swap/v2/quote/contracts",
  ],
  poloniex: ["/markets", "/v3/market/allInstruments"],
  bitvavo: ["/v2/markets"],
  cryptocom: ["/exchange/v1/public/get-instruments"],
  bitfinex: [
    "/v2/conf/pub:info:pair,pub:info:pair:futures,pub:list:pair:securities,pub:list:pair:margin",
  ],
  bitstamp: ["/api/v2/markets/"],
  gemini: ["/v1/symbols"],
  whitebit: ["/api/v4/public/markets"],
  kucoin: ["/api/v2/symbols"],
  gate: ["/api/v4/margin/currency_pairs", "/api/v4/spot/currency_pairs"],
  bitget: ["/api/v2/margin/currencies", "/api/v2/spot/public/symbols"],
  mexc: ["/api/v1/contract/detail", "/api/v3/exchangeInfo"],
  htx: ["/v1/common/symbols"],
};

/** Their lists hold open markets only, and upbit's no price steps: `backward_dialects_test.ts` has them. */
const UNLISTING: ReadonlySet<string> = new Set(["upbit", "hitbtc"]);

/** They name the open markets and no more: neither a closed one nor a price step. */
const OPEN_MARKETS_ONLY: ReadonlySet<string> = new Set(["bitfinex", "gemini"]);

/** Their candles are closed ones only. */
const CLOSED_ONLY: ReadonlySet<string> = new Set(["gemini", "whitebit"]);

/** What CCXT makes of a 429 where that is not `RateLimitExceeded`. */
const LIMIT_ERRORS: Readonly<Record<string, string>> = {
  kraken: "DDoSProtection",
  bingx: "OperationFailed",
  whitebit: "DDoSProtection",
  bitget: "DDoSProtection",
  // CCXT does not know KuCoin's code 429000; `classify` goes by the status.
  kucoin: "ExchangeError",
};

for (const dialect of DIALECTS) {
  const { exchange: id } = dialect;

  if (!UNLISTING.has(id)) {
    Deno.test(`${id}: CCXT loads ten active spot markets, and the closed one as closed`, async () => {
      await withExchange({ dialect }, async (exchange) => {
        exchange.symbols.delist("ADA/USDT");
        const markets = await (await ccxtClient(id, exchange.url)).loadMarkets();
        for (const { symbol, tickDecimals } of LOCAL_SYMBOLS) {
          const { active, spot, precision } = markets[symbol] ?? {};
          if (OPEN_MARKETS_ONLY.has(id)) {
            assert.equal(spot, symbol === "ADA/USDT" ? undefined : true, symbol);
            continue;
          }
          const expected = {
            active: symbol !== "ADA/USDT",
            spot: true,
            price: 10 ** -tickDecimals,
          };
          assert.deepEqual({ active, spot, price: Number(precision?.price) }, expected, symbol);
        }
        // Some classes ask for all lists at once.
        assert.deepEqual(exchange.requests.map(({ path }) => path).sort(), MARKET_REQUESTS[id]);
      });
    });
  }

  Deno.test(`${id}: CCXT reads tickers with a last price and a turnover`, async () => {
    await withExchange({ dialect }, async (exchange) => {
      const tickers = await (await ccxtClient(id, exchange.url)).fetchTickers();
      for (const { symbol, quoteVolume24h, price } of LOCAL_SYMBOLS) {
        const { last, baseVolume, quoteVolume = Number(baseVolume) * Number(last) } =
          tickers[symbol] ?? {};
        const turnover = Number(quoteVolume) / quoteVolume24h;
        // Gemini's list has prices only.
        assert.ok(id === "gemini" || (turnover > 0.2 && turnover < 2.5), `${symbol} ${turnover}`);
        const level = Number(last) / price;
        assert.ok(level > 0.4 && level < 2.5, `${symbol} ${level}`);
      }
    });
  });

  Deno.test(`${id}: CCXT reads exactly the candles that truth() gives, short ones and long ones`, async () => {
    await withExchange({ dialect }, async (exchange) => {
      const client = await ccxtClient(id, exchange.url);
      // HTX's days open on Singapore time, see below.
      const long = id === "htx"
        ? { text: "4h", lengthMs: 4 * HOUR_MS }
        : { text: "1d", lengthMs: DAY_MS };
      for (const symbol of ["BTC/USDT", "PEPE/USDT", "ETH/BTC"]) {
        for (
          const { text, sinceMs, lengthMs } of [
            { text: "1m", sinceMs: SINCE_MS, lengthMs: MINUTE_MS },
            { ...long, sinceMs: Date.UTC(2024, 4, 1) },
          ]
        ) {
          const window = { sinceMs, untilMs: sinceMs + 20 * lengthMs };
          const params = windowParams({ exchange: id, symbol }, window);
          const rows = await client.fetchOHLCV(symbol, text, sinceMs, 20, params);
          assert.equal(rows.length, 20);
          assert.deepEqual(rows.map(numbers), truth(exchange, { symbol, text, window }));
        }
      }
    });
  });

  // Bitget: CCXT goes by the real clock, asks the endpoint for old candles, and that one gives closed ones only.
  if (id !== "bitget") {
    Deno.test(`${id}: the forming candle comes last, where it comes at all`, async () => {
      await withExchange({ dialect }, async (exchange) => {
        const client = await ccxtClient(id, exchange.url);
        const rows = await client.fetchOHLCV("BTC/USDT", "1m", NOW_MS - 2 * MINUTE_MS, 5);
        const times = [NOW_MS - 90_000, NOW_MS - 30_000];
        const expected = CLOSED_ONLY.has(id) ? times.slice(0, 1) : times;
        assert.deepEqual(rows.map(([time]) => time), expected);
      });
    });
  }

  Deno.test(`${id}: an unknown symbol and a refusal become CCXT's own errors`, async () => {
    await withExchange({ dialect }, async (exchange) => {
      const client = await ccxtClient(id, exchange.url);
      await client.loadMarkets();
      exchange.symbols.delist("SOL/USDT", { forget: true });
      await assert.rejects(client.fetchOHLCV("SOL/USDT", "1m", SINCE_MS, 5));
      exchange.faults.add({ when: { about: "candles" }, fault: { kind: "status", status: 429 } });
      await assert.rejects(client.fetchOHLCV("BTC/USDT", "1m", SINCE_MS, 5), {
        name: LIMIT_ERRORS[id] ?? "RateLimitExceeded",
      });
    });
  });
}

Deno.test("kraken: whatever since says, nothing older than the newest 720 lengths comes", async () => {
  await withExchange({ dialect: kraken }, async (exchange) => {
    const client = await ccxtClient("kraken", exchange.url);
    const rows = await client.fetchOHLCV("BTC/USDT", "1m", 1, 5_000);
    assert.equal(rows.length, 720);
    assert.equal(rows.at(-1)?.[0], NOW_MS - 30_000);
    assert.equal(rows[0]?.[0], NOW_MS - 30_000 - 719 * MINUTE_MS);
  });
});

Deno.test("kraken: since is exclusive, and the forming candle comes even after it", async () => {
  await withExchange({ dialect: kraken }, async (exchange) => {
    const times = async (sinceMs: number): Promise<number[]> => {
      const query = `pair=XBTUSDT&interval=1&since=${sinceMs / 1_000}`;
      const { result } = await json(`${exchange.url}/0/public/OHLC?${query}`);
      return result.XBTUSDT.map(([time]: [number]) => (time * 1_000 - SINCE_MS) / MINUTE_MS);
    };
    assert.deepEqual(await times(SINCE_MS + 58 * MINUTE_MS), [59, 60]);
    assert.deepEqual(await times(SINCE_MS + DAY_MS), [60]);
  });
});

Deno.test("okx: before and after are exclusive, rows come newest first, 100 unless told, 300 at most", async () => {
  await withExchange({ dialect: okx }, async (exchange) => {
    const rows = async (endpoint: string, query: string): Promise<string[][]> => {
      const url = `${exchange.url}/api/v5/market/${endpoint}?instId=BTC-USDT&bar=1m&${query}`;
      return (await json(url)).data;
    };
    const after = SINCE_MS + 4 * MINUTE_MS;
    const between = await rows("history-candles", `before=${SINCE_MS}&after=${after}`);
    assert.deepEqual(
      between.map(([time]) => (Number(time) - SINCE_MS) / MINUTE_MS),
      [3, 2, 1],
    );
    assert.ok(between.every((row) => row.length === 9 && row[8] === "1"));
    const recent = await rows("candles", "");
    assert.equal(recent.length, 100);
    assert.equal(recent[0]?.[8], "0");
    assert.equal((await rows("candles", "limit=1000")).length, 300);
    const old = SINCE_MS - 2 * DAY_MS;
    assert.deepEqual(await rows("candles", `before=${old}&after=${old + HOUR_MS}`), []);
    assert.equal(
      (await rows("history-candles", `before=${old}&after=${old + HOUR_MS}`)).length,
      59,
    );
  });
});

Deno.test("okx: flat candles without volume stand where nothing was traded", async () => {
  const holes = [{ sinceMs: SINCE_MS + MINUTE_MS, untilMs: SINCE_MS + 3 * MINUTE_MS }];
  const symbols = [market("BTC/USDT", { ...BTC, holes })];
  const window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + 5 * MINUTE_MS };
  await withExchange({ dialect: okx, symbols }, async (exchange) => {
    const client = await ccxtClient("okx", exchange.url);
    const rows = (await client.fetchOHLCV("BTC/USDT", "1m", SINCE_MS, 5)).map(numbers);
    const [, open, high, low, close, volume] = rows[2] ?? [];
    assert.deepEqual([open, high, low, volume], [close, close, close, 0]);
    assert.deepEqual(rows, truth(exchange, { symbol: "BTC/USDT", text: "1m", window }));
  });
  await withExchange({ dialect: coinbase, symbols }, async (exchange) => {
    const client = await ccxtClient("coinbase", exchange.url);
    assert.equal((await client.fetchOHLCV("BTC/USDT", "1m", SINCE_MS, 3)).length, 2);
  });
});

Deno.test("coinbase: both bounds are inclusive and a range of more than 350 lengths is refused", async () => {
  await withExchange({ dialect: coinbase }, async (exchange) => {
    const ask = async (lengths: number): Promise<Response> => {
      const start = (SINCE_MS - 12 * HOUR_MS) / 1_000;
      const query = `granularity=ONE_MINUTE&start=${start}&end=${start + 60 * lengths}`;
      const path = "/api/v3/brokerage/market/products/BTC-USDT/candles";
      return await fetch(`${exchange.url}${path}?${query}`);
    };
    const { candles } = await (await ask(2)).json();
    assert.deepEqual(
      candles.map(({ start }: { start: string }) => (Number(start) * 1_000 - SINCE_MS) / MINUTE_MS),
      [-718, -719, -720],
    );
    assert.ok(Object.values(candles[0]).every((value) => typeof value === "string"));
    const refused = await ask(351);
    assert.equal(refused.status, 400);
    assert.match((await refused.json()).message, /less than 350/);
    const client = await ccxtClient("coinbase", exchange.url);
    const rows = await client.fetchOHLCV("BTC/USDT", "1m", SINCE_MS - 12 * HOUR_MS, 1_000);
    assert.equal(rows.length, 300);
  });
});

Deno.test("bybit: a start counts forward, an end counts back, rows come newest first in an envelope", async () => {
  await withExchange({ dialect: bybit }, async (exchange) => {
    const minutes = async (query: string): Promise<number[]> => {
      const url =
        `${exchange.url}/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1&${query}`;
      const { retCode, result } = await json(url);
      assert.equal(retCode, 0);
      return result.list.map(([time]: [string]) => (Number(time) - SINCE_MS) / MINUTE_MS);
    };
    assert.deepEqual(await minutes(`start=${SINCE_MS}&limit=3`), [2, 1, 0]);
    const range = `start=${SINCE_MS}&end=${SINCE_MS + 10 * MINUTE_MS}`;
    assert.deepEqual(await minutes(`${range}&limit=3`), [10, 9, 8]);
    assert.equal((await minutes("")).length, 200);
    assert.equal((await minutes("limit=5000")).length, 1_000);
  });
});

Deno.test("cryptocom: start is exclusive, rows count back from the end, 25 unless told, 300 at most", async () => {
  await withExchange({ dialect: cryptocom }, async (exchange) => {
    const minutes = async (query: string): Promise<number[]> => {
      const path = "/exchange/v1/public/get-candlestick?instrument_name=BTC_USDT&timeframe=1m";
      const { code, result } = await json(`${exchange.url}${path}&${query}`);
      assert.equal(code, 0);
      return result.data.map(({ t }: { t: number }) => (t - SINCE_MS) / MINUTE_MS);
    };
    const range = `start_ts=${SINCE_MS}&end_ts=${SINCE_MS + 4 * MINUTE_MS}`;
    assert.deepEqual(await minutes(range), [1, 2, 3]);
    assert.deepEqual(await minutes(`${range}&count=2`), [2, 3]);
    assert.deepEqual(await minutes(`start_ts=${SINCE_MS}&count=2`), [59, 60]);
    assert.equal((await minutes("")).length, 25);
    assert.equal((await minutes("count=1000")).length, 300);
  });
});

Deno.test("bitfinex: rows are numbers, newest first unless sorted, 100 unless told, refused beyond 10,000", async () => {
  const holes = [{ sinceMs: SINCE_MS + MINUTE_MS, untilMs: SINCE_MS + 3 * MINUTE_MS }];
  const symbols = [market("BTC/USDT", { ...BTC, holes })];
  await withExchange({ dialect: bitfinex, symbols }, async (exchange) => {
    const rows = async (query: string): Promise<number[][]> =>
      await json(`${exchange.url}/v2/candles/trade:1m:tBTCUST/hist?${query}`);
    const minutes = (rows: number[][]): number[] =>
      rows.map(([time = NaN]) => (time - SINCE_MS) / MINUTE_MS);
    assert.deepEqual(minutes(await rows(`start=${SINCE_MS}&sort=1&limit=3`)), [0, 3, 4]);
    const end = SINCE_MS + 4 * MINUTE_MS;
    assert.deepEqual(minutes(await rows(`end=${end}&limit=3`)), [4, 3, 0]);
    const recent = await rows("");
    assert.equal(recent.length, 100);
    assert.ok(recent.flat().every((value) => typeof value === "number"));
    assert.deepEqual(await rows("limit=10001"), ["error", 10020, "limit: invalid"]);
  });
});

Deno.test("bitstamp: an end makes rows count back from it, beyond a start that is given too", async () => {
  await withExchange({ dialect: bitstamp }, async (exchange) => {
    const ask = async (query: string): Promise<Response> =>
      await fetch(`${exchange.url}/api/v2/ohlc/btcusdt/?${query}`);
    const minutes = async (query: string): Promise<number[]> => {
      const { data } = await (await ask(`step=60&${query}`)).json();
      return data.ohlc.map(({ timestamp }: { timestamp: string }) =>
        (Number(timestamp) * 1_000 - SINCE_MS) / MINUTE_MS
      );
    };
    const [start, end] = [SINCE_MS / 1_000, SINCE_MS / 1_000 + 120];
    assert.deepEqual(await minutes(`start=${start}&limit=3`), [0, 1, 2]);
    assert.deepEqual(await minutes(`start=${start}&end=${end}&limit=4`), [-1, 0, 1, 2]);
    assert.deepEqual(await minutes("limit=2"), [59, 60]);
    assert.deepEqual(await minutes("limit=2&exclude_current_candle=true"), [58, 59]);
    for (const query of ["step=60", "step=60&limit=1001", "step=61&limit=1"]) {
      const refused = await ask(query);
      assert.deepEqual([refused.status, (await refused.json()).response_code], [400, "400.007"]);
    }
  });
});

Deno.test("gemini: whatever is asked comes all it keeps of a width, newest first, closed ones only", async () => {
  await withExchange({ dialect: gemini }, async (exchange) => {
    const url = `${exchange.url}/v2/candles/BTCUSDT`;
    const hours = await json(`${url}/1hr?since=${SINCE_MS}&limit=3`);
    assert.equal(hours.length, 61 * 24 - 1);
    assert.ok(hours.flat().every((value: unknown) => typeof value === "number"));
    assert.equal(hours[0][0], SINCE_MS);
    assert.equal((await json(`${url}/1day`)).length, 364);
    assert.match((await json(`${url}/1h`)).message, /1m, 5m, 15m, 30m, 1hr, 6hr, 1day/);
  });
});

Deno.test("whitebit: a start counts forward, the close comes second, 1440 at most", async () => {
  await withExchange({ dialect: whitebit }, async (exchange) => {
    const ask = async (query: string): Promise<Response> =>
      await fetch(`${exchange.url}/api/v1/public/kline?market=BTC_USDT&interval=1m&${query}`);
    const rows = async (query: string): Promise<[number, ...string[]][]> =>
      (await (await ask(query)).json()).result;
    const start = SINCE_MS / 1_000;
    const [first, second, ...others] = await rows(`start=${start}&limit=2`);
    assert.deepEqual([first?.[0], second?.[0], others.length], [start, start + 60, 0]);
    const window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + MINUTE_MS };
    const [[, open, high, low, close] = []] = truth(exchange, {
      symbol: "BTC/USDT",
      text: "1m",
      window,
    });
    assert.deepEqual(first?.slice(1, 5).map(Number), [open, close, high, low]);
    // The current day's, to the last closed one.
    assert.equal((await rows("")).length, 12 * 60);
    assert.equal((await rows("limit=1440")).length, 1_440);
    const refused = await ask("limit=1441");
    assert.deepEqual([refused.status, (await refused.json()).success], [422, false]);
  });
});

Deno.test("kucoin: the end is exclusive, seconds count, and 1500 newest candles come newest first", async () => {
  await withExchange({ dialect: kucoin }, async (exchange) => {
    const rows = async (sinceMs: number, untilMs: number): Promise<string[][]> => {
      const query = `symbol=BTC-USDT&type=1min&startAt=${sinceMs / 1_000}&endAt=${untilMs / 1_000}`;
      const { code, data } = await json(`${exchange.url}/api/v1/market/candles?${query}`);
      assert.equal(code, "200000");
      return data;
    };
    const [newest, older] = await rows(SINCE_MS, SINCE_MS + 2 * MINUTE_MS);
    assert.deepEqual([newest?.[0], older?.[0]], [
      String((SINCE_MS + MINUTE_MS) / 1_000),
      String(SINCE_MS / 1_000),
    ]);
    const [, open, close, high, low] = (newest ?? []).map(Number) as [number, ...number[]];
    assert.ok(Number(high) >= Math.max(Number(open), Number(close)));
    assert.ok(Number(low) <= Math.min(Number(open), Number(close)));
    const page = await rows(SINCE_MS - 2 * DAY_MS, SINCE_MS);
    assert.equal(page.length, 1_500);
    assert.equal(page[0]?.[0], String((SINCE_MS - MINUTE_MS) / 1_000));
  });
});

Deno.test("gate: both ends of a range count, and one too broad or too old is refused in Gate's words", async () => {
  await withExchange({ dialect: gate }, async (exchange) => {
    const ask = async (sinceMs: number, lengths: number): Promise<[number, unknown[]]> => {
      const from = sinceMs / 1_000;
      const query = `currency_pair=BTC_USDT&interval=1m&from=${from}&to=${from + 60 * lengths}`;
      const response = await fetch(`${exchange.url}/api/v4/spot/candlesticks?${query}`);
      const body = await response.json();
      return [response.status, Array.isArray(body) ? body : [body.message]];
    };
    const [, rows] = await ask(SINCE_MS, 2);
    assert.deepEqual(
      rows.map((row) => (Number((row as string[])[0]) * 1_000 - SINCE_MS) / MINUTE_MS),
      [0, 1, 2],
    );
    const old = SINCE_MS - 5 * DAY_MS;
    assert.deepEqual((await ask(old, 999))[1].length, 1_000);
    assert.deepEqual(await ask(old, 1_000), [400, [
      "Candlestick range too broad. Maximum 1000 data points are allowed per request",
    ]]);
    assert.deepEqual(await ask(SINCE_MS - 7 * DAY_MS, 10), [400, [
      "Candlestick too long ago. Maximum 10000 points ago are allowed",
    ]]);
  });
});

Deno.test("bitget: pages count back from an exclusive end, so that asking for more moves the start", async () => {
  await withExchange({ dialect: bitget }, async (exchange) => {
    const minutes = async (endpoint: string, query: string): Promise<number[]> => {
      const url = `${exchange.url}/api/v2/spot/market/${endpoint}?symbol=BTCUSDT`;
      const { data } = await json(`${url}&granularity=1min&${query}`);
      return data.map(([time]: [string]) => (Number(time) - SINCE_MS) / MINUTE_MS);
    };
    const range = `startTime=${SINCE_MS}&endTime=${SINCE_MS + 3 * MINUTE_MS}`;
    assert.deepEqual(await minutes("candles", range), [0, 1, 2]);
    assert.deepEqual(await minutes("candles", `${range}&limit=2`), [1, 2]);
    assert.deepEqual(await minutes("history-candles", `${range}&limit=5`), [-2, -1, 0, 1, 2]);
    assert.equal((await minutes("history-candles", `${range}&limit=1000`)).length, 200);
    // The forming one is the sixtieth.
    const now = `endTime=${NOW_MS}&limit=2`;
    assert.deepEqual(await minutes("candles", now), [59, 60]);
    assert.deepEqual(await minutes("history-candles", now), [58, 59]);
    const old = SINCE_MS - 40 * DAY_MS;
    const past = `startTime=${old}&endTime=${old + HOUR_MS}`;
    assert.deepEqual(await minutes("candles", past), []);
  });
});

Deno.test("mexc: 500 candles at most, from a start that counts only beside an exclusive end", async () => {
  await withExchange({ dialect: mexc }, async (exchange) => {
    const minutes = async (query: string): Promise<number[]> => {
      const url = `${exchange.url}/api/v3/klines?symbol=BTCUSDT&interval=1m&${query}`;
      const rows: [number][] = await json(url);
      return rows.map(([timeMs]) => (timeMs - SINCE_MS) / MINUTE_MS);
    };
    const range = `startTime=${SINCE_MS}&endTime=${SINCE_MS + 3 * MINUTE_MS}`;
    assert.deepEqual(await minutes(range), [0, 1, 2]);
    assert.deepEqual(await minutes(`${range}&limit=2`), [0, 1]);
    assert.deepEqual(await minutes(`startTime=${SINCE_MS}&limit=2`), [59, 60]);
    const long = `startTime=${SINCE_MS - DAY_MS}&endTime=${SINCE_MS}&limit=1000`;
    assert.equal((await minutes(long)).length, 500);
  });
});

Deno.test("htx: candles count forward from a start, in numbers, and days open on Singapore time", async () => {
  await withExchange({ dialect: htx }, async (exchange) => {
    const rows = async (query: string): Promise<Readonly<Record<string, unknown>>[]> => {
      const { data } = await json(
        `${exchange.url}/market/history/candles?symbol=btcusdt&${query}`,
      );
      return data;
    };
    const hour = await rows(`period=1min&from=${SINCE_MS / 1_000}&size=2`);
    assert.deepEqual(
      hour.map(({ id }) => (Number(id) * 1_000 - SINCE_MS) / MINUTE_MS),
      [1, 0],
    );
    assert.ok(hour.every((row) => Object.values(row).every((value) => typeof value === "number")));
    assert.equal((await rows("period=1min")).length, 150);
    assert.deepEqual(await rows("period=1min&size=1001"), []);
    const [day] = await rows(`period=1day&from=${Date.UTC(2024, 4, 1) / 1_000}&size=1`);
    assert.equal(day?.["id"], Date.UTC(2024, 4, 1, 16) / 1_000);
  });
});

Deno.test("one server speaks all dialects behind one proxy URL", async () => {
  // MEXC's paths are Binance's.
  const dialects = DIALECTS.filter(({ exchange }) => exchange !== "mexc");
  await withExchange({ dialect: [binance, ...dialects] }, async (exchange) => {
    const hosts = {
      binance: "https://api.binance.com",
      kraken: "https://api.kraken.com",
      okx: "https://www.okx.com",
      coinbase: "https://api.coinbase.com",
      bybit: "https://api.bybit.com",
      cryptocom: "https://api.crypto.com",
      bitfinex: "https://api-pub.bitfinex.com",
      bitstamp: "https://www.bitstamp.net",
      gemini: "https://api.gemini.com",
      whitebit: "https://whitebit.com",
      kucoin: "https://api.kucoin.com",
      gate: "https://api.gateio.ws",
      bitget: "https://api.bitget.com",
      htx: "https://api.huobi.pro",
    };
    exchange.faults.add({ when: { exchange: "okx" }, fault: { kind: "status", status: 503 } });
    for (const [id, host] of Object.entries(hosts)) {
      const client = await ccxtClient(id, host, { proxyUrl: exchange.proxyUrl });
      const rows = client.fetchOHLCV("BTC/USDT", "1m", SINCE_MS, 5);
      if (id === "okx") await assert.rejects(rows, { name: "OnMaintenance" });
      else assert.equal((await rows).length, 5, id);
    }
    const seen = new Set(exchange.requests.map(({ host }) => `https://${host}`));
    assert.deepEqual([...seen], Object.values(hosts));
  });
});

function truth(
  exchange: LocalExchange,
  { symbol, text, window }: {
    readonly symbol: string;
    readonly text: string;
    readonly window: { readonly sinceMs: number; readonly untilMs: number };
  },
): number[][] {
  return exchange.truth(symbol, parseTimeframe(text), window).map((row) => numbers(columns(row)));
}

/** Exchanges write zeros at the end or not; as numbers the rows are comparable. */
function numbers(row: CcxtRow): number[] {
  return row.map(Number);
}

// deno-lint-ignore no-explicit-any -- each exchange's answer has its own shape, which the test then states
async function json(url: string): Promise<any> {
  return await (await fetch(url)).json();
}
