/** What the numbers of a market mean: what is traded, what settles it, how much a contract is worth. @module */

/** What the volume of a candle counts. */
export type VolumeUnit = "base" | "quote" | "contracts";

/** Undefined: not known, or there is none. What is not known is never a difference. */
export interface MarketTerms {
  /** `linear` and `inverse` are contracts; undefined also of those that are neither. */
  readonly kind: "spot" | "linear" | "inverse" | undefined;
  /** The coin that settles a contract. */
  readonly settle: string | undefined;
  /** What one contract is worth: linear, in the base currency; inverse, in the quote currency. */
  readonly contractSize: number | undefined;
  readonly volumeUnit: VolumeUnit | undefined;
}

/** A market as people see it: its id, and what its numbers mean. */
export interface NamedMarket extends MarketTerms {
  readonly marketId: string | undefined;
}

const TERMS = [
  ["kind", "kind"],
  ["settle", "settlement in"],
  ["contractSize", "contracts of"],
  ["volumeUnit", "volumes in"],
] as const;

/** Whether the numbers of both mean the same, as far as both are known. */
export function areTermsEqual(one: MarketTerms, other: MarketTerms): boolean {
  return differences(one, other).length === 0;
}

/** Whether `market` tells what is not known of `known`. */
export function tellsMore(known: MarketTerms, market: MarketTerms): boolean {
  return TERMS.some(([name]) => known[name] === undefined && market[name] !== undefined);
}

/** How a market differs from the one before it: `XREPZUSD instead of REPV2USD`. */
export function marketDifference(former: NamedMarket, now: NamedMarket): string {
  if (former.marketId !== now.marketId) return `${now.marketId} instead of ${former.marketId}`;
  return `${now.marketId} with ${differences(former, now).join(", ")}`;
}

function differences(former: MarketTerms, now: MarketTerms): readonly string[] {
  return TERMS.flatMap(([name, text]) => {
    const [before, after] = [former[name], now[name]];
    if (before === undefined || after === undefined || before === after) return [];
    return [`${text} ${after} instead of ${before}`];
  });
}
