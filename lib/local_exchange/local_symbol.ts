/** The markets of the local exchange: their symbols, prices and listing dates. @module */
import type { Price } from "../market/price.ts";
import type { Window } from "../market/window.ts";

/** What makes a market a contract: a perpetual or a dated future. */
export interface Contract {
  readonly kind: "linear" | "inverse";
  /** The currency that settles it. */
  readonly settle: string;
  /** Linear: base per contract. Inverse: quote per contract. */
  readonly size: number;
  /** Unset: a perpetual. */
  readonly expiryMs?: number | undefined;
  /** How often holders of a perpetual pay each other. @default 8 hours */
  readonly fundingMs?: number | undefined;
  /** Until when they paid each other at another interval. @default it was always the same */
  readonly fundingBefore?: { readonly untilMs: number; readonly everyMs: number } | undefined;
}

/** The prices of a contract beside the one at which it is traded. */
export type OtherPrice = Exclude<Price, "trade">;

/** One market of the local exchange, or another price of one. */
export interface LocalSymbol {
  /** CCXT unified symbol, `BTC/USDT`. It also seeds the prices: the same symbol always has the same prices. */
  readonly symbol: string;
  readonly base: string;
  readonly quote: string;
  /** The exchange's own id of the market. @default base and quote, as the dialect writes them */
  readonly id?: string | undefined;
  /** Decimals of the smallest price step: 2 means 0.01. At most 8. */
  readonly tickDecimals: number;
  /** The price around which the random walk moves, in quote units. */
  readonly price: number;
  /** Usual turnover of 24 hours, in quote units. */
  readonly quoteVolume24h: number;
  /** How strongly the price moves: 1 for a usual coin, 0.002 for a stablecoin. @default 1 */
  readonly volatility?: number | undefined;
  /** The first candle is the one that contains this time. Unset: the market always existed. */
  readonly listedAtMs?: number | undefined;
  /** The last candle is the one that contains the millisecond before this time. Unset: still traded. */
  readonly delistedAtMs?: number | undefined;
  /** Times of downtime. A candle that lies wholly inside one does not exist. */
  readonly holes?: readonly Window[] | undefined;
  /** Unset: a spot market. */
  readonly contract?: Contract | undefined;
  /** Unset: the price at which it is traded. */
  readonly priced?: OtherPrice | undefined;
  /** The symbol whose prices these follow, never further away than 0.2 %. Unset: they move by themselves. */
  readonly follows?: string | undefined;
  /** What seeds the prices. @default the symbol */
  readonly seed?: string | undefined;
  /** Single candles with other values than the random walk gives. */
  readonly overrides?: readonly CandleOverride[] | undefined;
}

/** Replaces values of one candle, in answers and in the expected candles of tests. */
export interface CandleOverride {
  /** CCXT's text of the timeframe, `1m`. */
  readonly timeframe: string;
  readonly openTimeMs: number;
  readonly values: Readonly<
    Partial<Record<"open" | "high" | "low" | "close" | "volume", string>>
  >;
}

/** Ten markets with their listing dates on Binance, whose dialect is the default. */
export const LOCAL_SYMBOLS: readonly LocalSymbol[] = [
  market("BTC/USDT", {
    tickDecimals: 2,
    price: 62_000,
    quoteVolume24h: 1_500_000_000,
    listedAtMs: Date.UTC(2017, 7, 17, 4),
  }),
  market("ETH/USDT", {
    tickDecimals: 2,
    price: 2_900,
    quoteVolume24h: 900_000_000,
    listedAtMs: Date.UTC(2017, 7, 17, 4),
  }),
  market("SOL/USDT", {
    tickDecimals: 2,
    price: 140,
    quoteVolume24h: 400_000_000,
    listedAtMs: Date.UTC(2020, 7, 11, 6),
  }),
  market("XRP/USDT", {
    tickDecimals: 4,
    price: 0.62,
    quoteVolume24h: 300_000_000,
    listedAtMs: Date.UTC(2018, 4, 4, 8, 11),
  }),
  market("BNB/USDT", {
    tickDecimals: 2,
    price: 560,
    quoteVolume24h: 150_000_000,
    listedAtMs: Date.UTC(2017, 10, 6, 3, 54),
  }),
  market("DOGE/USDT", {
    tickDecimals: 5,
    price: 0.14,
    quoteVolume24h: 120_000_000,
    listedAtMs: Date.UTC(2019, 6, 5, 12),
  }),
  market("ADA/USDT", {
    tickDecimals: 4,
    price: 0.45,
    quoteVolume24h: 60_000_000,
    listedAtMs: Date.UTC(2018, 3, 17, 4),
  }),
  // A price of a few hundred ticks. A program that prints it as a float writes 7.12e-6.
  market("PEPE/USDT", {
    tickDecimals: 8,
    price: 0.000_007_12,
    quoteVolume24h: 50_000_000,
    listedAtMs: Date.UTC(2023, 4, 5, 16),
  }),
  market("USDC/USDT", {
    tickDecimals: 4,
    price: 1,
    quoteVolume24h: 800_000_000,
    volatility: 0.002,
    listedAtMs: Date.UTC(2018, 11, 15, 3),
  }),
  market("ETH/BTC", {
    tickDecimals: 5,
    price: 0.046,
    quoteVolume24h: 4_000,
    listedAtMs: Date.UTC(2017, 6, 14, 4),
  }),
];

/** Makes a market of a unified symbol, from which it reads base and quote. */
export function market(
  symbol: string,
  facts: Omit<LocalSymbol, "symbol" | "base" | "quote">,
): LocalSymbol {
  const [base, quote] = symbol.split("/");
  if (base === undefined || quote === undefined || base === "" || quote === "") {
    throw new RangeError(
      `Cannot list ${JSON.stringify(symbol)}: expected a spot symbol such as BTC/USDT`,
    );
  }
  return { symbol, base, quote, ...facts };
}

/** Whether the market is traded at `nowMs`: it is listed and not delisted yet. */
export function isTrading(symbol: LocalSymbol, nowMs: number): boolean {
  return isListed(symbol, nowMs) && nowMs < (symbol.delistedAtMs ?? Infinity);
}

/** Whether the market was listed at or before `nowMs`. Stays true after a delisting, because the history remains. */
export function isListed(symbol: LocalSymbol, nowMs: number): boolean {
  return nowMs >= (symbol.listedAtMs ?? -Infinity);
}
