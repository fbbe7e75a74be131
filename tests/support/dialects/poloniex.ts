/** Poloniex's public spot API for the local exchange. @module */
import { addCandles, parseTimeframe, type Timeframe } from "../../../lib/market/timeframe.ts";
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

/** Shapes follow Poloniex's documentation (spot public API) and what `ccxt/js/src/poloniex.js` reads. */
export const poloniex: Dialect = {
  exchange: "poloniex",
  // Its documentation shows such rows for futures; that spot does the same is an assumption.
  silence: "flat",
  read: readPoloniex,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418
        ? { code: 429, message: "Too many requests" }
        : { code: 24201, message: "Service busy. Try again later" },
    ),
};

const MARKETS = "markets";
const CANDLES = /^markets\/([^/]+)\/candles$/;

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 500;

const INTERVALS: ReadonlyMap<string, string> = new Map([
  ["MINUTE_1", "1m"],
  ["MINUTE_5", "5m"],
  ["MINUTE_10", "10m"],
  ["MINUTE_15", "15m"],
  ["MINUTE_30", "30m"],
  ["HOUR_1", "1h"],
  ["HOUR_2", "2h"],
  ["HOUR_4", "4h"],
  ["HOUR_6", "6h"],
  ["HOUR_12", "12h"],
  ["DAY_1", "1d"],
  ["DAY_3", "3d"],
  ["WEEK_1", "1w"],
  ["MONTH_1", "1M"],
]);

function readPoloniex(request: DialectRequest): Ask | undefined {
  const { symbols, nowMs } = request;
  const endpoint = request.path.slice(1);
  switch (endpoint) {
    case "timestamp":
      return plain("other", endpoint, { serverTime: nowMs });
    case MARKETS: {
      const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
      return plain("markets", endpoint, listed.map((symbol) => market(symbol, nowMs)));
    }
    // CCXT asks for futures too, whatever it is told.
    case "v3/market/allInstruments":
      return plain("markets", endpoint, { code: 200, msg: "Success", data: [] });
    case "markets/ticker24h": {
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
  if (symbol === undefined) return problem(24101, "Invalid symbol");
  const interval = query.get("interval") ?? "";
  const text = INTERVALS.get(interval);
  if (text === undefined) return problem(24102, "Invalid K-line type");
  const start = query.get("startTime");
  const end = query.get("endTime");
  if (!/^\d+$/.test(start ?? "0")) return problem(24105, "Invalid startTime");
  if (!/^\d+$/.test(end ?? "0")) return problem(24103, "Invalid endTime");
  const rowsMax = Number(query.get("limit") ?? LIMIT_DEFAULT);
  if (!(Number.isInteger(rowsMax) && rowsMax >= 1 && rowsMax <= LIMIT_MAX)) {
    return problem(24104, "Invalid limit");
  }
  const timeframe = parseTimeframe(text);
  return {
    about: "candles",
    endpoint: `${MARKETS}/candles`,
    symbol,
    timeframe,
    page: {
      sinceMs: start === null ? undefined : Number(start),
      // Inclusive.
      untilMs: end === null ? undefined : Number(end) + 1,
      rowsMax,
      // A start alone does not hold: the newest rows since then come, ccxt#23236.
      keep: "newest",
      order: "ascending",
    },
    render: (rows) => rows.map((row) => candleRow(row, { interval, timeframe })),
  };
}

/** Low before high before open; the time stands near the end. */
function candleRow(
  row: PageRow,
  { interval, timeframe }: { readonly interval: string; readonly timeframe: Timeframe },
): unknown[] {
  const half = (text: string): string => trimmed((Number(text) / 2).toFixed(8));
  const closeTimeMs = addCandles(timeframe, row.openTimeMs, 1) - 1;
  return [
    trimmed(row.low),
    trimmed(row.high),
    trimmed(row.open),
    trimmed(row.close),
    trimmed(row.quoteVolume),
    // Columns are counted, so a volume that is missing is a null.
    trimmed(row.volume) ?? null,
    half(row.quoteVolume),
    half(row.volume ?? "0"),
    row.trades,
    closeTimeMs,
    trimmed(row.open),
    interval,
    row.openTimeMs,
    closeTimeMs,
  ];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  return {
    symbol: marketId(symbol),
    open: trimmed(day.open),
    low: trimmed(day.low),
    high: trimmed(day.high),
    close: trimmed(day.close),
    quantity: trimmed(day.volume),
    amount: trimmed(day.quoteVolume),
    tradeCount: day.trades,
    startTime: day.openTimeMs,
    closeTime: day.closeTimeMs,
    displayName: symbol.symbol,
    dailyChange: (Number(day.close) / Number(day.open) - 1).toFixed(4),
    bid: trimmed(day.close),
    bidQuantity: "1",
    ask: trimmed(day.close),
    askQuantity: "1",
    ts: nowMs,
    markPrice: trimmed(day.close),
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    symbol: marketId(symbol),
    baseCurrencyName: symbol.base,
    quoteCurrencyName: symbol.quote,
    displayName: symbol.symbol,
    state: isTrading(symbol, nowMs) ? "NORMAL" : "PAUSE",
    visibleStartTime: symbol.listedAtMs ?? 0,
    tradableStartTime: symbol.listedAtMs ?? 0,
    symbolTradeLimit: {
      symbol: marketId(symbol),
      priceScale: symbol.tickDecimals,
      quantityScale: 8,
      amountScale: 8,
      minQuantity: "0.00001",
      minAmount: "1",
      highestBid: "0",
      lowestAsk: "0",
    },
    crossMargin: { supportCrossMargin: false, maxLeverage: 1 },
  };
}

function problem(code: number, message: string): Ask {
  return refused(`${MARKETS}/candles`, 400, { code, message });
}

function marketId({ base, quote }: LocalSymbol): string {
  return `${base}_${quote}`;
}
