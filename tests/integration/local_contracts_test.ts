/** The local exchange's contracts over real HTTP: what the real class reads of Binance's futures, and its truth. @module */
import assert from "node:assert/strict";
import { contract, contractsText, LOCAL_CONTRACTS } from "../../lib/local_exchange/contract.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { DAPI, FAPI, withKinds } from "../support/dialects/binance_kinds.ts";
import type { CcxtRow } from "../support/dialects/ccxt_client.ts";
import { NOW_MS, STILL_CLOCK } from "../support/dialects/local_client.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MINUTE = parseTimeframe("1m");
const SINCE_MS = NOW_MS - 30_000 - 20 * HOUR_MS;
const EXPIRY_MS = Date.UTC(2024, 11, 27, 8);

/** The params of CCXT by the ending of the symbol. */
const PRICE_PARAMS = { "": {}, "@mark": { price: "mark" }, "@index": { price: "index" } } as const;
const PREMIUM_PARAMS = { price: "premiumIndex" };

/** Values as numbers: the exchange writes fewer decimals than the truth. */
function numbers(row: readonly (number | string | undefined)[]): number[] {
  return row.slice(0, 6).map(Number);
}

Deno.test("CCXT loads spot, linear and inverse markets, perpetual and dated, with size and expiry", () =>
  withKinds(async ({ client, exchange }) => {
    const markets = Object.values(await client.loadMarkets());
    assert.equal(markets.length, LOCAL_SYMBOLS.length + LOCAL_CONTRACTS.length);
    const contracts = markets.filter(({ spot }) => !spot);
    assert.deepEqual(
      contracts.map(({ symbol, id, type, active, contractSize, expiry }) =>
        [symbol, id, type, active, contractSize, expiry] as const
      ),
      [
        ["BTC/USDT:USDT", "BTCUSDT", "swap", true, "1", undefined],
        ["ETH/USDT:USDT", "ETHUSDT", "swap", true, "1", undefined],
        ["BTC/USDT:USDT-241227", "BTCUSDT_241227", "future", true, "1", EXPIRY_MS],
        ["BTC/USD:BTC", "BTCUSD_PERP", "swap", true, "100", undefined],
        ["ETH/USD:ETH", "ETHUSD_PERP", "swap", true, "10", undefined],
        ["BTC/USD:BTC-241227", "BTCUSD_241227", "future", true, "100", EXPIRY_MS],
      ],
    );
    assert.deepEqual(
      exchange.requests.map(({ host, endpoint }) => `${host} ${endpoint}`).sort(),
      [
        "api.binance.com exchangeInfo",
        "dapi.binance.com inverse/exchangeInfo",
        "fapi.binance.com linear/exchangeInfo",
      ],
    );
  }));

Deno.test("candles of every contract, read page by page, are those that truth() gives", () =>
  withKinds(async ({ client, exchange }) => {
    await client.loadMarkets();
    for (const { symbol } of LOCAL_CONTRACTS) {
      for (const [ending, params] of Object.entries(PRICE_PARAMS)) {
        const rows: CcxtRow[] = [];
        let sinceMs = SINCE_MS;
        while (sinceMs < NOW_MS - MINUTE_MS) {
          const page = await client.fetchOHLCV(symbol, "1m", sinceMs, 500, params);
          rows.push(...page.filter(([timeMs]) => timeMs < NOW_MS - MINUTE_MS));
          sinceMs += 500 * MINUTE_MS;
        }
        const window = { sinceMs: SINCE_MS, untilMs: NOW_MS };
        const truth = exchange.truth(symbol + ending, MINUTE, window);
        assert.equal(truth.length, 1_200);
        assert.deepEqual(
          rows.map(numbers),
          truth.map(({ openTimeMs, open, high, low, close, volume }) =>
            numbers([openTimeMs, open, high, low, close, volume])
          ),
          symbol + ending,
        );
      }
    }
  }));

