/** Listed symbols that may be meant by one that is not listed. @module */
import { marketSymbol, pricedSymbol, priceOf, PRICES_NAMED } from "../market/price.ts";
import { nearest } from "../text/nearest.ts";

/**
 * Of a price that its market does not have, the market's other prices; else the symbols of markets with a similar name, of the
 * same price where they have it. At most three.
 */
export function nearSymbols(symbol: string, listed: readonly string[]): readonly string[] {
  const [market, price] = [marketSymbol(symbol), priceOf(symbol)];
  if (price === "trade") return nearest(symbol, listed.filter((one) => priceOf(one) === "trade"));
  const known = new Set(listed);
  if (known.has(market)) {
    return PRICES_NAMED.map((other) => pricedSymbol(market, other)).filter((one) => known.has(one));
  }
  return nearest(market, listed.filter((one) => priceOf(one) === "trade"))
    .map((one) => known.has(pricedSymbol(one, price)) ? pricedSymbol(one, price) : one);
}
