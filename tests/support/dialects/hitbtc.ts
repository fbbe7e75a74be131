/** HitBTC's public API, `/api/3/public`, for the local exchange. @module */
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
} from "../local_exchange/dialect.ts";
import { isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

/** Shapes follow HitBTC's documentation (v3 market data) and what `ccxt/js/src/hitbtc.js` reads. */
export const hitbtc: Dialect = {
  exchange: "hitbtc",
  // Minutes without trades are left out: hitbtc-api#22 shows steps of 15 and 40 minutes in M5.
  silence: "omitted",
  read: readHitbtc,
  refusal: (status) =>
    JSON.stringify({
      error: status === 429 || status === 418
        ? { code: 429, message: "Too many requests", description: "Action is being rate limited" }
        : { code: 503, message: "Service unavailable", description: "Try it again later" },
    }),
};

const API = "/api/3/public/";
const CANDLES = /^candles\/([^/]+)$/;

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

const PERIODS: ReadonlyMap<string, string> = new Map([
  ["M1", "1m"],
  ["M3", "3m"],
  ["M5", "5m"],
  ["M15", "15m"],
  ["M30", "30m"],
  ["H1", "1h"],
  ["H4", "4h"],
  ["D1", "1d"],
  ["D7", "1w"],
  ["1M", "1M"],
]);

function readHitbtc(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { nowMs } = request;
  // A market that was closed is gone from every list, and its candles with it.
  const symbols = request.symbols.filter((symbol) => isTrading(symbol, nowMs));
  const keyed = (value: (symbol: LocalSymbol) => unknown): unknown =>
    Object.fromEntries(symbols.map((symbol) => [marketId(symbol), value(symbol)]));
  switch (endpoint) {
    case "symbol":
      return plain("markets", endpoint, keyed(market));
    case "ticker":
      return plain("tickers", endpoint, keyed((symbol) => ticker(symbol, nowMs)));
    default: {
      const id = CANDLES.exec(endpoint)?.[1];
      return id === undefined ? undefined : readCandles(id, { ...request, symbols });
    }
  }
}

function readCandles(id: string, { query, symbols }: DialectRequest): Ask {
  const symbol = symbols.find((entry) => marketId(entry) === id);
  if (symbol === undefined) {
    return problem({
      code: 2001,
      message: `No such symbol: ${id}`,
      description: "Try get /public/symbol, to get list of all available symbols.",
    });
  }
  const text = PERIODS.get(query.get("period") ?? "M30");
  if (text === undefined) return invalid("period");
  const sort = query.get("sort") ?? "DESC";
  if (sort !== "ASC" && sort !== "DESC") return invalid("sort");
  const limit = Number(query.get("limit") ?? LIMIT_DEFAULT);
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX)) return invalid("limit");
  const [sinceMs, tillMs] = [readTime(query.get("from")), readTime(query.get("till"))];
  if (Number.isNaN(sinceMs)) return invalid("from");
  if (Number.isNaN(tillMs)) return invalid("till");
  return {
    about: "candles",
    endpoint: "candles",
    symbol,
    timeframe: parseTimeframe(text),
    page: {
      sinceMs,
      // Inclusive.
      untilMs: tillMs === undefined ? undefined : tillMs + 1,
      rowsMax: limit,
      // Rows are sorted first and cut then: unless asked for ascending ones, `from` keeps the newest.
      keep: sort === "ASC" ? "oldest" : "newest",
      order: sort === "ASC" ? "ascending" : "descending",
    },
    render: (rows) => rows.map(candleRow),
  };
}

/** ISO 8601 or milliseconds. NaN when it is no time. */
function readTime(text: string | null): number | undefined {
  if (text === null) return undefined;
  return /^\d+$/.test(text) ? Number(text) : Date.parse(text);
}

function candleRow(row: PageRow): unknown {
  return {
    timestamp: new Date(row.openTimeMs).toISOString(),
    open: trimmed(row.open),
    close: trimmed(row.close),
    min: trimmed(row.low),
    max: trimmed(row.high),
    volume: trimmed(row.volume),
    volume_quote: trimmed(row.quoteVolume),
  };
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  return {
    ask: trimmed(day.close),
    bid: trimmed(day.close),
    last: trimmed(day.close),
    low: trimmed(day.low),
    high: trimmed(day.high),
    open: trimmed(day.open),
    volume: trimmed(day.volume),
    volume_quote: trimmed(day.quoteVolume),
    timestamp: new Date(nowMs).toISOString(),
  };
}

function market(symbol: LocalSymbol): unknown {
  return {
    type: "spot",
    base_currency: symbol.base,
    quote_currency: symbol.quote,
    quantity_increment: "0.00001",
    tick_size: tickText(symbol),
    take_rate: "0.0025",
    make_rate: "0.001",
    fee_currency: symbol.quote,
    margin_trading: false,
  };
}

function invalid(name: string): Ask {
  const description = `${name} has invalid value`;
  return problem({ code: 10001, message: "Validation error", description });
}

function problem(error: Readonly<Record<string, unknown>>): Ask {
  return refused("candles", 400, { error });
}

function marketId({ base, quote }: LocalSymbol): string {
  return base + quote;
}
