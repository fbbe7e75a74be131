/** Reads the ledger: which series exist, what is covered, and what is owed. @module */
import type { Coverage } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "./connection/database.ts";
import { heldRows, isHeld } from "./lock_order.ts";
import {
  columns,
  coverageFrom,
  epochMs,
  type Spans,
  spansJson,
  storableText,
} from "./parameters.ts";

/** Why a series is archived: listed in the configuration, or among the top markets. */
type Chosen = "list" | "top";

/** Why a market is no longer traded. Only one that is suspended or has expired can still be asked for its history. */
export type EndedWhy = "delisted" | "suspended" | "renamed" | "expired";

/** A series' row in the ledger. Times in milliseconds. */
export interface Checkpoint {
  readonly series: Series;
  readonly covered: Coverage;
  /** Stored candles that are not covered yet, because they may still change. */
  readonly unsettled: Coverage;
  /** How many candles are stored. */
  readonly candles: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** The exchange has nothing older than this. */
  readonly reachFromMs: number | undefined;
  /** The exchange has nothing of this listing before this time. */
  readonly listedFromMs: number | undefined;
  /** `RETENTION` has dropped all candles before this time. */
  readonly expiredUntilMs: number | undefined;
  /** The oldest candle that was rejected, if none is stored before it. */
  readonly rowsFromMs: number | undefined;
  /** The window that was last wanted; undefined when none ever was. */
  readonly wanted: WantedWindow | undefined;
  /** Where polls of a series began of which a range was asked for, Infinity before that; undefined of another one. */
  readonly followedFromMs: number | undefined;
  /** Since when the present first candle waits for confirmation; undefined when no wait has begun for it. */
  readonly doubtedSinceMs: number | undefined;
  /** Since when the market is no longer traded, and why; undefined while it is traded. */
  readonly endedMs: number | undefined;
  readonly endedWhy: EndedWhy | undefined;
  readonly chosen: Chosen;
  readonly lastError: string | undefined;
}

/** What the settings of the last run wanted of a series. Milliseconds. */
interface WantedWindow {
  readonly sinceMs: number;
  /** Where a history that ends does; undefined when it reached to the newest candle. */
  readonly endsMs: number | undefined;
  /** The exchange kept nothing older; undefined when no limit was known. */
  readonly keptSinceMs: number | undefined;
}

/** The window that is wanted of a series. */
export interface Desire {
  readonly series: Series;
  readonly window: Window;
  /** Where a history that ends does: from there on only what was followed by polls is wanted. Milliseconds. */
  readonly endsMs?: number | undefined;
  /** The exchange keeps nothing older, if that is known. Milliseconds. */
  readonly keptSinceMs?: number | undefined;
  /** Older candles would be dropped, so they are not asked for. Milliseconds. */
  readonly retainedSinceMs?: number | undefined;
}

/** What must still be asked for, of one series. */
export interface Owed {
  readonly series: Series;
  /** Ascending. */
  readonly owed: Coverage;
}

/** The table keeps the beginning of an error message, enough for people to read. */
const ERROR_CHARACTERS_MAX = 1_000;

const SERIES = columns<Series>({
  exchange: ["text", ({ exchange }) => exchange],
  symbol: ["text", ({ symbol }) => symbol],
  timeframe: ["text", ({ timeframe }) => timeframe.text],
});

/** Adds series to the ledger. Existing ones keep their data. `top` replaces `list`, but not the other way round. */
export async function registerSeries(
  database: Database,
  series: readonly Series[],
  chosen: Chosen,
): Promise<void> {
  await database.run("register series", async (sql) => {
    await sql.unsafe(
      `insert into checkpoints as known (exchange, symbol, timeframe, chosen)
       select exchange, symbol, timeframe, $1::text from ${SERIES.rows(2)}
       order by exchange, symbol, timeframe
       on conflict (exchange, symbol, timeframe) do update
       set chosen = excluded.chosen where excluded.chosen = 'top' and known.chosen <> 'top'`,
      [chosen, ...SERIES.arrays(series)],
    );
  });
}

