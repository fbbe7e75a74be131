/** Detects symbols that are delisted, suspended, renamed, listed again, or mean another market. No I/O. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import { candidates, type MarketFacts, type MarketList } from "../exchange/market_list.ts";
import { isContract } from "../market/symbol.ts";
import { addCandles } from "../market/timeframe.ts";
import type { Checkpoint, EndedWhy } from "../store/ledger.ts";
import type { Listing, Replacement } from "../store/listings.ts";

/** A symbol counts as delisted after it was absent for this long: an exchange may send an incomplete list once. */
const ABSENT_MS_MIN = 60 * 60_000;

/** A change of an archived symbol's listing. */
export type ListingChange =
  | { readonly kind: "begins"; readonly symbol: string; readonly marketId: string | undefined }
  /** The id of the market was not known. */
  | { readonly kind: "identified"; readonly symbol: string; readonly marketId: string }
  /** The symbol is traded again. */
  | {
    readonly kind: "returns";
    readonly symbol: string;
    readonly marketId: string | undefined;
    /** Whether this is a new listing: true unless the symbol was only suspended. */
    readonly isNew: boolean;
    /** The last time at which the symbol was known to be missing. Milliseconds. */
    readonly absentMs: number | undefined;
  }
  /** The symbol means another market now, and its own market is not listed under it any more. */
  | Replacement & { readonly kind: "replaced"; readonly formerId: string }
  | {
    readonly kind: "ends";
    readonly symbol: string;
    readonly why: EndedWhy;
    readonly successor: string | undefined;
    readonly atMs: number;
  };

interface SymbolFacts {
  readonly symbol: string;
  /** What the exchange lists under the symbol; undefined if nothing. */
  readonly listed: MarketFacts | undefined;
  /** The listing as last known; undefined for a symbol never seen. */
  readonly listing: Listing | undefined;
  /** Another symbol that the exchange lists under the same market id. */
  readonly namesake: string | undefined;
  /** The end of the newest candle that is stored under the symbol; −Infinity when none is. Milliseconds. */
  readonly storedUntilMs: number;
  readonly nowMs: number;
}

/**
 * The market of a symbol: the one with the archived id, also if CCXT gives the symbol to another one; undefined if that
 * one is not listed under the symbol. Whichever there is, if no id is known.
 */
function ownMarket(
  listed: MarketFacts | undefined,
  listing: Listing | undefined,
): MarketFacts | undefined {
  if (listed === undefined || listing?.marketId === undefined) return listed;
  const { marketId } = listing;
  return candidates(listed).find(({ id }) => id === undefined || id === marketId);
}

/** How the listing of a symbol has changed since the last check; undefined when it has not. */
function changeOf(
  { symbol, listed, listing, namesake, storedUntilMs, nowMs }: SymbolFacts,
): ListingChange | undefined {
  const market = ownMarket(listed, listing);
  const isOver = listing?.untilMs !== undefined;
  if (market?.isActive) {
    const { id: marketId } = market;
    if (listing === undefined) return { kind: "begins", symbol, marketId };
    if (isOver) {
      const { why, absentMs = listing.untilMs } = listing;
      return { kind: "returns", symbol, marketId, isNew: why !== "suspended", absentMs };
    }
    if (listing.marketId !== undefined || marketId === undefined) return undefined;
    return { kind: "identified", symbol, marketId };
  }
  if (listing === undefined) return undefined;
  const { marketId: formerId, absentMs = nowMs } = listing;
  if (market === undefined && listed?.isActive && formerId !== undefined) {
    // What is stored is of the former market, also if the clock was set back since.
    const noticedMs = isOver && listing.why !== "suspended" ? absentMs : nowMs;
    const fromMs = Math.max(noticedMs, storedUntilMs);
    const marketId = listed.id;
    return { kind: "replaced", symbol, formerId, marketId, fromMs, successor: namesake };
  }
  const why: EndedWhy = market !== undefined
    ? "suspended"
    : namesake !== undefined
    ? "renamed"
    : "delisted";
  // A suspended market that disappears becomes delisted; a delisted one stays delisted.
  if (isOver && (listing.why !== "suspended" || why === "suspended")) return undefined;
  return { kind: "ends", symbol, why, successor: namesake, atMs: nowMs };
}

