/** `SYMBOLS=top:N`: finds the most traded bases of an exchange that are quoted in dollars. @module */
import { isPlainSymbol, type SymbolKind } from "../market/symbol.ts";
import { type CcxtMarket, type CcxtTicker, kindOfMarket } from "./ccxt.ts";
import { turnoverOf } from "./ticker_turnover.ts";

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
  /** Perpetuals of this kind instead of spot markets. @default spot */
  readonly kind?: SymbolKind | undefined;
}

/** The quotes that a choice takes: inverse contracts are quoted in dollars themselves. */
export function quotesOf(
  { quote, kind }: Omit<TopSymbolsOptions, "count">,
): readonly string[] {
  if (quote !== undefined) return [quote];
  return kind === "inverse" ? ["USD"] : DOLLAR_QUOTES;
}

/** The symbols of several choices together, see {@linkcode topOf}. */
export function topSymbols(
  markets: readonly CcxtMarket[],
  tickers: Readonly<Record<string, CcxtTicker>>,
  { exchange, choices }: {
    readonly exchange: string;
    readonly choices: readonly TopSymbolsOptions[];
  },
): readonly string[] {
  const traded = (market: CcxtMarket): number =>
    turnoverOf(exchange, market, tickers[market.symbol]);
  return [...new Set(choices.flatMap((choice) => topOf(markets, traded, choice)))];
}

/**
 * The `count` symbols with the highest 24 h turnover: of each base only its most traded market, without stablecoin bases.
 * With `quote`, only markets with that quote. Of contracts only perpetuals. Markets whose symbol may be taken for another
 * one are left out, and those whose turnover cannot be true.
 */
function topOf(
  markets: readonly CcxtMarket[],
  turnover: (market: CcxtMarket) => number,
  { count, ...choice }: TopSymbolsOptions,
): readonly string[] {
  const quotes = quotesOf(choice);
  const volumeMax = quotes.every((one) => DOLLAR_QUOTES.includes(one)) ? DOLLARS_MAX : QUOTE_MAX;
  const best = new Map<string, { symbol: string; volume: number; rank: number }>();
  for (const market of markets) {
    const rank = quotes.indexOf(market.quote);
    if (rank < 0 || !isOfKind(market, choice.kind) || market.active === false) continue;
    if (STABLE_BASES.has(market.base) || !isPlainSymbol(market.symbol)) continue;
    const volume = turnover(market);
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

function isOfKind(market: CcxtMarket, kind: SymbolKind = "spot"): boolean {
  return kindOfMarket(market) === kind && (kind === "spot" || market.swap === true);
}
