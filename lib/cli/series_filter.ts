/** `--exchanges` and `--symbols` of commands that only read: which series are shown. @module */
import type { Config } from "../config/config.ts";
import { isExcluded, mayBeChosen, type Symbols } from "../config/symbols.ts";
import { unknownNames } from "../text/unknown_names.ts";
import type { Flags } from "./settings.ts";

export interface NamedSeries {
  readonly exchange: string;
  readonly symbol: string;
}

/** Which series the flags let through. Settings of the environment are no filter: only flags are. */
export interface SeriesFilter {
  /** Undefined without the flag. */
  readonly exchanges: readonly string[] | undefined;
  /** Undefined without the flag, and for `top:N` and patterns, which name none. */
  readonly symbols: readonly string[] | undefined;
  passesExchange(exchange: string): boolean;
  passes(series: NamedSeries): boolean;
}

/** The filter of the flags, whose values `config` has read. */
export function filterOf(flags: Flags, config: Config): SeriesFilter {
  const { symbols: named } = config.everywhere;
  const exchanges = flags["exchanges"] === undefined ? undefined : config.exchanges;
  const isFiltered = flags["symbols"] !== undefined && named.tops.length === 0;
  const passesExchange = (exchange: string): boolean => exchanges?.includes(exchange) ?? true;
  return {
    exchanges,
    symbols: isFiltered && named.patterns.length === 0 ? named.names : undefined,
    passesExchange,
    passes: ({ exchange, symbol }) =>
      passesExchange(exchange) && (!isFiltered || isNamed(named, symbol)),
  };
}

function isNamed(symbols: Symbols, symbol: string): boolean {
  if (isExcluded(symbols, symbol)) return false;
  return symbols.names.includes(symbol) || mayBeChosen(symbols, symbol);
}

/** Why a name of the flags matches none of the archived series; undefined when all match. */
export function unknownOf(
  series: readonly NamedSeries[],
  { exchanges: exchange, symbols: symbol }: Pick<SeriesFilter, "exchanges" | "symbols">,
): string | undefined {
  return unknownNames(series, { exchange, symbol });
}
