/** What can be a unified symbol, whoever says so: a person, or an exchange. @module */

/** CCXT's longest unified symbols, options with strike and expiry, stay below half of it. */
const SYMBOL_LENGTH_MAX = 100;

/** Base, slash, and all that CCXT puts behind: quote, `:settle`, `-expiry`. Letters of any script. */
const SYMBOL = /^[^\s\p{C},/"'`\\]+\/[^\s\p{C},/"'`\\]+$/u;

/** Whether a text reads as `BTC/USDT` does, without what would end a word, a list or a quotation. */
export function isSymbol(text: string): boolean {
  return text.length <= SYMBOL_LENGTH_MAX && SYMBOL.test(text);
}
