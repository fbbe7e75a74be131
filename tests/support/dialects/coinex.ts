/** CoinEx's public API, `/v2`, for the local exchange: its candles are always the newest ones. @module */
import { parseTimeframe } from "../../../lib/market/timeframe.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  trimmed,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

/** Shapes follow CoinEx's documentation (v2 market) and what `ccxt/js/src/coinex.js` reads. */
export const coinex: Dialect = {
  exchange: "coinex",
  silence: "flat",
  read: readCoinex,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418
        ? { code: 4213, data: {}, message: "Rate limit triggered." }
        : { code: 3008, data: {}, message: "Service too busy, please try again later." },
    ),
};

const API = "/v2/";

const ROWS_DEFAULT = 100;
const ROWS_MAX = 1_000;

const PERIODS: ReadonlyMap<string, string> = new Map([
  ["1min", "1m"],
  ["5min", "5m"],
  ["1hour", "1h"],
  ["1day", "1d"],
]);

function readCoinex(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { symbols, nowMs } = request;
  switch (endpoint) {
    case "spot/market": {
      const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
      return plain("markets", endpoint, envelope(listed.map((symbol) => market(symbol, nowMs))));
    }
    case "futures/market":
      return plain("markets", endpoint, envelope([]));
    case "spot/kline":
      return readCandles(endpoint, request);
    default:
      return undefined;
  }
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const id = query.get("market") ?? "";
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  const text = PERIODS.get(query.get("period") ?? "");
  if (symbol === undefined || text === undefined) {
    return plain("other", endpoint, { code: 3639, data: {}, message: "Invalid Parameter." });
  }
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe: parseTimeframe(text),
    page: {
      rowsMax: Math.min(Number(query.get("limit") ?? ROWS_DEFAULT), ROWS_MAX),
      keep: "newest",
      order: "ascending",
    },
    render: (rows) => envelope(rows.map((row) => candleRow(id, row))),
  };
}

function candleRow(id: string, row: PageRow): unknown {
  return {
    market: id,
    created_at: row.openTimeMs,
    open: trimmed(row.open),
    high: trimmed(row.high),
    low: trimmed(row.low),
    close: trimmed(row.close),
    // CCXT takes the base volume from `value`.
    value: trimmed(row.volume),
    volume: trimmed(row.quoteVolume),
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    market: marketId(symbol),
    taker_fee_rate: "0.002",
    maker_fee_rate: "0.002",
    min_amount: "0.0005",
    base_ccy: symbol.base,
    quote_ccy: symbol.quote,
    base_ccy_precision: 8,
    quote_ccy_precision: symbol.tickDecimals,
    is_margin_available: false,
    is_api_trading_available: isTrading(symbol, nowMs),
  };
}

function envelope(data: unknown): unknown {
  return { code: 0, data, message: "OK" };
}

function marketId({ base, quote }: LocalSymbol): string {
  return base + quote;
}
