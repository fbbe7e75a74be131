/** Gate's public API, `/api/v4`, for the local exchange. @module */
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
import { closedUntil, parseTimeframe, type Timeframe } from "../../../lib/market/timeframe.ts";
import { readGateContracts } from "./gate_contracts.ts";
import { gateRange } from "./gate_range.ts";

/** Shapes follow Gate's documentation (APIv4, spot; contracts are in a file of their own) and what `ccxt/js/src/gate.js` reads. */
export const gate: Dialect = {
  exchange: "gate",
  // A minute without trades is a row of the last close and a volume of zero.
  silence: "flat",
  read: readGate,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418
        ? { label: "TOO_MANY_REQUESTS", message: "Request Rate limit Exceeded (211)" }
        : { label: "SERVER_ERROR", message: "Internal server error" },
    ),
};

const API = "/api/v4/";

const ROWS_DEFAULT = 100;
const ROWS_MAX = 1_000;

/** Named as in CCXT; `7d` is left out, because its candles open on Thursdays. */
const INTERVALS: ReadonlySet<string> = new Set(
  ["1m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "1d"],
);

function readGate(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { nowMs } = request;
  const symbols = request.symbols.filter(({ contract }) => contract === undefined);
  const trading = symbols.filter((symbol) => isTrading(symbol, nowMs));
  switch (endpoint) {
    case "spot/time":
      return plain("other", endpoint, { server_time: nowMs });
    case "spot/currency_pairs": {
      const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
      return plain("markets", endpoint, listed.map((symbol) => market(symbol, nowMs)));
    }
    case "margin/currency_pairs":
      return plain("markets", endpoint, trading.map(marginMarket));
    case "spot/tickers":
      return plain("tickers", endpoint, trading.map((symbol) => ticker(symbol, nowMs)));
    case "spot/candlesticks":
      return readCandles(endpoint, { ...request, symbols });
    default:
      return readGateContracts(request, endpoint);
  }
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const invalid = (message: string, label = "INVALID_PARAM_VALUE"): Ask =>
    refused(endpoint, 400, { label, message });
  const id = query.get("currency_pair") ?? "";
  const symbol = symbols.find((entry) => marketId(entry) === id && isListed(entry, nowMs));
  if (symbol === undefined) {
    return id.includes("_")
      ? invalid(`Invalid currency ${id.split("_")[0]}`, "INVALID_CURRENCY")
      : invalid(`Invalid currency pair ${id}`, "INVALID_CURRENCY_PAIR");
  }
  const interval = query.get("interval") ?? "30m";
  if (!INTERVALS.has(interval)) return invalid("Invalid interval");
  const timeframe = parseTimeframe(interval);
  const range = gateRange(query, {
    timeframe,
    nowMs,
    rowsDefault: ROWS_DEFAULT,
    rowsMax: ROWS_MAX,
    tooOld: "Candlestick too long ago. Maximum 10000 points ago are allowed",
  });
  if (range.problem !== undefined) return refused(endpoint, 400, range.problem);
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: range.page,
    render: (rows) => rows.map((row) => candleRow(row, { timeframe, nowMs })),
  };
}

/** Quote volume, close, high, low, open, base volume: in this order. */
function candleRow(
  row: PageRow,
  { timeframe, nowMs }: { readonly timeframe: Timeframe; readonly nowMs: number },
): unknown[] {
  const prices = [trimmed(row.close), trimmed(row.high), trimmed(row.low), trimmed(row.open)];
  const values: unknown[] = [String(row.openTimeMs / 1_000), row.quoteVolume, ...prices];
  if (row.volume === undefined) return values;
  return [...values, row.volume, String(row.openTimeMs < closedUntil(timeframe, nowMs))];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const change = 100 * (Number(day.close) / Number(day.open) - 1);
  return {
    currency_pair: marketId(symbol),
    last: trimmed(day.close),
    lowest_ask: trimmed(day.close),
    lowest_size: "1",
    highest_bid: trimmed(day.close),
    highest_size: "1",
    change_percentage: change.toFixed(2),
    base_volume: trimmed(day.volume),
    quote_volume: trimmed(day.quoteVolume),
    high_24h: trimmed(day.high),
    low_24h: trimmed(day.low),
  };
}

function market(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    id: marketId(symbol),
    base: symbol.base,
    base_name: symbol.base,
    quote: symbol.quote,
    quote_name: symbol.quote,
    fee: "0.2",
    min_base_amount: "0.00001",
    min_quote_amount: "3",
    max_quote_amount: "5000000",
    amount_precision: 8,
    precision: symbol.tickDecimals,
    trade_status: isTrading(symbol, nowMs) ? "tradable" : "untradable",
    sell_start: 0,
    buy_start: Math.floor((symbol.listedAtMs ?? 0) / 1_000),
    type: "normal",
  };
}

function marginMarket(symbol: LocalSymbol): unknown {
  return {
    id: marketId(symbol),
    base: symbol.base,
    quote: symbol.quote,
    leverage: 3,
    min_base_amount: "0.00001",
    min_quote_amount: "1",
    max_quote_amount: "1000000",
    status: 1,
  };
}

function marketId({ base, quote }: LocalSymbol): string {
  return `${base}_${quote}`;
}
