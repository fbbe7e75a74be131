/** Markets whose candles an exchange is asked for alike. @module */
import { type Price, priceOf } from "./price.ts";
import { kindOf, type SymbolKind } from "./symbol.ts";

/** A kind of market, and with it the price of its candles if that is not the price of trades: `linear`, `linear@mark`. */
export type MarketClass =
  | SymbolKind
  | `${Exclude<SymbolKind, "spot">}@${Exclude<Price, "trade">}`;

/** The class of a series with this symbol. */
export function marketClassOf(symbol: string): MarketClass {
  const [kind, price] = [kindOf(symbol), priceOf(symbol)];
  return kind === "spot" || price === "trade" ? kind : `${kind}@${price}`;
}

/** The parts of a class. */
export function partsOf(
  marketClass: MarketClass,
): { readonly kind: SymbolKind; readonly price: Price } {
  const [kind, price = "trade"] = marketClass.split("@");
  return { kind: kind as SymbolKind, price: price as Price };
}
