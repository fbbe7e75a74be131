/** Bitget's public spot API, `/api/v2/spot`, for the local exchange. @module */
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
import { closedUntil, parseTimeframe } from "../../../lib/market/timeframe.ts";

/** Shapes follow Bitget's documentation (v2, spot market) and what `ccxt/js/src/bitget.js` reads. */
export const bitget: Dialect = {
  exchange: "bitget",
  // Not documented, and not known for sure.
  silence: "flat",
  read: readBitget,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418
        ? { code: "429", msg: "Too Many Requests", data: null }
        : { code: "40725", msg: "service return an error", data: null },
    ),
};

const API = "/api/v2/";

const ROWS_DEFAULT = 100;

/** Two endpoints, two page limits: `history-candles` gives closed candles only, and no more than 200. */
const ROWS_MAX = { recent: 1_000, history: 200 } as const;

const DAY_MS = 24 * 60 * 60_000;

/** Timeframes, and how many days back `market/candles` has them; older asks are answered with nothing. */
const GRANULARITIES: ReadonlyMap<string, readonly [timeframe: string, recentDays: number]> =
  new Map([
    ["1min", ["1m", 30]],
    ["3min", ["3m", 30]],
    ["5min", ["5m", 30]],
    ["15min", ["15m", 30]],
    ["30min", ["30m", 30]],
    ["1h", ["1h", 60]],
    ["4h", ["4h", 240]],
    ["6Hutc", ["6h", 360]],
    ["12Hutc", ["12h", 720]],
    ["1Dutc", ["1d", 1_440]],
    ["3Dutc", ["3d", 4_320]],
    ["1Wutc", ["1w", 10_080]],
    ["1Mutc", ["1M", 43_200]],
  ]);

function readBitget(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { symbols, nowMs } = request;
  switch (endpoint) {
    case "public/time":
      return plain("other", endpoint, envelope({ serverTime: String(nowMs) }, nowMs));
    case "spot/public/symbols": {
      const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
      const list = listed.map((symbol) => market(symbol, nowMs));
      return plain("markets", endpoint, envelope(list, nowMs));
    }
    case "margin/currencies": {
      const trading = symbols.filter((symbol) => isTrading(symbol, nowMs));
      return plain("other", endpoint, envelope(trading.map(marginMarket), nowMs));
    }
    case "spot/market/tickers": {
      const trading = symbols.filter((symbol) => isTrading(symbol, nowMs));
      const list = trading.map((symbol) => ticker(symbol, nowMs));
      return plain("tickers", endpoint, envelope(list, nowMs));
    }
    case "spot/market/candles":
    case "spot/market/history-candles":
      return readCandles(endpoint, request);
    default:
      return undefined;
  }
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const invalid = (code: string, msg: string): Ask =>
    refused(endpoint, 400, { code, msg, requestTime: nowMs, data: null });
  const isHistory = endpoint.endsWith("history-candles");
  const id = query.get("symbol") ?? "";
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) return invalid("40034", `Parameter ${id} does not exist`);
  const found = GRANULARITIES.get(query.get("granularity") ?? "");
  if (found === undefined) return invalid("400171", "Parameter verification failed granularity");
  const start = query.get("startTime");
  const end = query.get("endTime");
  if (isHistory && end === null) return invalid("40019", "Parameter endTime cannot be empty");
  const [text, recentDays] = found;
  const timeframe = parseTimeframe(text);
  // Exclusive.
  const untilMs = end === null ? undefined : Number(end);
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: {
      // `history-candles` does not look at the start at all: it counts back from the end.
      sinceMs: isHistory
        ? undefined
        : Math.max(Number(start ?? -Infinity), nowMs - recentDays * DAY_MS),
      untilMs: isHistory ? Math.min(untilMs ?? Infinity, closedUntil(timeframe, nowMs)) : untilMs,
      // Asked for more than it gives, it counts back from the end all the same: the start moves.
      rowsMax: Math.min(
        Number(query.get("limit") ?? ROWS_DEFAULT),
        isHistory ? ROWS_MAX.history : ROWS_MAX.recent,
      ),
      keep: "newest",
      order: "ascending",
    },
    render: (rows) => envelope(rows.map(candleRow), nowMs),
  };
}

/** The last two are the turnover in USDT and in quote units. */
function candleRow(row: PageRow): unknown[] {
  const prices = [trimmed(row.open), trimmed(row.high), trimmed(row.low), trimmed(row.close)];
  const values: unknown[] = [String(row.openTimeMs), ...prices];
  if (row.volume === undefined) return values;
  const turnover = trimmed(row.quoteVolume);
  return [...values, trimmed(row.volume), turnover, turnover];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const change = (Number(day.close) / Number(day.open) - 1).toFixed(5);
  return {
    symbol: marketId(symbol),
    high24h: trimmed(day.high),
    open: trimmed(day.open),
    low24h: trimmed(day.low),
    lastPr: trimmed(day.close),
    quoteVolume: trimmed(day.quoteVolume),
    baseVolume: trimmed(day.volume),
    usdtVolume: trimmed(day.quoteVolume),
    ts: String(nowMs),
    bidPr: trimmed(day.close),
    askPr: trimmed(day.close),
    bidSz: "1",
    askSz: "1",
    openUtc: trimmed(day.open),
    changeUtc24h: change,
    change24h: change,
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    symbol: marketId(symbol),
    baseCoin: symbol.base,
    quoteCoin: symbol.quote,
    minTradeAmount: "0",
    maxTradeAmount: "900000000000000000000",
    takerFeeRate: "0.002",
    makerFeeRate: "0.002",
    pricePrecision: String(symbol.tickDecimals),
    quantityPrecision: "8",
    quotePrecision: "8",
    status: isTrading(symbol, nowMs) ? "online" : "offline",
    minTradeUSDT: "1",
    buyLimitPriceRatio: "0.05",
    sellLimitPriceRatio: "0.05",
    areaSymbol: "no",
    orderQuantity: "200",
    openTime: String(symbol.listedAtMs ?? 0),
    offTime: "",
  };
}

function marginMarket(symbol: LocalSymbol): unknown {
  return {
    symbol: marketId(symbol),
    baseCoin: symbol.base,
    quoteCoin: symbol.quote,
    maxCrossedLeverage: "3",
    maxIsolatedLeverage: "10",
    isBorrowable: true,
    isCrossBorrowable: true,
    isIsolatedBaseBorrowable: true,
    isIsolatedQuoteBorrowable: true,
    status: "1",
  };
}

function envelope(data: unknown, nowMs: number): unknown {
  return { code: "00000", msg: "success", requestTime: nowMs, data };
}

function marketId({ base, quote }: LocalSymbol): string {
  return base + quote;
}
