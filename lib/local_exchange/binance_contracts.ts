/** What Binance tells of its contracts: their list, the day's ticker, mark price and funding. @module */
import { contractsText, fundingRates, nextFundingMs, pricedMarket } from "./contract.ts";
import { tickText, withDecimals } from "./dialect.ts";
import { type Contract, isTrading, type LocalSymbol } from "./local_symbol.ts";
import { tickerAt } from "./price_walk.ts";

/** What Binance writes for the expiry of a perpetual. */
const NEVER_MS = 4_133_404_800_000;

const DAY_MS = 86_400_000;

/** A future that expires later than this is the one of the next quarter. */
const QUARTER_MS = 91 * DAY_MS;

const FUNDING_MS_USUAL = 8 * 3_600_000;

/** `BTCUSDT` and `BTCUSD_PERP` for perpetuals, `BTCUSDT_241227` and `BTCUSD_241227` for dated futures. */
export function contractId(symbol: LocalSymbol): string {
  const { id, contract } = symbol;
  if (id !== undefined) return id;
  if (contract?.expiryMs !== undefined) {
    const day = new Date(contract.expiryMs).toISOString().slice(2, 10).replaceAll("-", "");
    return `${pairOf(symbol)}_${day}`;
  }
  return contract?.kind === "inverse" ? `${pairOf(symbol)}_PERP` : pairOf(symbol);
}

/** What a contract is about: the index has the same name. */
export function pairOf({ base, quote }: LocalSymbol): string {
  return base + quote;
}

/** The list of contracts, `exchangeInfo`. */
export function bookOf(
  kind: Contract["kind"],
  contracts: readonly LocalSymbol[],
  nowMs: number,
): unknown {
  return {
    timezone: "UTC",
    serverTime: nowMs,
    ...(kind === "linear" ? { futuresType: "U_MARGINED" } : {}),
    rateLimits: [
      { rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: 2_400 },
    ],
    exchangeFilters: [],
    ...(kind === "linear" ? { assets: [] } : {}),
    symbols: contracts.map((symbol) => listed(symbol, nowMs)),
  };
}

function listed(symbol: LocalSymbol, nowMs: number): unknown {
  const { base, quote, contract, listedAtMs = 0, delistedAtMs, tickDecimals } = symbol;
  const { kind, settle, size, expiryMs } = contractOf(symbol);
  const status = isTrading(symbol, nowMs) ? "TRADING" : "SETTLING";
  return {
    symbol: contractId(symbol),
    pair: pairOf(symbol),
    contractType: contractType(contract, nowMs),
    // Of a perpetual it is moved to the day on which it is delisted.
    deliveryDate: expiryMs ?? delistedAtMs ?? NEVER_MS,
    onboardDate: listedAtMs,
    ...(kind === "linear" ? { status } : { contractStatus: status, contractSize: size }),
    maintMarginPercent: "2.5000",
    requiredMarginPercent: "5.0000",
    baseAsset: base,
    quoteAsset: quote,
    marginAsset: settle,
    pricePrecision: tickDecimals,
    quantityPrecision: kind === "linear" ? decimalsOf(size) : 0,
    baseAssetPrecision: 8,
    quotePrecision: 8,
    ...(kind === "inverse" ? { equalQtyPrecision: 4 } : { settlePlan: 0 }),
    underlyingType: "COIN",
    underlyingSubType: [],
    triggerProtect: "0.0500",
    liquidationFee: "0.010000",
    marketTakeBound: "0.30",
    filters: filtersOf(symbol),
    [kind === "linear" ? "orderTypes" : "OrderType"]: ["LIMIT", "MARKET", "STOP"],
    timeInForce: ["GTC", "IOC", "FOK", "GTX"],
  };
}

