/** Bitvavo's public API, `/v2`, for the local exchange. @module */
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
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

/** Shapes follow Bitvavo's documentation (market data) and what `ccxt/js/src/bitvavo.js` reads. */
export const bitvavo: Dialect = {
  exchange: "bitvavo",
  silence: "omitted",
  read: readBitvavo,
  refusal: bitvavoRefusal,
};

const API = "/v2/";
const CANDLES = /^([^/]+)\/candles$/;

/** Both the default and the most. */
const LIMIT_MAX = 1_440;

const INTERVALS: ReadonlySet<string> = new Set(
  ["1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"],
);

function readBitvavo(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { symbols, nowMs } = request;
  switch (endpoint) {
    case "time":
      return plain("other", endpoint, { time: nowMs, timeNs: nowMs * 1_000_000 });
    case "markets": {
      const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
      return plain("markets", endpoint, listed.map((symbol) => market(symbol, nowMs)));
    }
    case "ticker/24h": {
      const open = symbols.filter((symbol) => isTrading(symbol, nowMs));
      return plain("tickers", endpoint, open.map((symbol) => ticker(symbol, nowMs)));
    }
    default: {
      const id = CANDLES.exec(endpoint)?.[1];
      return id === undefined ? undefined : readCandles(id, request);
    }
  }
}

function readCandles(id: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) return invalid("market");
  const interval = query.get("interval") ?? "";
  if (!INTERVALS.has(interval)) return invalid("interval");
  for (const name of ["start", "end"]) {
    if (!/^\d*$/.test(query.get(name) ?? "")) return invalid(name);
  }
  const [start, end] = [query.get("start"), query.get("end")];
  const rowsMax = Number(query.get("limit") ?? LIMIT_MAX);
  if (!Number.isInteger(rowsMax) || rowsMax < 1 || rowsMax > LIMIT_MAX) return invalid("limit");
  return {
    about: "candles",
    endpoint: "candles",
    symbol,
    timeframe: parseTimeframe(interval),
    page: {
      sinceMs: start === null ? undefined : Number(start),
      // Not documented; taken as inclusive, where a page asked up to its end loses its first candle.
      untilMs: end === null ? undefined : Number(end) + 1,
      rowsMax,
      // The end decides, whatever `start` says: ccxt#9227.
      keep: "newest",
      order: "descending",
    },
    render: (rows) => rows.map(candleRow),
  };
}

function candleRow(row: PageRow): unknown[] {
  const prices = [trimmed(row.open), trimmed(row.high), trimmed(row.low), trimmed(row.close)];
  const values: unknown[] = [row.openTimeMs, ...prices];
  return row.volume === undefined ? values : [...values, trimmed(row.volume)];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  return {
    market: marketId(symbol),
    startTimestamp: day.openTimeMs,
    timestamp: nowMs,
    open: trimmed(day.open),
    openTimestamp: day.openTimeMs,
    high: trimmed(day.high),
    low: trimmed(day.low),
    last: trimmed(day.close),
    closeTimestamp: day.closeTimeMs,
    bid: trimmed(day.close),
    bidSize: "1",
    ask: trimmed(day.close),
    askSize: "1",
    volume: trimmed(day.volume),
    volumeQuote: trimmed(day.quoteVolume),
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    market: marketId(symbol),
    status: isTrading(symbol, nowMs) ? "trading" : "halted",
    base: symbol.base,
    quote: symbol.quote,
    pricePrecision: "0",
    minOrderInBaseAsset: "0.00006100",
    minOrderInQuoteAsset: "5.00",
    maxOrderInBaseAsset: "1000000000.00000000",
    maxOrderInQuoteAsset: "1000000000.00",
    quantityDecimals: "8",
    notionalDecimals: "2",
    tickSize: tickText(symbol),
    maxOpenOrders: "100",
    feeCategory: "A",
    orderTypes: ["market", "limit", "stopLoss", "stopLossLimit", "takeProfit", "takeProfitLimit"],
  };
}

function bitvavoRefusal(status: number, { untilMs }: { readonly untilMs: number }): string {
  switch (status) {
    case 429: {
      const error = "You have been rate limited. Please observe the Bitvavo-Ratelimit-AllowAt " +
        "header to see when you can send requests again. Failure to respect this limit will " +
        "result in an IP ban.";
      return JSON.stringify({ errorCode: 103, error });
    }
    case 403:
    case 418: {
      const error = "Your IP or API key has been banned for not respecting the rate limit. " +
        `The ban expires at ${untilMs}.`;
      return JSON.stringify({ errorCode: 105, error });
    }
    default: {
      const error = "The matching engine is overloaded. Please wait 500ms and resubmit your order.";
      return JSON.stringify({ errorCode: 107, error });
    }
  }
}

function invalid(name: string): Ask {
  return refused("candles", 400, { errorCode: 205, error: `${name} parameter is invalid.` });
}

function marketId({ base, quote }: LocalSymbol): string {
  return `${base}-${quote}`;
}
