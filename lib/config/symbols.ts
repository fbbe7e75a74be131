/** Which symbols of an exchange are archived: named ones, those traded most, and those that fit a pattern. @module */
import { priceOf, PRICES_NAMED } from "../market/price.ts";
import { isContract, isSymbol } from "../market/symbol.ts";
import { fitsPattern, isSymbolPattern } from "../market/symbol_pattern.ts";
import { ITEMS_MAX, list, type Setting, setting } from "./setting.ts";

/** What is archived is all of it together, without what is excluded. */
export interface Symbols {
  readonly names: readonly string[];
  readonly tops: readonly Top[];
  /** Such as `BTC/*`. */
  readonly patterns: readonly string[];
  /** Symbols and patterns. */
  readonly excluded: readonly string[];
}

/** The `count` bases with the highest volume in `quote`; without `quote`, in dollars. */
interface Top {
  readonly count: number;
  readonly quote?: string | undefined;
}

/** One of them. */
export const symbolItem: Setting<string> = setting(
  (text) =>
    isOfOtherPrice(text)
      ? `the mark, index or premium of contracts, such as ${
        PRICES_NAMED.map((price) => `BTC/USDT:USDT@${price}`).join(", ")
      }`
      : /^top(:|$)/i.test(text)
      ? `top:N or top:N:QUOTE with N from 1 to ${ITEMS_MAX}, such as top:20 or top:20:EUR`
      : "unified symbols such as BTC/USDT separated by commas, or top:N",
  (text) => {
    const named = text.replace(/^!/, "");
    const isTop = named === text && readTop(text) !== undefined;
    if (!isTop && isOfOtherPrice(named) && (priceOf(named) === "trade" || !isContract(named))) {
      return undefined;
    }
    return isTop || isSymbol(named) || isSymbolPattern(named) ? text : undefined;
  },
);

/** Whether a price is named behind the last part of a symbol, also one that there is not. */
function isOfOtherPrice(text: string): boolean {
  return /\/.*[^/:]@[^/:@]*$/.test(text);
}

/** Symbols, patterns, `top:N` and `top:N:QUOTE` separated by commas; with `!` before a symbol or pattern, not that. */
export function symbols(): Setting<Symbols> {
  return list(symbolItem).transform((items): Symbols => {
    const excluded = items.filter((text) => text.startsWith("!"));
    const included = items.filter((text) => !excluded.includes(text));
    return {
      names: included.filter((text) => readTop(text) === undefined && !isSymbolPattern(text)),
      tops: included.flatMap((text) => readTop(text) ?? []),
      patterns: included.filter(isSymbolPattern),
      excluded: excluded.map((text) => text.slice(1)),
    };
  }).refine(
    ({ names, tops, patterns }) => names.length + tops.length + patterns.length > 0,
    "something to exclude from, such as top:20,!BTC/USDT",
  );
}

/** Whether more than named symbols are wanted. */
export function hasRule({ tops, patterns }: Symbols): boolean {
  return tops.length + patterns.length > 0;
}

export function isExcluded({ excluded }: Symbols, symbol: string): boolean {
  return excluded.some((pattern) => fitsPattern(symbol, pattern));
}

/**
 * Whether a rule may choose a symbol. What is traded most changes, so whatever was chosen before stays while there is
 * such a rule. It never chooses other prices than that of trades.
 */
export function mayBeChosen({ tops, patterns }: Symbols, symbol: string): boolean {
  return (tops.length > 0 && priceOf(symbol) === "trade") || patterns.some((pattern) => fitsPattern(symbol, pattern));
}

/** Whether a symbol is archived, or may be once the exchange's markets are known: it is named or a rule may choose it. */
export function mayBeArchived(symbols: Symbols, symbol: string): boolean {
  return !isExcluded(symbols, symbol) &&
    (symbols.names.includes(symbol) || mayBeChosen(symbols, symbol));
}

/** Symbols of each kind of market that may be wanted: `top:N` takes spot markets, a pattern of contracts any of them. */
export function symbolsOfKinds({ names, tops, patterns }: Symbols): readonly string[] {
  const spot = "BASE/QUOTE";
  const contracts = [
    `${spot}:QUOTE`,
    `${spot}:QUOTE-991231`,
    `${spot}:BASE`,
    `${spot}:BASE-991231`,
  ];
  const fitting = patterns.flatMap((pattern) => isContract(pattern) ? contracts : [spot]);
  return [...new Set([...names, ...(tops.length > 0 ? [spot] : []), ...fitting])];
}

/** The rules as the user wrote them. */
export function ruleText({ tops, patterns }: Symbols): string {
  const texts = tops.map(({ count, quote }) =>
    `top:${count}${quote === undefined ? "" : `:${quote}`}`
  );
  return [...texts, ...patterns].join(",");
}

function readTop(text: string): Top | undefined {
  const match = /^top:([1-9]\d{0,3})(?::([\p{L}\p{N}]{1,20}))?$/u.exec(text);
  const count = Number(match?.[1]);
  if (match === null || count > ITEMS_MAX) return undefined;
  return { count, ...(match[2] !== undefined && { quote: match[2] }) };
}
