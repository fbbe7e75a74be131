/** Configured symbols that no exchange lists: mistakes, and not merely traded elsewhere. @module */
import type { Config } from "../config/config.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import type { Archive } from "../archive/archive.ts";
import type { Markets, UnlistedSymbol } from "../archive/markets_in_force.ts";

/** At most this many similar names are told. */
const NEAREST_MAX = 3;

/**
 * One message for each symbol that none of the exchanges lists for which it is named. Empty while the markets of one are
 * not known: that one may list it.
 *
 * @param markets those of the exchanges. @default those in force
 */
export function lostSymbols(
  { config, exchanges }: Pick<Archive, "config" | "exchanges">,
  markets: readonly (Markets | undefined)[] = exchanges.map(({ markets }) => markets.value),
): readonly string[] {
  return lostAmong(config, markets).map(({ symbol, nearest, exchanges }) => {
    const hint = nearest.length === 0 ? "" : `. The nearest names: ${nearest.join(", ")}`;
    const where = exchanges.every((id) => config.own.has(id)) ? " or the file of settings" : "";
    return `${symbol} is not listed by ${exchanges.join(", ")}${hint}. Correct SYMBOLS${where}`;
  });
}

/** A symbol, and the exchanges for which it is named and that do not list it. */
interface LostSymbol extends UnlistedSymbol {
  readonly exchanges: readonly string[];
}

/** The same symbols, with the nearest names of these exchanges. */
export function lostAmong(
  config: Config,
  markets: readonly (Markets | undefined)[],
): readonly LostSymbol[] {
  const known = markets.flatMap((one) => one ?? []);
  if (known.length < markets.length) return [];
  const unlisted = new Set(known.flatMap((one) => one.unlisted.map(({ symbol }) => symbol)));
  return [...unlisted].flatMap((symbol) => {
    const naming = known.filter(({ exchange }) =>
      settingsOf(config, exchange).symbols.names.includes(symbol)
    );
    const all = naming.map(({ unlisted }) => unlisted.find((one) => one.symbol === symbol));
    if (all.includes(undefined)) return [];
    const similar = [...new Set(all.flatMap((one) => one?.nearest ?? []))].slice(0, NEAREST_MAX);
    return [{ symbol, nearest: similar, exchanges: naming.map(({ exchange }) => exchange) }];
  });
}
