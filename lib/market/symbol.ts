/** Checks whether a text from a user or an exchange can be a unified symbol. @module */

/** Twice as long as CCXT's longest unified symbols: options with strike and expiry. */
const SYMBOL_LENGTH_MAX = 100;

/** Base, slash, and the rest of CCXT's symbol: quote, `:settle`, `-expiry`. Letters of any script. */
const SYMBOL = /^[^\s\p{C},/"'`\\]+\/[^\s\p{C},/"'`\\]+$/u;

/** Whether a text looks like `BTC/USDT`, without spaces, commas or quotes. */
export function isSymbol(text: string): boolean {
  return text.length <= SYMBOL_LENGTH_MAX && SYMBOL.test(text);
}
