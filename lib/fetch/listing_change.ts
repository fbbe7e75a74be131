/** Detects symbols that are delisted, suspended, renamed, expired, listed again, or mean another market. No I/O. @module */
import type { MarketFacts, MarketList } from "../exchange/market_list.ts";
import {
  marketDifference,
  type MarketTerms,
  type NamedMarket,
  tellsMore,
} from "../market/terms.ts";
import type { EndedWhy } from "../store/ledger.ts";
import type { NotedMarket } from "../store/listing_facts.ts";
import type { Listing, Replacement } from "../store/listings.ts";
import { otherSymbolOf, ownMarket } from "./own_market.ts";

/** A symbol counts as delisted after it was absent for this long: an exchange may send an incomplete list once. */
const ABSENT_MS_MIN = 60 * 60_000;

/** None of several symbols is listed: an exchange may be in trouble for hours, but not for a day with lists like this. */
const ALL_ABSENT_MS_MIN = 24 * 60 * 60_000;

/** A change of an archived symbol's listing. */
export type ListingChange =
  | { readonly kind: "begins"; readonly symbol: string; readonly marketId: string | undefined }
  /** Its id, or what its numbers mean, was not known, or its id is spelled anew. */
  | { readonly kind: "identified"; readonly symbol: string }
  /** The symbol is traded again. */
  | {
    readonly kind: "returns";
    readonly symbol: string;
    readonly marketId: string | undefined;
    /** Whether this is a new listing: true unless the symbol was only suspended, or its exchange lets it expire later. */
    readonly isNew: boolean;
    /** The last time at which the symbol was known to be missing. Milliseconds. */
    readonly absentMs: number | undefined;
  }
  /** The symbol means another market now, and its own market is not listed under it any more. */
  | Replacement & {
    readonly kind: "replaced";
    readonly formerId: string;
    /** In words: `XREPZUSD instead of REPV2USD`. */
    readonly difference: string;
  }
  | {
    readonly kind: "ends";
    readonly symbol: string;
    readonly why: EndedWhy;
    readonly successor: string | undefined;
    readonly atMs: number;
  };

/** The newest listing of a symbol, with the id under which its market is listed now. */
interface KnownListing extends Listing {
  /** The id that was stored. */
  readonly formerId: string | undefined;
}

interface SymbolFacts {
  readonly symbol: string;
  /** What the exchange lists under the symbol; undefined if nothing. */
  readonly listed: MarketFacts | undefined;
  /** The listing as last known; undefined for a symbol never seen. */
  readonly listing: KnownListing | undefined;
  /** Another symbol that the exchange lists under the same market id. */
  readonly namesake: string | undefined;
  /** Whether series of it are newer than its end. */
  readonly isLate: boolean;
  readonly nowMs: number;
}

/** Ends of listings after which the same market may be traded again under its symbol. */
const GOES_ON: ReadonlySet<Listing["why"]> = new Set(["suspended", "expired"]);

/** When the market of a symbol expires, by the list, or as was known; undefined if never. Milliseconds. */
function expiryOf(
  listed: MarketFacts | undefined,
  listing: KnownListing | undefined,
): number | undefined {
  const market = ownMarket(listed, listing);
  // Another market has the symbol now: of when that one expires the listing says nothing.
  if (market === undefined && listed?.isActive) return undefined;
  return market?.expiryMs ?? listing?.expiresMs;
}

