/** Checks whether a text from a user or an exchange can be a unified symbol. @module */
import { marketSymbol, priceOf } from "./price.ts";

/** Twice as long as CCXT's longest unified symbols: options with strike and expiry. */
const SYMBOL_LENGTH_MAX = 100;

/**
 * Base, slash, and the rest of CCXT's symbol: quote, `:settle`, `-expiry`. Exchanges list names with spaces, quotes and
 * letters of any script. Control characters and line breaks are in none, and a comma separates symbols in lists.
 */
const SYMBOL = /^[^\p{C}\p{Zl}\p{Zp},/]+\/[^\p{C}\p{Zl}\p{Zp},/]+$/u;

/** ASCII without spaces, quotes and markup, and scripts with no letter that looks like one of Latin. */
const PLAIN =
  /^(?:[!#$(-:?-[\]-_a-z~]|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul})+$/u;

/** Whether a text can be a symbol, such as `BTC/USDT`, however oddly an exchange may name its coins. */
export function isSymbol(text: string): boolean {
  return text.length <= SYMBOL_LENGTH_MAX && SYMBOL.test(text) && text.trim() === text;
}

/**
 * Whether a text names a price behind a symbol that cannot have it: one that there is not, such as `BTC/USDT:USDT@marks`, or
 * that of a spot market.
 */
export function hasWrongPrice(text: string): boolean {
  if (!PRICED.test(text)) return false;
  return priceOf(text) === "trade" || !isContract(text) || PRICED.test(marketSymbol(text));
}

/** A word behind the last part of a symbol. */
const PRICED = /\/.*[^/:]@[^/:@]*$/;

/**
 * Whether a symbol cannot be taken for another one: no letters that look like Latin ones, no spaces or quotes. Only such
 * symbols are chosen without being named.
 */
export function isPlainSymbol(text: string): boolean {
  return isSymbol(text) && PLAIN.test(text);
}

/** Whether a symbol is of a contract: a perpetual, a future or an option. After its quote it names what settles it. */
export function isContract(symbol: string): boolean {
  return symbol.slice(symbol.lastIndexOf("/")).includes(":");
}

/** Whether a symbol is of a dated future, such as `BTC/USDT:USDT-241227`. */
export function isDated(symbol: string): boolean {
  return /\/[^/:]*:.*-\d{6}$/.test(marketSymbol(symbol));
}

/** When the day in the name of a dated future is over, by UTC; undefined of other symbols. Milliseconds. */
export function datedUntilMs(symbol: string): number | undefined {
  if (!isDated(symbol)) return undefined;
  const [year = NaN, month = NaN, day = NaN] = marketSymbol(symbol).slice(-6).match(/../g)
    ?.map(Number) ?? [];
  return Date.UTC(2000 + year, month - 1, day + 1);
}

/** Whether a symbol is of an option, such as `BTC/USD:BTC-241227-60000-C`. */
export function isOption(symbol: string): boolean {
  return /\/[^/:]*:.*-\d{6}-[^-]+-[CP]$/.test(marketSymbol(symbol));
}

/** The kind of market that a symbol means: contracts are linear, or inverse if they are settled in their base coin. */
export type SymbolKind = "spot" | "linear" | "inverse";

export function kindOf(symbol: string): SymbolKind {
  if (!isContract(symbol)) return "spot";
  const [, base, settle] = /^(.*)\/[^/:]*:([^-]*)/.exec(marketSymbol(symbol)) ?? [];
  return base === settle ? "inverse" : "linear";
}
