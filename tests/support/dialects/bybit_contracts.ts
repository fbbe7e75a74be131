/** Bybit's linear and inverse contracts, `/v5/market` with a category, for the local exchange. @module */
import { contractsText, pricedMarket } from "../../../lib/local_exchange/contract.ts";
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type DialectRequest,
  type PageRow,
  plain,
  tickText,
  trimmed,
} from "../local_exchange/dialect.ts";
import {
  type Contract,
  isListed,
  isTrading,
  type LocalSymbol,
} from "../../../lib/local_exchange/local_symbol.ts";
import { type BybitAnswer, bybitProblem, readBybitCandles } from "./bybit_candles.ts";

/** A market that has a contract. */
type ContractMarket = LocalSymbol & { readonly contract: Contract };

/** The endpoints of candles that are not of trades: rows without volume and turnover. */
const PRICES: ReadonlyMap<string, "mark" | "index" | "premium"> = new Map([
  ["mark-price-kline", "mark"],
  ["index-price-kline", "index"],
  ["premium-index-price-kline", "premium"],
]);

const FUNDING_ROWS_MAX = 200;

const INSTRUMENTS_DEFAULT = 500;
const INSTRUMENTS_MAX = 1_000;

const EIGHT_HOURS_MS = 8 * 60 * 60_000;

/**
 * Reads a request of one category; undefined when there is no such endpoint. Names of endpoints begin with the category:
 * `inverse/kline`. Shapes follow Bybit's documentation (v5 market) and what `ccxt/js/src/bybit.js` reads.
 */
export function readBybitContracts(
  request: DialectRequest,
  { endpoint, category, envelope }: BybitAnswer,
): Ask | undefined {
  const { nowMs } = request;
  const name = `${category}/${endpoint}`;
  const answer = { endpoint: name, category, envelope };
  const symbols = request.symbols.filter(isContract)
    .filter(({ contract }) => contract.kind === category);
  const listed = { ...request, symbols: symbols.filter((symbol) => isListed(symbol, nowMs)) };
  const price = PRICES.get(endpoint);
  if (price !== undefined) {
    // Documented for linear ones alone.
    if (price === "premium" && category !== "linear") {
      return bybitProblem(answer, "Illegal category");
    }
    return readBybitCandles(listed, {
      ...answer,
      idOf: bybitContractId,
      priced: (symbol) => pricedMarket(symbol, price),
      row: priceRow,
    });
  }
  switch (endpoint) {
    case "instruments-info":
      return readInstruments(listed, answer);
    case "tickers": {
      const list = listed.symbols.filter((symbol) => isTrading(symbol, nowMs))
        .map((symbol) => ticker(symbol, nowMs));
      return plain("tickers", name, envelope({ category, list }));
    }
    case "kline":
      return readBybitCandles(listed, { ...answer, idOf: bybitContractId, row: tradeRow });
    case "funding/history":
      return readFunding(listed, answer);
    default:
      return undefined;
  }
}

/** `BTCUSDT`, `BTCPERP` where USDC settles, `BTCUSD`, and dated `BTCUSDT-27DEC24`, `BTCUSDZ24`. */
export function bybitContractId(symbol: LocalSymbol): string {
  const { base, quote, contract } = symbol;
  if (contract === undefined) return base + quote;
  const isUsdc = contract.settle === "USDC";
  if (contract.expiryMs === undefined) return isUsdc ? `${base}PERP` : base + quote;
  const date = new Date(contract.expiryMs);
  const year = String(date.getUTCFullYear()).slice(2);
  if (contract.kind === "inverse") return `${base}${quote}${MONTHS[date.getUTCMonth()]}${year}`;
  const month = date.toLocaleString("en-US", { month: "short", timeZone: "UTC" }).toUpperCase();
  return `${isUsdc ? base : base + quote}-${date.getUTCDate()}${month}${year}`;
}

/** A month of delivery as futures exchanges write it. */
const MONTHS = "FGHJKMNQUVXZ";

/** A page of the list, as of all that are trading: closed ones have to be asked for by their status. */
function readInstruments(
  { query, symbols, nowMs }: DialectRequest,
  { endpoint, category, envelope }: BybitAnswer,
): Ask {
  const wanted = query.get("status") ?? "Trading";
  const all = symbols.filter(isContract)
    .filter((symbol) => statusAt(symbol, nowMs) === wanted);
  const rowsMax = Math.min(Number(query.get("limit") ?? INSTRUMENTS_DEFAULT), INSTRUMENTS_MAX);
  const start = pageStart(query.get("cursor"));
  const list = all.slice(start, start + rowsMax).map((symbol) => instrument(symbol, nowMs));
  const nextPageCursor = start + rowsMax < all.length ? `first%3D${start + rowsMax}` : "";
  return plain("markets", endpoint, envelope({ category, list, nextPageCursor }));
}

function pageStart(text: string | null): number {
  return Number(/(\d+)$/.exec(text ?? "")?.[1] ?? 0);
}