Deno.test("the premium is read with its sign, and it is how far the contract is from the index", () =>
  withKinds(async ({ client, exchange }) => {
    await client.loadMarkets();
    const window = { sinceMs: NOW_MS - 20 * DAY_MS, untilMs: NOW_MS };
    const hour = parseTimeframe("1h");
    for (const symbol of ["BTC/USDT:USDT", "BTC/USD:BTC"]) {
      const truth = exchange.truth(`${symbol}@premium`, hour, window);
      const rows = await client.fetchOHLCV(symbol, "1h", window.sinceMs, 1_000, PREMIUM_PARAMS);
      assert.deepEqual(
        rows.slice(0, truth.length).map(numbers),
        truth.map(({ openTimeMs, open, high, low, close }) =>
          numbers([openTimeMs, open, high, low, close, 0])
        ),
      );
      const closes = truth.map(({ close }) => Number(close));
      assert(closes.some((close) => close < 0) && closes.some((close) => close > 0));
      const traded = exchange.truth(symbol, hour, window);
      const index = exchange.truth(`${symbol}@index`, hour, window);
      for (const [at, premium] of truth.entries()) {
        const { open, high, low, close } = premium;
        const [lowest, ...rest] = [low, open, close, high].map(Number);
        assert(rest.every((value) => value >= Number(lowest) && value <= Number(high)));
        const apart = Number(traded[at]?.open) / Number(index[at]?.open) - 1;
        assert(Math.abs(apart - Number(open)) < 1e-5, `${apart} ${open}`);
      }
    }
  }));

Deno.test("a volume is of whole contracts: base in USD-M, contracts and base in COIN-M", () =>
  withKinds(async ({ exchange, ask }) => {
    const sizes = { BTCUSDT: 0.001, ETHUSDT: 0.001, BTCUSD_PERP: 100, ETHUSD_PERP: 10 };
    const window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + HOUR_MS };
    for (const [id, size] of Object.entries(sizes)) {
      const isInverse = id.endsWith("_PERP");
      const query = `symbol=${id}&interval=1m&limit=60&startTime=${SINCE_MS}` +
        `&endTime=${window.untilMs - 1}`;
      const { json } = await ask(encodeURIComponent(
        `${isInverse ? DAPI : FAPI}klines?${query}`,
      ));
      const symbol = LOCAL_CONTRACTS.find(({ base, contract }) =>
        id.startsWith(base) && contract?.expiryMs === undefined &&
        (contract?.kind === "inverse") === isInverse
      ) ?? assert.fail(id);
      const truth = exchange.truth(symbol.symbol, MINUTE, window);
      assert.equal(truth.length, 60);
      const rows = json as string[][];
      assert.deepEqual(
        rows.map((row) =>
          Number(row[isInverse ? 7 : 5])
        ),
        truth.map(({ volume }) => Number(volume)),
      );
      for (const [at, candle] of truth.entries()) {
        const contracts = Number(contractsText(symbol, candle));
        assert(Number.isInteger(contracts));
        const worth = Number(isInverse ? candle.quoteVolume : candle.volume);
        assert(Math.abs(contracts * size - worth) < 1e-9);
        if (isInverse) assert.equal(rows[at]?.[5], String(contracts));
      }
    }
  }));

Deno.test("funding rates come ascending, page by page, a few milliseconds late", () =>
  withKinds(async ({ client, exchange }) => {
    await client.loadMarkets();
    for (const symbol of ["BTC/USDT:USDT", "BTC/USD:BTC"]) {
      const sinceMs = NOW_MS - 100 * DAY_MS;
      const truth = exchange.funding(symbol, { sinceMs, untilMs: Infinity });
      const rows = [];
      let fromMs = sinceMs;
      for (;;) {
        const page = await client.fetchFundingRateHistory(symbol, fromMs, 120);
        if (page.length === 0) break;
        rows.push(...page);
        fromMs = (page.at(-1)?.timestamp ?? assert.fail()) + 1;
      }
      assert.equal(truth.length, 300);
      assert.deepEqual(
        rows.map(({ symbol, timestamp, fundingRate }) =>
          [symbol, Math.floor(timestamp / MINUTE_MS) * MINUTE_MS, Number(fundingRate)] as const
        ),
        truth.map(({ timeMs, rate }) => [symbol, timeMs, Number(rate)]),
      );
      const late = rows.map(({ timestamp }) => timestamp % MINUTE_MS);
      assert(Math.max(...late) > 0 && Math.max(...late) < 10 && Math.min(...late) === 0);
      assert(truth.some(({ rate }) => rate.startsWith("-")));
    }
    assert.deepEqual(await client.fetchFundingRateHistory("BTC/USDT:USDT-241227"), []);
  }));

