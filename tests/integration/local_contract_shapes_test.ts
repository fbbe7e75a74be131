/** The shapes of Binance's futures answers, held against its documentation, and faults in them. @module */
import assert from "node:assert/strict";
import { binanceStream } from "../../lib/local_exchange/binance_stream.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import { LOCAL_CONTRACTS } from "../../lib/local_exchange/contract.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ccxtClient } from "../support/dialects/ccxt_client.ts";
import { DAPI, FAPI, withKinds } from "../support/dialects/binance_kinds.ts";
import { NOW_MS } from "../support/dialects/local_client.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const SINCE_MS = NOW_MS - 30_000 - 60 * MINUTE_MS;
const ROWS = `interval=1m&startTime=${SINCE_MS}&endTime=${SINCE_MS + MINUTE_MS - 1}`;

const CLASSES = [["binanceusdm", "ETH/USDT:USDT"], ["binancecoinm", "ETH/USD:ETH"]] as const;

/** Each value's form: the type of JSON, and of text its decimals. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value === "string") {
    if (!/^-?\d+(\.\d+)?$/.test(value)) return value;
    return `${value.split(".")[1]?.length ?? 0} decimals`;
  }
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shapeOf(one)]));
}

/** A row of candles: the texts' decimals. */
function row(decimals: readonly (number | "number")[]): unknown[] {
  return decimals.map((one) => one === "number" ? one : `${one} decimals`);
}

const SHAPES: readonly [name: string, url: string, shape: unknown][] = [
  [
    "candles of USD-M",
    `${FAPI}klines?symbol=BTCUSDT&${ROWS}`,
    [row(["number", 1, 1, 1, 1, 3, "number", 4, "number", 8, 8, 0])],
  ],
  [
    "candles of COIN-M",
    `${DAPI}klines?symbol=BTCUSD_PERP&${ROWS}`,
    [row(["number", 1, 1, 1, 1, 0, "number", 8, "number", 8, 8, 0])],
  ],
  ...[
    `${FAPI}markPriceKlines?symbol=BTCUSDT`,
    `${FAPI}indexPriceKlines?pair=BTCUSDT`,
    `${FAPI}premiumIndexKlines?symbol=BTCUSDT`,
    `${DAPI}markPriceKlines?symbol=BTCUSD_241227`,
    `${DAPI}indexPriceKlines?pair=BTCUSD`,
    `${DAPI}premiumIndexKlines?symbol=BTCUSD_PERP`,
  ].map((url): [string, string, unknown] => [
    url,
    `${url}&${ROWS}`,
    [row(["number", 8, 8, 8, 8, 0, "number", 0, "number", 0, 0, 0])],
  ]),
  [
    "funding of USD-M",
    `${FAPI}fundingRate?symbol=BTCUSDT&limit=1`,
    [{
      symbol: "BTCUSDT",
      fundingTime: "number",
      fundingRate: "8 decimals",
      markPrice: "8 decimals",
    }],
  ],
  [
    "funding of USD-M before the mark price was told",
    `${FAPI}fundingRate?symbol=BTCUSDT&limit=1&startTime=${Date.UTC(2022, 0)}`,
    [{ symbol: "BTCUSDT", fundingTime: "number", fundingRate: "8 decimals", markPrice: "" }],
  ],
  [
    "funding of COIN-M",
    `${DAPI}fundingRate?symbol=BTCUSD_PERP&limit=1`,
    [{ symbol: "BTCUSD_PERP", fundingTime: "number", fundingRate: "8 decimals" }],
  ],
  [
    "the prices of a perpetual of USD-M",
    `${FAPI}premiumIndex?symbol=BTCUSDT`,
    {
      ...{ symbol: "BTCUSDT", markPrice: "8 decimals", indexPrice: "8 decimals" },
      ...{ estimatedSettlePrice: "8 decimals", lastFundingRate: "8 decimals" },
      ...{ interestRate: "8 decimals", nextFundingTime: "number", time: "number" },
    },
  ],
  [
    "the prices of a dated future of COIN-M",
    `${DAPI}premiumIndex?symbol=BTCUSD_241227`,
    [{
      ...{ symbol: "BTCUSD_241227", pair: "BTCUSD" },
      ...{ markPrice: "8 decimals", indexPrice: "8 decimals", estimatedSettlePrice: "8 decimals" },
      ...{ lastFundingRate: "", interestRate: "", nextFundingTime: "number", time: "number" },
    }],
  ],
  [
    "the day of a contract of USD-M",
    `${FAPI}ticker/24hr?symbol=ETHUSDT`,
    {
      ...{ symbol: "ETHUSDT", priceChange: "2 decimals", priceChangePercent: "3 decimals" },
      ...{ weightedAvgPrice: "2 decimals", lastPrice: "2 decimals", lastQty: "0 decimals" },
      ...{ openPrice: "2 decimals", highPrice: "2 decimals", lowPrice: "2 decimals" },
      ...{ volume: "8 decimals", quoteVolume: "8 decimals" },
      ...{ openTime: "number", closeTime: "number" },
      ...{ firstId: "number", lastId: "number", count: "number" },
    },
  ],
  [
    "the day of a contract of COIN-M",
    `${DAPI}ticker/24hr?symbol=ETHUSD_PERP`,
    [{
      ...{ symbol: "ETHUSD_PERP", pair: "ETHUSD" },
      ...{ priceChange: "2 decimals", priceChangePercent: "3 decimals" },
      ...{ weightedAvgPrice: "2 decimals", lastPrice: "2 decimals", lastQty: "0 decimals" },
      ...{ openPrice: "2 decimals", highPrice: "2 decimals", lowPrice: "2 decimals" },
      ...{ volume: "0 decimals", baseVolume: "8 decimals" },
      ...{ openTime: "number", closeTime: "number" },
      ...{ firstId: "number", lastId: "number", count: "number" },
    }],
  ],
];

