/** Bybit's public API, `/v5`, for the local exchange. @module */
import { parseTimeframe } from "../../../lib/market/timeframe.ts";
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

/** Shapes follow Bybit's documentation (v5 market) and what `ccxt/js/src/bybit.js` reads. Errors come with status 200. */
export const bybit: Dialect = {
  exchange: "bybit",
  silence: "flat",
  read: readBybit,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418 || status === 403
        ? { retCode: 10006, retMsg: "Too many visits. Exceeded the API Rate Limit.", result: {} }
        : { retCode: 10016, retMsg: "Server error.", result: {} },
    ),
};

const API = "/v5/market/";

const ROWS_DEFAULT = 200;
const ROWS_MAX = 1_000;

const INTERVALS: ReadonlyMap<string, string> = new Map([
  ["1", "1m"],
  ["3", "3m"],
  ["5", "5m"],
  ["15", "15m"],
  ["30", "30m"],
  ["60", "1h"],
  ["120", "2h"],
  ["240", "4h"],
  ["360", "6h"],
  ["720", "12h"],
  ["D", "1d"],
  ["W", "1w"],
  ["M", "1M"],
]);

function readBybit(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { query, nowMs } = request;
  const category = query.get("category");
  const symbols = category === "spot" ? request.symbols : [];
  switch (endpoint) {
    case "time": {
      const times = { timeSecond: String(Math.floor(nowMs / 1_000)), timeNano: `${nowMs}000000` };
      return plain("other", endpoint, envelope(times, nowMs));
    }
    case "instruments-info": {
      const list = symbols.filter((symbol) => isListed(symbol, nowMs))
        .map((symbol) => instrument(symbol, nowMs));
      return plain("markets", endpoint, envelope({ category, list }, nowMs));
    }
    case "tickers": {
      const list = symbols.filter((symbol) => isTrading(symbol, nowMs))
        .map((symbol) => ticker(symbol, nowMs));
      return plain("tickers", endpoint, envelope({ category, list }, nowMs));
    }
    case "kline":
      return readCandles(endpoint, { ...request, symbols });
    default:
      return undefined;
  }
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const id = query.get("symbol");
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) return problem(endpoint, { retMsg: "Not supported symbols", nowMs });
  const text = INTERVALS.get(query.get("interval") ?? "");
  if (text === undefined) return problem(endpoint, { retMsg: "Invalid period!", nowMs });
  const start = query.get("start");
  const end = query.get("end");
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe: parseTimeframe(text),
    page: {
      sinceMs: start === null ? undefined : Number(start),
      // Inclusive.
      untilMs: end === null ? undefined : Number(end) + 1,
      rowsMax: Math.min(Number(query.get("limit") ?? ROWS_DEFAULT), ROWS_MAX),
      // A start alone counts forward from it; an end counts back, and wins.
      keep: start !== null && end === null ? "oldest" : "newest",
      order: "descending",
    },
    render: (rows) => envelope({ category: "spot", symbol: id, list: rows.map(candleRow) }, nowMs),
  };
}

function candleRow(row: PageRow): unknown[] {
  const prices = [trimmed(row.open), trimmed(row.high), trimmed(row.low), trimmed(row.close)];
  const values: unknown[] = [String(row.openTimeMs), ...prices];
  if (row.volume === undefined) return values;
  return [...values, trimmed(row.volume), trimmed(row.quoteVolume)];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  return {
    symbol: marketId(symbol),
    bid1Price: trimmed(day.close),
    bid1Size: "1",
    ask1Price: trimmed(day.close),
    ask1Size: "1",
    lastPrice: trimmed(day.close),
    prevPrice24h: trimmed(day.open),
    price24hPcnt: (Number(day.close) / Number(day.open) - 1).toFixed(4),
    highPrice24h: trimmed(day.high),
    lowPrice24h: trimmed(day.low),
    turnover24h: trimmed(day.quoteVolume),
    volume24h: trimmed(day.volume),
    usdIndexPrice: "",
  };
}

function instrument(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    symbol: marketId(symbol),
    baseCoin: symbol.base,
    quoteCoin: symbol.quote,
    innovation: "0",
    status: isTrading(symbol, nowMs) ? "Trading" : "Closed",
    marginTrading: "none",
    lotSizeFilter: {
      basePrecision: "0.00000001",
      quotePrecision: "0.00000001",
      minOrderQty: "0.00001",
      maxOrderQty: "9999999999",
      minOrderAmt: "1",
      maxOrderAmt: "1000000",
    },
    priceFilter: { tickSize: tickText(symbol) },
  };
}

function envelope(result: unknown, nowMs: number): unknown {
  return { retCode: 0, retMsg: "OK", result, retExtInfo: {}, time: nowMs };
}

function problem(
  endpoint: string,
  { retMsg, nowMs }: { readonly retMsg: string; readonly nowMs: number },
): Ask {
  return plain("other", endpoint, {
    retCode: 10001,
    retMsg,
    result: {},
    retExtInfo: {},
    time: nowMs,
  });
}

function marketId({ base, quote }: LocalSymbol): string {
  return base + quote;
}
