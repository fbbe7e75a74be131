/** Bybit's public API, `/v5`, for the local exchange. @module */
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  tickText,
  trimmed,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";
import { readBybitCandles } from "./bybit_candles.ts";
import { readBybitContracts } from "./bybit_contracts.ts";

/** Shapes follow Bybit's documentation (v5 market) and what `ccxt/js/src/bybit.js` reads. Errors come with status 200. */
export const bybit: Dialect = {
  exchange: "bybit",
  silence: "flat",
  read: readBybit,
  refusal: (status) =>
    JSON.stringify(
      status === 429 || status === 418 || status === 403
        ? { retCode: 10006, retMsg: "Too many visits. Exceeded the API Rate Limit.", result: {} }
        : { retCode: 10016, retMsg: "Server error.", result: {} },
    ),
};

const API = "/v5/market/";

function readBybit(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { query, nowMs } = request;
  if (endpoint === "time") {
    const times = { timeSecond: String(Math.floor(nowMs / 1_000)), timeNano: `${nowMs}000000` };
    return plain("other", endpoint, envelope(times, nowMs));
  }
  const category = query.get("category") ?? "linear";
  const answer = {
    endpoint,
    category,
    envelope: (result: unknown): unknown => envelope(result, nowMs),
  };
  if (category !== "spot") return readBybitContracts(request, answer);
  const symbols = request.symbols.filter(({ contract }) => contract === undefined)
    .filter((symbol) => isListed(symbol, nowMs));
  switch (endpoint) {
    case "instruments-info": {
      const list = symbols.map((symbol) => instrument(symbol, nowMs));
      return plain("markets", endpoint, envelope({ category, list }, nowMs));
    }
    case "tickers": {
      const list = symbols.filter((symbol) => isTrading(symbol, nowMs))
        .map((symbol) => ticker(symbol, nowMs));
      return plain("tickers", endpoint, envelope({ category, list }, nowMs));
    }
    case "kline":
      return readBybitCandles({ ...request, symbols }, {
        ...answer,
        idOf: marketId,
        row: candleRow,
      });
    default:
      return undefined;
  }
}

function candleRow(row: PageRow): unknown[] {
  const prices = [trimmed(row.open), trimmed(row.high), trimmed(row.low), trimmed(row.close)];
  const values: unknown[] = [String(row.openTimeMs), ...prices];
  if (row.volume === undefined) return values;
  return [...values, trimmed(row.volume), trimmed(row.quoteVolume)];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  return {
    symbol: marketId(symbol),
    bid1Price: trimmed(day.close),
    bid1Size: "1",
    ask1Price: trimmed(day.close),
    ask1Size: "1",
    lastPrice: trimmed(day.close),
    prevPrice24h: trimmed(day.open),
    price24hPcnt: (Number(day.close) / Number(day.open) - 1).toFixed(4),
    highPrice24h: trimmed(day.high),
    lowPrice24h: trimmed(day.low),
    turnover24h: trimmed(day.quoteVolume),
    volume24h: trimmed(day.volume),
    usdIndexPrice: "",
  };
}

function instrument(symbol: LocalSymbol, nowMs: number): unknown {
  return {
    symbol: marketId(symbol),
    baseCoin: symbol.base,
    quoteCoin: symbol.quote,
    innovation: "0",
    status: isTrading(symbol, nowMs) ? "Trading" : "Closed",
    marginTrading: "none",
    lotSizeFilter: {
      basePrecision: "0.00000001",
      quotePrecision: "0.00000001",
      minOrderQty: "0.00001",
      maxOrderQty: "9999999999",
      minOrderAmt: "1",
      maxOrderAmt: "1000000",
    },
    priceFilter: { tickSize: tickText(symbol) },
  };
}

function envelope(result: unknown, nowMs: number): unknown {
  return { retCode: 0, retMsg: "OK", result, retExtInfo: {}, time: nowMs };
}

function marketId({ base, quote }: LocalSymbol): string {
  return base + quote;
}