Deno.test("answers about futures have the fields, types and decimals that Binance documents", () =>
  withKinds(async ({ ask }) => {
    for (const [name, url, shape] of SHAPES) {
      const { status, json } = await ask(encodeURIComponent(url));
      assert.equal(status, 200, name);
      assert.deepEqual(shapeOf(json), shape, name);
    }
  }));

Deno.test("the lists of contracts have the fields of which Binance says what a contract is", () =>
  withKinds(async ({ ask }) => {
    const listed = async (url: string, id: string): Promise<Record<string, unknown>> => {
      const { json } = await ask(`${url}exchangeInfo`);
      const { symbols } = json as { symbols: Record<string, unknown>[] };
      return symbols.find(({ symbol }) => symbol === id) ?? assert.fail(id);
    };
    const linear = await listed(FAPI, "BTCUSDT");
    const inverse = await listed(DAPI, "BTCUSD_241227");
    const told = (
      { contractType, pair, status, contractStatus, contractSize, deliveryDate, marginAsset }:
        Record<string, unknown>,
    ): unknown[] => [
      ...[contractType, pair, status, contractStatus, contractSize, deliveryDate, marginAsset],
    ];
    assert.deepEqual(
      told(linear),
      ["PERPETUAL", "BTCUSDT", "TRADING", undefined, undefined, 4_133_404_800_000, "USDT"],
    );
    const expiryMs = Date.UTC(2024, 11, 27, 8);
    assert.deepEqual(
      told(inverse),
      ["NEXT_QUARTER", "BTCUSD", undefined, "TRADING", 100, expiryMs, "BTC"],
    );
    assert.deepEqual([linear["onboardDate"], linear["quantityPrecision"]], [
      Date.UTC(2019, 8, 8, 17, 57),
      3,
    ]);
  }));

Deno.test("faults strike one kind, one host or one price, and leave the others", () =>
  withKinds(async ({ exchange, ask }) => {
    const linear = encodeURIComponent(`${FAPI}klines?symbol=BTCUSDT&${ROWS}`);
    const mark = encodeURIComponent(`${FAPI}markPriceKlines?symbol=BTCUSDT&${ROWS}`);
    const inverse = encodeURIComponent(`${DAPI}klines?symbol=BTCUSD_PERP&${ROWS}`);
    const spot = encodeURIComponent(`https://api.binance.com/api/v3/klines?symbol=BTCUSDT&${ROWS}`);
    const all = [linear, mark, inverse, spot];
    const statuses = async (): Promise<number[]> => {
      const answers = [];
      for (const url of all) answers.push((await ask(url)).status);
      return answers;
    };
    const fault = { kind: "status", status: 503 } as const;
    const cases = [
      [{ host: "fapi.binance.com" }, [503, 503, 200, 200]],
      [{ path: "linear/klines" }, [503, 200, 200, 200]],
      [{ symbol: "BTC/USDT:USDT@mark" }, [200, 503, 200, 200]],
      [{ path: "klines" }, [200, 200, 200, 503]],
      [{ path: "inverse/klines" }, [200, 200, 503, 200]],
    ] as const;
    for (const [when, expected] of cases) {
      const rule = exchange.faults.add({ when, fault });
      assert.deepEqual(await statuses(), expected, JSON.stringify(when));
      rule.remove();
    }
    assert.deepEqual(await statuses(), [200, 200, 200, 200]);
  }));

