/** Which symbols of an exchange are archived: named ones, those traded most, and those that fit a pattern. @module */
import { priceOf, PRICES_NAMED } from "../market/price.ts";
import {
  hasWrongPrice,
  isContract,
  isDated,
  isOption,
  isSymbol,
  kindOf,
  type SymbolKind,
} from "../market/symbol.ts";
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
  /** Perpetuals of this kind. @default spot markets */
  readonly kind?: SymbolKind | undefined;
}

const TOPS =
  `top:N, top:N:QUOTE or top:N:QUOTE:KIND with N from 1 to ${ITEMS_MAX} and spot, linear or inverse ` +
  "for KIND, such as top:20, top:20:EUR or top:10:USDT:linear";

/** A kind where the quote belongs. No currency has such a name. */
const LACKS_QUOTE = /^top:[^:]*:(?:spot|linear|inverse)$/i;

/** What is allowed in the place of a text that is no item; undefined where nothing special is to be said. */
export function allowedInstead(text: string): string | undefined {
  if (isOption(text)) {
    return `no options: they are not archived. Name the perpetual ${
      text.replace(/-.*$/, "")
    } or a dated future`;
  }
  if (hasWrongPrice(text)) {
    return `the mark, index or premium of contracts, such as ${
      PRICES_NAMED.map((price) => `BTC/USDT:USDT@${price}`).join(", ")
    }`;
  }
  return /^top:[^:]*:[^:]*:/i.test(text) || LACKS_QUOTE.test(text) ? TOPS : undefined;
}

/** One of them. */
export const symbolItem: Setting<string> = setting(
  (text) =>
    allowedInstead(text) ??
      (/^top(:|$)/i.test(text)
        ? TOPS
        : "unified symbols such as BTC/USDT separated by commas, or top:N"),
  (text) => {
    const named = text.replace(/^!/, "");
    const isTop = named === text && readTop(text) !== undefined;
    const isName = isSymbol(named) && !(isOption(named) && named === text);
    if (hasWrongPrice(named)) return undefined;
    return isTop || isName || isSymbolPattern(named) ? text : undefined;
  },
);

/** Symbols, patterns, `top:N`, `top:N:QUOTE` and `top:N:QUOTE:KIND` separated by commas; with `!` before a symbol or pattern, not that. */
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
 * such a rule for its kind of market. It never chooses other prices than that of trades.
 */
export function mayBeChosen({ tops, patterns }: Symbols, symbol: string): boolean {
  return tops.some((top) => mayChoose(top, symbol)) ||
    (!isOption(symbol) && patterns.some((pattern) => fitsPattern(symbol, pattern)));
}

function mayChoose({ kind = "spot" }: Top, symbol: string): boolean {
  return kindOf(symbol) === kind && !isDated(symbol) && !isOption(symbol) &&
    priceOf(symbol) === "trade";
}

/** Whether a symbol is archived, or may be once the exchange's markets are known: it is named or a rule may choose it. */
export function mayBeArchived(symbols: Symbols, symbol: string): boolean {
  return !isExcluded(symbols, symbol) &&
    (symbols.names.includes(symbol) || mayBeChosen(symbols, symbol));
}

/** Symbols of each kind of market that may be wanted: `top:N` takes markets of its kind, a pattern of contracts any of them. */
export function symbolsOfKinds({ names, tops, patterns }: Symbols): readonly string[] {
  const spot = "BASE/QUOTE";
  const contracts = [
    `${spot}:QUOTE`,
    `${spot}:QUOTE-991231`,
    `${spot}:BASE`,
    `${spot}:BASE-991231`,
  ];
  const ofKind = { spot, linear: `${spot}:QUOTE`, inverse: `${spot}:BASE` };
  const traded = tops.map(({ kind = "spot" }) => ofKind[kind]);
  const fitting = patterns.flatMap((pattern) => isContract(pattern) ? contracts : [spot]);
  return [...new Set([...names, ...traded, ...fitting])];
}

/** The rules as the user wrote them. */
export function ruleText({ tops, patterns }: Symbols): string {
  const texts = tops.map(({ count, quote, kind }) =>
    ["top", count, quote, kind].filter((part) => part !== undefined).join(":")
  );
  return [...texts, ...patterns].join(",");
}

function readTop(text: string): Top | undefined {
  const match = /^top:([1-9]\d{0,3})(?::([\p{L}\p{N}]{1,20})(?::(spot|linear|inverse))?)?$/u.exec(
    text,
  );
  const count = Number(match?.[1]);
  if (match === null || count > ITEMS_MAX || LACKS_QUOTE.test(text)) return undefined;
  const [, , quote, kind] = match;
  return {
    count,
    ...(quote !== undefined && { quote }),
    ...(kind !== undefined && kind !== "spot" && { kind: kind as SymbolKind }),
  };
}
