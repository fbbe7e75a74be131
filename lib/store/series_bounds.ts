/** What follows from the bounds of series: time without candles that the exchange need not be asked for. @module */
import type { Coverage } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "./connection/database.ts";
import { heldRows, isHeld } from "./lock_order.ts";
import { columns, coverageFrom, type Spans, spansJson } from "./parameters.ts";

/** The window that is wanted of a series, and how much of it the exchange keeps. Milliseconds. */
export interface WantedSeries {
  readonly series: Series;
  readonly wantedSinceMs: number;
  /** End of the last closed candle. */
  readonly wantedUntilMs: number;
  /** Where a history that ends does; undefined when it reaches to the last candle. */
  readonly wantedEndsMs: number | undefined;
  /** The exchange keeps nothing older; undefined or −Infinity when that is not known. */
  readonly keptSinceMs: number | undefined;
}

/** The result of the functions `titan10_bounds` and `titan10_unexplained` for a series. */
export interface SeriesBounds {
  readonly beforeListing: Coverage;
  readonly retention: Coverage;
  /** Covered time before the first candle that has no reason yet. */
  readonly unexplained: Coverage;
  /**
   * What must be asked for once more before the first candle is confirmed as the first; undefined when nothing must.
   */
  readonly unconfirmed: Window | undefined;
}

const WANTED = columns<WantedSeries>({
  exchange: ["text", ({ series }) => series.exchange],
  symbol: ["text", ({ series }) => series.symbol],
  timeframe: ["text", ({ series }) => series.timeframe.text],
  since_ms: ["float8", ({ wantedSinceMs }) => wantedSinceMs],
  until_ms: ["float8", ({ wantedUntilMs }) => wantedUntilMs],
  ends_ms: ["float8", ({ wantedEndsMs }) => wantedEndsMs ?? null],
  kept_ms: [
    "float8",
    ({ keptSinceMs = -Infinity }) => keptSinceMs === -Infinity ? null : keptSinceMs,
  ],
});

const WANTED_ROWS = `
  select exchange, symbol, timeframe, to_timestamp(since_ms / 1000.0) as wanted_since,
         to_timestamp(until_ms / 1000.0) as wanted_until, to_timestamp(ends_ms / 1000.0) as wanted_ends,
         to_timestamp(kept_ms / 1000.0) as kept_since
  from ${WANTED.rows(1)}`;

/** The bounds of those series that have any, by name. They follow from what was last wanted of each. */
export async function readSeriesBounds(
  database: Database,
): Promise<ReadonlyMap<string, SeriesBounds>> {
  return await database.run("read what follows from the bounds of the series", async (sql) => {
    const rows = await sql.unsafe<BoundsRow[]>(BOUNDS_STATEMENT);
    return new Map(rows.map((row) => [
      row.name,
      {
        beforeListing: coverageFrom(row.before_listing),
        retention: coverageFrom(row.retention),
        unexplained: coverageFrom(row.unexplained),
        unconfirmed: coverageFrom(row.unconfirmed)[0],
      },
    ]));
  });
}

interface BoundsRow {
  readonly name: string;
  readonly before_listing: Spans;
  readonly retention: Spans;
  readonly unexplained: Spans;
  readonly unconfirmed: Spans;
}

const BOUNDS_STATEMENT = `
select exchange || ' ' || symbol || ' ' || timeframe as name,
       ${spansJson("before_listing")} as before_listing, ${spansJson("retention")} as retention,
       ${spansJson("unexplained")} as unexplained, ${
  spansJson("tstzmultirange(unconfirmed)")
} as unconfirmed
from checkpoints as series
cross join lateral titan10_bounds(series, wanted_since, wanted_until, kept_since)
cross join lateral titan10_unexplained(series, before_listing, retention) as unexplained
where not isempty(before_listing) or not isempty(retention) or not isempty(unexplained)
   or unconfirmed is not null`;

/**
 * Stores what is wanted of series. From it, the view `all_gaps` computes what follows from their bounds. Open gaps that
 * the exchange no longer keeps, or that lie in an older listing of the symbol, get the reason `retention`.
 */
export async function noteWanted(
  database: Database,
  wanted: readonly WantedSeries[],
): Promise<void> {
  await database.run("note what is wanted of the series", async (sql) => {
    await sql.unsafe(NOTE_STATEMENT, [...WANTED.arrays(wanted)]);
  });
}

/**
 * The end of what is wanted moves with every candle, so it is stored only when it is a bound. Once a range with an end is
 * wanted, it is kept from when on a series was followed: all that was wanted without an end, then the first poll. That is
 * worked out of the row as it is when it is held: a poll may have begun meanwhile. PostgreSQL comes to the gaps last,
 * because nothing is read of `told`.
 */