Deno.test("funding rates can be cut, doubled, out of order or full of holes", () =>
  withKinds(async ({ exchange, ask }) => {
    const sinceMs = NOW_MS - 3 * DAY_MS;
    const url = encodeURIComponent(`${FAPI}fundingRate?symbol=BTCUSDT&startTime=${sinceMs}`);
    const times = async (): Promise<number[]> => {
      const { json } = await ask(url);
      return (json as { fundingTime: number }[]).map(({ fundingTime }) => fundingTime);
    };
    const truth = await times();
    const [first, second] = truth as [number, number];
    assert.equal(truth.length, 9);
    const cases = [
      [{ kind: "short_page", rows: 2 }, truth.slice(0, 2)],
      [{ kind: "moved_start", rows: 2 }, truth.slice(-2)],
      [{ kind: "empty_page" }, []],
      [{ kind: "duplicate_rows" }, [first, ...truth]],
      [{ kind: "unordered_rows" }, [...truth.slice(5), ...truth.slice(0, 5)]],
      [{ kind: "holes", sinceMs: first, untilMs: second }, truth.slice(1)],
      [{ kind: "bad_value", value: "nan_text" }, truth],
    ] as const;
    for (const [fault, expected] of cases) {
      const when = { about: "funding", symbol: "BTC/USDT:USDT", sinceMs, untilMs: NOW_MS } as const;
      const rule = exchange.faults.add({ when, fault });
      assert.deepEqual(await times(), expected, fault.kind);
      assert.equal(rule.struck, fault.kind === "bad_value" ? 0 : 1, fault.kind);
      rule.remove();
    }
    exchange.faults.add({ when: { about: "funding" }, fault: { kind: "truncated" } });
    await assert.rejects(times(), SyntaxError);
  }));

Deno.test("a rate limit of one host leaves the others", () =>
  withKinds(async ({ exchange, ask }) => {
    const statuses = [];
    const spot = "https://api.binance.com/api/v3/time";
    for (const url of [`${FAPI}time`, `${FAPI}time`, `${FAPI}time`, `${DAPI}time`, spot, spot]) {
      statuses.push((await ask(url)).status);
    }
    assert.deepEqual(statuses, [200, 200, 429, 200, 200, 429]);
    assert.equal(exchange.requests[2]?.endpoint, "linear/time");
  }, {
    symbols: [...LOCAL_SYMBOLS, ...LOCAL_CONTRACTS],
    rateLimit: [{ host: "fapi.binance.com", perSecond: 2 }, { perSecond: 4 }],
  }));

Deno.test("the classes for USD-M and COIN-M alone read the same server without a proxy", () =>
  withKinds(async ({ exchange }) => {
    for (const [id, symbol] of CLASSES) {
      const client = await ccxtClient(id, exchange.url);
      const markets = Object.values(await client.loadMarkets());
      assert.deepEqual([markets.length, markets.some(({ spot }) => spot)], [3, false], id);
      const [row] = await client.fetchOHLCV(symbol, "1m", SINCE_MS, 1);
      const window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + MINUTE_MS };
      const [candle] = exchange.truth(symbol, parseTimeframe("1m"), window);
      assert.equal(Number(row?.[5]), Number(candle?.volume));
    }
  }));

Deno.test("the stream of spot candles knows no contract, however alike the ids are", () => {
  const text = JSON.stringify({ method: "SUBSCRIBE", params: ["btcusdt@kline_1m"], id: 1 });
  const subscribed = (symbols: readonly LocalSymbol[]) =>
    binanceStream.readAsk(text, symbols).subscribed?.map(({ symbol }) => symbol.symbol);
  assert.deepEqual(subscribed(LOCAL_CONTRACTS), []);
  assert.deepEqual(subscribed([...LOCAL_CONTRACTS, ...LOCAL_SYMBOLS]), ["BTC/USDT"]);
});
