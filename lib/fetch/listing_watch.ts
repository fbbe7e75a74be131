/** Detects symbols that are delisted, suspended, renamed, or listed again, and enters that into the ledger. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import type { MarketFacts, MarketList } from "../exchange/market_list.ts";
import type { Series } from "../market/series.ts";
import { ceilTime, floorTime } from "../market/timeframe.ts";
import type { EndedWhy } from "../store/ledger.ts";
import { beginListings, endListing, type Listing, noteAbsent } from "../store/listings.ts";
import type { Archive } from "../archive/archive.ts";

/** A symbol counts as delisted after it was absent for this long: an exchange may send an incomplete list once. */
const ABSENT_MS_MIN = 60 * 60_000;

/** A change of an archived symbol's listing. */
type ListingChange =
  | { readonly kind: "begins"; readonly symbol: string; readonly marketId: string | undefined }
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
  | {
    readonly kind: "ends";
    readonly symbol: string;
    readonly why: EndedWhy;
    readonly successor: string | undefined;
    readonly atMs: number;
  };

interface SymbolFacts {
  readonly symbol: string;
  /** Undefined if the exchange does not list the symbol. */
  readonly market: MarketFacts | undefined;
  /** The listing as last known; undefined for a symbol never seen. */
  readonly listing: Listing | undefined;
  /** Another symbol that the exchange lists under the same market id. */
  readonly namesake: string | undefined;
  readonly nowMs: number;
}

/** How the listing of a symbol has changed since the last check; undefined when it has not. */
function changeOf(
  { symbol, market, listing, namesake, nowMs }: SymbolFacts,
): ListingChange | undefined {
  const isTraded = market !== undefined && market.isActive;
  const isOver = listing?.untilMs !== undefined;
  if (isTraded) {
    const { id: marketId } = market;
    if (listing === undefined) return { kind: "begins", symbol, marketId };
    if (!isOver) return undefined;
    const { why, absentMs = listing.untilMs } = listing;
    return { kind: "returns", symbol, marketId, isNew: why !== "suspended", absentMs };
  }
  if (listing === undefined) return undefined;
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
  /** Symbols whose listing has ended and that are still missing. */
  readonly missing: readonly string[];
}

/**
 * Compares a list of all markets with the known listings of the archived symbols.
 *
 * @throws FetchError when none of several symbols is listed: then the list is broken, because exchanges do not delist
 * all symbols at once.
 */
export function judgeListings(
  list: MarketList,
  { exchange, symbols, listings, absentSinceMs, nowMs }: {
    readonly exchange: string;
    /** The archived symbols. */
    readonly symbols: readonly string[];
    /** The newest listing of every symbol ever seen. */
    readonly listings: readonly Listing[];
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
  const changes = symbols.flatMap((symbol) => {
    const listing = known.get(symbol);
    const market = list.get(symbol);
    const id = listing?.marketId;
    const namesake = market === undefined && id !== undefined ? spotSymbolOf(list, id) : undefined;
    const change = changeOf({ symbol, market, listing, namesake, nowMs });
    if (change?.kind !== "ends" || change.why !== "delisted") return change ?? [];
    const atMs = absentSinceMs.get(symbol) ?? nowMs;
    if (nowMs - atMs >= ABSENT_MS_MIN) return { ...change, atMs };
    absent.set(symbol, atMs);
    return [];
  });
  const missing = symbols.filter((symbol) => isOver(symbol) && !list.has(symbol));
  return { changes, absentSinceMs: absent, missing };
}

/** The symbol of the spot market with the exchange's own id `id`. */
function spotSymbolOf(list: MarketList, id: string): string | undefined {
  for (const [symbol, market] of list) if (market.id === id && market.isSpot) return symbol;
}

/**
 * Enters the changes of the symbols of `series` into the ledger.
 *
 * @throws StoreError
 */
export async function enterListings(
  archive: Archive,
  exchange: string,
  { news: { changes, absentSinceMs, missing }, series, nowMs }: {
    readonly news: ListingNews;
    readonly series: readonly Series[];
    readonly nowMs: number;
  },
): Promise<void> {
  const { database, log } = archive;
  if (missing.length > 0) await noteAbsent(database, exchange, { symbols: missing, nowMs });
  const begins = changes.filter((change) => change.kind !== "ends");
  await beginAll(archive, exchange, { changes: begins, series, nowMs });
  for (const change of changes) {
    if (change.kind === "ends") await endOne(archive, exchange, { change, series });
  }
  for (const symbol of absentSinceMs.keys()) {
    log.warn("symbol is not listed any more; looking again before it counts as delisted", {
      exchange,
      symbol,
    });
  }
}

async function beginAll(
  { database, log }: Archive,
  exchange: string,
  { changes, series, nowMs }: {
    readonly changes: readonly Exclude<ListingChange, { kind: "ends" }>[];
    readonly series: readonly Series[];
    readonly nowMs: number;
  },
): Promise<void> {
  if (changes.length === 0) return;
  const byName = new Map(changes.map((change) => [change.symbol, change]));
  await beginListings(database, exchange, {
    symbols: changes,
    series: series.flatMap((one) => {
      const change = byName.get(one.symbol);
      if (change === undefined) return [];
      const fromMs = change.kind === "returns" && change.isNew
        ? change.absentMs ?? nowMs
        : undefined;
      return [{
        series: one,
        fromMs: fromMs === undefined ? undefined : floorTime(one.timeframe, fromMs),
      }];
    }),
    nowMs,
  });
  for (const change of changes) {
    if (change.kind === "begins") continue;
    log.warn(change.isNew ? "symbol is listed again, as a new listing" : "symbol is traded again", {
      exchange,
      symbol: change.symbol,
    });
  }
}

async function endOne(
  { database, log }: Archive,
  exchange: string,
  { change: { symbol, why, successor, atMs }, series }: {
    readonly change: Extract<ListingChange, { kind: "ends" }>;
    readonly series: readonly Series[];
  },
): Promise<void> {
  await endListing(database, exchange, {
    symbol,
    atMs,
    why,
    successor,
    series: series.filter((one) => one.symbol === symbol)
      .map((one) => ({ series: one, untilMs: ceilTime(one.timeframe, atMs) })),
  });
  log.warn(`symbol ${why}: its series end`, { exchange, symbol, successor });
}
