/** The dialect of Binance, and its spot API, `/api/v3`. It is the default dialect of the local exchange. @module */
import { addCandles, parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import { readFutures } from "./binance_futures.ts";
import {
  illegal,
  missing,
  notNumbers,
  numberOf,
  UNKNOWN_INTERVAL,
  UNKNOWN_SYMBOL,
} from "./binance_refusal.ts";
import { binanceStream } from "./binance_stream.ts";
import { type LocalTicker, tickerAt } from "./price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
  tickText,
} from "./dialect.ts";
import type { PageAsk } from "./history.ts";
import { isListed, isTrading, type LocalSymbol } from "./local_symbol.ts";

/**
 * Formats, limits and error codes are as in Binance's documentation of the spot REST API (general endpoints, market
 * data endpoints, error codes), with the fields that `ccxt/js/src/binance.js` reads.
 */
export const binance: Dialect = {
  exchange: "binance",
  // A minute without trades is a row with the last price and no volume. Downtime leaves a hole.
  silence: "omitted",
  stream: binanceStream,
  read: (request) => readSpot(request) ?? readFutures(request),
};

const API = "/api/v3/";

/** Rows of `klines` when `limit` is absent, and the most rows for any `limit`. */
const ROWS_DEFAULT = 500;
const ROWS_MAX = 1_000;

const INTERVALS: ReadonlySet<string> = new Set(
  [
    "1s",
    "1m",
    "3m",
    "5m",
    "15m",
    "30m",
    "1h",
    "2h",
    "4h",
    "6h",
    "8h",
    "12h",
    "1d",
    "3d",
    "1w",
    "1M",
  ],
);

function readSpot({ symbols, ...asked }: DialectRequest): Ask | undefined {
  if (!asked.path.startsWith(API)) return undefined;
  const request = { ...asked, symbols: symbols.filter(({ contract }) => contract === undefined) };
  const endpoint = request.path.slice(API.length);
  switch (endpoint) {
    case "ping":
      return plain("other", endpoint, {});
    case "time":
      return plain("other", endpoint, { serverTime: request.nowMs });
    case "exchangeInfo":
      return plain("markets", endpoint, exchangeInfo(request));
    case "ticker/24hr":
      return readTickers(endpoint, request);
    case "klines":
      return readCandles(endpoint, request);
    default:
      return undefined;
  }
}

function readCandles(endpoint: string, request: DialectRequest): Ask {
  const { query } = request;
  const malformed = missing(endpoint, request, ["symbol", "interval"]);
  if (malformed !== undefined) return malformed;
  const symbol = findSymbol(request, query.get("symbol"));
  if (symbol === undefined) return refused(endpoint, 400, UNKNOWN_SYMBOL);
  const interval = query.get("interval") ?? "";
  if (!INTERVALS.has(interval)) {
    return refused(endpoint, 400, UNKNOWN_INTERVAL);
  }
  const unread = notNumbers(endpoint, request, ["startTime", "endTime", "limit"]);
  if (unread !== undefined) return unread;
  const timeframe = parseTimeframe(interval);
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: readPage(query),
    render: (rows) => rows.map((row) => candleRow(timeframe, row)),
  };
}

function readPage(query: URLSearchParams): PageAsk {
  const sinceMs = numberOf(query, "startTime");
  const untilMs = numberOf(query, "endTime");
  const limit = numberOf(query, "limit") ?? 0;
  return {
    sinceMs,
    // Binance's end is inclusive.
    untilMs: untilMs === undefined ? undefined : untilMs + 1,
    rowsMax: limit === 0 ? ROWS_DEFAULT : Math.min(limit, ROWS_MAX),
    keep: sinceMs === undefined ? "newest" : "oldest",
    order: "ascending",
  };
}

function candleRow(timeframe: Timeframe, row: PageRow): unknown[] {
  const values: unknown[] = [row.openTimeMs, row.open, row.high, row.low, row.close];
  if (row.volume === undefined) return values;
  const half = (text: string | null): string => (Number(text) / 2).toFixed(8);
  values.push(
    row.volume,
    addCandles(timeframe, row.openTimeMs, 1) - 1,
    row.quoteVolume,
    row.trades,
  );
  values.push(half(row.volume), half(row.quoteVolume), "0");
  return values;
}

