/** Bitfinex's public API, `/v2`, for the local exchange. @module */
import { parseTimeframe } from "../../../lib/market/timeframe.ts";
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";
import { jsonNumber } from "./json_number.ts";

/** Shapes follow Bitfinex's documentation (REST v2) and what `ccxt/js/src/bitfinex.js` reads: lists throughout. */
export const bitfinex: Dialect = {
  exchange: "bitfinex",
  // "Candles will not be generated if there was no trading volume": bitfinex-api-py#198.
  silence: "omitted",
  read: readBitfinex,
  refusal: (status) => {
    if (status === 429 || status === 418) return JSON.stringify(failure(11010, "ratelimit: error"));
    return JSON.stringify(
      status === 503 ? failure(20060, "maintenance") : failure(10000, "generic error"),
    );
  },
};

const API = "/v2/";
const CONFIGURATION = /^conf\/([^/]+)$/;
const CANDLES = /^candles\/trade:([^:/]+):t([^/]+)\/hist$/;

const ROWS_DEFAULT = 100;
const ROWS_MAX = 10_000;

const INTERVALS: ReadonlyMap<string, string> = new Map([
  ["1m", "1m"],
  ["5m", "5m"],
  ["15m", "15m"],
  ["30m", "30m"],
  ["1h", "1h"],
  ["3h", "3h"],
  ["4h", "4h"],
  ["6h", "6h"],
  ["12h", "12h"],
  ["1D", "1d"],
  ["7D", "1w"],
  ["14D", "2w"],
  ["1M", "1M"],
]);

/** What Bitfinex calls the dollars of others. */
const ASSETS: ReadonlyMap<string, string> = new Map([["USDT", "UST"], ["USDC", "UDC"]]);

function readBitfinex(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { symbols, query, nowMs } = request;
  const labels = CONFIGURATION.exec(endpoint)?.[1]?.split(",");
  if (labels !== undefined) {
    // A closed market leaves the list, and nothing says that it was ever there.
    const open = symbols.filter((symbol) => isTrading(symbol, nowMs));
    const lists = labels.map((label) => label === "pub:info:pair" ? open.map(pairInfo) : []);
    return plain("markets", "conf", lists);
  }
  if (endpoint === "tickers") {
    const ids = query.get("symbols")?.split(",") ?? [];
    const wanted = symbols.filter((symbol) =>
      isTrading(symbol, nowMs) && (ids.includes("ALL") || ids.includes(`t${pairId(symbol)}`))
    );
    return plain("tickers", endpoint, wanted.map((symbol) => ticker(symbol, nowMs)));
  }
  const [, interval, id] = CANDLES.exec(endpoint) ?? [];
  return interval === undefined || id === undefined
    ? undefined
    : readCandles(request, { interval, id });
}

function readCandles(
  { query, symbols, nowMs }: DialectRequest,
  { interval, id }: { readonly interval: string; readonly id: string },
): Ask {
  const endpoint = "candles";
  const symbol = symbols.find((entry) => pairId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) return refused(endpoint, 500, failure(10020, "symbol: invalid"));
  const text = INTERVALS.get(interval);
  if (text === undefined) return refused(endpoint, 500, failure(10020, "timeframe: invalid"));
  const rowsMax = Number(query.get("limit") ?? ROWS_DEFAULT);
  if (!Number.isInteger(rowsMax) || rowsMax < 1 || rowsMax > ROWS_MAX) {
    return refused(endpoint, 500, failure(10020, "limit: invalid"));
  }
  const start = query.get("start");
  const end = query.get("end");
  const isAscending = query.get("sort") === "1";
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe: parseTimeframe(text),
    page: {
      sinceMs: start === null ? undefined : Number(start),
      // Inclusive, both.
      untilMs: end === null ? undefined : Number(end) + 1,
      rowsMax,
      keep: isAscending ? "oldest" : "newest",
      order: isAscending ? "ascending" : "descending",
    },
    render: (rows) => rows.map(candleRow),
  };
}

/** The close comes second. */
function candleRow(row: PageRow): unknown[] {
  const prices = [row.open, row.close, row.high, row.low].map(jsonNumber);
  const values: unknown[] = [row.openTimeMs, ...prices];
  return row.volume === undefined ? values : [...values, jsonNumber(row.volume)];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown[] {
  const day = tickerAt(symbol, nowMs);
  const [open, close] = [Number(day.open), Number(day.close)];
  return [
    `t${pairId(symbol)}`,
    close,
    1,
    close,
    1,
    close - open,
    close / open - 1,
    close,
    Number(day.volume),
    Number(day.high),
    Number(day.low),
  ];
}

/** Only the fourth and fifth say something: the smallest and the largest order. */
function pairInfo(symbol: LocalSymbol): unknown[] {
  const facts = [null, null, null, "0.00004", "2000.0", ...new Array(7).fill(null)];
  return [pairId(symbol), facts];
}

function failure(code: number, text: string): unknown[] {
  return ["error", code, text];
}

/** `BTCUST`, and `DOGE:UST` where a name has more than three letters. */
function pairId({ base, quote }: LocalSymbol): string {
  const names = [base, quote].map((coin) => ASSETS.get(coin) ?? coin);
  return names.join(names.every((name) => name.length === 3) ? "" : ":");
}
