/** Gemini's public API, `/v1` and `/v2`, for the local exchange. @module */
import { closedUntil, parseTimeframe } from "../../../lib/market/timeframe.ts";
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
import { jsonNumber } from "./json_number.ts";

/** Shapes follow Gemini's documentation, its answers as others have measured them, and `ccxt/js/src/gemini.js`. */
export const gemini: Dialect = {
  exchange: "gemini",
  // The answers shown in its documentation have flat rows whose volume is 0.
  silence: "flat",
  read: readGemini,
  refusal: (status) => {
    if (status === 429 || status === 418) {
      return JSON.stringify(failure("RateLimit", "Requests were made too frequently."));
    }
    const where = "Please check https://status.gemini.com/ for more information.";
    return JSON.stringify(
      status === 503
        ? failure(
          "Maintenance",
          `The Gemini Exchange is currently undergoing maintenance. ${where}`,
        )
        : failure(
          "System",
          `We are investigating technical issues with the Gemini Exchange. ${where}`,
        ),
    );
  },
};

const CANDLES = /^\/v2\/candles\/([^/]+)\/([^/]+)$/;

const DAY_MS = 24 * 60 * 60_000;

/**
 * How far back each width goes. Nothing in a request moves that: the answer is always the whole of it, and
 * a start or a limit is ignored. Measured were 1440, 2015, 1343, 1439, 1463, 367 and 364 rows.
 */
const WIDTHS: ReadonlyMap<string, { readonly text: string; readonly days: number }> = new Map([
  ["1m", { text: "1m", days: 1 }],
  ["5m", { text: "5m", days: 7 }],
  ["15m", { text: "15m", days: 14 }],
  ["30m", { text: "30m", days: 30 }],
  ["1hr", { text: "1h", days: 61 }],
  ["6hr", { text: "6h", days: 92 }],
  ["1day", { text: "1d", days: 365 }],
]);

function readGemini(request: DialectRequest): Ask | undefined {
  const { path, symbols, nowMs } = request;
  // Closed markets leave both lists.
  const open = symbols.filter((symbol) => isTrading(symbol, nowMs));
  switch (path) {
    case "/v1/symbols":
      return plain("markets", "symbols", open.map(marketId));
    case "/v1/pricefeed":
      return plain("tickers", "pricefeed", open.map((symbol) => ticker(symbol, nowMs)));
  }
  const [, id, width] = CANDLES.exec(path) ?? [];
  return id === undefined || width === undefined ? undefined : readCandles(request, { id, width });
}

function readCandles(
  { symbols, nowMs }: DialectRequest,
  { id, width }: { readonly id: string; readonly width: string },
): Ask {
  const endpoint = "candles";
  const symbol = symbols.find((entry) =>
    marketId(entry) === id.toLowerCase() && isListed(entry, nowMs)
  );
  if (symbol === undefined) {
    const message = `Supplied value '${id}' is not a valid symbol. ` +
      "Please correct your API request to use one of the supported symbols";
    return refused(endpoint, 400, failure("InvalidSymbol", message));
  }
  const known = WIDTHS.get(width);
  if (known === undefined) {
    const message = `Supplied value '${width}' is not a valid time frame. ` +
      `Please use one of [${[...WIDTHS.keys()].join(", ")}]`;
    return refused(endpoint, 400, failure("InvalidTimeFrame", message));
  }
  const timeframe = parseTimeframe(known.text);
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: {
      sinceMs: nowMs - known.days * DAY_MS,
      // The forming candle is not among them: of 61 days' hours 1463 come, not 1464.
      untilMs: closedUntil(timeframe, nowMs),
      rowsMax: Infinity,
      keep: "newest",
      order: "descending",
    },
    render: (rows) => rows.map(candleRow),
  };
}

function candleRow(row: PageRow): unknown[] {
  const prices = [row.open, row.high, row.low, row.close].map(jsonNumber);
  const values: unknown[] = [row.openTimeMs, ...prices];
  return row.volume === undefined ? values : [...values, jsonNumber(row.volume)];
}

/** A price and nothing else: the turnover of a market has to be asked for market by market. */
function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  return {
    pair: symbol.base + symbol.quote,
    price: trimmed(day.close),
    percentChange24h: (Number(day.close) / Number(day.open) - 1).toFixed(4),
  };
}

function failure(reason: string, message: string): unknown {
  return { result: "error", reason, message };
}

function marketId({ base, quote }: LocalSymbol): string {
  return (base + quote).toLowerCase();
}