/** How the listing of a symbol has changed since the last check; undefined when it has not. */
function changeOf(
  { symbol, listed, listing, namesake, isLate, nowMs }: SymbolFacts,
): ListingChange | undefined {
  const market = ownMarket(listed, listing);
  const isOver = listing?.untilMs !== undefined;
  const expiresMs = expiryOf(listed, listing);
  if (expiresMs !== undefined && expiresMs <= nowMs) {
    // Its history may be asked for.
    if (listing === undefined) return { kind: "begins", symbol, marketId: market?.id };
    // An exchange may list it for long after that, with any status; its own word for when it ends counts.
    const isEntered = listing.why === "expired" && listing.expiresMs === expiresMs;
    if (isEntered && !isLate) return undefined;
    if (!isOver || GOES_ON.has(listing.why)) {
      return endAt(symbol, expiresMs);
    }
  }
  if (market?.isActive) {
    const { id: marketId } = market;
    if (listing === undefined) return { kind: "begins", symbol, marketId };
    if (isOver) {
      const { why, absentMs = listing.untilMs } = listing;
      return { kind: "returns", symbol, marketId, isNew: !GOES_ON.has(why), absentMs };
    }
    const isNews = (marketId !== undefined && marketId !== listing.formerId) ||
      expiresMs !== listing.expiresMs;
    return isNews || tellsMore(listing, market) ? { kind: "identified", symbol } : undefined;
  }
  if (listing === undefined) return undefined;
  const { formerId, absentMs = nowMs } = listing;
  if (market === undefined && listed?.isActive && formerId !== undefined) {
    const fromMs = isOver && !GOES_ON.has(listing.why) ? absentMs : nowMs;
    const marketId = listed.id;
    const difference = marketDifference(listing, { ...listed, marketId });
    return {
      kind: "replaced",
      symbol,
      formerId,
      marketId,
      terms: termsOf(listed),
      difference,
      fromMs,
      successor: namesake,
    };
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

/** The end of a dated future. */
function endAt(symbol: string, atMs: number): ListingChange {
  return { kind: "ends", symbol, why: "expired", successor: undefined, atMs };
}

/** How a list of markets differs from what the ledger says about the archived symbols. */
export interface ListingNews {
  /** The changes to enter into the ledger. */
  readonly changes: readonly ListingChange[];
  /** Symbols that are missing but do not count as delisted yet, and since when. Milliseconds. */
  readonly absentSinceMs: ReadonlyMap<string, number>;
  /**
   * Whether none of several symbols is listed, and that has not lasted yet: exchanges rarely delist all at once, so the list
   * may be broken.
   */
  readonly isNoneListed: boolean;
  /** Symbols whose market is listed under another symbol now, and that symbol. */
  readonly renamed: ReadonlyMap<string, string>;
  /** Symbols whose listing has not ended in the ledger, and that are missing: for how long shows whether it ends. */
  readonly unlisted: readonly string[];
  /** Symbols whose listing has ended and that are still missing. */
  readonly missing: readonly string[];
  /** Symbols of which the list does not have the market as traded, while it goes on elsewhere or by what was known before. */
  readonly lacked: readonly string[];
  /** Those of them that another node's list has: what this one says of them is not entered. */
  readonly elsewhere: readonly string[];
  /** The market that each listed symbol stands for. */
  readonly markets: readonly NotedMarket[];
  /** From when on the market of a symbol may be asked: before, the symbol meant another market. Milliseconds. */
  readonly replacedMs: ReadonlyMap<string, number>;
  /** When the dated futures expire, or have expired; not of those that ended otherwise. Milliseconds. */
  readonly expiresMs: ReadonlyMap<string, number>;
  /** The markets that have expired and that the exchange lists no more. */
  readonly gone: readonly (NamedMarket & { readonly symbol: string })[];
}

const NONE: ReadonlySet<string> = new Set();

/** Compares a list of all markets with the known listings of the archived symbols. */
export function judgeListings(
  list: MarketList,
  { symbols, listings, respelled, late = NONE, listedElsewhere = NONE, nowMs }: {
    /** The archived symbols. */
    readonly symbols: readonly string[];
    /** The newest listing of every symbol ever seen. */
    readonly listings: readonly Listing[];
    /** New ids that are proved to be of the markets that were archived, by symbol. */
    readonly respelled: ReadonlyMap<string, string>;
    /** The symbols of which some series do not have the end of their future yet. @default none */
    readonly late?: ReadonlySet<string>;
    /** The symbols that lists of other nodes have: an exchange may list less for one country than for another. @default none */
    readonly listedElsewhere?: ReadonlySet<string> | undefined;
    readonly nowMs: number;
  },
): ListingNews {
  const known = new Map(listings.map((listing) => {
    const { symbol, marketId: formerId } = listing;
    return [symbol, { ...listing, formerId, marketId: respelled.get(symbol) ?? formerId }];
  }));
  const isOver = (symbol: string): boolean => known.get(symbol)?.untilMs !== undefined;
  const expiresMs = expiriesOf(list, symbols, known);
  const isExpired = (symbol: string): boolean => (expiresMs.get(symbol) ?? Infinity) <= nowMs;
  const open = symbols.filter((symbol) =>
    known.has(symbol) && !isOver(symbol) && !isExpired(symbol)
  );
  const isNoneListed = open.length > 1 && !symbols.some((symbol) => list.has(symbol));
  const isTraded = (symbol: string): boolean =>
    ownMarket(list.get(symbol), known.get(symbol))?.isActive === true;
  const lacked = symbols.filter((one) => isExpired(one) ? !list.has(one) : !isTraded(one));
  const isElsewhere = (one: string): boolean => !isExpired(one) && listedElsewhere.has(one);
  const elsewhere = new Set(lacked.filter(isElsewhere));
  const { changes, absent, renamed } = judgeSymbols(list, {
    ...{ symbols, known, elsewhere, expiresMs, late, nowMs },
    absentMsMin: isNoneListed ? ALL_ABSENT_MS_MIN : ABSENT_MS_MIN,
  });
  const replaced = changes.filter((change) => change.kind === "replaced");
  return {
    changes,
    absentSinceMs: absent,
    renamed,
    unlisted: symbols.filter((symbol) =>
      !isOver(symbol) && !isExpired(symbol) && !list.has(symbol) && !elsewhere.has(symbol)
    ),
    missing: symbols.filter((symbol) =>
      isOver(symbol) && !list.has(symbol) && !elsewhere.has(symbol)
    ),
    isNoneListed: isNoneListed && absent.size > 0,
    lacked,
    elsewhere: [...elsewhere],
    markets: marketsOf(list, symbols, { known, replaced }),
    replacedMs: new Map([
      ...listings.flatMap(({ symbol, replacedMs }) =>
        replacedMs === undefined ? [] : [[symbol, replacedMs] as const]
      ),
      ...replaced.map(({ symbol, fromMs }) => [symbol, fromMs] as const),
    ]),
    expiresMs,
    gone: symbols.flatMap((symbol) => {
      const listing = known.get(symbol);
      return listing === undefined || list.has(symbol) || !isExpired(symbol) ? [] : [listing];
    }),
  };
}

/** What a list says of each symbol: what is to be entered, since when it is missing, and its other name. */
function judgeSymbols(
  list: MarketList,
  { symbols, known, elsewhere, expiresMs, late, absentMsMin, nowMs }: {
    readonly symbols: readonly string[];
    readonly known: ReadonlyMap<string, KnownListing>;
    readonly elsewhere: ReadonlySet<string>;
    readonly expiresMs: ReadonlyMap<string, number>;
    readonly late: ReadonlySet<string>;
    /** A symbol that is missing for this long counts as delisted. */
    readonly absentMsMin: number;
    readonly nowMs: number;
  },
): {
  readonly changes: readonly ListingChange[];
  readonly absent: ReadonlyMap<string, number>;
  readonly renamed: ReadonlyMap<string, string>;
} {
  const absent = new Map<string, number>();
  const renamed = new Map<string, string>();
  const changes = symbols.flatMap((symbol) => {
    const listing = known.get(symbol);
    const listed = list.get(symbol);
    const namesake = ownMarket(listed, listing) === undefined
      ? otherSymbolOf(list, symbol, listing)
      : undefined;
    const change = changeOf({ symbol, listed, listing, namesake, isLate: late.has(symbol), nowMs });
    // That another market has its symbol is a fact for all: candles of two markets must not be mixed.
    if (elsewhere.has(symbol)) return change?.kind === "replaced" ? change : [];
    if (listed === undefined && namesake !== undefined) renamed.set(symbol, namesake);
    // Entered together: nothing may be owed of the time after its end meanwhile.
    const expiredMs = expiresMs.get(symbol) ?? Infinity;
    if (change?.kind === "begins" && expiredMs <= nowMs) return [change, endAt(symbol, expiredMs)];
    if (change?.kind !== "ends" || change.why !== "delisted") return change ?? [];
    const atMs = Math.min(nowMs, listing?.missingMs ?? nowMs);
    if (nowMs - atMs >= absentMsMin) return { ...change, atMs };
    absent.set(symbol, atMs);
    return [];
  });
  return { changes, absent, renamed };
}

/** When the futures expire or have expired, by symbol; not of those that ended otherwise. Milliseconds. */
function expiriesOf(
  list: MarketList,
  symbols: readonly string[],
  known: ReadonlyMap<string, KnownListing>,
): ReadonlyMap<string, number> {
  return new Map(symbols.flatMap((symbol) => {
    const listing = known.get(symbol);
    const ms = expiryOf(list.get(symbol), listing);
    const isEnded = listing?.why !== undefined && !GOES_ON.has(listing.why);
    return ms === undefined || isEnded ? [] : [[symbol, ms] as const];
  }));
}

function marketsOf(
  list: MarketList,
  symbols: readonly string[],
  { known, replaced }: {
    readonly known: ReadonlyMap<string, KnownListing>;
    readonly replaced: readonly Replacement[];
  },
): readonly NotedMarket[] {
  const anew = new Set(replaced.map(({ symbol }) => symbol));
  return symbols.flatMap((symbol) => {
    const [listed, listing] = [list.get(symbol), known.get(symbol)];
    const market = anew.has(symbol) ? listed : ownMarket(listed, listing);
    if (market === undefined) return [];
    const { id: marketId, expiryMs: expiresMs } = market;
    const formerId = anew.has(symbol) ? undefined : listing?.formerId;
    return [{ symbol, formerId, marketId, ...termsOf(market), expiresMs }];
  });
}

function termsOf({ kind, settle, contractSize, volumeUnit }: MarketFacts): MarketTerms {
  return { kind, settle, contractSize, volumeUnit };
}
