/** Which market on a list is that of an archived symbol. No I/O. @module */
import { candidates, type MarketFacts, type MarketList } from "../exchange/market_list.ts";
import { priceOf } from "../market/price.ts";
import { isContract } from "../market/symbol.ts";
import { areTermsEqual, type MarketTerms, type NamedMarket } from "../market/terms.ts";

/**
 * The market of a symbol: the one with the archived id whose numbers mean the same, also if CCXT gives the symbol to another
 * one; undefined if that one is not listed under the symbol. Whichever there is, if no id is known.
 */
export function ownMarket(
  listed: MarketFacts | undefined,
  listing: NamedMarket | undefined,
): MarketFacts | undefined {
  if (listed === undefined || listing?.marketId === undefined) return listed;
  const { marketId } = listing;
  return candidates(listed).find((market) =>
    (market.id === undefined || market.id === marketId) && areTermsEqual(listing, market)
  );
}

/** Another symbol under which a market is listed, of the same price. A spot market and a contract may have one id: they are not the same. */
export function otherSymbolOf(
  list: MarketList,
  symbol: string,
  listing: NamedMarket | undefined,
): string | undefined {
  if (listing?.marketId === undefined) return undefined;
  for (const [other, listed] of list) {
    if (other === symbol || priceOf(other) !== priceOf(symbol)) continue;
    const isSame = (market: MarketFacts): boolean =>
      market.id === listing.marketId && areTermsEqual(listing, market) &&
      isSpot(symbol, listing) === isSpot(other, market);
    if (candidates(listed).some(isSame)) return other;
  }
}

/** As the market says; of one that is not known, as its symbol says. */
function isSpot(symbol: string, { kind, settle }: MarketTerms): boolean {
  return kind === undefined && settle === undefined ? !isContract(symbol) : kind === "spot";
}