/** All series in the ledger, or those of one exchange, by exchange, symbol and timeframe. */
export async function readCheckpoints(
  database: Database,
  exchange?: string,
): Promise<readonly Checkpoint[]> {
  return await database.run("read the checkpoints", async (sql) => {
    const rows = await sql.unsafe<CheckpointRow[]>(
      `select exchange, symbol, timeframe, candles, first, last, reach_from, listed_from, expired_until, rows_from,
             nullif(wanted_since, 'infinity') as wanted_since, wanted_ends, kept_since,
             (extract(epoch from followed_from) * 1000)::float8 as followed_ms,
             case when first = doubted_first then doubted_since end as doubted_since, ended_at, ended_why, chosen, last_error,
             ${spansJson("covered")} as covered, ${spansJson("unsettled")} as unsettled
      from checkpoints where $1::text is null or exchange = $1 order by exchange, symbol, timeframe`,
      [exchange ?? null],
    );
    return rows.map((row) => ({
      series: seriesOf(row),
      covered: coverageFrom(row.covered),
      unsettled: coverageFrom(row.unsettled),
      candles: Number(row.candles),
      firstMs: epochMs(row.first),
      lastMs: epochMs(row.last),
      reachFromMs: epochMs(row.reach_from),
      listedFromMs: epochMs(row.listed_from),
      expiredUntilMs: epochMs(row.expired_until),
      rowsFromMs: epochMs(row.rows_from),
      wanted: row.wanted_since === null ? undefined : {
        sinceMs: row.wanted_since.getTime(),
        endsMs: epochMs(row.wanted_ends),
        keptSinceMs: epochMs(row.kept_since),
      },
      followedFromMs: row.followed_ms ?? undefined,
      doubtedSinceMs: epochMs(row.doubted_since),
      endedMs: epochMs(row.ended_at),
      endedWhy: row.ended_why ?? undefined,
      chosen: row.chosen,
      lastError: row.last_error ?? undefined,
    }));
  });
}

const DESIRES = columns<Desire>({
  exchange: ["text", ({ series }) => series.exchange],
  symbol: ["text", ({ series }) => series.symbol],
  timeframe: ["text", ({ series }) => series.timeframe.text],
  since_ms: ["float8", ({ window }) => window.sinceMs],
  until_ms: ["float8", ({ window }) => window.untilMs],
  ends_ms: ["float8", ({ endsMs }) => endsMs ?? null],
  kept_ms: [
    "float8",
    ({ keptSinceMs = -Infinity, retainedSinceMs = -Infinity }) =>
      Math.max(keptSinceMs, retainedSinceMs),
  ],
});

/**
 * What is owed: desired − covered, limited to what the exchange can still give. Nothing is owed before its reach or the
 * listing, nothing after the end of the market, and nothing of a market that it no longer lists. If a series begins
 * earlier than desired, everything from there on is desired too, but nothing older than what is retained. It begins with
 * its coverage, or with the first candle that is stored and not final yet; where a range with an end was ever wanted, with
 * its first poll.
 *
 * Series without owed time are left out.
 */
export async function readOwed(
  database: Database,
  desires: readonly Desire[],
): Promise<readonly Owed[]> {
  const byName = new Map<string, { readonly series: Series; readonly owed: Window[] }>();
  await database.run("read what is owed", async (sql) => {
    const rows = await sql.unsafe<OwedRow[]>(
      `with desired as (select * from ${DESIRES.rows(1)}),
      bounded as (
        select exchange, symbol, timeframe, coalesce(covered, '{}') as covered, to_timestamp(since_ms / 1000.0) as since,
               greatest(reach_from, listed_from, to_timestamp(kept_ms / 1000.0)) as oldest,
               to_timestamp(ends_ms / 1000.0) as ends,
               coalesce(followed_from, case when ends_ms is null or (wanted_ends is null and wanted_since < 'infinity')
                                            then lower(covered + unsettled) end) as followed,
               least(to_timestamp(until_ms / 1000.0), ended_at) as until
        from desired left join checkpoints using (exchange, symbol, timeframe)
        where ended_why is null or ended_why in ('suspended', 'expired')
      ),
      wanted as (
        select *, tstzmultirange(tstzrange(least(since, ends, until), least(ends, until)),
                                 tstzrange(least(followed, until), until))
                  * tstzmultirange(tstzrange(oldest, null)) as ranges
        from bounded
      )
      select exchange, symbol, timeframe,
             (extract(epoch from lower(owed)) * 1000)::float8 as since_ms,
             (extract(epoch from upper(owed)) * 1000)::float8 as until_ms
      from wanted, unnest(ranges - covered) as owed
      order by exchange, symbol, timeframe, since_ms`,
      [...DESIRES.arrays(desires)],
    );
    for (const row of rows) {
      const series = seriesOf(row);
      const entry = byName.get(seriesName(series)) ?? { series, owed: [] };
      entry.owed.push({ sinceMs: row.since_ms, untilMs: row.until_ms });
      byName.set(seriesName(series), entry);
    }
  });
  return [...byName.values()];
}