Deno.test("without start and end the newest funding rates come, and both bounds are inclusive", () =>
  withKinds(async ({ exchange, ask }) => {
    const of = async (query: string): Promise<{ fundingTime: number }[]> => {
      const { status, json } = await ask(
        encodeURIComponent(`${FAPI}fundingRate?symbol=BTCUSDT${query}`),
      );
      assert.equal(status, 200);
      return json as { fundingTime: number }[];
    };
    const truth = exchange.funding("BTC/USDT:USDT", { sinceMs: 0, untilMs: Infinity });
    const newest = await of("");
    assert.equal(newest.length, 200);
    const [first, second, third] = newest.slice(-3).map(({ fundingTime }) => fundingTime);
    assert.equal(Math.floor(Number(third) / MINUTE_MS) * MINUTE_MS, truth.at(-1)?.timeMs);
    const times = (rows: { fundingTime: number }[]) => rows.map(({ fundingTime }) => fundingTime);
    assert.deepEqual(times(await of(`&startTime=${first}&endTime=${third}`)), [
      first,
      second,
      third,
    ]);
    assert.deepEqual(times(await of(`&startTime=${first}&endTime=${third}&limit=2`)), [
      first,
      second,
    ]);
    assert.equal((await of("&startTime=0")).length, 100);
    const [oldest] = await of("&startTime=0&limit=1");
    assert(Math.abs(Number(oldest?.fundingTime) - Number(truth[0]?.timeMs)) < 10);
  }));

Deno.test("COIN-M gives the newest rows of a range, and of no range longer than 200 days", () =>
  withKinds(async ({ ask }) => {
    const of = async (api: string, query: string): Promise<number[]> => {
      const { json } = await ask(encodeURIComponent(`${api}klines?interval=1m&${query}`));
      return (json as number[][]).map(([timeMs]) => Number(timeMs));
    };
    const range = `startTime=${SINCE_MS}&endTime=${SINCE_MS + 10 * MINUTE_MS}&limit=2`;
    const minutes = (times: number[]) => times.map((timeMs) => (timeMs - SINCE_MS) / MINUTE_MS);
    assert.deepEqual(minutes(await of(FAPI, `symbol=BTCUSDT&${range}`)), [0, 1]);
    assert.deepEqual(minutes(await of(DAPI, `symbol=BTCUSD_PERP&${range}`)), [9, 10]);
    const [startMs, late] = [Date.UTC(2021, 0), "symbol=BTCUSD_PERP&limit=1"];
    assert.deepEqual(await of(DAPI, `${late}&startTime=${startMs}`), [startMs + 200 * DAY_MS]);
    assert.deepEqual(await of(FAPI, `symbol=BTCUSDT&limit=1&startTime=${startMs}`), [startMs]);
    const { json } = await ask(
      encodeURIComponent(
        `${DAPI}klines?interval=1m&${late}&startTime=${startMs}&endTime=${NOW_MS}`,
      ),
    );
    assert.deepEqual(json, { code: -4_088, msg: "Maximum time interval is 200 days." });
  }));

Deno.test("malformed asks for futures are refused with Binance's codes", () =>
  withKinds(async ({ client, ask }) => {
    const codes: readonly [url: string, code: number][] = [
      [`${FAPI}klines?symbol=NOPE&interval=1m`, -1_121],
      [`${FAPI}klines?symbol=BTCUSD_PERP&interval=1m`, -1_121],
      [`${FAPI}klines?symbol=BTCUSDT&interval=1s`, -1_120],
      [`${FAPI}klines?interval=1m`, -1_102],
      [`${FAPI}indexPriceKlines?symbol=BTCUSDT&interval=1m`, -1_102],
      [`${FAPI}indexPriceKlines?pair=NOPE&interval=1m`, -4_087],
      [`${FAPI}klines?symbol=BTCUSDT&interval=1m&startTime=yesterday`, -1_100],
      [`${FAPI}klines?symbol=BTCUSDT&interval=1m&limit=1501`, -1_130],
      [`${FAPI}fundingRate?symbol=BTCUSDT&limit=1001`, -1_130],
      [`${DAPI}fundingRate`, -1_102],
      [`${DAPI}klines?symbol=BTCUSD_PERP&interval=1m&startTime=2&endTime=1`, -1_023],
      [`${DAPI}ticker/24hr?symbol=BTCUSDT`, -1_121],
    ];
    for (const [url, code] of codes) {
      const { status, json } = await ask(encodeURIComponent(url));
      assert.deepEqual([status, (json as { code: number }).code], [400, code], url);
    }
    await client.loadMarkets();
    await assert.rejects(client.fetchOHLCV("NO/PE:PE"), { name: "BadSymbol" });
    const limit = `${FAPI}klines?symbol=BTCUSDT&interval=1m&limit=1500`;
    const { json } = await ask(encodeURIComponent(limit));
    assert.equal((json as unknown[]).length, 1_500);
  }));

