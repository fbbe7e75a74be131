/** `SYMBOLS=top:N`: finds the most traded bases of an exchange that are quoted in dollars. @module */
import { isPlainSymbol } from "../market/symbol.ts";
import type { CcxtMarket, CcxtTicker } from "./ccxt.ts";

/** Quotes that count as dollars. Among markets with equal volume the first quote wins. */
const DOLLAR_QUOTES: readonly string[] = ["USDT", "USD", "USDC"];

/** Bases that are stablecoins or national currencies. They are left out, because their prices hardly move. */
const STABLE_BASES: ReadonlySet<string> = new Set(
  ("USDT USDC USD DAI TUSD FDUSD BUSD USDP PYUSD GUSD USDD USDE USDS USD1 RLUSD USDG LUSD FRAX UST USTC " +
    "EUR EURT EURC EURI EURQ GBP AUD TRY BRL JPY CHF CAD XUSD AEUR SUSD BFUSD USDQ USDR").split(
      " ",
    ),
);

/**
 * More than any market is traded in a day, in dollars: all exchanges together came to less than a trillion. Other quotes
 * are worth down to a millionth of a dollar.
 */
const DOLLARS_MAX = 1e12;
const QUOTE_MAX = 1e18;

export interface TopSymbolsOptions {
  readonly count: number;
  /** Only this quote, instead of any dollar. */
  readonly quote?: string | undefined;
}

/** The symbols of several choices together, see {@linkcode topOf}. */
export function topSymbols(
  markets: readonly CcxtMarket[],
  tickers: Readonly<Record<string, CcxtTicker>>,
  choices: readonly TopSymbolsOptions[],
): readonly string[] {
  return [...new Set(choices.flatMap((choice) => topOf(markets, tickers, choice)))];
}

/**
 * The `count` symbols with the highest 24 h quote volume: of each base only its most traded market, without
 * stablecoin bases. With `quote`, only markets with that quote. Markets whose symbol may be taken for another one are
 * left out, and those whose volume cannot be true.
 */
function topOf(
  markets: readonly CcxtMarket[],
  tickers: Readonly<Record<string, CcxtTicker>>,
  { count, quote }: TopSymbolsOptions,
): readonly string[] {
  const quotes = quote === undefined ? DOLLAR_QUOTES : [quote];
  const volumeMax = quotes.every((one) => DOLLAR_QUOTES.includes(one)) ? DOLLARS_MAX : QUOTE_MAX;
  const best = new Map<string, { symbol: string; volume: number; rank: number }>();
  for (const market of markets) {
    const rank = quotes.indexOf(market.quote);
    if (rank < 0 || market.spot === false || market.active === false) continue;
    if (STABLE_BASES.has(market.base) || !isPlainSymbol(market.symbol)) continue;
    const volume = quoteVolume(tickers[market.symbol]);
    if (volume <= 0 || volume > volumeMax) continue;
    const rival = best.get(market.base);
    if (
      rival === undefined || volume > rival.volume ||
      (volume === rival.volume && rank < rival.rank)
    ) best.set(market.base, { symbol: market.symbol, volume, rank });
  }
  return [...best.values()]
    .sort((a, b) => b.volume - a.volume || (a.symbol < b.symbol ? -1 : 1))
    .slice(0, count)
    .map(({ symbol }) => symbol);
}

/** Quote volume, or base volume times last price if the exchange sends only these. */
function quoteVolume(ticker: CcxtTicker | undefined): number {
  if (ticker === undefined) return 0;
  const quote = Number(ticker.quoteVolume);
  if (Number.isFinite(quote) && quote > 0) return quote;
  const product = Number(ticker.baseVolume) * Number(ticker.last);
  return Number.isFinite(product) ? product : 0;
}
