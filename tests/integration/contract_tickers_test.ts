/**
 * How much is traded in perpetuals, as the exchanges' own tickers say it: each real class of CCXT asks a server for the
 * tickers of one kind, and parses an answer in that exchange's format.
 * @module
 */
import assert from "node:assert/strict";
import { runCall } from "../../lib/exchange/call.ts";
import { type CcxtMarket, type CcxtTicker, openCcxt } from "../../lib/exchange/ccxt.ts";
import { tickerAsks, withOptions } from "../../lib/exchange/ticker_asks.ts";
import { turnoverOf } from "../../lib/exchange/ticker_turnover.ts";

interface Case {
  readonly kind: "linear" | "inverse";
  /** The market: its id, base, and what a contract is worth, in base or in quote. */
  readonly market: readonly [id: string, base: string, size: number];
  /** @default USDT of linear, USD of inverse */
  readonly quote?: string;
  /** Where its tickers are, and which parameters choose the kind. */
  readonly asked: string;
  readonly answer: unknown;
  /** The turnover of 24 hours in the quote currency. */
  readonly turnover: number;
}

/**
 * Answers as the documents and CCXT's comments have them, cut to the fields that matter. Of an inverse contract 100 million
 * dollars are traded unless a sample says otherwise.
 */
const CASES: Readonly<Record<string, Case>> = {
  "binance USD-M": {
    kind: "linear",
    market: ["BTCUSDT", "BTC", 1],
    asked: "fapi.binance.com/fapi/v1/ticker/24hr",
    answer: [{
      ...{ symbol: "BTCUSDT", lastPrice: "65010.10", weightedAvgPrice: "64900.00" },
      ...{ volume: "263803.282", quoteVolume: "17120833001.80", closeTime: 1_710_000_000_000 },
    }],
    turnover: 17_120_833_001.8,
  },
  "binance COIN-M, whose volume counts contracts": {
    kind: "inverse",
    market: ["BTCUSD_PERP", "BTC", 100],
    asked: "dapi.binance.com/dapi/v1/ticker/24hr",
    answer: [{
      ...{ symbol: "BTCUSD_PERP", pair: "BTCUSD", lastPrice: "37993.4", volume: "81990451" },
      ...{ baseVolume: "214549.95171161", weightedAvgPrice: "38215.08713747" },
      closeTime: 1_621_965_286_847,
    }],
    turnover: 8_199_045_100,
  },
  "bybit linear": {
    kind: "linear",
    market: ["BTCUSDT", "BTC", 1],
    asked: "api.bybit.com/v5/market/tickers?category=linear",
    answer: bybit({
      ...{ symbol: "BTCUSDT", lastPrice: "65000", openInterestValue: "1" },
      ...{ turnover24h: "6500000000", volume24h: "100000" },
    }),
    turnover: 6_500_000_000,
  },
  "bybit inverse, whose turnover is in coins": {
    kind: "inverse",
    market: ["BTCUSD", "BTC", 1],
    asked: "api.bybit.com/v5/market/tickers?category=inverse",
    answer: bybit({
      ...{ symbol: "BTCUSD", lastPrice: "16597.00", openInterestValue: "22505.67" },
      ...{ turnover24h: "2352.94950046", volume24h: "49337318" },
    }),
    turnover: 49_337_318,
  },
  "okx linear, of which contracts are counted": {
    kind: "linear",
    market: ["BTC-USDT-SWAP", "BTC", 0.01],
    asked: "okx.com/api/v5/market/tickers?instType=SWAP",
    answer: okx({ instId: "BTC-USDT-SWAP", last: "65000", volCcy24h: "50000", vol24h: "5000000" }),
    turnover: 50_000 * 65_000,
  },
  "okx inverse, of which contracts are counted": {
    kind: "inverse",
    market: ["BTC-USD-SWAP", "BTC", 100],
    asked: "okx.com/api/v5/market/tickers?instType=SWAP",
    answer: okx({ instId: "BTC-USD-SWAP", last: "50000", volCcy24h: "2000", vol24h: "1000000" }),
    turnover: 100_000_000,
  },
  "gate linear": {
    kind: "linear",
    market: ["BTC_USDT", "BTC", 0.0001],
    asked: "gateio.ws/api/v4/futures/usdt/tickers",
    answer: [gate({ contract: "BTC_USDT", last: "65000", volume_24h: "500000000" }, {
      ...{ base: "50000", quote: "3250000000", settle: "3250000000" },
    })],
    turnover: 3_250_000_000,
  },
  "gate inverse, in coins of their own list": {
    kind: "inverse",
    market: ["BTC_USD", "BTC", 1],
    asked: "gateio.ws/api/v4/futures/btc/tickers",
    answer: [gate({ contract: "BTC_USD", last: "6432", volume_24h: "184040233284" }, {
      ...{ base: "28613220", quote: "184040233284", settle: "28613220" },
    })],
    turnover: 184_040_233_284,
  },
  "kucoin linear": {
    kind: "linear",
    market: ["XBTUSDTM", "BTC", 0.001],
    asked: "api-futures.kucoin.com/api/v1/contracts/active",
    answer: {
      code: "200000",
      data: [{
        ...{ symbol: "XBTUSDTM", lastTradePrice: 67_191.8 },
        ...{ turnoverOf24h: 659_795_309.2524643, volumeOf24h: 9_998.54 },
      }],
    },
    turnover: 659_795_309.25,
  },
  "kucoin inverse, whichever of its two volumes is in coins": {
    kind: "inverse",
    market: ["XBTUSDM", "BTC", 1],
    asked: "api-futures.kucoin.com/api/v1/contracts/active",
    answer: {
      code: "200000",
      data: [{
        ...{ symbol: "XBTUSDM", lastTradePrice: 50_000 },
        ...{ turnoverOf24h: 2_010.5, volumeOf24h: 100_000_000 },
      }],
    },
    turnover: 100_000_000,
  },
  "bitget linear": {
    kind: "linear",
    market: ["BTCUSDT", "BTC", 1],
    asked: "api.bitget.com/api/v2/mix/market/tickers?productType=USDT-FUTURES",
    answer: bitget({
      ...{ symbol: "BTCUSDT", lastPr: "104823.8", markPrice: "104824.2" },
      ...{ baseVolume: "79089.5675", quoteVolume: "8274870921.80485" },
    }),
    turnover: 8_274_870_921.8,
  },
  "bitget linear, of another quote": {
    kind: "linear",
    market: ["BTCPERP", "BTC", 1],
    quote: "USDC",
    asked: "api.bitget.com/api/v2/mix/market/tickers?productType=USDC-FUTURES",
    answer: bitget({
      ...{ symbol: "BTCPERP", lastPr: "50000", markPrice: "50000" },
      ...{ baseVolume: "200", quoteVolume: "10000000" },
    }),
    turnover: 10_000_000,
  },
  "bitget inverse": {
    kind: "inverse",
    market: ["BTCUSD", "BTC", 1],
    asked: "api.bitget.com/api/v2/mix/market/tickers?productType=COIN-FUTURES",
    answer: bitget({
      ...{ symbol: "BTCUSD", lastPr: "50000", markPrice: "50000" },
      ...{ baseVolume: "2000", quoteVolume: "100000000" },
    }),
    turnover: 100_000_000,
  },
  "htx linear, whose vol counts contracts": {
    kind: "linear",
    market: ["BTC-USDT", "BTC", 0.001],
    asked: "linear-swap-ex/market/detail/batch_merged?business_type=swap",
    answer: {
      status: "ok",
      ticks: [{
        ...{ contract_code: "BTC-USDT", close: "65000", open: "64000", business_type: "swap" },
        ...{ amount: "20000", vol: "20000000", trade_turnover: "1299000000" },
      }],
    },
    turnover: 1_300_000_000,
  },
  "htx inverse, whose vol counts contracts": {
    kind: "inverse",
    market: ["TRX-USD", "TRX", 10],
    asked: "swap-ex/market/detail/batch_merged",
    answer: {
      status: "ok",
      ticks: [{
        ...{ contract_code: "TRX-USD", close: "0.10644", open: "0.10233" },
        ...{ amount: "2340267.415144052378486261756692535687481566", vol: "24706" },
      }],
    },
    turnover: 247_060,
  },
  "mexc linear, whose volume counts contracts": {
    kind: "linear",
    market: ["ETH_USDT", "ETH", 0.01],
    asked: "mexc.com/api/v1/contract/ticker",
    answer: mexc({
      ...{ symbol: "ETH_USDT", lastPrice: 3_581.3 },
      ...{ volume24: 4_045_530, amount24: 141_331_823.5755 },
    }),
    turnover: 141_331_823.58,
  },
  "mexc linear, where price and size hide what is counted": {
    kind: "linear",
    market: ["DOGE_USDT", "DOGE", 100],
    asked: "mexc.com/api/v1/contract/ticker",
    answer: mexc({
      symbol: "DOGE_USDT",
      lastPrice: 0.1,
      volume24: 4_000_000,
      amount24: 40_000_000,
    }),
    turnover: 40_000_000,
  },
  "mexc inverse, whichever of its two volumes is in coins": {
    kind: "inverse",
    market: ["BTC_USD", "BTC", 100],
    asked: "mexc.com/api/v1/contract/ticker",
    answer: mexc({ symbol: "BTC_USD", lastPrice: 50_000, volume24: 1_000_000, amount24: 2_011.2 }),
    turnover: 100_000_000,
  },
  "bingx linear": {
    kind: "linear",
    market: ["BTC-USDT", "BTC", 1],
    asked: "openApi/swap/v2/quote/ticker",
    answer: bingx({
      ...{ symbol: "BTC-USDT", lastPrice: "16880.5", lastQty: "2.2238" },
      ...{ volume: "245870.1692", quoteVolume: "4151395117.73" },
    }),
    turnover: 4_151_395_117.73,
  },
  "bingx inverse, whose volume counts contracts": {
    kind: "inverse",
    market: ["SOL-USD", "SOL", 10],
    asked: "openApi/cswap/v1/market/ticker",
    answer: bingx({
      ...{ symbol: "SOL-USD", lastPrice: "140.574", lastQty: "1" },
      ...{ volume: "1464648.00", quoteVolume: "102928.12" },
    }),
    turnover: 14_646_480,
  },
};

