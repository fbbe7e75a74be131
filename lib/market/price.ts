/** What the candles of a series are about: trades, or another price of a contract. @module */

/** `trade` unless the series is about the mark price, the index, or the premium of a contract over its index. */
export type Price = "trade" | "mark" | "index" | "premium";

/** The prices that stand behind a symbol, such as in `BTC/USDT:USDT@mark`. */
export const PRICES_NAMED = ["mark", "index", "premium"] as const satisfies readonly Price[];

const PRICED = new RegExp(`^(.+)@(${PRICES_NAMED.join("|")})$`);

/** The price that a series with this symbol is about. */
export function priceOf(symbol: string): Price {
  return (PRICED.exec(symbol)?.[2] ?? "trade") as Price;
}

/** The symbol of the market: `BTC/USDT:USDT` of `BTC/USDT:USDT@mark`. */
export function marketSymbol(symbol: string): string {
  return PRICED.exec(symbol)?.[1] ?? symbol;
}

/** The symbol of a series about a price of a market. */
export function pricedSymbol(market: string, price: Price): string {
  return price === "trade" ? market : `${market}@${price}`;
}
