/** How much was traded in a market in a day, in its quote currency, by what the tickers of its class count. @module */
import { factOf } from "./ancestry.ts";
import { type CcxtMarket, type CcxtTicker, kindOfMarket } from "./ccxt.ts";

/** What a volume of a ticker counts. */
type Unit = "quote" | "base" | "contracts";

/** What the two volumes of a ticker count, whatever CCXT calls them. */
interface TickerUnits {
  readonly quoteVolume?: Unit;
  readonly baseVolume?: Unit;
}

/** As CCXT calls them. */
const AS_NAMED: TickerUnits = { quoteVolume: "quote", baseVolume: "base" };

/**
 * Contracts whose tickers count something else than CCXT's class says: what its `parseTicker` takes, and what the exchange's
 * document of that field says (read in CCXT 4.5.84). The samples in the comments of these methods agree with it.
 *
 * | class | fields | source |
 * |---|---|---|
 * | bybit, inverse | `turnover24h` coins, `volume24h` USD | bybit-exchange.github.io/docs/v5/market/tickers |
 * | okx | `vol24h` contracts; CCXT has no quote volume | okx.com/docs-v5, GET / Tickers |
 * | htx | `vol` contracts, `amount` coins | huobiapi.github.io/docs/usdt_swap/v1/en, and coin_margined_swap |
 * | mexc | `volume24` contracts, `amount24` turnover | mexcdevelop.github.io/apidocs/contract_v1_en |
 * | bingx, inverse | `volume` contracts, `quoteVolume` coins | bingx-api.github.io/docs, Coin-M Futures |
 *
 * Binance's COIN-M tickers have `baseVolume` in coins beside `volume` in contracts, and its class multiplies the first with the
 * mean price; those of Gate have a volume in the quote currency whatever settles the contract.
 */
const UNITS: Readonly<Record<string, Partial<Record<"linear" | "inverse", TickerUnits>>>> = {
  bybit: { inverse: { quoteVolume: "base", baseVolume: "quote" } },
  okx: { linear: { baseVolume: "contracts" }, inverse: { baseVolume: "contracts" } },
  htx: {
    linear: { quoteVolume: "contracts", baseVolume: "base" },
    inverse: { quoteVolume: "contracts", baseVolume: "base" },
  },
  mexc: { linear: { quoteVolume: "quote", baseVolume: "contracts" } },
  bingx: { inverse: { quoteVolume: "base", baseVolume: "contracts" } },
};

/** What tickers count, as two volumes of one ticker may prove it: the likeliest first. */
const POSSIBLE: readonly Required<TickerUnits>[] = [
  { quoteVolume: "quote", baseVolume: "base" },
  { quoteVolume: "quote", baseVolume: "contracts" },
  { quoteVolume: "contracts", baseVolume: "base" },
  { quoteVolume: "base", baseVolume: "contracts" },
  { quoteVolume: "base", baseVolume: "quote" },
  { quoteVolume: "contracts", baseVolume: "quote" },
];

/** Two volumes of one day agree if they differ by less: prices move within a day, and turnover is not at the last price. */
const AGREE_FACTOR = 1.5;

/** The 24 h turnover of a market in its quote currency; 0 if the ticker does not tell. */
export function turnoverOf(
  exchange: string,
  market: CcxtMarket,
  ticker: CcxtTicker | undefined,
): number {
  if (ticker === undefined) return 0;
  const kind = kindOfMarket(market);
  const units = kind === undefined || kind === "spot"
    ? AS_NAMED
    : factOf(UNITS, exchange)?.[kind] ?? provedUnits(market, ticker);
  const worths = (["quoteVolume", "baseVolume"] as const).flatMap((field) => {
    const unit = units[field];
    const worth = worthOf(market, ticker, { unit, volume: ticker[field] });
    const isPriced = unit === "base" || (unit === "contracts" && market.inverse !== true);
    return worth > 0 ? [{ worth, isPriced }] : [];
  });
  // What needs no price is as exact as the exchange is.
  const best = worths.find(({ isPriced }) => !isPriced) ?? worths[0];
  return best?.worth ?? 0;
}

/** What the numbers of a ticker agree with: as CCXT calls them, unless only something else fits. */
function provedUnits(market: CcxtMarket, ticker: CcxtTicker): TickerUnits {
  const { quoteVolume, baseVolume } = ticker;
  return POSSIBLE.find((units) => {
    const quote = worthOf(market, ticker, { unit: units.quoteVolume, volume: quoteVolume });
    const base = worthOf(market, ticker, { unit: units.baseVolume, volume: baseVolume });
    return quote > 0 && base > 0 && Math.max(quote / base, base / quote) < AGREE_FACTOR;
  }) ?? AS_NAMED;
}

/** What a volume is worth in the quote currency; 0 if that cannot be worked out. */
function worthOf(
  { contractSize, inverse }: CcxtMarket,
  { last }: CcxtTicker,
  { unit, volume }: { readonly unit: Unit | undefined; readonly volume: string | undefined },
): number {
  const [amount, price, size] = [Number(volume), Number(last), Number(contractSize)];
  const worth = unit === "quote" ? amount : unit === "base" ? amount * price : unit === "contracts"
    // An inverse contract is worth a number of quote units, a linear one of base units.
    ? amount * size * (inverse === true ? 1 : price)
    : 0;
  return Number.isFinite(worth) && worth > 0 ? worth : 0;
}
