/** Coinbase's Advanced Trade API, public half, `/api/v3/brokerage/market`, for the local exchange. @module */
import { nominalMs, parseTimeframe } from "../../../lib/market/timeframe.ts";
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

/** Shapes follow Coinbase's documentation and what `ccxt/js/src/coinbase.js` reads. */
export const coinbase: Dialect = {
  exchange: "coinbase",
  silence: "omitted",
  read: readCoinbase,
  // A page for people, not JSON: coinbase-samples/advanced-trade-sdk-go#18.
  refusal: (status) =>
    `<html><head><title>Coinbase</title></head><body><h1>${status}</h1></body></html>\n`,
};

const API = "/api/v3/brokerage/";
const PRODUCTS = "market/products";
const CANDLES = /^market\/products\/([^/]+)\/candles$/;

/** A range of more candles than this is refused outright, not cut. */
const CANDLES_MAX = 350;

const GRANULARITIES: ReadonlyMap<string, string> = new Map([
  ["ONE_MINUTE", "1m"],
  ["FIVE_MINUTE", "5m"],
  ["FIFTEEN_MINUTE", "15m"],
  ["THIRTY_MINUTE", "30m"],
  ["ONE_HOUR", "1h"],
  ["TWO_HOUR", "2h"],
  ["SIX_HOUR", "6h"],
  ["ONE_DAY", "1d"],
]);

function readCoinbase(request: DialectRequest): Ask | undefined {
  const { path, symbols, query, nowMs } = request;
  // CCXT asks for currencies unless told not to; three lists, empty ones will do.
  if (path === "/v2/currencies" || path === "/v2/currencies/crypto") {
    return plain("other", path.slice(1), { data: [] });
  }
  if (path === "/v2/exchange-rates") {
    return plain("other", path.slice(1), { data: { currency: "USD", rates: {} } });
  }
  if (!path.startsWith(API)) return undefined;
  const endpoint = path.slice(API.length);
  if (endpoint === "time") {
    return plain("other", endpoint, {
      iso: new Date(nowMs).toISOString(),
      epochSeconds: String(Math.floor(nowMs / 1_000)),
      epochMillis: String(nowMs),
    });
  }
  if (endpoint === PRODUCTS) {
    const ids = query.getAll("product_ids");
    const isSpot = (query.get("product_type") ?? "SPOT") === "SPOT";
    const products = symbols.filter((symbol) =>
      isSpot && isListed(symbol, nowMs) && (ids.length === 0 || ids.includes(marketId(symbol)))
    ).map((symbol) => product(symbol, nowMs));
    // One endpoint for both: CCXT's loadMarkets and fetchTickers send the same request.
    return plain("markets", endpoint, { products, num_products: products.length });
  }
  const match = CANDLES.exec(endpoint);
  return match?.[1] === undefined ? undefined : readCandles(match[1], request);
}

function readCandles(id: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const endpoint = `${PRODUCTS}/candles`;
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) {
    const error_details = "valid product_id is required";
    return refused(endpoint, 404, { error: "NOT_FOUND", error_details, message: error_details });
  }
  const text = GRANULARITIES.get(query.get("granularity") ?? "");
  const start = query.get("start");
  const end = query.get("end");
  if (text === undefined || start === null || end === null) {
    return invalid(endpoint, "start, end and granularity are required");
  }
  const timeframe = parseTimeframe(text);
  const sinceMs = Number(start) * 1_000;
  const untilMs = Number(end) * 1_000;
  if ((untilMs - sinceMs) / nominalMs(timeframe) > CANDLES_MAX) {
    return invalid(endpoint, `number of candles requested should be less than ${CANDLES_MAX} `);
  }
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: {
      sinceMs,
      // Inclusive: a range of 300 lengths holds 301 candles.
      untilMs: untilMs + 1,
      rowsMax: CANDLES_MAX,
      keep: "newest",
      order: "descending",
    },
    render: (rows) => ({ candles: rows.map(candleRow) }),
  };
}

function candleRow(row: PageRow): unknown {
  return {
    start: String(row.openTimeMs / 1_000),
    low: trimmed(row.low),
    high: trimmed(row.high),
    open: trimmed(row.open),
    close: trimmed(row.close),
    volume: trimmed(row.volume),
  };
}

function product(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const isOpen = isTrading(symbol, nowMs);
  const change = 100 * (Number(day.close) / Number(day.open) - 1);
  return {
    product_id: marketId(symbol),
    price: trimmed(day.close),
    price_percentage_change_24h: change.toFixed(8),
    volume_24h: trimmed(day.volume),
    volume_percentage_change_24h: "0",
    base_increment: "0.00000001",
    quote_increment: tickText(symbol),
    quote_min_size: "1",
    quote_max_size: "150000000",
    base_min_size: "0.00000001",
    base_max_size: "100000000",
    base_name: symbol.base,
    quote_name: symbol.quote,
    watched: false,
    is_disabled: false,
    new: false,
    status: isOpen ? "online" : "delisted",
    cancel_only: false,
    limit_only: false,
    post_only: false,
    trading_disabled: !isOpen,
    auction_mode: false,
    product_type: "SPOT",
    quote_currency_id: symbol.quote,
    base_currency_id: symbol.base,
    fcm_trading_session_details: null,
    mid_market_price: "",
    alias: "",
    alias_to: [],
    base_display_symbol: symbol.base,
    quote_display_symbol: symbol.quote,
    view_only: false,
    price_increment: tickText(symbol),
    display_name: marketId(symbol),
    product_venue: "CBE",
    approximate_quote_24h_volume: trimmed(day.quoteVolume),
  };
}

function invalid(endpoint: string, details: string): Ask {
  const body = { error: "INVALID_ARGUMENT", error_details: details, message: details };
  return refused(endpoint, 400, body);
}

function marketId({ base, quote }: LocalSymbol): string {
  return `${base}-${quote}`;
}