for (const [name, one] of Object.entries(CASES)) {
  Deno.test(`the turnover of a perpetual is in its quote currency: ${name}`, async () => {
    const [id = ""] = name.split(" ");
    const urls: string[] = [];
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => {
        const { origin } = new URL(request.url);
        urls.push(decodeURIComponent(request.url.slice(origin.length + 1)));
        return Response.json(one.answer);
      },
    );
    try {
      const market = marketOf(one);
      const ccxt = await openCcxt(id, {
        config: { proxyUrl: `http://127.0.0.1:${server.addr.port}/` },
        spotOnly: false,
        onCost: () => {},
      });
      ccxt.setMarkets([market]);
      const before = { ...ccxt.options };
      const tickers: Record<string, CcxtTicker> = {};
      for (const { options, params } of tickerAsks(id, one.kind, [market.quote])) {
        const fetch = (): Promise<Readonly<Record<string, CcxtTicker>>> =>
          ccxt.fetchTickers(undefined, params);
        Object.assign(
          tickers,
          await runCall(undefined, () => withOptions(ccxt, options, fetch)),
        );
      }
      assert.equal(urls.length, 1, urls.join());
      assert.ok(urls[0]?.includes(one.asked), urls[0]);
      const turnover = turnoverOf(id, market, tickers[market.symbol]);
      // What is converted by the last price differs by how prices moved within the day.
      assert.ok(Math.abs(turnover / one.turnover - 1) < 0.01, `${turnover} is not ${one.turnover}`);
      assert.deepEqual(ccxt.options, before, "the instance is as it was");
    } finally {
      await server.shutdown();
    }
  });
}