function readTickers(endpoint: string, request: DialectRequest): Ask {
  const { query, symbols, nowMs } = request;
  const single = query.get("symbol");
  if (single !== null) {
    const symbol = findSymbol(request, single);
    if (symbol === undefined) return refused(endpoint, 400, UNKNOWN_SYMBOL);
    return plain("tickers", endpoint, ticker(symbol, nowMs));
  }
  let wanted = symbols.filter((symbol) => isTrading(symbol, nowMs));
  const list = query.get("symbols");
  if (list !== null) {
    const found = readIds(list)?.map((id) => findSymbol(request, id));
    if (found === undefined) return illegal(endpoint, "symbols");
    if (!found.every((symbol) => symbol !== undefined)) {
      return refused(endpoint, 400, UNKNOWN_SYMBOL);
    }
    wanted = found;
  }
  return plain("tickers", endpoint, wanted.map((symbol) => ticker(symbol, nowMs)));
}

/** Reads a JSON array of symbol ids; undefined when the text is not one. */
function readIds(text: string): string[] | undefined {
  try {
    const ids: unknown = JSON.parse(text);
    return Array.isArray(ids) && ids.every((id) => typeof id === "string") ? ids : undefined;
  } catch {
    return undefined;
  }
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day: LocalTicker = tickerAt(symbol, nowMs);
  const change = Number(day.close) - Number(day.open);
  return {
    symbol: symbolId(symbol),
    priceChange: change.toFixed(8),
    priceChangePercent: (100 * change / Number(day.open)).toFixed(3),
    weightedAvgPrice: ((Number(day.high) + Number(day.low)) / 2).toFixed(8),
    prevClosePrice: day.open,
    lastPrice: day.close,
    lastQty: "0.10000000",
    bidPrice: day.close,
    bidQty: "1.00000000",
    askPrice: day.close,
    askQty: "1.00000000",
    openPrice: day.open,
    highPrice: day.high,
    lowPrice: day.low,
    volume: day.volume,
    quoteVolume: day.quoteVolume,
    openTime: day.openTimeMs,
    closeTime: day.closeTimeMs,
    firstId: 1,
    lastId: day.trades,
    count: day.trades,
  };
}

function exchangeInfo({ symbols, nowMs }: DialectRequest): unknown {
  return {
    timezone: "UTC",
    serverTime: nowMs,
    rateLimits: [
      { rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: 6_000 },
      { rateLimitType: "RAW_REQUESTS", interval: "MINUTE", intervalNum: 5, limit: 61_000 },
    ],
    exchangeFilters: [],
    symbols: symbols.filter((symbol) => isListed(symbol, nowMs)).map((symbol) => ({
      symbol: symbolId(symbol),
      // A delisted market stays in the list with the status BREAK, and keeps its history.
      status: isTrading(symbol, nowMs) ? "TRADING" : "BREAK",
      baseAsset: symbol.base,
      baseAssetPrecision: 8,
      quoteAsset: symbol.quote,
      quotePrecision: 8,
      quoteAssetPrecision: 8,
      baseCommissionPrecision: 8,
      quoteCommissionPrecision: 8,
      orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET"],
      icebergAllowed: true,
      ocoAllowed: true,
      quoteOrderQtyMarketAllowed: true,
      allowTrailingStop: true,
      isSpotTradingAllowed: true,
      isMarginTradingAllowed: false,
      filters: [
        {
          filterType: "PRICE_FILTER",
          minPrice: priceStep(symbol),
          maxPrice: "1000000.00000000",
          tickSize: priceStep(symbol),
        },
        {
          filterType: "LOT_SIZE",
          minQty: "0.00000001",
          maxQty: "9000000000.00000000",
          stepSize: "0.00000001",
        },
        { filterType: "NOTIONAL", minNotional: "5.00000000", maxNotional: "9000000.00000000" },
      ],
      permissions: ["SPOT"],
      permissionSets: [["SPOT"]],
    })),
  };
}

function findSymbol(
  { symbols, nowMs }: DialectRequest,
  id: string | null,
): LocalSymbol | undefined {
  return symbols.find((symbol) => symbolId(symbol) === id && isListed(symbol, nowMs));
}

function symbolId({ id, base, quote }: LocalSymbol): string {
  return id ?? base + quote;
}

function priceStep(symbol: LocalSymbol): string {
  return Number(tickText(symbol)).toFixed(8);
}
