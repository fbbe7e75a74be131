/** The markets of the local exchange: what is traded, at which price, and since when. @module */
import type { Window } from "../market/window.ts";

/** One spot market as the local exchange knows it. */
export interface LocalSymbol {
  /** CCXT unified symbol, `BTC/USDT`. It also seeds the price path: the same symbol, the same prices. */
  readonly symbol: string;
  readonly base: string;
  readonly quote: string;
  /** Decimals of the smallest price step: 2 means 0.01. At most 8. */
  readonly tickDecimals: number;
  /** The price around which the walk wanders, in quote units. */
  readonly price: number;
  /** Usual turnover of 24 hours, in quote units. */
  readonly quoteVolume24h: number;
  /** How strongly the price moves: 1 is a coin, 0.002 a stablecoin. @default 1 */
  readonly volatility?: number | undefined;
  /** The candle that contains this moment is the first one. Unset: the market was always there. */
  readonly listedAtMs?: number | undefined;
  /** The candle that contains the moment before this one is the last one. Unset: still traded. */
  readonly delistedAtMs?: number | undefined;
  /** Spans of downtime. A candle that lies wholly inside one does not exist. */
  readonly holes?: readonly Window[] | undefined;
  /** Single candles that differ from the walk. */
  readonly overrides?: readonly CandleOverride[] | undefined;
}

/** Replaces values of one candle, wherever it is given or compared. */
export interface CandleOverride {
  /** As CCXT spells it, `1m`. */
  readonly timeframe: string;
  readonly openTimeMs: number;
  readonly values: Readonly<
    Partial<Record<"open" | "high" | "low" | "close" | "volume", string>>
  >;
}

/** Ten markets with the listing dates of the exchange whose dialect is the default one. */
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
  // A price of a few hundred ticks: whoever reads it as a float and prints it meets 7.12e-6.
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

/** A market of the given unified symbol; base and quote are read from it. */
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

/** Whether the market has opened and not yet closed at `nowMs`. */
export function isTrading(symbol: LocalSymbol, nowMs: number): boolean {
  return isListed(symbol, nowMs) && nowMs < (symbol.delistedAtMs ?? Infinity);
}

/** Whether the market has opened at `nowMs`; a delisted one keeps its history. */
export function isListed(symbol: LocalSymbol, nowMs: number): boolean {
  return nowMs >= (symbol.listedAtMs ?? -Infinity);
}
