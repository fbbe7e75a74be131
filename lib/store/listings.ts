/** When symbols were listed, from and until. A symbol that is listed again may be another coin. @module */
import { type Series } from "../market/series.ts";
import type { MarketTerms, NamedMarket } from "../market/terms.ts";
import type { Database } from "./connection/database.ts";
import type { EndedWhy } from "./ledger.ts";
import { heldRows, isHeld } from "./lock_order.ts";
import { columns, epochMs, textArray } from "./parameters.ts";

/** Why a listing ended. `replaced`: the symbol now means another market. */
type ListingEnd = EndedWhy | "replaced";

/** The newest listing of a symbol. Times in milliseconds. */
export interface Listing extends NamedMarket {
  readonly symbol: string;
  /** Before this the symbol meant another market. Undefined if it never did. */
  readonly replacedMs: number | undefined;
  /** Since when the market is no longer traded; undefined while it is traded. */
  readonly untilMs: number | undefined;
  readonly why: ListingEnd | undefined;
  /** When the symbol was last seen missing after its end. */
  readonly absentMs: number | undefined;
  /** Since when the symbol is missing from lists, while its listing goes on; undefined while it is listed. */
  readonly missingMs: number | undefined;
  /** When the dated future expires, as far as its exchange has said; undefined of other markets. @default undefined */
  readonly expiresMs?: number | undefined;
}

