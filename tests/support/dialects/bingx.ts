/** BingX's public API, `/openApi`, for the local exchange. @module */
import { addCandles, nominalMs, parseTimeframe } from "../../../lib/market/timeframe.ts";
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  trimmed,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";
import { jsonNumber } from "./json_number.ts";

/** Shapes follow BingX's documentation (spot market data) and what `ccxt/js/src/bingx.js` reads. Errors come with status 200. */
export const bingx: Dialect = {
  exchange: "bingx",
  // Its documentation says nothing of minutes without trades; that they are told is an assumption.
  silence: "flat",
  read: readBingx,
  refusal: bingxRefusal,
};

const API = "/openApi/";

const LIMIT_DEFAULT = 500;
const LIMIT_MAX = 1_440;

const INTERVALS: ReadonlySet<string> = new Set(
  ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"],
);

/** Days are Beijing's unless `timeZone` says otherwise: ccxt#29395. */
const TIME_ZONE_HOURS_DEFAULT = 8;
const HOUR_MS = 60 * 60_000;

function readBingx(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { symbols, nowMs } = request;
  switch (endpoint) {
    case "spot/v1/server/time":
      return plain("other", endpoint, envelope({ serverTime: nowMs }, nowMs));
    case "spot/v1/common/symbols": {
      const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
      const rows = listed.map((symbol) => market(symbol, nowMs));
      return plain("markets", endpoint, envelope({ symbols: rows }, nowMs));
    }
    // CCXT asks for both sorts of futures too, whatever it is told.
    case "swap/v2/quote/contracts":
    case "cswap/v1/market/contracts":
      return plain("markets", endpoint, envelope([], nowMs));
    case "spot/v1/ticker/24hr": {
      const open = symbols.filter((symbol) => isTrading(symbol, nowMs));
      const rows = open.map((symbol) => ticker(symbol, nowMs));
      return plain("tickers", endpoint, envelope(rows, nowMs));
    }
    case "spot/v1/market/kline":
      return readCandles(endpoint, request);
    default:
      return undefined;
  }
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const id = query.get("symbol");
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) {
    return problem(endpoint, "invalid symbol, send symbol like BTC-USDT");
  }
  const interval = query.get("interval") ?? "";
  if (!INTERVALS.has(interval)) return problem(endpoint, "Invalid parameter: interval");
  for (const name of ["startTime", "endTime", "limit", "timeZone"]) {
    if (!/^-?\d*$/.test(query.get(name) ?? "")) {
      return problem(endpoint, `Invalid parameter: ${name}`);
    }
  }
  const [start, end] = [query.get("startTime"), query.get("endTime")];
  const timeframe = parseTimeframe(interval);
  const timeZoneMs = Number(query.get("timeZone") ?? TIME_ZONE_HOURS_DEFAULT) * HOUR_MS;
  const early = timeZoneMs % nominalMs(timeframe);
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: {
      sinceMs: start === null ? undefined : Number(start),
      untilMs: end === null ? undefined : Number(end),
      rowsMax: Math.min(Number(query.get("limit") ?? LIMIT_DEFAULT), LIMIT_MAX),
      // A start alone counts forward from it, an end counts back.
      keep: start !== null && end === null ? "oldest" : "newest",
      order: "descending",
    },
    render: (rows) =>
      envelope(
        rows.map((row) =>
          candleRow(row, {
            openTimeMs: row.openTimeMs - early,
            closeTimeMs: addCandles(timeframe, row.openTimeMs, 1) - early - 1,
          })
        ),
        nowMs,
      ),
  };
}

function candleRow(
  row: PageRow,
  { openTimeMs, closeTimeMs }: { readonly openTimeMs: number; readonly closeTimeMs: number },
): unknown[] {
  const prices = [row.open, row.high, row.low, row.close].map(jsonNumber);
  const values: unknown[] = [openTimeMs, ...prices];
  if (row.volume === undefined) return values;
  return [...values, jsonNumber(row.volume), closeTimeMs, jsonNumber(row.quoteVolume)];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const change = 100 * (Number(day.close) / Number(day.open) - 1);
  return {
    symbol: marketId(symbol),
    openPrice: trimmed(day.open),
    highPrice: trimmed(day.high),
    lowPrice: trimmed(day.low),
    lastPrice: trimmed(day.close),
    priceChange: trimmed((Number(day.close) - Number(day.open)).toFixed(8)),
    priceChangePercent: `${change.toFixed(2)}%`,
    volume: trimmed(day.volume),
    quoteVolume: trimmed(day.quoteVolume),
    openTime: day.openTimeMs,
    closeTime: day.closeTimeMs,
    askPrice: jsonNumber(day.close),
    askQty: 1,
    bidPrice: jsonNumber(day.close),
    bidQty: 1,
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  const isOpen = isTrading(symbol, nowMs);
  return {
    symbol: marketId(symbol),
    minQty: 0.00001,
    maxQty: 9_999_999,
    minNotional: 5,
    maxNotional: 1_000_000,
    status: isOpen ? 1 : 25,
    tickSize: 10 ** -symbol.tickDecimals,
    stepSize: 0.00001,
    apiStateSell: isOpen,
    apiStateBuy: isOpen,
    timeOnline: symbol.listedAtMs ?? 0,
    offTime: symbol.delistedAtMs ?? 0,
    maintainTime: 0,
  };
}

function envelope(data: unknown, nowMs: number): unknown {
  return { code: 0, timestamp: nowMs, data };
}

function bingxRefusal(status: number, { untilMs }: { readonly untilMs: number }): string {
  const isLimit = status === 429 || status === 418 || status === 403;
  const msg = isLimit
    ? "code:100410:The endpoint trigger frequency limit rule is currently in the disabled period " +
      `and will be unblocked after ${untilMs}`
    : "The current system is busy, please try again later";
  return JSON.stringify({ code: isLimit ? 100410 : 100500, msg, debugMsg: "" });
}

function problem(endpoint: string, msg: string): Ask {
  return plain("other", endpoint, { code: 100400, msg, debugMsg: "" });
}

function marketId({ base, quote }: LocalSymbol): string {
  return `${base}-${quote}`;
}