const NOTE_STATEMENT = `
with lost as materialized (${
  heldRows("gaps", {
    from: `join checkpoints as series using (exchange, symbol, timeframe)
  join (${WANTED_ROWS}) as row using (exchange, symbol, timeframe)
  where known.state in ('suspected', 'refetching')
    and known.until <= greatest(titan10_reach(series, row.kept_since), series.listed_from)`,
  })
}),
told as (
  update gaps as known set state = 'retention' from lost where ${isHeld("gaps", "lost")}
),
held as materialized (${
  heldRows("checkpoints", {
    columns: [
      "row.wanted_since",
      "bound.wanted_until",
      "row.wanted_ends",
      "row.kept_since",
      "bound.followed_from",
    ],
    from: `join (${WANTED_ROWS}) as row using (exchange, symbol, timeframe)
  cross join lateral (
    select case when row.wanted_until < greatest(titan10_reach(known, row.kept_since), known.listed_from)
                then row.wanted_until end as wanted_until,
           case when row.wanted_ends is null
                then case when known.followed_from is not null then least(
                  known.followed_from,
                  lower((known.covered + known.unsettled) * tstzmultirange(tstzrange(row.wanted_since, null)))) end
                else coalesce(known.followed_from,
                              case when known.wanted_since < 'infinity' and known.wanted_ends is null
                                   then lower(known.covered + known.unsettled) end,
                              'infinity')
           end as followed_from) as bound
  where (known.wanted_since, known.wanted_until, known.wanted_ends, known.kept_since, known.followed_from)
        is distinct from (row.wanted_since, bound.wanted_until, row.wanted_ends, row.kept_since, bound.followed_from)`,
  })
})
update checkpoints as known
set wanted_since = held.wanted_since, wanted_until = held.wanted_until, wanted_ends = held.wanted_ends,
    kept_since = held.kept_since, followed_from = held.followed_from
from held where ${isHeld("checkpoints")}`;

/**
 * Records from when on all candles of series are wanted, before a range is fetched that lies elsewhere: else all would be
 * wanted from that range on.
 */
export async function keepFollowed(database: Database, series: readonly Series[]): Promise<void> {
  await database.run("note since when series are followed", async (sql) => {
    await sql.unsafe(
      `with held as materialized (${heldFollowed("followed_from is null")})
       update checkpoints as known set followed_from = coalesce(lower(covered + unsettled), 'infinity')
       from held where ${isHeld("checkpoints")}`,
      [...FOLLOWED.arrays(series.map((one) => ({ series: one, fromMs: 0 })))],
    );
  });
}

/** A series, and from when on all its candles are wanted. Milliseconds. */
interface Followed {
  readonly series: Series;
  readonly fromMs: number;
}

const FOLLOWED = columns<Followed>({
  exchange: ["text", ({ series }) => series.exchange],
  symbol: ["text", ({ series }) => series.symbol],
  timeframe: ["text", ({ series }) => series.timeframe.text],
  from_ms: ["float8", ({ fromMs }) => fromMs],
});

/** Records where the polls of series begin whose history has an end, unless that is known. */
export async function noteFollowed(
  database: Database,
  followed: readonly Followed[],
): Promise<void> {
  await database.run("note where the polls of series begin", async (sql) => {
    await sql.unsafe(
      `with held as materialized (${heldFollowed("followed_from = 'infinity'")})
       update checkpoints as known set followed_from = to_timestamp(from_ms / 1000.0)
       from held where ${isHeld("checkpoints")}`,
      [...FOLLOWED.arrays(followed)],
    );
  });
}

function heldFollowed(condition: string): string {
  return heldRows("checkpoints", {
    columns: ["row.from_ms"],
    from: `join ${FOLLOWED.rows(1)} using (exchange, symbol, timeframe) where ${condition}`,
  });
}

/** Records that nothing is wanted any more of all series but these. */
export async function forgetWanted(
  database: Database,
  stillWanted: readonly WantedSeries[],
): Promise<void> {
  await database.run("note what is not wanted any more", async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("checkpoints", {
          from: `where wanted_since < 'infinity' and (exchange, symbol, timeframe)
                   not in (select exchange, symbol, timeframe from (${WANTED_ROWS}) as wanted)`,
        })
      })
       update checkpoints as known set wanted_since = 'infinity', wanted_until = null, wanted_ends = null,
           kept_since = null
       from held where ${isHeld("checkpoints")}`,
      [...WANTED.arrays(stillWanted)],
    );
  });
}

/** Records that the series was asked for candles before its first one again, and none came. */
export async function confirmFirst(
  database: Database,
  series: Series,
  firstMs: number,
): Promise<void> {
  await database.run(`confirm the first candle of ${seriesName(series)}`, async (sql) => {
    await sql`
      update checkpoints set first_confirmed = first
      where exchange = ${series.exchange} and symbol = ${series.symbol}
        and timeframe = ${series.timeframe.text}
        and first = to_timestamp(${firstMs}::float8 / 1000.0)`;
  });
}

/** Records since when the present first candle of a series waits for confirmation. */
export async function doubtFirst(
  database: Database,
  series: Series,
  sinceMs: number,
): Promise<void> {
  await database.run(`doubt the first candle of ${seriesName(series)}`, async (sql) => {
    await sql`
      update checkpoints
      set doubted_first = first, doubted_since = to_timestamp(${sinceMs}::float8 / 1000.0)
      where exchange = ${series.exchange} and symbol = ${series.symbol}
        and timeframe = ${series.timeframe.text}`;
  });
}
