/** When symbols were listed, from and until. A symbol that is listed again may be another coin. @module */
import { type Series } from "../market/series.ts";
import type { Database } from "./connection/database.ts";
import type { EndedWhy } from "./ledger.ts";
import { columns, epochMs, textArray } from "./parameters.ts";

/** Why a listing ended. `replaced`: the symbol now means another market. */
type ListingEnd = EndedWhy | "replaced";

/** The newest listing of a symbol. Times in milliseconds. */
export interface Listing {
  readonly symbol: string;
  /** The exchange's own id of the market; undefined in rows of older versions until the markets are loaded. */
  readonly marketId: string | undefined;
  /** Before this the symbol meant another market. Undefined if it never did. */
  readonly replacedMs: number | undefined;
  /** Since when the market is no longer traded; undefined while it is traded. */
  readonly untilMs: number | undefined;
  readonly why: ListingEnd | undefined;
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
      select distinct on (symbol) symbol, market_id, until, why, absent_at,
             max(since) filter (where is_other) over (partition by symbol) as replaced
      from (select *, market_id <> lag(market_id) over (partition by symbol order by since) as is_other
            from listings where exchange = ${exchange}) as listing
      order by symbol, since desc`;
    return rows.map((row) => ({
      symbol: row.symbol,
      marketId: row.market_id ?? undefined,
      replacedMs: epochMs(row.replaced),
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
       ),
       ${begunSeries(5)}`,
      [exchange, nowMs, ...SYMBOLS.arrays(symbols), ...BEGUN_SERIES.arrays(series)],
    );
  });
}

/**
 * The end of a statement that begins listings: its parameters from `first` on are {@linkcode BEGUN_SERIES}. Candles before
 * a new listing that were not final yet are taken back: they may be half-formed for good, and the exchange cannot be asked
 * for them again. The checkpoints are locked first, so that no page confirms such a candle meanwhile.
 */
function begunSeries(first: number): string {
  return `
begun_series as materialized (
  select known.symbol, known.timeframe, known.unsettled, to_timestamp(row.from_ms / 1000.0) as from_time
  from checkpoints as known join ${BEGUN_SERIES.rows(first)}
    on known.symbol = row.symbol and known.timeframe = row.timeframe
  where known.exchange = $1::text
  for update of known
),
gone as materialized (
  select begun_series.*, taken.candles, taken.first, taken.last
  from begun_series
  cross join lateral titan10_take_back($1::text, symbol, timeframe, case when from_time is null then '{}'
    else unsettled * tstzmultirange(tstzrange(null, from_time)) end, '{}', null) as taken
)
update checkpoints as known
set ended_at = null, ended_why = null, listed_from = coalesce(from_time, known.listed_from),
    unsettled = known.unsettled - tstzmultirange(tstzrange(null, coalesce(from_time, '-infinity'))),
    candles = known.candles - gone.candles,
    first = case when gone.candles = 0 then known.first else gone.first end,
    last = case when gone.candles = 0 then known.last else gone.last end
from gone
where known.exchange = $1::text and known.symbol = gone.symbol and known.timeframe = gone.timeframe`;
}

/** A symbol that means another market from `fromMs` on. Milliseconds. */
export interface Replacement {
  readonly symbol: string;
  readonly marketId: string | undefined;
  readonly fromMs: number;
  /** The symbol under which the exchange lists the former market; undefined if it does not. */
  readonly successor: string | undefined;
}

const REPLACEMENTS = columns<Replacement>({
  symbol: ["text", ({ symbol }) => symbol],
  market_id: ["text", ({ marketId }) => marketId],
  began_ms: ["float8", ({ fromMs }) => fromMs],
  successor: ["text", ({ successor }) => successor],
});

/**
 * Ends listings and begins those of the markets that now have their symbols, in one statement: a crash between the two
 * would leave a series that asks the new market for the time of the old one. Each of `series` begins anew at its `fromMs`.
 */
export async function replaceListings(
  database: Database,
  exchange: string,
  { replacements, series, nowMs }: {
    readonly replacements: readonly Replacement[];
    readonly nowMs: number;
    readonly series: readonly { readonly series: Series; readonly fromMs: number }[];
  },
): Promise<void> {
  await database.run(`enter new markets of ${exchange}`, async (sql) => {
    await sql.unsafe(
      `with replaced as (
         select row.symbol, row.market_id, row.successor, newest.since,
                greatest(to_timestamp(row.began_ms / 1000.0), newest.since + interval '1 ms') as began
         from ${REPLACEMENTS.rows(3)}
         join (select symbol, max(since) as since from listings where exchange = $1::text group by symbol) as newest
           on newest.symbol = row.symbol
       ),
       ended as (
         update listings
         set until = coalesce(until, began), successor = coalesce(replaced.successor, listings.successor),
             why = case when replaced.successor is not null then 'renamed'
                        when until is null or why = 'suspended' then 'replaced' else why end
         from replaced
         where exchange = $1::text and listings.symbol = replaced.symbol and listings.since = replaced.since
       ),
       begun as (
         insert into listings (exchange, symbol, since, market_id, noticed_at)
         select $1::text, symbol, began, market_id, to_timestamp($2::float8 / 1000.0) from replaced
       ),
       ${begunSeries(7)}`,
      [exchange, nowMs, ...REPLACEMENTS.arrays(replacements), ...BEGUN_SERIES.arrays(series)],
    );
  });
}

/** Records the ids of markets whose listings have none: rows of older versions. */
export async function noteMarketIds(
  database: Database,
  exchange: string,
  markets: readonly { readonly symbol: string; readonly marketId: string | undefined }[],
): Promise<void> {
  await database.run(`note market ids of ${exchange}`, async (sql) => {
    await sql.unsafe(
      `update listings as known set market_id = row.market_id
       from ${SYMBOLS.rows(2)}
       where known.exchange = $1::text and known.symbol = row.symbol and known.market_id is null
         and known.since = (select max(since) from listings where exchange = $1::text and symbol = row.symbol)`,
      [exchange, ...SYMBOLS.arrays(markets)],
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
  readonly replaced: Date | null;
  readonly until: Date | null;
  readonly why: ListingEnd | null;
  readonly absent_at: Date | null;
}

/** A symbol whose market was replaced by another one. */
export interface ReplacedMarket {
  readonly exchange: string;
  readonly symbol: string;
  readonly formerId: string;
  readonly marketId: string;
  readonly fromMs: number;
}

/** The symbols that mean another market since a time not before `sinceMs`. */
export async function readReplaced(
  database: Database,
  sinceMs: number,
): Promise<readonly ReplacedMarket[]> {
  return await database.run("read the symbols that mean other markets", async (sql) => {
    const rows = await sql<ReplacedRow[]>`
      select exchange, symbol, former, market_id, since
      from (select *, lag(market_id) over (partition by exchange, symbol order by since) as former
            from listings) as listing
      where former <> market_id and noticed_at >= to_timestamp(${sinceMs}::float8 / 1000.0)
      order by exchange, symbol, since`;
    return rows.map((row) => ({
      exchange: row.exchange,
      symbol: row.symbol,
      formerId: row.former,
      marketId: row.market_id,
      fromMs: row.since.getTime(),
    }));
  });
}

interface ReplacedRow {
  readonly exchange: string;
  readonly symbol: string;
  readonly former: string;
  readonly market_id: string;
  readonly since: Date;
}
