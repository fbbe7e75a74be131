/** KuCoin's public spot API, `/api/v1` and `/api/v2`, for the local exchange. @module */
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  tickText,
  trimmed,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";
import { parseTimeframe } from "../../../lib/market/timeframe.ts";

/**
 * Shapes follow KuCoin's documentation (spot market data) and what `ccxt/js/src/kucoin.js` reads. A wrong parameter is
 * refused with status 200.
 */
export const kucoin: Dialect = {
  exchange: "kucoin",
  // "No data is published for intervals where there are no ticks", says the documentation.
  silence: "omitted",
  read: readKucoin,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418
        ? { code: "429000", msg: "Too Many Requests" }
        : { code: "500000", msg: "Internal Server Error" },
    ),
};

const ENDPOINT = /^\/api\/(v[12]\/.+)$/;

/** There is no limit to ask for: a longer window is cut to its newest candles. */
const ROWS_MAX = 1_500;

const TYPES: ReadonlyMap<string, string> = new Map([
  ["1min", "1m"],
  ["3min", "3m"],
  ["5min", "5m"],
  ["15min", "15m"],
  ["30min", "30m"],
  ["1hour", "1h"],
  ["2hour", "2h"],
  ["4hour", "4h"],
  ["6hour", "6h"],
  ["8hour", "8h"],
  ["12hour", "12h"],
  ["1day", "1d"],
  ["1week", "1w"],
  ["1month", "1M"],
]);

function readKucoin(request: DialectRequest): Ask | undefined {
  const endpoint = ENDPOINT.exec(request.path)?.[1];
  const { symbols, nowMs } = request;
  switch (endpoint) {
    case "v1/timestamp":
      return plain("other", endpoint, envelope(nowMs));
    case "v2/symbols": {
      const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
      return plain("markets", endpoint, envelope(listed.map((symbol) => market(symbol, nowMs))));
    }
    case "v1/market/allTickers": {
      const trading = symbols.filter((symbol) => isTrading(symbol, nowMs));
      const list = trading.map((symbol) => ticker(symbol, nowMs));
      return plain("tickers", endpoint, envelope({ time: nowMs, ticker: list }));
    }
    case "v1/market/candles":
      return readCandles(endpoint, request);
    default:
      return undefined;
  }
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const id = query.get("symbol");
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) return problem(endpoint, "Unsupported trading pair.");
  const text = TYPES.get(query.get("type") ?? "");
  if (text === undefined) return problem(endpoint, "Incorrect candlestick type.");
  // Seconds. Zero is the default and stands for no bound.
  const startAt = Number(query.get("startAt") ?? 0);
  const endAt = Number(query.get("endAt") ?? 0);
  if (!Number.isInteger(startAt) || !Number.isInteger(endAt)) {
    return problem(endpoint, "Param Error");
  }
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe: parseTimeframe(text),
    page: {
      sinceMs: startAt === 0 ? undefined : startAt * 1_000,
      // Exclusive: CCXT asks for N candles with an end N lengths after the start.
      untilMs: endAt === 0 ? undefined : endAt * 1_000,
      rowsMax: ROWS_MAX,
      keep: "newest",
      order: "descending",
    },
    render: (rows) => envelope(rows.map(candleRow)),
  };
}

/** Open, close, high, low: in this order. */
function candleRow(row: PageRow): unknown[] {
  const prices = [trimmed(row.open), trimmed(row.close), trimmed(row.high), trimmed(row.low)];
  const values: unknown[] = [String(row.openTimeMs / 1_000), ...prices];
  if (row.volume === undefined) return values;
  return [...values, trimmed(row.volume), trimmed(row.quoteVolume)];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const change = Number(day.close) - Number(day.open);
  return {
    symbol: marketId(symbol),
    symbolName: marketId(symbol),
    buy: trimmed(day.close),
    bestBidSize: "1",
    sell: trimmed(day.close),
    bestAskSize: "1",
    changeRate: (change / Number(day.open)).toFixed(4),
    changePrice: trimmed(change.toFixed(8)),
    high: trimmed(day.high),
    low: trimmed(day.low),
    vol: trimmed(day.volume),
    volValue: trimmed(day.quoteVolume),
    last: trimmed(day.close),
    averagePrice: trimmed(day.close),
    takerFeeRate: "0.001",
    makerFeeRate: "0.001",
    takerCoefficient: "1",
    makerCoefficient: "1",
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    symbol: marketId(symbol),
    name: marketId(symbol),
    baseCurrency: symbol.base,
    quoteCurrency: symbol.quote,
    feeCurrency: symbol.quote,
    market: "USDS",
    baseMinSize: "0.00001",
    quoteMinSize: "0.1",
    baseMaxSize: "10000000000",
    quoteMaxSize: "99999999",
    baseIncrement: "0.00000001",
    quoteIncrement: "0.00000001",
    priceIncrement: tickText(symbol),
    priceLimitRate: "0.1",
    minFunds: "0.1",
    isMarginEnabled: false,
    enableTrading: isTrading(symbol, nowMs),
    feeCategory: 1,
    makerFeeCoefficient: "1.00",
    takerFeeCoefficient: "1.00",
    st: false,
  };
}

function envelope(data: unknown): unknown {
  return { code: "200000", data };
}

function problem(endpoint: string, msg: string): Ask {
  return plain("other", endpoint, { code: "400100", msg });
}

function marketId({ base, quote }: LocalSymbol): string {
  return `${base}-${quote}`;
}
