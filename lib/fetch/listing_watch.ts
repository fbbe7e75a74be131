/** Enters into the ledger what has changed about the listings of archived symbols. @module */
import type { Series } from "../market/series.ts";
import { someNames, utcText } from "../market/event.ts";
import { ceilTime, floorTime } from "../market/timeframe.ts";
import { beginListings, endListing, noteAbsent, replaceListings } from "../store/listings.ts";
import { noteMarkets, noteVolumeUnits } from "../store/listing_facts.ts";
import { volumeUnits } from "../exchange/volume_units.ts";
import type { Archive } from "../archive/archive.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import type { ListingChange, ListingNews } from "./listing_change.ts";

/** Tells of symbols that these markets have, and those before had not; and of those that no market has. */
export function noteFurther(
  { events, failures, leases }: Archive,
  { exchange, series, unlisted }: Pick<Markets, "exchange" | "series" | "unlisted">,
  before: Markets | undefined,
): void {
  const known = new Set(before?.series.map(({ symbol }) => symbol));
  const further = new Set(series.map(({ symbol }) => symbol).filter((one) => !known.has(one)));
  // All are further ones at the start. Of several nodes that load these markets, the one that asks for the first symbol tells it.
  const [first] = [...known].sort();
  const tells = first === undefined || leases.holds(exchange, first);
  if (before !== undefined && further.size > 0 && tells) {
    const text = `${exchange}: archived from now on: ${someNames([...further])}`;
    events.note({ kind: "listed", exchange, text });
  }
  for (const { symbol, nearest } of unlisted) {
    const near = nearest.length === 0 ? "" : `. Similar ones are ${someNames(nearest)}`;
    const text = `${exchange}: ${symbol} is in the settings, and not listed there${near}`;
    if (!failures.isNews(`${exchange} unlisted ${symbol}`, text)) continue;
    events.note({ kind: "not_listed", exchange, symbol, text });
  }
}

/**
 * Enters the changes of the symbols of `series` into the ledger.
 *
 * @returns from when on symbols mean other markets that were known for others until now. Milliseconds.
 * @throws StoreError
 */
export async function enterListings(
  archive: Archive,
  exchange: string,
  { news: { changes, absentSinceMs, missing, markets }, series, nowMs }: {
    readonly news: ListingNews;
    readonly series: readonly Series[];
    readonly nowMs: number;
  },
): Promise<ReadonlyMap<string, number>> {
  const { database, events, log } = archive;
  if (missing.length > 0) await noteAbsent(database, exchange, { symbols: missing, nowMs });
  const replaced = changes.filter((change) => change.kind === "replaced");
  const replacedMs = await replaceAll(archive, exchange, { changes: replaced, nowMs });
  const begins = changes.filter((change) => change.kind === "begins" || change.kind === "returns");
  await beginAll(archive, exchange, { changes: begins, series, nowMs });
  const changed = new Set(changes.map(({ symbol }) => symbol));
  const noted = markets.filter(({ symbol }) => changed.has(symbol));
  if (noted.length > 0) await noteMarkets(database, exchange, noted);
  await noteVolumeUnits(database, exchange, volumeUnits(exchange));
  for (const { symbol, formerId, marketId } of noted) {
    if (formerId === undefined || marketId === undefined || marketId === formerId) continue;
    const text =
      `${exchange} ${symbol}: its market has the id ${marketId} now, which was ${formerId}, ` +
      "and the same candles: it goes on";
    events.note({ kind: "market_respelled", exchange, symbol, text });
  }
  for (const change of changes) {
    if (change.kind === "ends") await endOne(archive, exchange, { change, series });
  }
  for (const symbol of absentSinceMs.keys()) {
    log.warn("symbol is not listed any more; checking again before it counts as delisted", {
      exchange,
      symbol,
    });
  }
  return replacedMs;
}

async function replaceAll(
  { database, events, log }: Archive,
  exchange: string,
  { changes, nowMs }: {
    readonly changes: readonly Extract<ListingChange, { kind: "replaced" }>[];
    readonly nowMs: number;
  },
): Promise<ReadonlyMap<string, number>> {
  if (changes.length === 0) return new Map();
  const replacedMs = await replaceListings(database, exchange, { replacements: changes, nowMs });
  for (const { symbol, formerId, marketId, difference, successor } of changes) {
    const text =
      `${exchange} ${symbol}: the symbol is another market now, ${difference}. Its candles begin anew` +
      (successor === undefined ? "" : `; the market before goes on as ${successor}`);
    events.note({ kind: "market_replaced", exchange, symbol, text });
    log.warn(
      "symbol means another market now: a new listing begins, and nothing older is requested",
      {
        exchange,
        symbol,
        formerId,
        marketId,
        difference,
        successor,
      },
    );
  }
  return replacedMs;
}

async function beginAll(
  { database, events, log }: Archive,
  exchange: string,
  { changes, series, nowMs }: {
    readonly changes: readonly Extract<ListingChange, { kind: "begins" | "returns" }>[];
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
    const what = change.isNew ? "is listed again, as a new listing" : "is traded again";
    const text = `${exchange} ${change.symbol}: the symbol ${what}`;
    events.note({ kind: "relisted", exchange, symbol: change.symbol, text });
    log.warn(change.isNew ? "symbol is listed again, as a new listing" : "symbol is traded again", {
      exchange,
      symbol: change.symbol,
    });
  }
}

async function endOne(
  { database, events, log }: Archive,
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
  const as = successor === undefined ? "" : `, its market goes on as ${successor}`;
  const text = `${exchange} ${symbol}: ${why}${as}. Its series end at ${utcText(atMs)}`;
  events.note({ kind: why, exchange, symbol, text });
  const level = why === "expired" ? "info" : "warn";
  log[level](`symbol ${why}: its series end`, { exchange, symbol, successor });
}
