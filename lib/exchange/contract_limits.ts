/** Limits of each exchange's requests for candles of contracts that CCXT does not know, or states wrongly. @module */
import { type CandleLimits, SPOT_LIMITS } from "./spot_limits.ts";

/** What is known of an exchange's contracts: of all, of a kind, and of candles of another price. The latter count more. */
interface ContractLimits {
  readonly all?: CandleLimits | undefined;
  readonly linear?: CandleLimits;
  readonly inverse?: CandleLimits;
  readonly mark?: CandleLimits;
  readonly index?: CandleLimits;
  readonly premium?: CandleLimits;
}

/**
 * Corrections and additions to CCXT 4.5.84. Page limits that its `features` state correctly are not repeated here; of other
 * prices than trades they state none. A row also holds for the classes that inherit from its class. What stands in neither
 * is found out by answers, and never taken from spot markets, but where one endpoint serves all markets. The sources:
 *
 * - binance: `features` say 500; CCXT's code sends up to 1000, and the documents allow 1500 for all four prices. Of COIN-M
 *   markets `startTime` and `endTime` may be 200 days apart (developers.binance.com, "Kline/Candlestick Data" and its like),
 *   and the newest candles of the span are answered. Neither has `1s`.
 * - bingx: documents 1440 for the mark price, as for trades.
 * - bitget: a request may span 90 days, says CCXT's code ("for contract, maximum 90 days allowed between start-end times"),
 *   and 200 rows of the history of mark and index prices.
 * - bitrue, kucoin, mexc, weex: CCXT's `options` name no interval for these timeframes.
 * - bybit: documents 1000 for mark, index and premium, as for trades (bybit-exchange.github.io, "Get Mark Price Kline").
 * - gate: refuses windows that begin too long ago, since February 2026 those of futures, too (ccxt#27861). Mark and index
 *   prices come from the same endpoint.
 * - htx: with a number of rows, start and end are neglected (CCXT's code: "when using limit: from & to are ignored"). Mark,
 *   index and premium have only a number, so always the newest, 2000 at most.
 * - kucoin: prices other than trades come from another endpoint, which has 1500 rows and all timeframes.
 * - mexc: documents 2000 for all three prices.
 * - okx: CCXT's code says "only 100 if 'mark' or 'index'", as the documents do.
 * - phemex: of inverse contracts CCXT asks for 1000 at most, of the endpoint that refuses other numbers than these.
 * - hitbtc, krakenfutures: CCXT's code has one endpoint, or one limit, for all prices.
 * - the others that repeat a row for spot: one endpoint for all markets in CCXT's code.
 */
export const CONTRACT_LIMITS: Readonly<Record<string, ContractLimits>> = {
  binance: {
    all: { pageRowsMax: 1000, isSinceHonoured: true, timeframesUnsupported: ["1s"] },
    inverse: { spanDaysMax: 200 },
  },
  bingx: { all: { isSinceHonoured: true }, mark: { pageRowsMax: 1440 } },
  bitfinex: { all: SPOT_LIMITS["bitfinex"] },
  bitget: {
    all: { isSinceHonoured: true, spanDaysMax: 90 },
    mark: { pageRowsMax: 200 },
    index: { pageRowsMax: 200 },
  },
  bitrue: { all: { timeframesUnsupported: ["2h", "4h"] } },
  bitstamp: { all: SPOT_LIMITS["bitstamp"] },
  bybit: {
    all: { isSinceHonoured: true },
    mark: { pageRowsMax: 1000 },
    index: { pageRowsMax: 1000 },
    premium: { pageRowsMax: 1000 },
  },
  coinbase: { all: SPOT_LIMITS["coinbase"] },
  coinex: { all: SPOT_LIMITS["coinex"] },
  cryptocom: { all: SPOT_LIMITS["cryptocom"] },
  gate: {
    all: { isSinceHonoured: true, newestCandlesMax: 9_998 },
    mark: { pageRowsMax: 1999 },
    index: { pageRowsMax: 1999 },
  },
  hitbtc: {
    all: SPOT_LIMITS["hitbtc"],
    mark: { pageRowsMax: 1000 },
    index: { pageRowsMax: 1000 },
    premium: { pageRowsMax: 1000 },
  },
  htx: {
    all: { isSinceHonoured: true, isCountUnsent: true },
    mark: onlyNewest(2000),
    index: onlyNewest(2000),
    premium: onlyNewest(2000),
  },
  hyperliquid: { all: SPOT_LIMITS["hyperliquid"] },
  krakenfutures: { mark: { pageRowsMax: 2000 }, index: { pageRowsMax: 2000 } },
  kucoin: {
    all: { isSinceHonoured: true, timeframesUnsupported: ["3m", "6h", "1M"] },
    mark: { pageRowsMax: 1500, timeframesUnsupported: [] },
    index: { pageRowsMax: 1500, timeframesUnsupported: [] },
    premium: { pageRowsMax: 1500, timeframesUnsupported: [] },
  },
  mexc: {
    all: { isSinceHonoured: true },
    mark: { pageRowsMax: 2000 },
    index: { pageRowsMax: 2000 },
  },
  okx: {
    all: { isSinceHonoured: true, omitsSilent: false },
    mark: { pageRowsMax: 100 },
    index: { pageRowsMax: 100 },
  },
  phemex: { inverse: { pageRowsMax: 1000, rowsAllowed: SPOT_LIMITS["phemex"]?.rowsAllowed ?? [] } },
  weex: { all: { timeframesUnsupported: ["2h", "6h", "8h", "1M"] } },
  whitebit: { all: SPOT_LIMITS["whitebit"] },
};

/** Of requests that tell neither start nor end. */
function onlyNewest(rows: number): CandleLimits {
  return {
    pageRowsMax: rows,
    newestCandlesMax: rows,
    isSinceHonoured: false,
    isCountUnsent: false,
  };
}