/** The newest listing of every symbol that an exchange ever listed. */
export async function readListings(
  database: Database,
  exchange: string,
): Promise<readonly Listing[]> {
  return await database.run(`read the listings of ${exchange}`, async (sql) => {
    const rows = await sql<ListingRow[]>`
      select distinct on (symbol) symbol, market_id, kind, settle, contract_size, volume_unit, until, why, absent_at,
             missing_since, expires_at,
             max(since) filter (where noticed_at is not null) over (partition by symbol) as replaced
      from listings where exchange = ${exchange}
      order by symbol, since desc`;
    return rows.map((row) => ({
      symbol: row.symbol,
      ...marketOf(row),
      replacedMs: epochMs(row.replaced),
      untilMs: epochMs(row.until),
      why: row.why ?? undefined,
      absentMs: epochMs(row.absent_at),
      missingMs: epochMs(row.missing_since),
      expiresMs: epochMs(row.expires_at),
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
 * Records that symbols are listed, for the first time or again, unless another node has just done so. For series with `fromMs` a new listing begins: nothing
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
         where titan10_may_begin_listing($1::text, symbol)
         order by symbol
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
 * for them again. The tables of candles are locked first, as by every statement that writes to them, then the
 * checkpoints, so that no page confirms such a candle meanwhile. What is stored is counted as of then: where a page was
 * waited for, PostgreSQL checks the constraints with older values of `known` before it comes to the newer ones.
 */
function begunSeries(first: number): string {
  return `
locked as materialized (select titan10_lock_candles()),
begun_series as materialized (
  ${
    heldRows("checkpoints", {
      columns: [
        "known.unsettled",
        "known.candles as stored",
        "to_timestamp(row.from_ms / 1000.0) as from_time",
      ],
      from: `join ${BEGUN_SERIES.rows(first)} using (symbol, timeframe)
  cross join locked
  where known.exchange = $1::text`,
    })
  }
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
    candles = gone.stored - gone.candles,
    first = case when gone.candles = 0 then known.first else gone.first end,
    last = case when gone.candles = 0 then known.last else gone.last end
from gone
where known.exchange = $1::text and known.symbol = gone.symbol and known.timeframe = gone.timeframe`;
}

/**
 * A symbol that means another market from `fromMs` on, or from the end of what is stored if that is later. Milliseconds.
 */
export interface Replacement {
  readonly symbol: string;
  readonly marketId: string | undefined;
  readonly terms: MarketTerms;
  readonly fromMs: number;
  /** The symbol under which the exchange lists the former market; undefined if it does not. */
  readonly successor: string | undefined;
}

const REPLACEMENTS = columns<Replacement>({
  symbol: ["text", ({ symbol }) => symbol],
  market_id: ["text", ({ marketId }) => marketId],
  kind: ["text", ({ terms }) => terms.kind],
  settle: ["text", ({ terms }) => terms.settle],
  contract_size: ["numeric", ({ terms }) => terms.contractSize],
  volume_unit: ["text", ({ terms }) => terms.volumeUnit],
  from_ms: ["float8", ({ fromMs }) => fromMs],
  successor: ["text", ({ successor }) => successor],
});

/**
 * Ends listings and begins those of the markets that now have their symbols, each with all series of the symbol. None of
 * the time of stored candles is given to the new market: they are of the former one, also those of a page that another
 * program stores just now.
 *
 * @returns from when on each symbol means its new market. Milliseconds.
 */
export async function replaceListings(
  database: Database,
  exchange: string,
  { replacements, nowMs }: {
    readonly replacements: readonly Replacement[];
    readonly nowMs: number;
  },
): Promise<ReadonlyMap<string, number>> {
  return await database.run(`enter new markets of ${exchange}`, async (sql) => {
    const rows = await sql.unsafe<{ symbol: string; began: Date }[]>(
      `select symbol, titan10_replace_listing($1::text, symbol, market_id, kind, settle, contract_size, volume_unit, successor,
                                              to_timestamp(from_ms / 1000.0), to_timestamp($2::float8 / 1000.0)) as began
       from (select * from ${REPLACEMENTS.rows(3)} order by symbol) as row`,
      [exchange, nowMs, ...REPLACEMENTS.arrays(replacements)],
    );
    return new Map(rows.map(({ symbol, began }) => [symbol, began.getTime()]));
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
       ),
       held as materialized (${
        heldRows("checkpoints", {
          columns: ["to_timestamp(until_ms / 1000.0) as ended_at"],
          from: `join ${ENDED_SERIES.rows(6)} using (timeframe)
                 where known.exchange = $1::text and known.symbol = $2::text`,
        })
      })
       update checkpoints as known set ended_at = held.ended_at, ended_why = $4::text
       from held where ${isHeld("checkpoints")}`,
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
    await sql.unsafe(
      `with held as materialized (${
        heldRows("listings", {
          from: "where exchange = $1 and until is not null and symbol = any ($2::text[])",
        })
      })
       update listings as known set absent_at = to_timestamp($3::float8 / 1000.0)
       from held where ${isHeld("listings")}`,
      [exchange, textArray(symbols), nowMs],
    );
  });
}

interface MarketRow {
  readonly market_id: string | null;
  readonly kind: MarketTerms["kind"] | null;
  readonly settle: string | null;
  readonly contract_size: string | null;
  readonly volume_unit: MarketTerms["volumeUnit"] | null;
}

function marketOf(row: MarketRow): NamedMarket {
  return {
    marketId: row.market_id ?? undefined,
    kind: row.kind ?? undefined,
    settle: row.settle ?? undefined,
    contractSize: row.contract_size === null ? undefined : Number(row.contract_size),
    volumeUnit: row.volume_unit ?? undefined,
  };
}

interface ListingRow extends MarketRow {
  readonly symbol: string;
  readonly replaced: Date | null;
  readonly until: Date | null;
  readonly why: ListingEnd | null;
  readonly absent_at: Date | null;
  readonly missing_since: Date | null;
  readonly expires_at: Date | null;
}

/** A symbol whose market was replaced by another one. */
export interface ReplacedMarket {
  readonly exchange: string;
  readonly symbol: string;
  readonly former: NamedMarket;
  readonly market: NamedMarket;
  readonly fromMs: number;
}

/** The symbols that mean another market since a time not before `sinceMs`. */
export async function readReplaced(
  database: Database,
  sinceMs: number,
): Promise<readonly ReplacedMarket[]> {
  return await database.run("read the symbols that mean other markets", async (sql) => {
    const rows = await sql<ReplacedRow[]>`
      select exchange, symbol, since, market_id, kind, settle, contract_size, volume_unit, former
      from (select *, lag(to_jsonb(listings)) over (partition by exchange, symbol order by since) as former
            from listings) as listing
      where noticed_at >= to_timestamp(${sinceMs}::float8 / 1000.0) and former is not null
      order by exchange, symbol, since`;
    return rows.map((row) => ({
      exchange: row.exchange,
      symbol: row.symbol,
      former: marketOf(row.former),
      market: marketOf(row),
      fromMs: row.since.getTime(),
    }));
  });
}

interface ReplacedRow extends MarketRow {
  readonly exchange: string;
  readonly symbol: string;
  readonly since: Date;
  readonly former: MarketRow;
}
