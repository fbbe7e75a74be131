/** Reads exchanges' own names of markets, such as `BTCUSDT`, as unified symbols where only one reading is possible. @module */
import { isSymbol, kindOf, type SymbolKind } from "./symbol.ts";

interface NameRules {
  /** Kinds of market that the name may be of; undefined: any. */
  readonly kinds?: readonly SymbolKind[] | undefined;
  /** All quote currencies that there are. Without marks in a name, nothing else tells where it is to be split. */
  readonly quotes?: readonly string[] | undefined;
  /** Other codes of coins: `XBT` is `BTC`. */
  readonly coins?: Readonly<Record<string, string>> | undefined;
}

/** The one unified symbol that a name means; undefined where there are several, or none. */
export function symbolOf(name: string, rules: NameRules = {}): string | undefined {
  const symbols = readings(name, rules).filter((symbol) =>
    isSymbol(symbol) && (rules.kinds?.includes(kindOf(symbol)) ?? true)
  );
  return symbols.length === 1 ? symbols[0] : undefined;
}

/** All symbols that a name may mean, by its form alone. */
function readings(name: string, { kinds, quotes = [], coins = {} }: NameRules): readonly string[] {
  if (/^[^/]+\/[^/:]+:/.test(name)) return [name];
  const { rest, isPerpetual, expiry } = ending(name.replace(/^X:/, ""));
  const coin = (text: string): string => {
    const upper = text.toUpperCase();
    return Object.hasOwn(coins, upper) ? coins[upper]! : upper;
  };
  const parts = rest.split(/[-_/]/);
  if (parts.length === 3 && parts.every((part) => part !== "")) {
    const [base, quote, settle] = parts.map(coin);
    return [`${base}/${quote}:${settle}${expiry === undefined ? "" : `-${expiry}`}`];
  }
  const splits = parts.length === 2 && parts.every((part) => part !== "")
    ? [parts.map(coin)]
    : parts.length > 1
    ? []
    : quotes.filter((quote) => rest.toUpperCase().endsWith(quote) && rest.length > quote.length)
      .map((quote) => [coin(rest.slice(0, -quote.length)), coin(quote)]);
  return splits.flatMap(([base, quote]) => {
    // Dollars themselves settle no contract: those are settled in the coin.
    const settle = quote === "USD" ? base : quote;
    const contract = `${base}/${quote}:${settle}`;
    if (expiry !== undefined) return [`${contract}-${expiry}`];
    if (isPerpetual) return [contract];
    return kinds === undefined
      ? [`${base}/${quote}`]
      : kinds.includes("spot")
      ? kinds.length === 1 ? [`${base}/${quote}`] : [`${base}/${quote}`, contract]
      : [contract];
  });
}

/** What stands behind the coins. */
function ending(
  name: string,
): { readonly rest: string; readonly isPerpetual: boolean; readonly expiry: string | undefined } {
  const dated = /^(.+)[-_](\d{6})$/.exec(name);
  if (dated !== null) return { rest: dated[1]!, isPerpetual: false, expiry: dated[2] };
  const perpetual = /^(.+?)(?:[-_.]?(?:SWAP|PERP|PERPETUAL)|\.P)$/i.exec(name);
  return { rest: perpetual?.[1] ?? name, isPerpetual: perpetual !== null, expiry: undefined };
}

const UNITS: Readonly<Record<string, string>> = {
  ...{ s: "s", sec: "s", second: "s", m: "m", min: "m", minute: "m", h: "h", hr: "h", hour: "h" },
  ...{ d: "d", day: "d", w: "w", week: "w", mo: "M", mon: "M", month: "M", mn: "M" },
};

/** Minutes as exchanges write longer timeframes. */
const LONGER: Readonly<Record<string, string>> = {
  ...{ "60m": "1h", "120m": "2h", "180m": "3h", "240m": "4h", "360m": "6h", "480m": "8h" },
  ...{ "720m": "12h", "1440m": "1d", "10080m": "1w", "24h": "1d", "7d": "1w" },
};

/** A timeframe as files write it: `1min`, `4hour`, `1Dutc`, `H1`, `daily`. Undefined of anything else. */
export function timeframeOf(text: string): string | undefined {
  if (/^\d+M$/.test(text)) return text;
  const words: Readonly<Record<string, string>> = {
    ...{ minute: "1m", hour: "1h", hourly: "1h", day: "1d", daily: "1d", d: "1d", week: "1w" },
    ...{ weekly: "1w", month: "1M", monthly: "1M" },
  };
  const lower = text.toLowerCase();
  if (Object.hasOwn(words, lower)) return words[lower];
  const [, meta, metaCount] = /^(MN|[MHDW])(\d+)$/.exec(text) ?? [];
  const [, count, unit] = meta === undefined
    ? /^(\d+)[ _-]?([a-z]+?)s?(?:utc)?$/.exec(lower) ?? []
    : ["", metaCount, meta.toLowerCase()];
  // A lone `s` is no plural.
  const [, seconds] = /^(\d+)s$/.exec(lower) ?? [];
  if (seconds !== undefined) return `${Number(seconds)}s`;
  if (unit === undefined || !Object.hasOwn(UNITS, unit)) return undefined;
  const plain = `${Number(count)}${UNITS[unit]!}`;
  return LONGER[plain] ?? plain;
}
