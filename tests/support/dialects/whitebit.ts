/** WhiteBIT's public API, `/api/v1` and `/api/v4`, for the local exchange. @module */
import { closedUntil, floorTime, parseTimeframe } from "../../../lib/market/timeframe.ts";
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

/** Shapes follow WhiteBIT's documentation (v1 and v4 of the public HTTP API) and what `ccxt/js/src/whitebit.js` reads. */
export const whitebit: Dialect = {
  exchange: "whitebit",
  // Not documented. Its first version is the interface of the ViaBTC engine, which repeats the last close.
  silence: "flat",
  read: readWhitebit,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418
        ? { success: false, message: "Too many requests.", params: [] }
        : { response: null, status, errors: { message: [""] }, notification: null, warning: null },
    ),
};

const MARKETS = "/api/v4/public/markets";
const TICKERS = "/api/v4/public/ticker";
const CANDLES = "/api/v1/public/kline";

/** The most rows, and as many unless told. */
const ROWS_MAX = 1_440;

const INTERVALS: ReadonlySet<string> = new Set(
  ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"],
);

function readWhitebit(request: DialectRequest): Ask | undefined {
  const { path, symbols, nowMs } = request;
  switch (path) {
    case MARKETS: {
      const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
      return plain("markets", "markets", listed.map((symbol) => market(symbol, nowMs)));
    }
    case TICKERS: {
      const open = symbols.filter((symbol) => isTrading(symbol, nowMs));
      const entries = open.map((symbol) => [marketId(symbol), ticker(symbol, nowMs)]);
      return plain("tickers", "ticker", Object.fromEntries(entries));
    }
    case CANDLES:
      return readCandles(request);
    default:
      return undefined;
  }
}

function readCandles({ query, symbols, nowMs }: DialectRequest): Ask {
  const endpoint = "kline";
  const id = query.get("market");
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) return invalid("market", "Market is not available");
  const interval = query.get("interval") ?? "1h";
  if (!INTERVALS.has(interval)) return invalid("interval", "The selected interval is invalid.");
  const limit = query.get("limit") ?? String(ROWS_MAX);
  if (!/^[1-9]\d*$/.test(limit) || Number(limit) > ROWS_MAX) {
    return invalid("limit", `limit must be less than or equal to ${ROWS_MAX}`);
  }
  const timeframe = parseTimeframe(interval);
  const [start, end] = [query.get("start"), query.get("end")];
  const startMs = start === null ? floorTime(parseTimeframe("1d"), nowMs) : Number(start) * 1_000;
  const endMs = end === null ? nowMs : Number(end) * 1_000;
  if (startMs >= endMs) return invalid("start", "Start time cannot be greater than end time");
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: {
      // A limit alone reaches back as far as it has to.
      sinceMs: start === null && query.has("limit") ? undefined : startMs,
      // Closed candles only: whitebit-exchange/api-docs#24.
      untilMs: Math.min(endMs + 1, closedUntil(timeframe, nowMs)),
      rowsMax: Number(limit),
      // Not documented; CCXT pages by a start and a limit, which only works this way.
      keep: start === null ? "newest" : "oldest",
      order: "ascending",
    },
    render: (rows) => ({ success: true, message: null, result: rows.map(candleRow) }),
  };
}

/** In seconds, and the close comes second. */
function candleRow(row: PageRow): unknown[] {
  const prices = [trimmed(row.open), trimmed(row.close), trimmed(row.high), trimmed(row.low)];
  const values: unknown[] = [row.openTimeMs / 1_000, ...prices];
  if (row.volume === undefined) return values;
  return [...values, trimmed(row.volume), trimmed(row.quoteVolume)];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  return {
    base_id: 1,
    quote_id: 825,
    last_price: trimmed(day.close),
    quote_volume: trimmed(day.quoteVolume),
    base_volume: trimmed(day.volume),
    isFrozen: false,
    change: (100 * (Number(day.close) / Number(day.open) - 1)).toFixed(2),
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    name: marketId(symbol),
    stock: symbol.base,
    money: symbol.quote,
    stockPrec: "8",
    moneyPrec: String(symbol.tickDecimals),
    feePrec: "4",
    makerFee: "0.1",
    takerFee: "0.1",
    minAmount: "0.00000001",
    minTotal: "5.05",
    tradesEnabled: isTrading(symbol, nowMs),
    isCollateral: false,
    type: "spot",
    maxTotal: "1000000000",
  };
}

function invalid(name: string, message: string): Ask {
  return refused("kline", 422, { success: false, message: { [name]: [message] }, result: [] });
}

function marketId({ base, quote }: LocalSymbol): string {
  return `${base}_${quote}`;
}
