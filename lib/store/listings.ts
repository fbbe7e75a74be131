/** From when to when symbols were listed: a symbol that comes back may be another coin. @module */
import { type Series } from "../market/series.ts";
import type { Database } from "./connection/database.ts";
import type { EndedWhy } from "./ledger.ts";
import { epochMs, plainArray, textArray } from "./parameters.ts";
import { attempt } from "./connection/store_error.ts";

/** The newest listing of a symbol. Times in milliseconds. */
export interface Listing {
  readonly symbol: string;
  readonly marketId: string | undefined;
  /** Since when the market is not traded; undefined while it is. */
  readonly untilMs: number | undefined;
  readonly why: EndedWhy | undefined;
  /** When it was last seen missing, after its end. */
  readonly absentMs: number | undefined;
}

/** The newest listing of every symbol of an exchange that was ever seen. */
export async function readListings(
  { sql }: Database,
  exchange: string,
): Promise<readonly Listing[]> {
  return await attempt(`read the listings of ${exchange}`, async () => {
    const rows = await sql<ListingRow[]>`
      select distinct on (symbol) symbol, market_id, until, why, absent_at from listings
      where exchange = ${exchange} order by symbol, since desc`;
    return rows.map((row) => ({
      symbol: row.symbol,
      marketId: row.market_id ?? undefined,
      untilMs: epochMs(row.until),
      why: row.why ?? undefined,
      absentMs: epochMs(row.absent_at),
    }));
  });
}

/**
 * Enters that symbols are listed, for the first time or again. Series with a `fromMs` begin a listing of their own:
 * nothing before it is owed, and what is stored stays.
 */
export async function beginListings(
  { sql }: Database,
  exchange: string,
  { symbols, series, nowMs }: {
    readonly symbols: readonly { readonly symbol: string; readonly marketId: string | undefined }[];
    readonly series: readonly { readonly series: Series; readonly fromMs: number | undefined }[];
    readonly nowMs: number;
  },
): Promise<void> {
  await attempt(`enter listings of ${exchange}`, async () => {
    await sql`
      with listed as (
        insert into listings (exchange, symbol, since, market_id)
        select ${exchange}, symbol, to_timestamp(${nowMs}::float8 / 1000.0), nullif(market_id, '')
        from unnest(${textArray(symbols.map(({ symbol }) => symbol))}::text[],
                    ${textArray(symbols.map(({ marketId }) => marketId ?? ""))}::text[])
          as row (symbol, market_id)
        on conflict do nothing
      )
      update checkpoints as known
      set ended_at = null, ended_why = null,
          listed_from = case when from_ms = '-infinity' then known.listed_from
                             else to_timestamp(from_ms / 1000.0) end
      from unnest(${textArray(series.map(({ series }) => series.symbol))}::text[],
                  ${textArray(series.map(({ series }) => series.timeframe.text))}::text[],
                  ${plainArray(series.map(({ fromMs = -Infinity }) => fromMs))}::float8[])
        as row (symbol, timeframe, from_ms)
      where known.exchange = ${exchange} and known.symbol = row.symbol and known.timeframe = row.timeframe`;
  });
}

/** Enters that a symbol is not traded any more. `series` are its series, each with the end of its last candle. */
export async function endListing(
  { sql }: Database,
  exchange: string,
  { symbol, atMs, why, successor, series }: {
    readonly symbol: string;
    readonly atMs: number;
    readonly why: EndedWhy;
    /** The symbol under which the exchange lists the market now. */
    readonly successor: string | undefined;
    readonly series: readonly { readonly series: Series; readonly untilMs: number }[];
  },
): Promise<void> {
  await attempt(`enter the end of ${exchange} ${symbol}`, async () => {
    await sql`
      with ended as (
        update listings
        set until = greatest(since, to_timestamp(${atMs}::float8 / 1000.0)), why = ${why},
            successor = ${successor ?? null}
        where exchange = ${exchange} and symbol = ${symbol}
          and since = (select max(since) from listings
                       where exchange = ${exchange} and symbol = ${symbol})
      )
      update checkpoints as known
      set ended_at = to_timestamp(until_ms / 1000.0), ended_why = ${why}
      from unnest(${textArray(series.map(({ series }) => series.timeframe.text))}::text[],
                  ${plainArray(series.map(({ untilMs }) => untilMs))}::float8[])
        as row (timeframe, until_ms)
      where known.exchange = ${exchange} and known.symbol = ${symbol}
        and known.timeframe = row.timeframe`;
  });
}

/** Notes that symbols whose listing has ended are still missing. */
export async function noteAbsent(
  { sql }: Database,
  exchange: string,
  { symbols, nowMs }: { readonly symbols: readonly string[]; readonly nowMs: number },
): Promise<void> {
  await attempt(`note the missing symbols of ${exchange}`, async () => {
    await sql`
      update listings set absent_at = to_timestamp(${nowMs}::float8 / 1000.0)
      where exchange = ${exchange} and until is not null
        and symbol = any (${textArray(symbols)}::text[])`;
  });
}

interface ListingRow {
  readonly symbol: string;
  readonly market_id: string | null;
  readonly until: Date | null;
  readonly why: EndedWhy | null;
  readonly absent_at: Date | null;
}
