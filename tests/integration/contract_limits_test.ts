/** What is known of requests for candles of contracts, beside what CCXT's classes say and send. */
import assert from "node:assert/strict";
import { CandleRequests } from "../../lib/exchange/candle_request.ts";
import { type CcxtExchange, type CcxtMarket, openCcxt } from "../../lib/exchange/ccxt.ts";
import { CONTRACT_LIMITS } from "../../lib/exchange/contract_limits.ts";
import {
  announcedRows,
  candleLimits,
  isTimeframeTrue,
  newestCandlesMax,
  pageRowsOf,
} from "../../lib/exchange/limits.ts";
import { askUnsent } from "../../lib/exchange/unsent.ts";
import { type MarketClass, marketClassOf } from "../../lib/market/market_class.ts";
import { marketSymbol } from "../../lib/market/price.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";

const DAY_MS = 86_400_000;

const open = (id: string): Promise<CcxtExchange> =>
  openCcxt(id, { config: {}, spotOnly: false, onCost: () => {} });

async function rowsOf(id: string, marketClass: MarketClass, timeframe: string): Promise<number> {
  const announced = announcedRows((await open(id)).features, marketClass);
  return pageRowsOf(candleLimits(id, marketClass, announced), timeframe);
}

/** Rows of a page, of `1m` and `1d`: of trades of linear and of inverse contracts, and of linear mark prices. */
const PAGES = {
  binance: [[1000, 1000], [1000, 200], [1000, 1000]],
  binanceusdm: [[1000, 1000], [1000, 200], [1000, 1000]],
  bingx: [[1440, 1440], [1000, 1000], [1440, 1440]],
  bitget: [[200, 90], [200, 90], [200, 90]],
  bybit: [[1000, 1000], [1000, 1000], [1000, 1000]],
  gate: [[1999, 1999], [1999, 1999], [1999, 1999]],
  htx: [[2000, 2000], [2000, 2000], [2000, 2000]],
  kucoin: [[500, 500], [500, 500], [1500, 1500]],
  mexc: [[2000, 2000], [2000, 2000], [2000, 2000]],
  okx: [[300, 300], [300, 300], [100, 100]],
  phemex: [[2000, 2000], [1000, 1000], [100, 100]],
  // Nothing is known of a mark price that no table has a row for.
  delta: [[2000, 2000], [2000, 2000], [100, 100]],
} as const;

Deno.test("each class of an exchange's markets has its own page limit, which may depend on the timeframe", async () => {
  for (const [id, pages] of Object.entries(PAGES)) {
    const found: number[][] = [];
    for (const marketClass of ["linear", "inverse", "linear@mark"] as const) {
      found.push([await rowsOf(id, marketClass, "1m"), await rowsOf(id, marketClass, "1d")]);
    }
    assert.deepEqual(found, pages, id);
  }
});

Deno.test("of spot markets all is as before", async () => {
  assert.equal(await rowsOf("binance", "spot", "1d"), 1000);
  assert.equal(await rowsOf("mexc", "spot", "1m"), 500);
  assert.equal(await rowsOf("kucoin", "spot", "1m"), 1500);
});

Deno.test("the table of contracts says nothing that CCXT's features say right, and names only exchanges that CCXT has", async () => {
  for (const [id, { all, linear, inverse }] of Object.entries(CONTRACT_LIMITS)) {
    const { features } = await open(id);
    for (const [kind, own] of [["linear", linear], ["inverse", inverse]] as const) {
      const announced = announcedRows(features, kind);
      const known = own?.pageRowsMax ?? all?.pageRowsMax;
      if (known !== undefined) assert.notEqual(announced, known, `${id} ${kind}`);
    }
  }
});

/** Where CCXT's class has the names of the intervals of each kind of market. */
const INTERVALS = {
  bitget: {
    spot: ["fetchOHLCV", "timeframes", "spot"],
    linear: ["fetchOHLCV", "timeframes", "swap"],
  },
  bitrue: { spot: ["timeframes", "spot"], linear: ["timeframes", "future"] },
  kucoin: { linear: ["timeframes", "swap"] },
  mexc: { spot: ["timeframes", "spot"], linear: ["timeframes", "swap"] },
  weex: { spot: ["timeframes", "spot"], linear: ["timeframes", "contract"] },
} as const;