/** Where the history of a series begins. Milliseconds. */
interface ListedFrom {
  readonly series: Series;
  readonly fromMs: number;
}

const LISTED_FROM = columns<ListedFrom>({
  exchange: ["text", ({ series }) => series.exchange],
  symbol: ["text", ({ series }) => series.symbol],
  timeframe: ["text", ({ series }) => series.timeframe.text],
  from_ms: ["float8", ({ fromMs }) => fromMs],
});

/** Records where the history of these series begins. A time later than the first stored candle is ignored. */
export async function noteListings(
  database: Database,
  listings: readonly ListedFrom[],
): Promise<void> {
  await database.run("note where series begin", async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("checkpoints", {
          columns: ["to_timestamp(from_ms / 1000.0) as from_time"],
          from: `join ${LISTED_FROM.rows(1)} using (exchange, symbol, timeframe)
                 where first is null or first >= to_timestamp(from_ms / 1000.0)`,
        })
      })
       update checkpoints as known set listed_from = greatest(known.listed_from, from_time)
       from held where ${isHeld("checkpoints")}`,
      [...LISTED_FROM.arrays(listings)],
    );
  });
}

/**
 * Deletes where a symbol begins, because older candles were found. The time before is owed again, but not of a symbol that
 * was listed before: that time may be another market's.
 */
export async function forgetListing(
  database: Database,
  { exchange, symbol }: Pick<Series, "exchange" | "symbol">,
): Promise<void> {
  await database.run(`forget where ${exchange} ${symbol} begins`, async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("checkpoints", {
          from: `where exchange = $1::text and symbol = $2::text and listed_from is not null
                   and not exists (select from listings as former
                                   where former.exchange = known.exchange and former.symbol = known.symbol
                                     and former.why not in ('suspended', 'expired'))`,
        })
      })
       update checkpoints as known set listed_from = null from held where ${isHeld("checkpoints")}`,
      [exchange, symbol],
    );
  });
}

/** Stores why the latest request for a series failed. The next written page clears it. */
export async function noteSeriesError(
  database: Database,
  series: Series,
  message: string,
): Promise<void> {
  await database.run(`note an error of ${seriesName(series)}`, async (sql) => {
    await sql`
      update checkpoints set last_error = ${storableText(message, ERROR_CHARACTERS_MAX)}
      where exchange = ${series.exchange} and symbol = ${series.symbol}
        and timeframe = ${series.timeframe.text}`;
  });
}

interface SeriesRow {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
}

interface CheckpointRow extends SeriesRow {
  readonly covered: Spans;
  readonly unsettled: Spans;
  readonly candles: string;
  readonly first: Date | null;
  readonly last: Date | null;
  readonly reach_from: Date | null;
  readonly listed_from: Date | null;
  readonly expired_until: Date | null;
  readonly rows_from: Date | null;
  readonly wanted_since: Date | null;
  readonly wanted_ends: Date | null;
  readonly kept_since: Date | null;
  readonly followed_ms: number | null;
  readonly doubted_since: Date | null;
  readonly ended_at: Date | null;
  readonly ended_why: EndedWhy | null;
  readonly chosen: Chosen;
  readonly last_error: string | null;
}

interface OwedRow extends SeriesRow {
  readonly since_ms: number;
  readonly until_ms: number;
}

function seriesOf({ exchange, symbol, timeframe }: SeriesRow): Series {
  return { exchange, symbol, timeframe: parseTimeframe(timeframe) };
}
