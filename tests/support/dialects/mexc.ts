/** MEXC's public spot API, `/api/v3`, for the local exchange: Binance's in shape, not in behaviour. @module */
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
  trimmed,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";
import { addCandles, parseTimeframe, type Timeframe } from "../../../lib/market/timeframe.ts";

/** Shapes follow MEXC's documentation (spot v3, market data) and what `ccxt/js/src/mexc.js` reads. */
export const mexc: Dialect = {
  exchange: "mexc",
  // Not documented, and not known for sure.
  silence: "flat",
  read: readMexc,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418
        ? { code: 429, msg: "Too Many Requests" }
        : { code: 503, msg: "Service is not available, please try again." },
    ),
};

const API = "/api/v3/";

/** CCXT always asks for the futures as well; a spot market is not among them. */
const FUTURES = "/api/v1/contract/detail";

/** The documentation says 1000; it gives no more than the default, whatever `limit` says. */
const ROWS_MAX = 500;

const INTERVALS: ReadonlyMap<string, string> = new Map([
  ["1m", "1m"],
  ["5m", "5m"],
  ["15m", "15m"],
  ["30m", "30m"],
  ["60m", "1h"],
  ["4h", "4h"],
  ["1d", "1d"],
  ["1W", "1w"],
  ["1M", "1M"],
]);

function readMexc(request: DialectRequest): Ask | undefined {
  const { path, symbols, nowMs } = request;
  if (path === FUTURES) {
    return plain("other", path.slice(1), { success: true, code: 0, data: [] });
  }
  if (!path.startsWith(API)) return undefined;
  const endpoint = path.slice(API.length);
  switch (endpoint) {
    case "ping":
      return plain("other", endpoint, {});
    case "time":
      return plain("other", endpoint, { serverTime: nowMs });
    case "exchangeInfo": {
      const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
      return plain("markets", endpoint, {
        timezone: "CST",
        serverTime: nowMs,
        rateLimits: [],
        exchangeFilters: [],
        symbols: listed.map((symbol) => market(symbol, nowMs)),
      });
    }
    case "ticker/24hr": {
      const trading = symbols.filter((symbol) => isTrading(symbol, nowMs));
      return plain("tickers", endpoint, trading.map((symbol) => ticker(symbol, nowMs)));
    }
    case "klines":
      return readCandles(endpoint, request);
    default:
      return undefined;
  }
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const id = query.get("symbol");
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) {
    return refused(endpoint, 400, { msg: "Invalid symbol.", code: -1121, _extend: null });
  }
  const text = INTERVALS.get(query.get("interval") ?? "");
  if (text === undefined) {
    return refused(endpoint, 400, { msg: "Invalid interval.", code: -1120, _extend: null });
  }
  const timeframe = parseTimeframe(text);
  const limit = Number(query.get("limit") ?? ROWS_MAX);
  const end = query.get("endTime");
  // A start without an end is ignored (mexc-api-sdk#28).
  const start = end === null ? null : query.get("startTime");
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: {
      sinceMs: start === null ? undefined : Number(start),
      // Exclusive, unlike Binance's.
      untilMs: end === null ? undefined : Number(end),
      rowsMax: Math.min(limit, ROWS_MAX),
      // Asked for one candle of a window of a thousand, it gave the first (ccxt#19481).
      keep: start === null ? "newest" : "oldest",
      order: "ascending",
    },
    render: (rows) => rows.map((row) => candleRow(timeframe, row)),
  };
}

function candleRow(timeframe: Timeframe, row: PageRow): unknown[] {
  const prices = [trimmed(row.open), trimmed(row.high), trimmed(row.low), trimmed(row.close)];
  const values: unknown[] = [row.openTimeMs, ...prices];
  if (row.volume === undefined) return values;
  const closeTimeMs = addCandles(timeframe, row.openTimeMs, 1);
  return [...values, trimmed(row.volume), closeTimeMs, trimmed(row.quoteVolume)];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const change = Number(day.close) - Number(day.open);
  return {
    symbol: marketId(symbol),
    priceChange: trimmed(change.toFixed(8)),
    priceChangePercent: (change / Number(day.open)).toFixed(4),
    prevClosePrice: trimmed(day.open),
    lastPrice: trimmed(day.close),
    bidPrice: trimmed(day.close),
    bidQty: "1",
    askPrice: trimmed(day.close),
    askQty: "1",
    openPrice: trimmed(day.open),
    highPrice: trimmed(day.high),
    lowPrice: trimmed(day.low),
    volume: trimmed(day.volume),
    quoteVolume: trimmed(day.quoteVolume),
    openTime: day.openTimeMs,
    closeTime: day.closeTimeMs,
    count: null,
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  const isOpen = isTrading(symbol, nowMs);
  return {
    symbol: marketId(symbol),
    // 1 is online, 2 paused, 3 offline.
    status: isOpen ? "1" : "3",
    baseAsset: symbol.base,
    baseAssetPrecision: 8,
    quoteAsset: symbol.quote,
    quotePrecision: symbol.tickDecimals,
    quoteAssetPrecision: symbol.tickDecimals,
    baseCommissionPrecision: 8,
    quoteCommissionPrecision: symbol.tickDecimals,
    orderTypes: ["LIMIT", "MARKET", "LIMIT_MAKER"],
    isSpotTradingAllowed: isOpen,
    isMarginTradingAllowed: false,
    quoteAmountPrecision: "1",
    baseSizePrecision: "0.00000001",
    permissions: ["SPOT"],
    filters: [],
    maxQuoteAmount: "2000000",
    makerCommission: "0",
    takerCommission: "0.0005",
    fullName: symbol.base,
    tradeSideType: 1,
  };
}

function marketId({ base, quote }: LocalSymbol): string {
  return base + quote;
}