/** How a list of markets differs from what the ledger says about the archived symbols. */
export interface ListingNews {
  /** The changes to enter into the ledger. */
  readonly changes: readonly ListingChange[];
  /** Symbols that are missing but do not count as delisted yet, and since when. Milliseconds. */
  readonly absentSinceMs: ReadonlyMap<string, number>;
  /** Symbols whose market is listed under another symbol now, and that symbol. */
  readonly renamed: ReadonlyMap<string, string>;
  /** Symbols whose listing has ended and that are still missing. */
  readonly missing: readonly string[];
  /** The id of the market that each listed symbol stands for; undefined if the exchange gives none. */
  readonly ids: ReadonlyMap<string, string | undefined>;
  /** From when on the market of a symbol may be asked: before, the symbol meant another market. Milliseconds. */
  readonly replacedMs: ReadonlyMap<string, number>;
}

/**
 * Compares a list of all markets with the known listings of the archived symbols.
 *
 * @throws FetchError when none of several symbols is listed: then the list is broken, because exchanges do not delist
 * all symbols at once.
 */
export function judgeListings(
  list: MarketList,
  { exchange, symbols, listings, checkpoints, absentSinceMs, nowMs }: {
    readonly exchange: string;
    /** The archived symbols. */
    readonly symbols: readonly string[];
    /** The newest listing of every symbol ever seen. */
    readonly listings: readonly Listing[];
    readonly checkpoints: readonly Pick<Checkpoint, "series" | "lastMs">[];
    /** The result of the previous comparison. */
    readonly absentSinceMs: ReadonlyMap<string, number>;
    readonly nowMs: number;
  },
): ListingNews {
  const known = new Map(listings.map((listing) => [listing.symbol, listing]));
  const isOver = (symbol: string): boolean => known.get(symbol)?.untilMs !== undefined;
  const open = symbols.filter((symbol) => known.has(symbol) && !isOver(symbol));
  if (open.length > 1 && !symbols.some((symbol) => list.has(symbol))) {
    throw new FetchError(
      "transient",
      `Cannot use the markets of ${exchange}: none of ${symbols.length} archived symbols is listed`,
    );
  }
  const absent = new Map<string, number>();
  const renamed = new Map<string, string>();
  const storedUntil = new Map<string, number>();
  for (const { series: { symbol, timeframe }, lastMs } of checkpoints) {
    if (lastMs === undefined) continue;
    const untilMs = addCandles(timeframe, lastMs, 1);
    storedUntil.set(symbol, Math.max(storedUntil.get(symbol) ?? -Infinity, untilMs));
  }
  const changes = symbols.flatMap((symbol) => {
    const listing = known.get(symbol);
    const listed = list.get(symbol);
    const namesake = ownMarket(listed, listing) === undefined
      ? otherSymbolOf(list, symbol, listing?.marketId)
      : undefined;
    if (listed === undefined && namesake !== undefined) renamed.set(symbol, namesake);
    const storedUntilMs = storedUntil.get(symbol) ?? -Infinity;
    const change = changeOf({ symbol, listed, listing, namesake, storedUntilMs, nowMs });
    if (change?.kind !== "ends" || change.why !== "delisted") return change ?? [];
    const atMs = absentSinceMs.get(symbol) ?? nowMs;
    if (nowMs - atMs >= ABSENT_MS_MIN) return { ...change, atMs };
    absent.set(symbol, atMs);
    return [];
  });
  const missing = symbols.filter((symbol) => isOver(symbol) && !list.has(symbol));
  const replaced = changes.filter((change) => change.kind === "replaced");
  return {
    changes,
    absentSinceMs: absent,
    renamed,
    missing,
    ids: idsOf(list, symbols, { known, replaced }),
    replacedMs: new Map([
      ...listings.flatMap(({ symbol, replacedMs }) =>
        replacedMs === undefined ? [] : [[symbol, replacedMs] as const]
      ),
      ...replaced.map(({ symbol, fromMs }) => [symbol, fromMs] as const),
    ]),
  };
}

function idsOf(
  list: MarketList,
  symbols: readonly string[],
  { known, replaced }: {
    readonly known: ReadonlyMap<string, Listing>;
    readonly replaced: readonly Replacement[];
  },
): ReadonlyMap<string, string | undefined> {
  const ids = new Map<string, string | undefined>();
  for (const symbol of symbols) {
    const market = ownMarket(list.get(symbol), known.get(symbol));
    if (market !== undefined) ids.set(symbol, market.id);
  }
  for (const { symbol, marketId } of replaced) ids.set(symbol, marketId);
  return ids;
}

/** Another symbol under which a market is listed. A spot market and a contract may have one id: they are not the same. */
function otherSymbolOf(
  list: MarketList,
  symbol: string,
  id: string | undefined,
): string | undefined {
  if (id === undefined) return undefined;
  for (const [other, listed] of list) {
    if (other === symbol || isContract(other) !== isContract(symbol)) continue;
    if (candidates(listed).some((market) => market.id === id)) return other;
  }
}
