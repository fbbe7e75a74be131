/** Which symbols of an exchange are archived: what is configured or most traded, and what is known of each. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import type { MarketKind } from "../exchange/market_kinds.ts";
import type { MarketList } from "../exchange/market_list.ts";
import { nearSymbols } from "../exchange/near_symbols.ts";
import { isExcluded, mayBeChosen, type Symbols } from "../config/symbols.ts";
import { datedUntilMs, isOption, isPlainSymbol, isSymbol } from "../market/symbol.ts";
import { fitsPattern } from "../market/symbol_pattern.ts";
import type { Checkpoint } from "../store/ledger.ts";
import { BreakerOpenError } from "../policy/breaker.ts";
import { DeadlineError } from "../policy/deadline.ts";
import type { Listing } from "../store/listings.ts";
import type { UnlistedSymbol, UnloadedSymbol } from "../archive/markets_in_force.ts";
import { ownMarket } from "./own_market.ts";

/** Why one kind of markets is not on a list. */
export interface KindFailure {
  readonly kind: Pick<MarketKind, "has">;
  /** Whether all but a few of its markets are on the list. @default false */
  readonly isOfFew?: boolean;
  readonly error: unknown;
}

/** Whether an error of loading one kind of markets says nothing of the others. A ban may be one host's alone. */
export function isOfOneKind(error: unknown): boolean {
  return error instanceof DeadlineError || error instanceof BreakerOpenError ||
    (error instanceof FetchError && error.kind !== "cancelled");
}

/** Whether an error says that nothing may be asked for a time. */
export function isBan(error: unknown): boolean {
  return error instanceof FetchError && error.kind === "rate_limited";
}

/**
 * The symbols whose market is not on the list, which is no wonder, because its kind could not be loaded. Another kind may
 * list another market under such a symbol. Where only a few could not be loaded, these may be archived ones that were listed
 * until now, and are not listed by another name.
 */
export function unloadedSymbols(
  wanted: readonly string[],
  { list, failures, listings }: {
    readonly list: MarketList;
    readonly failures: readonly KindFailure[];
    readonly listings: readonly Listing[];
  },
): readonly UnloadedSymbol[] {
  const known = new Map(listings.map((listing) => [listing.symbol, listing]));
  const ids = new Set(failures.length === 0 ? [] : [...list.values()].map(({ id }) => id));
  return wanted.flatMap((symbol) => {
    const listing = known.get(symbol);
    if (ownMarket(list.get(symbol), listing) !== undefined) return [];
    const mayBeOfFew = listing?.untilMs === undefined && !ids.has(listing?.marketId);
    const failure = failures.find(({ kind, isOfFew = false }) =>
      kind.has(symbol) && (!isOfFew || (listing !== undefined && mayBeOfFew))
    );
    return failure === undefined ? [] : [{ symbol, error: failure.error }];
  });
}

/**
 * The configured symbols that this exchange lists. A symbol that is already in the ledger is kept even if it is not
 * listed any more, so that its end is detected. With a single exchange all configured symbols are kept, so that a
 * mistyped one shows up as a failing series; but not a future of a day that is over: nothing of it can be asked for.
 */
export function listedSymbols(
  wanted: readonly string[],
  { list, known, isAlone, nowMs }: {
    readonly list: MarketList;
    readonly known: ReadonlySet<string>;
    /** Whether no other exchange is archived. */
    readonly isAlone: boolean;
    readonly nowMs: number;
  },
): { readonly symbols: readonly string[]; readonly unlisted: readonly UnlistedSymbol[] } {
  const strangers = wanted.filter((symbol) => !list.has(symbol) && !known.has(symbol));
  const all = strangers.length === 0 ? [] : [...list.keys()].filter(isSymbol);
  const out = strangers.filter((symbol) => !isAlone || (datedUntilMs(symbol) ?? Infinity) <= nowMs);
  return {
    symbols: wanted.filter((symbol) => !out.includes(symbol)),
    unlisted: strangers.map((symbol) => ({ symbol, nearest: nearSymbols(symbol, all) })),
  };
}

/**
 * The symbols that are wanted: those that are named, and those that rules choose. What a rule has chosen before stays, so
 * no series is dropped by itself.
 */
export function wantedSymbols(
  wanted: Symbols,
  { list, top, checkpoints }: {
    readonly list: MarketList;
    /** Those that are traded most now. */
    readonly top: readonly string[];
    readonly checkpoints: readonly Pick<Checkpoint, "series" | "chosen">[];
  },
): { readonly named: readonly string[]; readonly byRule: ReadonlySet<string> } {
  const isIncluded = (symbol: string): boolean => !isExcluded(wanted, symbol);
  const fitting = wanted.patterns.length === 0
    ? []
    : [...list].flatMap(([symbol, { isActive }]) =>
      isActive && isPlainSymbol(symbol) && !isOption(symbol) &&
        wanted.patterns.some((pattern) => fitsPattern(symbol, pattern))
        ? [symbol]
        : []
    );
  const kept = checkpoints.flatMap(({ series: { symbol }, chosen }) =>
    chosen === "top" && mayBeChosen(wanted, symbol) ? [symbol] : []
  );
  return {
    named: wanted.names.filter(isIncluded),
    byRule: new Set([...top, ...fitting, ...kept].filter(isIncluded)),
  };
}

/** That some entries of a kind cannot be read. Which markets they are of is not known. */
export function oddEntries(exchange: string, kind: MarketKind, count: number): KindFailure {
  const message =
    `Cannot load all ${kind.title} of ${exchange}: ${count} of its entries cannot be read`;
  return { kind, isOfFew: true, error: new FetchError("transient", message) };
}
