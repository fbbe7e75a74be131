/**
 * What the volume of a candle counts, of every class of CCXT that has contracts. CCXT promises the base currency and keeps
 * that for spot markets; of contracts its classes pass on what the exchange answers with.
 *
 * Each row says how it is known. "Turnover": in an answer that the exchange documents, or that CCXT's source quotes, turnover
 * divided by volume is a price of that candle, or a fixed part of it, which is the size of a contract. A row that changes
 * begins new listings, because the volumes that are stored mean something else: one that was wrong needs a migration, too.
 *
 * @module
 */
import type { MarketTerms, VolumeUnit } from "../market/terms.ts";
import { factOf } from "./ancestry.ts";

type MarketKind = NonNullable<MarketTerms["kind"]>;

/** Null: it is known that CCXT's promise does not hold, or cannot be relied on, and not what holds instead. */
type ClassUnits = Readonly<Partial<Record<MarketKind, VolumeUnit | null>>>;

/** Classes of CCXT 4.5.84. A test finds those with contracts that have no row. */
const UNITS: Readonly<Record<string, ClassUnits>> = {
  // "turnover" beside "volume", whose quotient is the price.
  apex: { linear: "base" },
  // Turnover, spot and perpetuals alike.
  aster: { linear: "base" },
  // Turnover ("quoteVolume").
  backpack: { linear: "base" },
  // USD-M: "Volume" in the base asset, with its turnover behind. COIN-M: the sixth is contracts, the eighth "base asset
  // volume", which the class takes: 206 contracts of 100 USD at 9,642 are 2.1366 BTC in Binance's example.
  binance: { linear: "base", inverse: "base" },
  // The linear markets count coins (contracts of one coin). Inverse volumes are whole numbers: contracts (ccxt#22976).
  bingx: { linear: "base", inverse: "contracts" },
  // "Quantity of symbol traded within the timeframe"; derivatives come from the same endpoint.
  bitfinex: { linear: "base" },
  // Linear: "trading volume of the base coin". Inverse: the class takes the other one, the coins (ccxt#20556, PR 20576).
  bitget: { linear: "base", inverse: "base" },
  // Turnover: 628 contracts, 2.5819 BTC and 62,800 USD at 24,323; the class takes the coins ("volCurrency").
  blofin: { linear: "base", inverse: "base" },
  // "volume in quote currency", as the class says, of all its markets.
  btse: { spot: "quote", linear: "quote", inverse: "quote" },
  // Linear: coins, with the turnover behind. Inverse: the class takes the turnover, which is in coins: 268,611 USD at 17,060
  // are 15.7446 BTC in Bybit's example.
  bybit: { linear: "base", inverse: "base" },
  // Contracts of one coin; volumes have fractions of a coin.
  coinbaseinternational: { linear: "base" },
  // The class takes "value" and calls it the base volume; the exchange documents it as the turnover (成交额), beside the
  // "volume" of 807,714 coins at 0.0083 USDT: "6689.2". Its other example is the reverse.
  coinex: { spot: null, linear: null, inverse: null },
  // Contracts of one coin; the volumes of spot markets and of contracts have one form.
  cryptocom: { linear: "base" },
  // Turnover: 1,065,583.744 USDT for 2,849 at 3,740 are 0.1 ETH each, the contract.
  deepcoin: { linear: "contracts" },
  // "List of volume bars (in base currency, one per candle)"; turnover ("cost") says the same.
  deribit: { linear: "base", inverse: "base" },
  // "baseTokenVolume"
  dydx: { linear: "base" },
  // "v: size volume (contract size)", beside the turnover in "sum".
  gate: { linear: "contracts", inverse: "contracts" },
  // "volume_b", beside "volume_q", whose quotient is the price.
  grvt: { linear: "base" },
  // "volumeNotional": the exchange gives no other.
  hibachi: { linear: "quote" },
  // Turnover ("volume_quote"), spot and perpetuals alike.
  hitbtc: { linear: "base" },
  // "amount": coins, but what was bought and what was sold ("Sum of both buy and sell sides", as "vol" of contracts and the
  // turnover are): twice what other exchanges count, so nothing that may be added to theirs. Spot candles count once.
  htx: { linear: null, inverse: null },
  // Sizes are in coins; a quarter of an hour of ETH has "591.6427".
  hyperliquid: { linear: "base" },
  // Sizes are in contracts, which are one coin (PF_) or one dollar (PI_, FI_).
  krakenfutures: { linear: "contracts", inverse: "contracts" },
  // The futures' candles count lots, whose size is the multiplier; spot candles, from another endpoint, count coins.
  kucoin: { linear: "contracts", inverse: "contracts" },
  // Turnover ("V").
  lighter: { linear: "base" },
  // Turnover: 60,793.623 USDT for 1,740 at 3,493 are 0.01 ETH each, the contract.
  mexc: { linear: "contracts", inverse: "contracts" },
  // Turnover ("amount").
  modetrade: { linear: "base" },
  // 628 contracts, 2.5819 BTC ("volCcy", of derivatives in the base currency) and 62,800 USD: the class takes the coins.
  okx: { linear: "base", inverse: "base" },
  // Turnover ("volume"); the class takes "total_amount".
  onetrading: { linear: "base" },
  // "0.00022" at 105,376 dollars: less than a contract, and than a cent.
  pacifica: { linear: "base" },
  // Turnover: 3,707.5395 USDT for 44 at 84,260 are 0.001 BTC each, the contract.
  poloniex: { linear: "contracts" },
  // "volume stock", with "volume money" behind, whose quotient is the price; perpetuals come from the same endpoint.
  whitebit: { linear: "base" },
  // Turnover ("amount").
  woo: { linear: "base" },
  woofipro: { linear: "base" },
  // Turnover: 702,461.58895 USDT for 312,931 at 22,447 are 0.0001 BTC each, the contract.
  xt: { linear: "contracts" },
};

/**
 * What the volumes of an exchange's markets of a kind count, as its class in CCXT gives them. Undefined where that is not
 * proved: then nothing is worked out from them.
 */
export function volumeUnit(
  exchange: string,
  kind: MarketTerms["kind"],
): VolumeUnit | undefined {
  if (kind === undefined) return undefined;
  const known = factOf(UNITS, exchange)?.[kind];
  return known === undefined && kind === "spot" ? "base" : known ?? undefined;
}

/** The same of all kinds, as far as it is known. */
export function volumeUnits(
  exchange: string,
): readonly { readonly kind: MarketKind; readonly volumeUnit: VolumeUnit }[] {
  return KINDS.flatMap((kind) => {
    const unit = volumeUnit(exchange, kind);
    return unit === undefined ? [] : [{ kind, volumeUnit: unit }];
  });
}

const KINDS = ["spot", "linear", "inverse"] as const satisfies readonly MarketKind[];

/** Whether there is a row for the exchange's class. */
export function hasVolumeUnits(exchange: string): boolean {
  return factOf(UNITS, exchange) !== undefined;
}