Deno.test("a timeframe is left out of the kinds of markets for which CCXT's class has no name for it", async () => {
  for (const [id, kinds] of Object.entries(INTERVALS)) {
    const { options, timeframes = {} } = await open(id);
    for (const [kind, path] of Object.entries(kinds)) {
      let names: unknown = options;
      for (const key of path) names = (names as Record<string, unknown>)[key];
      const lacked = Object.keys(timeframes).filter((text) =>
        (names as Record<string, unknown>)[text] === undefined
      );
      const said = Object.keys(timeframes).filter((text) =>
        !isTimeframeTrue(id, kind as MarketClass, text)
      );
      assert.deepEqual(said, lacked, `${id} ${kind}`);
    }
  }
});

Deno.test("how many newest candles an exchange has is known by kind", () => {
  const kept = (exchange: string, symbol: string): number | undefined =>
    newestCandlesMax({ exchange, symbol, timeframe: parseTimeframe("1m") });
  assert.deepEqual([kept("gate", "BTC/USDT"), kept("gate", "BTC/USDT:USDT")], [9_998, 9_998]);
  assert.deepEqual([kept("kraken", "BTC/USD"), kept("kraken", "BTC/USD:USD")], [719, undefined]);
  assert.deepEqual([kept("htx", "BTC/USDT:USDT"), kept("htx", "BTC/USDT:USDT@mark")], [
    undefined,
    2000,
  ]);
});

const TRUE = { contract: true, active: true, type: "swap", swap: true, spot: false } as const;

/** A perpetual as CCXT's classes make it, as far as requests for candles read it. */
function perpetual(symbol: string): CcxtMarket {
  const [, base = "", quote = "", settle = ""] = /^(.+)\/(.+):(.+)$/.exec(symbol) ?? [];
  const isInverse = marketClassOf(symbol) === "inverse";
  const names = { id: `${base}-${quote}`, base, quote, settle, settleId: settle.toLowerCase() };
  return { ...TRUE, symbol, ...names, linear: !isInverse, inverse: isInverse } as CcxtMarket;
}

/** What is sent for a whole page that ends a month ago. */
async function sentFor(
  id: string,
  symbol: string,
  text: string,
): Promise<{ readonly url: URL; readonly sinceMs: number; readonly untilMs: number }> {
  const clock = new TestClock();
  const timeframe = parseTimeframe(text);
  const series = { exchange: id, symbol, timeframe };
  const rowsMax = await rowsOf(id, marketClassOf(symbol), text);
  const untilMs = closedUntil(timeframe, START_MS - 60 * DAY_MS);
  const window = { sinceMs: addCandles(timeframe, untilMs, -rowsMax), untilMs };
  const ccxt = await open(id);
  const market = perpetual(marketSymbol(symbol));
  ccxt.setMarkets([market]);
  const requests = new CandleRequests({ open: () => open(id), clock });
  const { ask, isSinceSent } = await requests.of(ccxt, { series, window }, { rowsMax });
  assert(isSinceSent, `${id} ${symbol}`);
  const { requests: [sent = ""] } = await askUnsent(await open(id), market, ask);
  return { url: new URL(sent.split(" ")[0] ?? ""), ...window };
}

Deno.test("a request for a page of Binance's inverse days spans no more than the 200 days it may", async () => {
  const { url, sinceMs, untilMs } = await sentFor("binance", "BTC/USD:BTC", "1d");
  const [start, end] = ["startTime", "endTime"].map((name) => Number(url.searchParams.get(name)));
  assert.deepEqual([start, (end ?? 0) + 1], [sinceMs, untilMs]);
  assert(untilMs - sinceMs <= 200 * DAY_MS);
});

Deno.test("a request for a page of Bitget's contracts asks for the whole of it", async () => {
  for (const text of ["1h", "1d", "1w"]) {
    const { url, sinceMs, untilMs } = await sentFor("bitget", "BTC/USDT:USDT", text);
    assert.equal(url.searchParams.get("startTime"), String(sinceMs), text);
    assert.equal(url.searchParams.get("endTime"), String(untilMs), text);
  }
});

Deno.test("of contracts of htx and mexc a window is asked for, and no number of rows", async () => {
  for (const symbol of ["BTC/USDT:USDT", "BTC/USD:BTC"]) {
    for (const [id, from, to] of [["htx", "from", "to"], ["mexc", "start", "end"]] as const) {
      const { url: { searchParams }, sinceMs, untilMs } = await sentFor(id, symbol, "1h");
      assert.equal(searchParams.get(from), String(sinceMs / 1000), id);
      assert.equal(searchParams.get(to), String(untilMs / 1000 - 1), id);
      assert.deepEqual([searchParams.get("size"), searchParams.get("limit")], [null, null], id);
    }
  }
});
