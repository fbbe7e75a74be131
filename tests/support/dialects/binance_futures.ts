/** Binance with its linear futures, `/fapi/v1`, and without a single inverse one, for the local exchange. @module */
import { binance } from "../local_exchange/binance.ts";
import { type Ask, type Dialect, type DialectRequest, plain } from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

const SPOT_API = "/api/v3/";
const LINEAR_API = "/fapi/v1/";
const INVERSE_API = "/dapi/v1/";

/**
 * Shapes follow Binance's documentation (USDⓈ-M futures, market data) and what `ccxt/js/src/binance.js` reads. Unlike the
 * true one it has candles of seconds. Endpoints of futures begin with the kind: `linear/klines`.
 */
export const binanceWithFutures: Dialect = { ...binance, read: readAll };

/** A linear perpetual beside the spot market of the same base and quote. */
export function perpetualOf(market: LocalSymbol): LocalSymbol {
  return { ...market, symbol: `${market.symbol}:${market.quote}`, price: market.price * 1.01 };
}

function readAll(request: DialectRequest): Ask | undefined {
  const { path, symbols } = request;
  const isLinear = ({ symbol }: LocalSymbol): boolean => symbol.includes(":");
  const spot = { ...request, symbols: symbols.filter((one) => !isLinear(one)) };
  const linear = { ...request, symbols: symbols.filter(isLinear) };
  if (path === `${LINEAR_API}exchangeInfo`) {
    return plain("markets", "linear/exchangeInfo", contracts(linear));
  }
  if (path === `${INVERSE_API}exchangeInfo`) {
    return plain("markets", "inverse/exchangeInfo", contracts({ ...request, symbols: [] }));
  }
  if (!path.startsWith(LINEAR_API)) return binance.read(spot);
  // Paths, parameters and rows of candles and tickers are those of spot.
  const ask = binance.read({ ...linear, path: path.replace(LINEAR_API, SPOT_API) });
  return ask === undefined ? undefined : { ...ask, endpoint: `linear/${ask.endpoint}` };
}

function contracts({ symbols, nowMs }: DialectRequest): unknown {
  return {
    timezone: "UTC",
    serverTime: nowMs,
    rateLimits: [],
    exchangeFilters: [],
    symbols: symbols.filter((symbol) => isListed(symbol, nowMs)).map((symbol) => ({
      symbol: symbol.base + symbol.quote,
      pair: symbol.base + symbol.quote,
      contractType: "PERPETUAL",
      deliveryDate: 4_133_404_800_000,
      onboardDate: 1_569_398_400_000,
      status: isTrading(symbol, nowMs) ? "TRADING" : "SETTLING",
      baseAsset: symbol.base,
      quoteAsset: symbol.quote,
      marginAsset: symbol.quote,
      pricePrecision: symbol.tickDecimals,
      quantityPrecision: 3,
      baseAssetPrecision: 8,
      quotePrecision: 8,
      underlyingType: "COIN",
      filters: [{
        filterType: "PRICE_FILTER",
        minPrice: "0.01",
        maxPrice: "1000000",
        tickSize: (10 ** -symbol.tickDecimals).toFixed(symbol.tickDecimals),
      }],
      orderTypes: ["LIMIT", "MARKET"],
      timeInForce: ["GTC"],
    })),
  };
}
