/** Configured symbols that no exchange lists: mistakes, and not merely traded elsewhere. @module */
import type { Archive } from "../archive/archive.ts";
import type { Markets, UnlistedSymbol } from "../archive/markets_in_force.ts";

/** At most this many similar names are told. */
const NEAREST_MAX = 3;

/**
 * One message for each symbol that none of the exchanges lists. Empty while the markets of one are not known: that one may
 * list them.
 *
 * @param markets those of the exchanges. @default those in force
 */
export function lostSymbols(
  { exchanges }: Pick<Archive, "exchanges">,
  markets: readonly (Markets | undefined)[] = exchanges.map(({ markets }) => markets.value),
): readonly string[] {
  const by = markets.flatMap((one) => one?.exchange ?? []).join(", ");
  return lostAmong(markets).map(({ symbol, nearest }) => {
    const hint = nearest.length === 0 ? "" : `. The nearest names: ${nearest.join(", ")}`;
    return `${symbol} is not listed by ${by}${hint}. Correct SYMBOLS`;
  });
}

/** The same symbols, with the nearest names of all exchanges. */
export function lostAmong(
  markets: readonly (Markets | undefined)[],
): readonly UnlistedSymbol[] {
  const known = markets.flatMap((one) => one ?? []);
  const [first] = known;
  if (first === undefined || known.length < markets.length) return [];
  return first.unlisted.flatMap(({ symbol }) => {
    const all = known.map(({ unlisted }) => unlisted.find((one) => one.symbol === symbol));
    if (all.includes(undefined)) return [];
    const similar = [...new Set(all.flatMap((one) => one?.nearest ?? []))].slice(0, NEAREST_MAX);
    return [{ symbol, nearest: similar }];
  });
}
