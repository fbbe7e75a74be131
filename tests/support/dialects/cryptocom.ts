/** Crypto.com Exchange's public API, `/exchange/v1/public`, for the local exchange. @module */
import { parseTimeframe } from "../../../lib/market/timeframe.ts";
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
  tickText,
  trimmed,
  withDecimals,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

/** Shapes follow Crypto.com's documentation (exchange v1) and what `ccxt/js/src/cryptocom.js` reads. */
export const cryptocom: Dialect = {
  exchange: "cryptocom",
  // Not documented: a guess.
  silence: "flat",
  read: readCryptocom,
  refusal: (status) => {
    if (status === 429 || status === 418) {
      return JSON.stringify(failure(42901, "TOO_MANY_REQUESTS"));
    }
    if (status !== 503) return JSON.stringify(failure(50001, "INTERNAL_ERROR"));
    const details = "Crypto.com Exchange is currently under maintenance. " +
      "Please refer to https://status.crypto.com for more details.";
    return JSON.stringify({ code: 9010001, message: "SYSTEM_MAINTENANCE", details });
  },
};

const API = "/exchange/v1/public/";

const ROWS_DEFAULT = 25;
const ROWS_MAX = 300;

const INTERVALS: ReadonlyMap<string, string> = new Map([
  ["1m", "1m"],
  ["5m", "5m"],
  ["15m", "15m"],
  ["30m", "30m"],
  ["1h", "1h"],
  ["2h", "2h"],
  ["4h", "4h"],
  ["12h", "12h"],
  ["1D", "1d"],
  ["7D", "1w"],
  ["14D", "2w"],
  ["1M", "1M"],
]);

function readCryptocom(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { symbols, query, nowMs } = request;
  switch (endpoint) {
    case "get-instruments": {
      const data = symbols.filter((symbol) => isListed(symbol, nowMs))
        .map((symbol) => instrument(symbol, nowMs));
      return plain("markets", endpoint, envelope(endpoint, { data }));
    }
    case "get-tickers": {
      const id = query.get("instrument_name");
      const wanted = symbols.filter((symbol) =>
        isTrading(symbol, nowMs) && (id === null || id === marketId(symbol))
      );
      const data = wanted.map((symbol) => ticker(symbol, nowMs));
      return plain("tickers", endpoint, envelope(endpoint, { data }));
    }
    case "get-candlestick":
      return readCandles(endpoint, request);
    default:
      return undefined;
  }
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const id = query.get("instrument_name");
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  const interval = query.get("timeframe") ?? "1m";
  const text = INTERVALS.get(interval);
  const bounds = ["start_ts", "end_ts", "count"].map((name) => query.get(name));
  if (
    symbol === undefined || text === undefined ||
    bounds.some((bound) => bound !== null && !/^\d+$/.test(bound))
  ) {
    return refused(endpoint, 400, failure(40004, "Missing or invalid argument"));
  }
  const [start = null, end = null, count = null] = bounds;
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe: parseTimeframe(text),
    page: {
      // Exclusive: CCXT asks from one candle earlier than it wants.
      sinceMs: start === null ? undefined : Number(start) + 1,
      untilMs: end === null ? undefined : Number(end),
      rowsMax: Math.min(Number(count ?? ROWS_DEFAULT), ROWS_MAX),
      // It counts back from the end, which is why a start alone was of no use: ccxt#23066.
      keep: "newest",
      order: "ascending",
    },
    render: (rows) =>
      envelope(endpoint, {
        interval,
        data: rows.map((row) => candleRow(symbol, row)),
        instrument_name: id,
      }),
  };
}

function candleRow(symbol: LocalSymbol, row: PageRow): unknown {
  const price = (text: string | null): string | null => withDecimals(text, symbol.tickDecimals);
  return {
    o: price(row.open),
    h: price(row.high),
    l: price(row.low),
    c: price(row.close),
    v: trimmed(row.volume),
    t: row.openTimeMs,
  };
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const price = (text: string): string => withDecimals(text, symbol.tickDecimals);
  return {
    i: marketId(symbol),
    h: price(day.high),
    l: price(day.low),
    a: price(day.close),
    v: trimmed(day.volume),
    // In dollars whatever the quote is.
    vv: Number(day.quoteVolume).toFixed(2),
    c: (Number(day.close) / Number(day.open) - 1).toFixed(4),
    b: price(day.close),
    k: price(day.close),
    oi: "0",
    t: nowMs,
  };
}

function instrument(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    symbol: marketId(symbol),
    inst_type: "CCY_PAIR",
    display_name: symbol.symbol,
    base_ccy: symbol.base,
    quote_ccy: symbol.quote,
    quote_decimals: symbol.tickDecimals,
    quantity_decimals: 8,
    price_tick_size: tickText(symbol),
    qty_tick_size: "0.00000001",
    max_leverage: "50",
    tradable: isTrading(symbol, nowMs),
    expiry_timestamp_ms: 0,
    beta_product: false,
    margin_buy_enabled: false,
    margin_sell_enabled: false,
  };
}

function envelope(endpoint: string, result: unknown): unknown {
  return { id: -1, method: `public/${endpoint}`, code: 0, result };
}

function failure(code: number, message: string): unknown {
  return { id: -1, code, message };
}

function marketId({ base, quote }: LocalSymbol): string {
  return `${base}_${quote}`;
}
