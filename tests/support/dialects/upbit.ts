/** Upbit's public API, `/v1`, for the local exchange. @module */
import { parseTimeframe, type Timeframe } from "../../../lib/market/timeframe.ts";
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
} from "../local_exchange/dialect.ts";
import { isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";
import { jsonNumber } from "./json_number.ts";

/** Shapes follow Upbit's documentation (quotation API) and what `ccxt/js/src/upbit.js` reads. */
export const upbit: Dialect = {
  exchange: "upbit",
  // Documented: a candle without trades is not made, and not part of the answer.
  silence: "omitted",
  read: readUpbit,
  refusal: (status) =>
    status === 429 || status === 418
      ? JSON.stringify({ name: "too_many_requests" })
      : `<html><head><title>${status}</title></head><body><h1>${status}</h1></body></html>\n`,
};

const API = "/v1/";
const CANDLES = /^candles\/(?:(seconds|days|weeks|months)|minutes\/(\d+))$/;

const COUNT_DEFAULT = 1;
const COUNT_MAX = 200;

/** What stands after `candles/`, and the timeframe it is; minutes by their unit. */
const TIMEFRAMES: ReadonlyMap<string, string> = new Map([
  ["seconds", "1s"],
  ["1", "1m"],
  ["3", "3m"],
  ["5", "5m"],
  ["10", "10m"],
  ["15", "15m"],
  ["30", "30m"],
  ["60", "1h"],
  ["240", "4h"],
  ["days", "1d"],
  ["weeks", "1w"],
  ["months", "1M"],
]);

/** Korean time, in which Upbit tells every candle a second time. */
const KOREA_MS = 9 * 60 * 60_000;

function readUpbit(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { query, nowMs } = request;
  // A market that was closed is gone from every list, and its candles with it.
  const symbols = request.symbols.filter((symbol) => isTrading(symbol, nowMs));
  if (endpoint === "market/all") {
    const markets = symbols.map((symbol) => ({
      market: marketId(symbol),
      korean_name: symbol.base,
      english_name: symbol.base,
    }));
    return plain("markets", endpoint, markets);
  }
  if (endpoint === "ticker/all") {
    const quotes = (query.get("quote_currencies") ?? "").split(",");
    const wanted = symbols.filter(({ quote }) => quotes.includes(quote));
    return plain("tickers", endpoint, wanted.map((symbol) => ticker(symbol, nowMs)));
  }
  const match = CANDLES.exec(endpoint);
  const name = match?.[1] ?? match?.[2];
  return name === undefined ? undefined : readCandles(name, { ...request, symbols });
}

function readCandles(name: string, { query, symbols }: DialectRequest): Ask {
  const endpoint = "candles";
  const id = query.get("market");
  if (id === null) {
    const message = "Missing request parameter error. Check the required parameters!";
    return problem(endpoint, 400, message);
  }
  const symbol = symbols.find((entry) => marketId(entry) === id);
  if (symbol === undefined) return problem(endpoint, 404, "Code not found");
  const text = TIMEFRAMES.get(name);
  const count = query.get("count") ?? String(COUNT_DEFAULT);
  const untilMs = readTime(query.get("to"));
  if (text === undefined || !/^\d+$/.test(count) || Number.isNaN(untilMs)) {
    return problem(endpoint, 400, "Type mismatch error. Check the parameters type!");
  }
  const timeframe = parseTimeframe(text);
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: {
      // Exclusive, and the only bound there is: where candles are missing, older ones fill the page.
      untilMs,
      rowsMax: Math.min(Number(count), COUNT_MAX),
      keep: "newest",
      order: "descending",
    },
    render: (rows) => rows.map((row) => candleRow(row, { symbol, timeframe })),
  };
}

/** `2024-06-01T00:00:00Z`, or with a blank for the T; UTC unless it says otherwise. NaN when it is no time. */
function readTime(text: string | null): number | undefined {
  if (text === null || text === "") return undefined;
  const iso = text.replace(" ", "T");
  return Date.parse(/(?:Z|[+-]\d\d:\d\d)$/.test(iso) ? iso : `${iso}Z`);
}

function candleRow(
  row: PageRow,
  { symbol, timeframe }: { readonly symbol: LocalSymbol; readonly timeframe: Timeframe },
): unknown {
  return {
    market: marketId(symbol),
    candle_date_time_utc: timeText(row.openTimeMs),
    candle_date_time_kst: timeText(row.openTimeMs + KOREA_MS),
    opening_price: jsonNumber(row.open),
    high_price: jsonNumber(row.high),
    low_price: jsonNumber(row.low),
    trade_price: jsonNumber(row.close),
    // Of the last trade in it, which is not the time that counts.
    timestamp: row.openTimeMs + 987,
    candle_acc_trade_price: jsonNumber(row.quoteVolume),
    candle_acc_trade_volume: jsonNumber(row.volume),
    ...(timeframe.unit === "m" || timeframe.unit === "h"
      ? { unit: timeframe.count * (timeframe.unit === "h" ? 60 : 1) }
      : {}),
  };
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const [open, close] = [Number(day.open), Number(day.close)];
  return {
    market: marketId(symbol),
    trade_timestamp: nowMs,
    opening_price: open,
    high_price: Number(day.high),
    low_price: Number(day.low),
    trade_price: close,
    prev_closing_price: open,
    change: close > open ? "RISE" : close < open ? "FALL" : "EVEN",
    change_price: Math.abs(close - open),
    change_rate: Math.abs(close / open - 1),
    signed_change_price: close - open,
    signed_change_rate: close / open - 1,
    trade_volume: 1,
    acc_trade_price: Number(day.quoteVolume),
    acc_trade_price_24h: Number(day.quoteVolume),
    acc_trade_volume: Number(day.volume),
    acc_trade_volume_24h: Number(day.volume),
    timestamp: nowMs,
  };
}

function problem(endpoint: string, status: number, message: string): Ask {
  return refused(endpoint, status, { error: { name: status, message } });
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 19);
}

/** The quote comes first: `USDT-BTC`. */
function marketId({ base, quote }: LocalSymbol): string {
  return `${quote}-${base}`;
}
