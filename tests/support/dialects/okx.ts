/** OKX's public API, `/api/v5`, for the local exchange. @module */
import {
  addCandles,
  closedUntil,
  parseTimeframe,
  type Timeframe,
} from "../../../lib/market/timeframe.ts";
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
import { pricedMarket } from "../../../lib/local_exchange/contract.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";
import {
  isOkxContract,
  okxContractInstrument,
  okxContractTicker,
  okxFamily,
  okxId,
  okxType,
  okxVolumes,
  readOkxFunding,
} from "./okx_contracts.ts";

/** Shapes follow OKX's documentation (market data, public data) and what `ccxt/js/src/okx.js` reads. */
export const okx: Dialect = {
  exchange: "okx",
  silence: "flat",
  read: readOkx,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418
        ? { code: "50011", data: [], msg: "Rate limit reached. Please refer to API documentation." }
        : { code: "50001", data: [], msg: "Service temporarily unavailable. Try again later" },
    ),
};

const API = "/api/v5/";

const ROWS_DEFAULT = 100;
const ROWS_MAX = 300;

/** Rows of mark and index prices in one answer. */
const PRICE_ROWS_MAX = 100;

/** `market/candles` reaches this far back; what is older is in `market/history-candles`. */
const RECENT_CANDLES = 1_440;

/** From six hours on a candle opens on Hong Kong time unless its name ends in `utc`. */
const INTERVALS: ReadonlyMap<string, string> = new Map([
  ["1m", "1m"],
  ["3m", "3m"],
  ["5m", "5m"],
  ["15m", "15m"],
  ["30m", "30m"],
  ["1H", "1h"],
  ["2H", "2h"],
  ["4H", "4h"],
  ["6Hutc", "6h"],
  ["12Hutc", "12h"],
  ["1Dutc", "1d"],
  ["1Wutc", "1w"],
  ["1Mutc", "1M"],
  ["3Mutc", "3M"],
]);

function readOkx(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { query, nowMs } = request;
  const symbols = request.symbols.filter((symbol) => isListed(symbol, nowMs));
  const ofType = symbols.filter((symbol) => okxType(symbol) === query.get("instType"));
  switch (endpoint) {
    case "public/time":
      return plain("other", endpoint, envelope([{ ts: String(nowMs) }]));
    case "public/instruments":
      // Delivered contracts are gone from the list.
      return plain(
        "markets",
        endpoint,
        envelope(
          ofType.filter(({ contract }) => nowMs < (contract?.expiryMs ?? Infinity))
            .map((symbol) => instrument(symbol, nowMs)),
        ),
      );
    case "market/tickers": {
      const rows = ofType.filter((symbol) => isTrading(symbol, nowMs));
      return plain("tickers", endpoint, envelope(rows.map((symbol) => ticker(symbol, nowMs))));
    }
    case "market/candles":
    case "market/history-candles":
      return readCandles(endpoint, { ...request, symbols });
    case "market/mark-price-candles":
    case "market/history-mark-price-candles":
      return readCandles(endpoint, { ...request, symbols: symbols.filter(isOkxContract) }, "mark");
    case "market/index-candles":
    case "market/history-index-candles":
      return readCandles(endpoint, { ...request, symbols: symbols.filter(isOkxContract) }, "index");
    case "public/funding-rate-history":
      return readOkxFunding({ ...request, symbols }, { endpoint, envelope });
    default:
      return undefined;
  }
}

function readCandles(
  endpoint: string,
  { query, symbols, nowMs }: DialectRequest,
  price?: "mark" | "index",
): Ask {
  const id = query.get("instId");
  const idOf = price === "index" ? okxFamily : okxId;
  const market = symbols.find((entry) => idOf(entry) === id);
  if (market === undefined) {
    const msg = "Instrument ID or Spread ID doesn't exist.";
    return refused(endpoint, 200, { code: "51001", data: [], msg });
  }
  const text = INTERVALS.get(query.get("bar") ?? "1m");
  if (text === undefined) {
    return refused(endpoint, 400, { code: "51000", data: [], msg: "Parameter bar error" });
  }
  const timeframe = parseTimeframe(text);
  const before = query.get("before");
  const after = query.get("after");
  // Both bounds are exclusive, and their names speak of pages: `after` is the newer one.
  const sinceMs = before === null ? 0 : Number(before) + 1;
  const rowsMax = price === undefined ? ROWS_MAX : PRICE_ROWS_MAX;
  return {
    about: "candles",
    endpoint,
    symbol: price === undefined ? market : pricedMarket(market, price),
    timeframe,
    page: {
      sinceMs: endpoint.includes("history-") ? sinceMs : Math.max(
        sinceMs,
        addCandles(timeframe, closedUntil(timeframe, nowMs), 1 - RECENT_CANDLES),
      ),
      untilMs: after === null ? undefined : Number(after),
      rowsMax: Math.min(Number(query.get("limit") ?? ROWS_DEFAULT), rowsMax),
      keep: "newest",
      order: "descending",
    },
    render: (rows) =>
      envelope(rows.map((row) => candleRow(row, { timeframe, nowMs, market, price }))),
  };
}

/** Nine columns of trades, six of mark and index prices; the last says whether the candle is closed. */
function candleRow(
  row: PageRow,
  { timeframe, nowMs, market, price }: {
    readonly timeframe: Timeframe;
    readonly nowMs: number;
    readonly market: LocalSymbol;
    readonly price: string | undefined;
  },
): unknown[] {
  const prices = [trimmed(row.open), trimmed(row.high), trimmed(row.low), trimmed(row.close)];
  const values: unknown[] = [String(row.openTimeMs), ...prices];
  const confirm = row.openTimeMs < closedUntil(timeframe, nowMs) ? "1" : "0";
  if (price !== undefined) return [...values, confirm];
  if (row.volume === undefined) return values;
  return [...values, ...okxVolumes(row, market), confirm];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  if (isOkxContract(symbol)) return okxContractTicker(symbol, nowMs);
  const day = tickerAt(symbol, nowMs);
  return {
    instType: "SPOT",
    instId: okxId(symbol),
    last: trimmed(day.close),
    lastSz: "0.1",
    askPx: trimmed(day.close),
    askSz: "1",
    bidPx: trimmed(day.close),
    bidSz: "1",
    open24h: trimmed(day.open),
    high24h: trimmed(day.high),
    low24h: trimmed(day.low),
    volCcy24h: trimmed(day.quoteVolume),
    vol24h: trimmed(day.volume),
    ts: String(nowMs),
    sodUtc0: trimmed(day.open),
    sodUtc8: trimmed(day.open),
  };
}

function instrument(symbol: LocalSymbol, nowMs: number): unknown {
  if (isOkxContract(symbol)) return okxContractInstrument(symbol, nowMs);
  return {
    alias: "",
    baseCcy: symbol.base,
    category: "1",
    ctMult: "",
    ctType: "",
    ctVal: "",
    ctValCcy: "",
    expTime: "",
    instFamily: "",
    instId: okxId(symbol),
    instType: "SPOT",
    lever: "",
    listTime: String(symbol.listedAtMs ?? 0),
    lotSz: "0.00000001",
    maxLmtSz: "9999999999",
    maxMktSz: "1000000",
    minSz: "0.00001",
    optType: "",
    quoteCcy: symbol.quote,
    settleCcy: "",
    state: isTrading(symbol, nowMs) ? "live" : "suspend",
    stk: "",
    tickSz: tickText(symbol),
    uly: "",
  };
}

function envelope(data: readonly unknown[]): unknown {
  return { code: "0", msg: "", data };
}
