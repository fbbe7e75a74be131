/** Watches the markets of an exchange: symbols that vanish, are suspended, change names, or come back. @module */
import type { MarketFacts } from "../exchange/client.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import type { Series } from "../market/series.ts";
import { ceilTime, floorTime } from "../market/timeframe.ts";
import type { EndedWhy } from "../store/ledger.ts";
import {
  beginListings,
  endListing,
  type Listing,
  noteAbsent,
  readListings,
} from "../store/listings.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";

/** A symbol must be absent for this long to be taken for delisted: lists of markets have bad moments. */
const ABSENT_MS_MIN = 60 * 60_000;

/** What became of an archived symbol. */
type Change =
  | { readonly kind: "begins"; readonly symbol: string; readonly marketId: string | undefined }
  /** Traded again; after a delisting that is a listing of its own. */
  | {
    readonly kind: "returns";
    readonly symbol: string;
    readonly marketId: string | undefined;
    readonly isNew: boolean;
    /** It was missing until then at least. Milliseconds. */
    readonly absentMs: number | undefined;
  }
  | {
    readonly kind: "ends";
    readonly symbol: string;
    readonly why: EndedWhy;
    readonly successor: string | undefined;
  };

interface SymbolFacts {
  readonly symbol: string;
  /** Undefined where the exchange does not list it. */
  readonly market: MarketFacts | undefined;
  /** The listing as last known; undefined for a symbol never seen. */
  readonly listing: Listing | undefined;
  /** Another symbol that the exchange lists under the same market id. */
  readonly namesake: string | undefined;
}

/** What has changed about a symbol since it was last looked at; undefined when nothing has. */
function changeOf({ symbol, market, listing, namesake }: SymbolFacts): Change | undefined {
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
  // A suspended market that then vanishes is delisted; one that was delisted stays so.
  if (isOver && (listing.why !== "suspended" || why === "suspended")) return undefined;
  return { kind: "ends", symbol, why, successor: namesake };
}

/**
 * Compares the markets, just loaded, with what is known of the symbols, and enters what has changed. Call it while
 * all markets are at hand.
 *
 * @throws FetchError when none of several symbols is listed: that is a broken list, not the end of all of them.
 * @throws StoreError
 */
export async function watchListings(
  archive: Archive,
  exchange: ArchivedExchange,
  series: readonly Series[],
): Promise<void> {
  const { database, clock } = archive;
  const { client, absentSinceMs } = exchange;
  const nowMs = clock.now();
  const known = new Map(
    (await readListings(database, exchange.id)).map((listing) => [listing.symbol, listing]),
  );
  const symbols = [...new Set(series.map(({ symbol }) => symbol))];
  const listed = symbols.filter((symbol) => client.hasMarket(symbol));
  const open = symbols.filter((symbol) => known.get(symbol)?.untilMs === undefined);
  if (listed.length === 0 && open.filter((symbol) => known.has(symbol)).length > 1) {
    throw new FetchError(
      "transient",
      `Cannot use the markets of ${exchange.id}: none of ${symbols.length} archived symbols is listed`,
    );
  }
  for (const symbol of listed) absentSinceMs.delete(symbol);
  const changes = symbols.map((symbol) => {
    const listing = known.get(symbol);
    const market = client.marketFacts(symbol);
    const id = listing?.marketId;
    const namesake = market === undefined && id !== undefined ? client.symbolOf(id) : undefined;
    return changeOf({ symbol, market, listing, namesake });
  }).filter((change) => change !== undefined);
  const gone = symbols.filter((symbol) =>
    known.get(symbol)?.untilMs !== undefined && !client.hasMarket(symbol)
  );
  if (gone.length > 0) await noteAbsent(database, exchange.id, { symbols: gone, nowMs });
  const begins = changes.filter((change) => change.kind !== "ends");
  await beginAll(archive, exchange, { changes: begins, series, nowMs });
  for (const change of changes) {
    if (change.kind === "ends") await endOne(archive, exchange, { change, series, nowMs });
  }
}

async function beginAll(
  { database, log }: Archive,
  exchange: ArchivedExchange,
  { changes, series, nowMs }: {
    readonly changes: readonly Exclude<Change, { kind: "ends" }>[];
    readonly series: readonly Series[];
    readonly nowMs: number;
  },
): Promise<void> {
  if (changes.length === 0) return;
  const byName = new Map(changes.map((change) => [change.symbol, change]));
  await beginListings(database, exchange.id, {
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
      exchange: exchange.id,
      symbol: change.symbol,
    });
  }
}

async function endOne(
  { database, log }: Archive,
  exchange: ArchivedExchange,
  { change, series, nowMs }: {
    readonly change: Extract<Change, { kind: "ends" }>;
    readonly series: readonly Series[];
    readonly nowMs: number;
  },
): Promise<void> {
  const { symbol, why, successor } = change;
  const absentMs = exchange.absentSinceMs.get(symbol) ?? nowMs;
  if (why === "delisted") exchange.absentSinceMs.set(symbol, absentMs);
  if (why === "delisted" && nowMs - absentMs < ABSENT_MS_MIN) {
    log.warn("symbol is not listed any more; looking again before it counts as delisted", {
      exchange: exchange.id,
      symbol,
    });
    return;
  }
  exchange.absentSinceMs.delete(symbol);
  const atMs = why === "delisted" ? absentMs : nowMs;
  await endListing(database, exchange.id, {
    symbol,
    atMs,
    why,
    successor,
    series: series.filter((one) => one.symbol === symbol)
      .map((one) => ({ series: one, untilMs: ceilTime(one.timeframe, atMs) })),
  });
  log.warn(`symbol ${why}: its series end`, { exchange: exchange.id, symbol, successor });
}