Deno.test("CCXT reads tickers of both kinds whose turnover follows the contracts' scale", () =>
  withKinds(async ({ client }) => {
    await client.loadMarkets();
    const tickers = {
      ...await client.fetchTickers(undefined, { type: "swap", subType: "linear" }),
      ...await client.fetchTickers(undefined, { type: "swap", subType: "inverse" }),
    };
    for (const { symbol, quoteVolume24h } of LOCAL_CONTRACTS) {
      const ratio = Number(tickers[symbol]?.quoteVolume) / quoteVolume24h;
      assert(ratio > 0.25 && ratio < 2, `${symbol} ${ratio}`);
    }
    assert.equal(Object.keys(tickers).length, LOCAL_CONTRACTS.length);
  }));

Deno.test("a dated future ends at its expiry: no ticker, no candle after it, not trading", () => {
  const nowMs = EXPIRY_MS + 30_000;
  return withKinds(async ({ client, exchange }) => {
    const markets = await client.loadMarkets();
    assert.equal(markets["BTC/USDT:USDT-241227"]?.active, false);
    assert.equal(markets["BTC/USD:BTC-241227"]?.active, false);
    assert.equal(markets["BTC/USD:BTC"]?.active, true);
    for (const symbol of ["BTC/USDT:USDT-241227", "BTC/USD:BTC-241227"]) {
      const rows = await client.fetchOHLCV(symbol, "1m", EXPIRY_MS - 3 * MINUTE_MS, 10);
      assert.equal(rows.at(-1)?.[0], EXPIRY_MS - MINUTE_MS);
      assert.equal(rows.length, 3);
      const window = { sinceMs: EXPIRY_MS - 3 * MINUTE_MS, untilMs: Infinity };
      for (const ending of ["", "@mark", "@index", "@premium"]) {
        assert.equal(exchange.truth(symbol + ending, MINUTE, window).length, 3);
      }
    }
    const tickers = await client.fetchTickers(undefined, { type: "swap", subType: "inverse" });
    assert.deepEqual(Object.keys(tickers).sort(), ["BTC/USD:BTC", "ETH/USD:ETH"]);
  }, { clock: { ...STILL_CLOCK, now: () => nowMs } });
});

Deno.test("spot and each kind of futures know their own markets only", () =>
  withKinds(async ({ exchange, ask }) => {
    const count = async (url: string): Promise<number> => {
      const { json } = await ask(url);
      return (json as { symbols: unknown[] }).symbols.length;
    };
    assert.equal(
      await count("https://api.binance.com/api/v3/exchangeInfo"),
      LOCAL_SYMBOLS.length,
    );
    assert.equal(await count(`${FAPI}exchangeInfo`), 3);
    assert.equal(await count(`${DAPI}exchangeInfo`), 3);
    const spot = `https://api.binance.com/api/v3/klines?symbol=BTCUSD_PERP&interval=1m`;
    assert.equal((await ask(encodeURIComponent(spot))).status, 400);
    const window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + HOUR_MS };
    const opens = ["BTC/USDT", "BTC/USDT:USDT", "BTC/USDT:USDT@mark", "BTC/USDT:USDT-241227"]
      .map((symbol) => exchange.truth(symbol, MINUTE, window).map(({ open }) => open).join());
    assert.equal(new Set(opens).size, 4, "one taken for another would show");
    assert.deepEqual(
      exchange.truth("BTC/USD:BTC@index", MINUTE, window),
      exchange.truth("BTC/USD:BTC-241227@index", MINUTE, window),
    );
    assert.throws(() => exchange.truth("BTC/USDT@mark", MINUTE, window), RangeError);
  }));

Deno.test("a perpetual with another funding interval is named by fundingInfo, and paid by it", () => {
  const symbol = contract("BTC/USDT:USDT", {
    ...{ tickDecimals: 1, price: 62_000, quoteVolume24h: 1_000_000_000, size: 0.001 },
    fundingMs: 4 * HOUR_MS,
    listedAtMs: NOW_MS - DAY_MS,
  });
  return withKinds(async ({ exchange, ask }) => {
    const { json } = await ask(`${FAPI}fundingInfo`);
    assert.deepEqual((json as { fundingIntervalHours: number }[])[0]?.fundingIntervalHours, 4);
    const rates = exchange.funding("BTC/USDT:USDT", { sinceMs: 0, untilMs: Infinity });
    assert.equal(rates.length, 6);
    assert.equal(rates.at(-1)?.timeMs, NOW_MS - 30_000);
  }, { symbols: [symbol] });
});
