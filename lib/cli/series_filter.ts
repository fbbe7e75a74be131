/** `--exchanges` and `--symbols` of commands that only read: which series are shown. @module */
import type { Config } from "../config/config.ts";
import { nearest } from "../text/nearest.ts";
import type { Flags } from "./settings.ts";

export interface NamedSeries {
  readonly exchange: string;
  readonly symbol: string;
}

/** Which series the flags let through. Settings of the environment are no filter: only flags are. */
export interface SeriesFilter {
  /** Undefined without the flag. */
  readonly exchanges: readonly string[] | undefined;
  /** Undefined without the flag, and for `top:N`, which names none. */
  readonly symbols: readonly string[] | undefined;
  passesExchange(exchange: string): boolean;
  passes(series: NamedSeries): boolean;
}

/** The filter of the flags, whose values `config` has read. */
export function filterOf(flags: Flags, config: Config): SeriesFilter {
  const exchanges = flags["exchanges"] === undefined ? undefined : config.exchanges;
  const symbols = flags["symbols"] === undefined || config.symbols.kind === "top"
    ? undefined
    : config.symbols.symbols;
  const passesExchange = (exchange: string): boolean => exchanges?.includes(exchange) ?? true;
  return {
    exchanges,
    symbols,
    passesExchange,
    passes: ({ exchange, symbol }) =>
      passesExchange(exchange) && (symbols?.includes(symbol) ?? true),
  };
}

/** Why a name that was asked for is in none of the series; undefined when all are. */
export function unknownOf(
  series: readonly NamedSeries[],
  { exchanges = [], symbols = [] }: Pick<SeriesFilter, "exchanges" | "symbols">,
): string | undefined {
  const there = {
    exchange: new Set(series.map(({ exchange }) => exchange)),
    symbol: new Set(series.map(({ symbol }) => symbol)),
  };
  const strange = [
    ...exchanges.filter((name) => !there.exchange.has(name)).map((name) => ["exchange", name]),
    ...symbols.filter((name) => !there.symbol.has(name)).map((name) => ["symbol", name]),
  ] as ["exchange" | "symbol", string][];
  if (strange.length === 0) return undefined;
  return strange.slice(0, 3).map(([kind, name]) => {
    const similar = nearest(name, [...there[kind]]);
    const hint = similar.length === 0 ? "" : `. The nearest names: ${similar.join(", ")}`;
    return `Nothing is archived of the ${kind} ${name}${hint}`;
  }).join("\n");
}
