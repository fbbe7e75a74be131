/** HTX's public spot API, `/market` and `/v1/common`, for the local exchange. @module */
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  trimmed,
} from "../local_exchange/dialect.ts";
import type { PageAsk } from "../../../lib/local_exchange/history.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";
import { parseTimeframe } from "../../../lib/market/timeframe.ts";

/**
 * Shapes follow HTX's documentation (spot, market data) and what `ccxt/js/src/htx.js` reads. Numbers are numbers, not
 * texts, and a wrong parameter is refused with status 200.
 */
export const htx: Dialect = {
  exchange: "htx",
  // Not documented; its examples hold minutes of the last close with a volume and a count of zero.
  silence: "flat",
  read: readHtx,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418
        ? problem("invalid-parameter", "request limit")
        : problem("gateway-internal-error", "Failed to load data. Try again later."),
    ),
};

const SYMBOLS = "/v1/common/symbols";
const MARKET = "/market/";

const ROWS_DEFAULT = 150;

/** `history/candles` takes bounds and is what CCXT asks; `history/kline` knows only the newest ones. */
const ROWS_MAX = { candles: 1_000, kline: 2_000 } as const;

const HOUR_MS = 60 * 60_000;

/** Days and weeks open on Singapore time: 16:00 UTC of the day before. */
const SINGAPORE_MS = 8 * HOUR_MS;

const PERIODS: ReadonlyMap<string, readonly [timeframe: string, aheadMs: number]> = new Map([
  ["1min", ["1m", 0]],
  ["5min", ["5m", 0]],
  ["15min", ["15m", 0]],
  ["30min", ["30m", 0]],
  ["60min", ["1h", 0]],
  ["4hour", ["4h", 0]],
  ["1day", ["1d", SINGAPORE_MS]],
  ["1week", ["1w", SINGAPORE_MS]],
]);

function readHtx(request: DialectRequest): Ask | undefined {
  const { path, symbols, nowMs } = request;
  if (path === "/v1/common/timestamp") {
    return plain("other", path.slice(1), { status: "ok", data: nowMs });
  }
  if (path === SYMBOLS) {
    const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
    const data = listed.map((symbol) => market(symbol, nowMs));
    return plain("markets", path.slice(1), { status: "ok", data });
  }
  if (!path.startsWith(MARKET)) return undefined;
  const endpoint = path.slice(MARKET.length);
  switch (endpoint) {
    case "tickers": {
      const trading = symbols.filter((symbol) => isTrading(symbol, nowMs));
      const data = trading.map((symbol) => ticker(symbol, nowMs));
      return plain("tickers", endpoint, { status: "ok", ts: nowMs, data });
    }
    case "history/candles":
    case "history/kline":
      return readCandles(endpoint, request);
    default:
      return undefined;
  }
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const invalid = (message: string): Ask =>
    plain("other", endpoint, problem("invalid-parameter", message));
  const id = query.get("symbol") ?? "";
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) return invalid("invalid symbol");
  const text = query.get("period") ?? "";
  const period = PERIODS.get(text);
  if (period === undefined) return invalid("invalid period");
  const size = Number(query.get("size") ?? ROWS_DEFAULT);
  if (!(size >= 1 && size <= ROWS_MAX.kline)) {
    return invalid("invalid size, valid range: [1, 2000]");
  }
  const [timeframe, aheadMs] = period;
  const ch = `market.${id}.kline.${text}`;
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe: parseTimeframe(timeframe),
    page: endpoint === "history/candles"
      ? boundedPage(query, { size, aheadMs })
      : { rowsMax: size, keep: "newest", order: "descending" },
    render: (rows) => {
      const data = rows.map((row) => candleRow({ ...row, openTimeMs: row.openTimeMs - aheadMs }));
      return { ch, status: "ok", ts: nowMs, data };
    },
  };
}

/** The oldest candles from a start on, in seconds; asked for more than it gives, it gives nothing. */
function boundedPage(
  query: URLSearchParams,
  { size, aheadMs }: { readonly size: number; readonly aheadMs: number },
): PageAsk {
  const from = query.get("from");
  const to = query.get("to");
  return {
    sinceMs: from === null ? undefined : Number(from) * 1_000 + aheadMs,
    // Inclusive.
    untilMs: to === null ? undefined : Number(to) * 1_000 + aheadMs + 1,
    rowsMax: size > ROWS_MAX.candles ? 0 : size,
    keep: from === null ? "newest" : "oldest",
    order: "descending",
  };
}

/** `amount` counts base units, `vol` quote units. */
function candleRow(row: PageRow): unknown {
  return {
    id: row.openTimeMs / 1_000,
    open: numberOf(row.open),
    close: numberOf(row.close),
    low: numberOf(row.low),
    high: numberOf(row.high),
    amount: numberOf(row.volume),
    vol: numberOf(row.quoteVolume),
    count: row.trades,
  };
}

/** A number with all its digits, which a double would not keep. What is none stays a text: JSON has no `NaN`. */
function numberOf(text: string | null | undefined): unknown {
  return typeof text === "string" && /^-?\d/.test(text) ? rawJSON(trimmed(text)) : text;
}

/** Every engine has it, TypeScript does not know it yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  return {
    symbol: marketId(symbol),
    open: Number(day.open),
    high: Number(day.high),
    low: Number(day.low),
    close: Number(day.close),
    amount: Number(day.volume),
    vol: Number(day.quoteVolume),
    count: day.trades,
    bid: Number(day.close),
    bidSize: 1,
    ask: Number(day.close),
    askSize: 1,
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  const isOpen = isTrading(symbol, nowMs);
  return {
    "base-currency": symbol.base.toLowerCase(),
    "quote-currency": symbol.quote.toLowerCase(),
    "price-precision": symbol.tickDecimals,
    "amount-precision": 8,
    "symbol-partition": "main",
    symbol: marketId(symbol),
    state: isOpen ? "online" : "offline",
    "value-precision": 8,
    "min-order-amt": 0.000_01,
    "max-order-amt": 1_000_000,
    "min-order-value": 1,
    "api-trading": isOpen ? "enabled" : "disabled",
    tags: "",
  };
}

function problem(code: string, message: string): unknown {
  return { status: "error", "err-code": code, "err-msg": message };
}

function marketId({ base, quote }: LocalSymbol): string {
  return (base + quote).toLowerCase();
}