function marketOf({ kind, market: [id, base, contractSize], quote: named }: Case): CcxtMarket {
  const isLinear = kind === "linear";
  const quote = named ?? (isLinear ? "USDT" : "USD");
  const settle = isLinear ? quote : base;
  const flags = {
    ...{ spot: false, margin: false, swap: true, future: false, option: false, index: false },
    ...{ contract: true, active: true, linear: isLinear, inverse: !isLinear, type: "swap" },
  };
  const names = { base, quote, settle, baseId: base, quoteId: quote, settleId: settle };
  return { id, symbol: `${base}/${quote}:${settle}`, ...names, ...flags, contractSize };
}

function bybit(ticker: unknown): unknown {
  return { retCode: 0, retMsg: "OK", result: { category: "", list: [ticker] }, time: 1 };
}

function okx(ticker: object): unknown {
  return { code: "0", msg: "", data: [{ instType: "SWAP", ts: "1621440583784", ...ticker }] };
}

/** Volumes of the day, in each of the currencies. */
function gate(
  ticker: object,
  volumes: { readonly base: string; readonly quote: string; readonly settle: string },
): unknown {
  const named = Object.entries(volumes).map(([unit, volume]) => [`volume_24h_${unit}`, volume]);
  return { ...ticker, ...Object.fromEntries(named), mark_price: "1", index_price: "1" };
}

function bitget(ticker: unknown): unknown {
  return { code: "00000", msg: "success", requestTime: 1, data: [ticker] };
}

function mexc(ticker: object): unknown {
  return { success: true, code: 0, data: [{ timestamp: 1_634_162_885_016, ...ticker }] };
}

function bingx(ticker: unknown): unknown {
  return { code: 0, msg: "", data: [ticker] };
}
