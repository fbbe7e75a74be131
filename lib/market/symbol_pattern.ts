/** Patterns of symbols: a star stands for any letters of one part, such as in `BTC/USDT:*`. @module */
import { marketSymbol, priceOf } from "./price.ts";
import { isSymbol } from "./symbol.ts";

/** Whether a text is a pattern, and no symbol. */
export function isSymbolPattern(text: string): boolean {
  return text.includes("*") && isSymbol(text.replaceAll("*", "X"));
}

/**
 * Whether a symbol fits a pattern, or is what the pattern names. Base, quote and settle are compared one by one, and both are of
 * the same price: `BTC/USDT:*` is of trades, `BTC/USDT:*@mark` of mark prices.
 */
export function fitsPattern(symbol: string, pattern: string): boolean {
  if (priceOf(symbol) !== priceOf(pattern)) return false;
  const [texts, patterns] = [symbol, pattern].map((text) => marketSymbol(text).split(PARTS));
  if (texts === undefined || patterns === undefined) return false;
  return texts.length === patterns.length &&
    texts.every((text, index) => fitsPart(text, patterns[index]!));
}

/** What separates them is a part, too. */
const PARTS = /([/:])/;

function fitsPart(text: string, pattern: string): boolean {
  const [start = "", ...others] = pattern.split("*");
  const end = others.pop();
  if (end === undefined) return text === pattern;
  if (text.length < start.length + end.length) return false;
  if (!text.startsWith(start) || !text.endsWith(end)) return false;
  let at = start.length;
  for (const part of others) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - end.length;
}
