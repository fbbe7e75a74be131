/** When symbols were listed, from and until. A symbol that is listed again may be another coin. @module */
import { type Series } from "../market/series.ts";
import type { Database } from "./connection/database.ts";
import type { EndedWhy } from "./ledger.ts";
import { columns, epochMs, textArray } from "./parameters.ts";

/** The newest listing of a symbol. Times in milliseconds. */
export interface Listing {
  readonly symbol: string;
  readonly marketId: string | undefined;
  /** Since when the market is no longer traded; undefined while it is traded. */
  readonly untilMs: number | undefined;
  readonly why: EndedWhy | undefined;
  /** When the symbol was last seen missing after its end. */
  readonly absentMs: number | undefined;
}

/** The newest listing of every symbol that an exchange ever listed. */
export async function readListings(
  database: Database,
  exchange: string,
): Promise<readonly Listing[]> {
  return await database.run(`read the listings of ${exchange}`, async (sql) => {
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

const SYMBOLS = columns<{ readonly symbol: string; readonly marketId: string | undefined }>({
  symbol: ["text", ({ symbol }) => symbol],
  market_id: ["text", ({ marketId }) => marketId],
});

const BEGUN_SERIES = columns<{ readonly series: Series; readonly fromMs: number | undefined }>({
  symbol: ["text", ({ series }) => series.symbol],
  timeframe: ["text", ({ series }) => series.timeframe.text],
  from_ms: ["float8", ({ fromMs }) => fromMs],
});

const ENDED_SERIES = columns<{ readonly series: Series; readonly untilMs: number }>({
  timeframe: ["text", ({ series }) => series.timeframe.text],
  until_ms: ["float8", ({ untilMs }) => untilMs],
});

/**
 * Records that symbols are listed, for the first time or again. For series with `fromMs` a new listing begins: nothing
 * before that time is owed, and the stored candles stay.
 */
export async function beginListings(
  database: Database,
  exchange: string,
  { symbols, series, nowMs }: {
    readonly symbols: readonly { readonly symbol: string; readonly marketId: string | undefined }[];
    readonly series: readonly { readonly series: Series; readonly fromMs: number | undefined }[];
    readonly nowMs: number;
  },
): Promise<void> {
  await database.run(`enter listings of ${exchange}`, async (sql) => {
    await sql.unsafe(
      `with listed as (
         insert into listings (exchange, symbol, since, market_id)
         select $1::text, symbol, to_timestamp($2::float8 / 1000.0), market_id from ${
        SYMBOLS.rows(3)
      }
         on conflict do nothing
       )
       update checkpoints as known
       set ended_at = null, ended_why = null,
           listed_from = coalesce(to_timestamp(from_ms / 1000.0), known.listed_from)
       from ${BEGUN_SERIES.rows(5)}
       where known.exchange = $1::text and known.symbol = row.symbol and known.timeframe = row.timeframe`,
      [exchange, nowMs, ...SYMBOLS.arrays(symbols), ...BEGUN_SERIES.arrays(series)],
    );
  });
}

/** Records that a symbol is no longer traded. `series` are its series, each with the end of its last candle. */
export async function endListing(
  database: Database,
  exchange: string,
  { symbol, atMs, why, successor, series }: {
    readonly symbol: string;
    readonly atMs: number;
    readonly why: EndedWhy;
    /** The symbol under which the exchange now lists the market. */
    readonly successor: string | undefined;
    readonly series: readonly { readonly series: Series; readonly untilMs: number }[];
  },
): Promise<void> {
  await database.run(`enter the end of ${exchange} ${symbol}`, async (sql) => {
    await sql.unsafe(
      `with ended as (
         update listings
         set until = greatest(since, to_timestamp($3::float8 / 1000.0)), why = $4::text, successor = $5::text
         where exchange = $1::text and symbol = $2::text
           and since = (select max(since) from listings where exchange = $1::text and symbol = $2::text)
       )
       update checkpoints as known
       set ended_at = to_timestamp(until_ms / 1000.0), ended_why = $4::text
       from ${ENDED_SERIES.rows(6)}
       where known.exchange = $1::text and known.symbol = $2::text and known.timeframe = row.timeframe`,
      [exchange, symbol, atMs, why, successor ?? null, ...ENDED_SERIES.arrays(series)],
    );
  });
}

/** Records that symbols whose listing has ended are still missing. */
export async function noteAbsent(
  database: Database,
  exchange: string,
  { symbols, nowMs }: { readonly symbols: readonly string[]; readonly nowMs: number },
): Promise<void> {
  await database.run(`note the missing symbols of ${exchange}`, async (sql) => {
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
