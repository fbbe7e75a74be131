/** Bitrue's public spot API, `/api/v1`, for the local exchange. @module */
import { parseTimeframe } from "../../../lib/market/timeframe.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
  tickText,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

/** Shapes follow the answers that `ccxt/js/src/bitrue.js` quotes. Of a window it reads only the end. */
export const bitrue: Dialect = {
  exchange: "bitrue",
  silence: "flat",
  read: readBitrue,
  refusal: () => JSON.stringify({ code: -1003, msg: "Too many requests." }),
};

const SCALES: Readonly<Record<string, string>> = { "1m": "1m", "1H": "1h", "1D": "1d" };

const ROWS_MAX = 1_440;

function readBitrue(request: DialectRequest): Ask | undefined {
  const { path, symbols, nowMs } = request;
  if (path === "/api/v1/exchangeInfo") {
    const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
    return plain("markets", "exchangeInfo", {
      timezone: "CTT",
      serverTime: nowMs,
      symbols: listed.map((symbol) => market(symbol, nowMs)),
      coins: [],
    });
  }
  return path === "/api/v1/market/kline" ? readCandles(request) : undefined;
}

function readCandles({ query, symbols }: DialectRequest): Ask {
  const symbol = symbols.find((one) => marketId(one) === query.get("symbol"));
  const timeframe = SCALES[query.get("scale") ?? ""];
  if (symbol === undefined || timeframe === undefined) {
    return refused("kline", 400, { code: -1121, msg: "Invalid symbol." });
  }
  const end = query.get("fromIdx");
  return {
    about: "candles",
    endpoint: "kline",
    symbol,
    timeframe: parseTimeframe(timeframe),
    page: {
      untilMs: end === null ? undefined : Number(end) + 1,
      rowsMax: Math.min(ROWS_MAX, Number(query.get("limit") ?? 100)),
      keep: "newest",
      order: "descending",
    },
    render: (rows) => ({
      symbol: marketId(symbol),
      scale: query.get("scale"),
      data: rows.map(candleRow),
    }),
  };
}

function candleRow({ openTimeMs, open, high, low, close, volume }: PageRow): unknown {
  const values = { o: open, h: high, l: low, c: close, v: volume };
  return { i: String(openTimeMs / 1_000), a: "0", ...values };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    symbol: marketId(symbol),
    status: isTrading(symbol, nowMs) ? "TRADING" : "BREAK",
    baseAsset: symbol.base.toLowerCase(),
    quoteAsset: symbol.quote.toLowerCase(),
    filters: [{ filterType: "PRICE_FILTER", minPrice: tickText(symbol), priceScale: 2 }],
  };
}

function marketId({ base, quote }: LocalSymbol): string {
  return `${base}${quote}`;
}
