/** NDAX's public API, `/AP`, for the local exchange. @module */
import { addCandles, nominalMs, parseTimeframe } from "../../../lib/market/timeframe.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

/** Shapes follow the answers that `ccxt/js/src/ndax.js` quotes. */
export const ndax: Dialect = {
  exchange: "ndax",
  silence: "flat",
  read: readNdax,
  refusal: (status) =>
    JSON.stringify({ result: false, errormsg: "Server Error", errorcode: 102, detail: status }),
};

const TIMEFRAMES = ["1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"]
  .map(parseTimeframe);

/** Of most rows in one answer nothing is documented. */
const ROWS_MAX = 10_000;

function readNdax(request: DialectRequest): Ask | undefined {
  const { path, symbols, nowMs } = request;
  if (path === "/AP/GetInstruments") {
    const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
    return plain("markets", path, listed.map((symbol) => instrument(symbol, request)));
  }
  return path === "/AP/GetTickerHistory" ? readCandles(request) : undefined;
}

function readCandles({ path, query, symbols }: DialectRequest): Ask {
  const symbol = symbols[Number(query.get("InstrumentId")) - 1];
  const intervalMs = 1_000 * Number(query.get("Interval"));
  const timeframe = TIMEFRAMES.find((one) => nominalMs(one) === intervalMs);
  const [sinceMs, untilMs] = ["FromDate", "ToDate"].map((name) =>
    Date.parse(`${query.get(name)?.replace(" ", "T")}Z`)
  );
  if (symbol === undefined || timeframe === undefined || sinceMs === undefined) {
    return refused(path, 200, { result: false, errormsg: "Invalid Request", errorcode: 100 });
  }
  return {
    about: "candles",
    endpoint: "GetTickerHistory",
    symbol,
    timeframe,
    page: { sinceMs, untilMs, rowsMax: ROWS_MAX, keep: "newest", order: "ascending" },
    render: (rows) => rows.map((row) => candleRow(row, addCandles(timeframe, row.openTimeMs, 1))),
  };
}

/** The end of the candle comes first, its begin last. */
function candleRow(row: PageRow, endMs: number): unknown[] {
  const prices = [row.high, row.low, row.open, row.close, row.volume].map(Number);
  return [endMs, ...prices, 0, 0, 1, row.openTimeMs];
}

function instrument(symbol: LocalSymbol, { symbols, nowMs }: DialectRequest): unknown {
  return {
    OMSId: 1,
    InstrumentId: symbols.indexOf(symbol) + 1,
    Symbol: `${symbol.base}${symbol.quote}`,
    Product1: 1,
    Product1Symbol: symbol.base,
    Product2: 6,
    Product2Symbol: symbol.quote,
    InstrumentType: "Standard",
    SessionStatus: isTrading(symbol, nowMs) ? "Running" : "Stopped",
    QuantityIncrement: 1e-8,
    PriceIncrement: 10 ** -symbol.tickDecimals,
    MinimumQuantity: 0.0001,
    MinimumPrice: 0.0001,
    IsDisable: false,
  };
}
