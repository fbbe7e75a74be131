/** Bitstamp's public API, `/api/v2`, for the local exchange. @module */
import { closedUntil, parseTimeframe } from "../../../lib/market/timeframe.ts";
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
  trimmed,
  withDecimals,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

/** Shapes and codes follow Bitstamp's documentation and what `ccxt/js/src/bitstamp.js` reads. */
export const bitstamp: Dialect = {
  exchange: "bitstamp",
  // Its first years of BTC/USD minutes are mostly flat ones without volume.
  silence: "flat",
  read: readBitstamp,
  refusal: (status) => {
    if (status === 429 || status === 418) {
      return JSON.stringify(failure("400.002", "Request rejected due to exceeded rate limit."));
    }
    if (status !== 503) return JSON.stringify(failure("500.001", "Internal server error."));
    const error = "Bitstamp.net is under scheduled maintenance. We'll be back soon.";
    return JSON.stringify({ error });
  },
};

const API = "/api/v2/";
const CANDLES = /^ohlc\/([^/]+)\/$/;

const ROWS_MAX = 1_000;

/** Seconds of a step, and the timeframe it is. The longest is three days: there are no weeks. */
const STEPS: ReadonlyMap<string, string> = new Map([
  ["60", "1m"],
  ["180", "3m"],
  ["300", "5m"],
  ["900", "15m"],
  ["1800", "30m"],
  ["3600", "1h"],
  ["7200", "2h"],
  ["14400", "4h"],
  ["21600", "6h"],
  ["43200", "12h"],
  ["86400", "1d"],
  ["259200", "3d"],
]);

function readBitstamp(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { symbols, nowMs } = request;
  switch (endpoint) {
    case "markets/": {
      const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
      return plain("markets", endpoint, listed.map((symbol) => market(symbol, nowMs)));
    }
    case "ticker/": {
      const open = symbols.filter((symbol) => isTrading(symbol, nowMs));
      return plain("tickers", endpoint, open.map((symbol) => ticker(symbol, nowMs)));
    }
  }
  const id = CANDLES.exec(endpoint)?.[1];
  return id === undefined ? undefined : readCandles(id, request);
}

function readCandles(id: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const endpoint = "ohlc";
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) return refused(endpoint, 404, failure("404.003", "Market not found."));
  const text = STEPS.get(query.get("step") ?? "");
  if (text === undefined) return malformed(endpoint, "step");
  const limit = query.get("limit") ?? "";
  if (!/^\d+$/.test(limit) || Number(limit) < 1 || Number(limit) > ROWS_MAX) {
    return malformed(endpoint, "limit");
  }
  const timeframe = parseTimeframe(text);
  const start = query.get("start");
  const end = query.get("end");
  const isClosedOnly = query.get("exclude_current_candle") === "true";
  const endMs = end === null ? nowMs + 1 : Number(end) * 1_000 + 1;
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: {
      // Where both are given the end is used: rows count back from it, beyond the start if need be.
      sinceMs: start === null || end !== null ? undefined : Number(start) * 1_000,
      untilMs: isClosedOnly ? Math.min(endMs, closedUntil(timeframe, nowMs)) : endMs,
      rowsMax: Number(limit),
      keep: start === null || end !== null ? "newest" : "oldest",
      order: "ascending",
    },
    render: (rows) => ({
      data: { pair: symbol.symbol, ohlc: rows.map((row) => candleRow(symbol, row)) },
    }),
  };
}

function candleRow(symbol: LocalSymbol, row: PageRow): unknown {
  const price = (text: string | null): string | null => withDecimals(text, symbol.tickDecimals);
  return {
    timestamp: String(row.openTimeMs / 1_000),
    open: price(row.open),
    high: price(row.high),
    low: price(row.low),
    close: price(row.close),
    volume: row.volume,
  };
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  return {
    timestamp: String(Math.floor(nowMs / 1_000)),
    open: trimmed(day.open),
    high: trimmed(day.high),
    low: trimmed(day.low),
    last: trimmed(day.close),
    // In base units; the turnover is this times the mean price.
    volume: day.volume,
    vwap: (Number(day.quoteVolume) / Number(day.volume)).toFixed(symbol.tickDecimals + 2),
    bid: trimmed(day.close),
    ask: trimmed(day.close),
    side: "0",
    open_24: trimmed(day.open),
    percent_change_24: (100 * (Number(day.close) / Number(day.open) - 1)).toFixed(2),
    pair: symbol.symbol,
    market: symbol.symbol,
    market_type: "SPOT",
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    name: symbol.symbol,
    market_symbol: marketId(symbol),
    base_currency: symbol.base,
    base_decimals: 8,
    counter_currency: symbol.quote,
    counter_decimals: symbol.tickDecimals,
    minimum_order_value: "10",
    maximum_order_value: "30000000.00000000",
    minimum_order_amount: "0.00000100",
    maximum_order_amount: "1000000000.00000000",
    trading: isTrading(symbol, nowMs) ? "Enabled" : "Disabled",
    instant_order_counter_decimals: symbol.tickDecimals,
    instant_and_market_orders: "Enabled",
    description: `${symbol.base} / ${symbol.quote}`,
    market_type: "SPOT",
  };
}

function malformed(endpoint: string, name: string): Ask {
  return refused(endpoint, 400, failure("400.007", `GET parameter(s) is malformed: ${name}.`));
}

function failure(response_code: string, response_explanation: string): unknown {
  return { response_code, response_explanation };
}

function marketId({ base, quote }: LocalSymbol): string {
  return (base + quote).toLowerCase();
}