function readFunding(request: DialectRequest, answer: BybitAnswer): Ask {
  const { query, symbols } = request;
  const id = query.get("symbol");
  const symbol = symbols.find((one) => bybitContractId(one) === id);
  if (symbol === undefined) return bybitProblem(answer, "params error: symbol invalid");
  const start = query.get("startTime");
  const end = query.get("endTime");
  if (start !== null && end === null) {
    return bybitProblem(answer, "params error: endTime is required");
  }
  const { endpoint, category, envelope } = answer;
  return {
    about: "funding",
    endpoint,
    symbol,
    page: {
      sinceMs: start === null ? undefined : Number(start),
      // Inclusive.
      untilMs: end === null ? undefined : Number(end) + 1,
      rowsMax: Math.min(Number(query.get("limit") ?? FUNDING_ROWS_MAX), FUNDING_ROWS_MAX),
      // Counted back from the end, whatever the start says.
      keep: "newest",
      order: "descending",
    },
    render: (rows) =>
      envelope({
        category,
        list: rows.map(({ timeMs, rate }) => ({
          symbol: id,
          fundingRate: trimmed(rate),
          fundingRateTimestamp: String(timeMs),
        })),
      }),
  };
}

/** Linear: base volume and quote turnover. Inverse: volume in quote units, one contract each, and base turnover. */
function tradeRow(row: PageRow, symbol: LocalSymbol): unknown[] {
  const values = priceRow(row);
  if (row.volume === undefined) return values;
  if (symbol.contract?.kind !== "inverse") {
    return [...values, trimmed(row.volume), trimmed(row.quoteVolume)];
  }
  return [...values, contractsText(symbol, row), trimmed(row.volume)];
}

function priceRow(row: PageRow): unknown[] {
  const prices = [row.open, row.high, row.low, row.close].map((price) => trimmed(price));
  return [String(row.openTimeMs), ...prices];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const isInverse = symbol.contract?.kind === "inverse";
  const last = trimmed(day.close);
  return {
    symbol: bybitContractId(symbol),
    lastPrice: last,
    indexPrice: last,
    markPrice: last,
    prevPrice24h: trimmed(day.open),
    price24hPcnt: (Number(day.close) / Number(day.open) - 1).toFixed(6),
    highPrice24h: trimmed(day.high),
    lowPrice24h: trimmed(day.low),
    prevPrice1h: last,
    openInterest: "373504107",
    openInterestValue: "22505.67",
    turnover24h: trimmed(isInverse ? day.volume : day.quoteVolume),
    volume24h: trimmed(isInverse ? day.quoteVolume : day.volume),
    fundingRate: "0.0001",
    nextFundingTime: String((Math.floor(nowMs / EIGHT_HOURS_MS) + 1) * EIGHT_HOURS_MS),
    predictedDeliveryPrice: "",
    basisRate: "",
    deliveryFeeRate: "",
    deliveryTime: String(symbol.contract?.expiryMs ?? 0),
    ask1Size: "1",
    bid1Price: last,
    ask1Price: last,
    bid1Size: "1",
  };
}

function instrument(symbol: ContractMarket, nowMs: number): unknown {
  const { base, quote, contract, tickDecimals } = symbol;
  const isLinear = contract.kind === "linear";
  const term = contract.expiryMs === undefined ? "Perpetual" : "Futures";
  // A contract of an inverse market is worth the least order, in quote units.
  const leastOrder = isLinear ? "0.001" : String(contract.size);
  return {
    symbol: bybitContractId(symbol),
    contractType: `${isLinear ? "Linear" : "Inverse"}${term}`,
    status: statusAt(symbol, nowMs),
    baseCoin: base,
    quoteCoin: quote,
    launchTime: String(symbol.listedAtMs ?? 0),
    deliveryTime: String(contract.expiryMs ?? 0),
    deliveryFeeRate: contract.expiryMs === undefined ? "" : "0.0005",
    priceScale: String(tickDecimals),
    leverageFilter: { minLeverage: "1", maxLeverage: "100.00", leverageStep: "0.01" },
    priceFilter: { minPrice: tickText(symbol), maxPrice: "1999999.80", tickSize: tickText(symbol) },
    lotSizeFilter: {
      maxOrderQty: "1190.000",
      minOrderQty: leastOrder,
      qtyStep: leastOrder,
      postOnlyMaxOrderQty: "1190.000",
      maxMktOrderQty: "500.000",
      minNotionalValue: "5",
    },
    unifiedMarginTrade: true,
    fundingInterval: contract.expiryMs === undefined
      ? (contract.fundingMs ?? EIGHT_HOURS_MS) / 60_000
      : 0,
    settleCoin: contract.settle,
    copyTrading: "none",
    upperFundingRate: "0.00375",
    lowerFundingRate: "-0.00375",
    isPreListing: false,
    preListingInfo: null,
    riskParameters: { priceLimitRatioX: "0.01", priceLimitRatioY: "0.02" },
    symbolType: "",
  };
}

function statusAt(symbol: ContractMarket, nowMs: number): string {
  const { expiryMs = Infinity } = symbol.contract;
  return isTrading(symbol, nowMs) && nowMs < expiryMs ? "Trading" : "Closed";
}

function isContract(symbol: LocalSymbol): symbol is ContractMarket {
  return symbol.contract !== undefined && symbol.priced === undefined;
}
