/** Configured symbols that no exchange lists: mistakes, and not merely traded elsewhere. @module */
import type { Archive } from "../archive/archive.ts";
import type { Markets } from "../archive/markets_in_force.ts";

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
  const known = markets.flatMap((one) => one ?? []);
  const [first] = known;
  if (first === undefined || known.length < markets.length) return [];
  return first.unlisted.flatMap(({ symbol }) => {
    const all = known.map(({ unlisted }) => unlisted.find((one) => one.symbol === symbol));
    if (all.includes(undefined)) return [];
    const similar = [...new Set(all.flatMap((one) => one?.nearest ?? []))].slice(0, NEAREST_MAX);
    const hint = similar.length === 0 ? "" : `. The nearest names: ${similar.join(", ")}`;
    const by = known.map(({ exchange }) => exchange).join(", ");
    return [`${symbol} is not listed by ${by}${hint}. Correct SYMBOLS`];
  });
}