function filtersOf(symbol: LocalSymbol): unknown[] {
  const { kind, size } = contractOf(symbol);
  const tickSize = tickText(symbol);
  const stepSize = kind === "linear" ? size.toFixed(decimalsOf(size)) : "1";
  const quantity = { minQty: stepSize, maxQty: "1000000", stepSize };
  return [
    { filterType: "PRICE_FILTER", minPrice: tickSize, maxPrice: "4520958", tickSize },
    { filterType: "LOT_SIZE", ...quantity },
    { filterType: "MARKET_LOT_SIZE", ...quantity },
    { filterType: "MAX_NUM_ORDERS", limit: 200 },
    ...(kind === "linear" ? [{ filterType: "MIN_NOTIONAL", notional: "5" }] : []),
  ];
}

function contractType(contract: Contract | undefined, nowMs: number): string {
  if (contract?.expiryMs === undefined) return "PERPETUAL";
  return contract.expiryMs - nowMs <= QUARTER_MS ? "CURRENT_QUARTER" : "NEXT_QUARTER";
}

/** The last 24 hours of a contract, `ticker/24hr`: USD-M has base and quote volume, COIN-M contracts and base volume. */
export function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const { tickDecimals } = symbol;
  const { kind } = contractOf(symbol);
  const change = Number(day.close) - Number(day.open);
  const price = (text: string): string => withDecimals(text, tickDecimals);
  return {
    symbol: contractId(symbol),
    ...(kind === "inverse" ? { pair: pairOf(symbol) } : {}),
    priceChange: change.toFixed(tickDecimals),
    priceChangePercent: (100 * change / Number(day.open)).toFixed(3),
    weightedAvgPrice: (Number(day.quoteVolume) / Number(day.volume)).toFixed(tickDecimals),
    lastPrice: price(day.close),
    lastQty: "1",
    openPrice: price(day.open),
    highPrice: price(day.high),
    lowPrice: price(day.low),
    ...(kind === "inverse"
      ? { volume: contractsText(symbol, day), baseVolume: day.volume }
      : { volume: day.volume, quoteVolume: day.quoteVolume }),
    openTime: day.openTimeMs,
    closeTime: day.closeTimeMs,
    firstId: 1,
    lastId: day.trades,
    count: day.trades,
  };
}

/** The prices of a contract beside the traded one, `premiumIndex`. */
export function premiumIndex(symbol: LocalSymbol, nowMs: number): unknown {
  const { kind, expiryMs } = contractOf(symbol);
  const indexPrice = tickerAt(pricedMarket(symbol, "index"), nowMs).close;
  const isDated = expiryMs !== undefined;
  const paid = fundingRates(symbol, { sinceMs: nowMs - DAY_MS, untilMs: Infinity }, nowMs);
  return {
    symbol: contractId(symbol),
    ...(kind === "inverse" ? { pair: pairOf(symbol) } : {}),
    markPrice: tickerAt(pricedMarket(symbol, "mark"), nowMs).close,
    indexPrice,
    estimatedSettlePrice: indexPrice,
    lastFundingRate: isDated ? "" : paid.at(-1)?.rate ?? "0.00010000",
    interestRate: isDated ? "" : "0.00010000",
    nextFundingTime: isDated ? 0 : nextFundingMs(symbol, nowMs),
    time: nowMs,
  };
}

/** Perpetuals whose funding is not the usual one, `fundingInfo`. */
export function fundingInfo(contracts: readonly LocalSymbol[]): unknown[] {
  return contracts.flatMap((symbol) => {
    const { fundingMs = FUNDING_MS_USUAL } = contractOf(symbol);
    if (fundingMs === FUNDING_MS_USUAL) return [];
    return [{
      symbol: contractId(symbol),
      adjustedFundingRateCap: "0.02000000",
      adjustedFundingRateFloor: "-0.02000000",
      fundingIntervalHours: fundingMs / 3_600_000,
      disclaimer: false,
    }];
  });
}

function contractOf({ symbol, contract }: LocalSymbol): Contract {
  if (contract === undefined) throw new RangeError(`${symbol} is no contract`);
  return contract;
}

/** Decimals of a step such as 0.001. */
export function decimalsOf(step: number): number {
  return /\.(.*?)0*$/.exec(step.toFixed(8))?.[1]?.length ?? 0;
}
