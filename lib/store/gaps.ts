/** Gaps: found by SQL from coverage and candles, and read when they are due or when a user asks. @module */
import type { GapState } from "../market/gap.ts";
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "./connection/database.ts";
import { heldRows, isHeld } from "./lock_order.ts";
import { columns } from "./parameters.ts";

/** Missing candles inside coverage. Times in milliseconds. */
export interface Gap {
  readonly series: Series;
  /** From the first missing candle to the next candle that is stored. */
  readonly window: Window;
  readonly state: GapState;
  /** How many candles of the window are missing now. */
  readonly missing: number;
  readonly attempts: number;
  readonly firstSeenMs: number;
  readonly lastTryMs: number | undefined;
  readonly nextTryMs: number;
  /** Whether it follows from the bounds of its series: it lies outside of what its candles begin with. */
  readonly isBound: boolean;
}

/** A gap that is to be asked for. */
export interface DueGap extends Gap {
  /** Whether its series begins with it: its rows were rejected, or older candles were dropped. */
  readonly isFirst: boolean;
}

/** Scans the coverage of all timeframes, see {@linkcode scanGaps}. */
export async function scanAllGaps(database: Database, nowMs: number): Promise<number> {
  const timeframes = await database.run(
    "read the timeframes",
    (sql) => sql<{ timeframe: string }[]>`select timeframe from timeframes order by timeframe`,
  );
  let found = 0;
  for (const { timeframe } of timeframes) {
    found += await scanGaps(database, parseTimeframe(timeframe), nowMs);
  }
  return found;
}

/**
 * Scans the coverage that was not scanned yet and records the gaps it finds. Time before a series' first candle is not
 * a gap: it is before the listing, or its candles were dropped. New gaps are first seen at `nowMs` and are due at once.
 *
 * @returns how many gaps were found.
 */
export async function scanGaps(
  database: Database,
  timeframe: Timeframe,
  nowMs: number,
): Promise<number> {
  return await database.runLong(`look for gaps of ${timeframe.text}`, async (sql) => {
    const [row] = await sql<{ found: number }[]>`
      select titan10_scan_gaps(${timeframe.text}, to_timestamp(${nowMs}::float8 / 1000.0))::int as found`;
    return row!.found;
  });
}

/** The suspected gaps of these series of an exchange that are due to be asked for again, newest first. */
export async function readDueGaps(
  database: Database,
  exchange: string,
  { series, nowMs, gapsMax }: {
    readonly series: readonly Series[];
    readonly nowMs: number;
    readonly gapsMax: number;
  },
): Promise<readonly DueGap[]> {
  return await database.run(`read the due gaps of ${exchange}`, async (sql) => {
    const rows = await sql.unsafe<(GapRow & { is_first: boolean | null })[]>(
      `select ${COLUMNS},
         since <= (select least(first, rows_from, expired_until) from checkpoints as series
                   where (series.exchange, series.symbol, series.timeframe)
                       = (gaps.exchange, gaps.symbol, gaps.timeframe)) as is_first
       from gaps
       where exchange = $1 and state in ('suspected', 'refetching') and next_try <= to_timestamp($2::float8 / 1000.0)
         and (symbol, timeframe) in (select symbol, timeframe from ${NAMES.rows(4)})
       order by until desc limit $3::int`,
      [exchange, nowMs, gapsMax, ...NAMES.arrays(series)],
      { prepare: true },
    );
    return rows.map((row) => ({ ...gapOf(row), isFirst: row.is_first === true }));
  });
}

/**
 * Gaps in a page: one megabyte. The embedded server reads them in some milliseconds, so other statements do not wait
 * long.
 */
const PAGE_GAPS = 2_000;

/**
 * All gaps except filled ones, by series and time, page by page. They include the gaps that follow from the bounds of
 * their series, and those that no scan has entered yet. Each page is read when it is requested. Gaps that are found, filled or split between two pages may be
 * missing or not.
 */
export async function* readGapPages(database: Database): AsyncGenerator<readonly Gap[], void> {
  let after: Place | undefined = ["", "", "", 0];
  while (after !== undefined) {
    const from: Place = after;
    // Coverage that nobody has looked through is read candle by candle.
    const rows = await database.runLong(
      "read the gaps",
      (sql) => sql.unsafe<PageRow[]>(PAGE_STATEMENT, from, { prepare: true }),
    );
    if (rows.length > 0) yield rows.map(gapOf);
    const isFull = rows.filter(({ is_entered }) => is_entered).length === PAGE_GAPS;
    after = isFull ? placeOf(rows.at(-1)!) : undefined;
  }
}

/** The position of a gap in that order. */
type Place = [exchange: string, symbol: string, timeframe: string, sinceMs: number];

function placeOf({ exchange, symbol, timeframe, since_ms }: GapRow): Place {
  return [exchange, symbol, timeframe, since_ms];
}

/**
 * Marks gaps of one series as being asked for now. With `isAsking` false, marks them as suspected again. They are due at
 * `nextTryMs`, unless the answer is noted before.
 */
export async function markRefetching(
  database: Database,
  series: Series,
  { sincesMs, isAsking, nextTryMs }: {
    readonly sincesMs: readonly number[];
    readonly isAsking: boolean;
    readonly nextTryMs: number;
  },
): Promise<void> {
  const state = isAsking ? "refetching" : "suspected";
  await database.run(`mark gaps of ${seriesName(series)} as ${state}`, async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("gaps", {
          from: `where exchange = $2::text and symbol = $3::text and timeframe = $4::text
                   and state in ('suspected', 'refetching')
                   and since = any (select to_timestamp(since_ms / 1000.0) from ${SINCES.rows(6)})`,
        })
      })
       update gaps as known set state = $1::text, next_try = to_timestamp($5::float8 / 1000.0)
       from held where ${isHeld("gaps")}`,
      [
        state,
        series.exchange,
        series.symbol,
        series.timeframe.text,
        nextTryMs,
        ...SINCES.arrays(sincesMs),
      ],
    );
  });
}

/** Lets all open gaps of a series wait until `nextTryMs`. */
export async function postponeGaps(
  database: Database,
  series: Series,
  nextTryMs: number,
): Promise<void> {
  await database.run(`postpone the gaps of ${seriesName(series)}`, async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("gaps", {
          from: `where exchange = $1 and symbol = $2 and timeframe = $3
                   and state in ('suspected', 'refetching') and next_try < to_timestamp($4::float8 / 1000.0)`,
        })
      })
       update gaps as known set next_try = to_timestamp($4::float8 / 1000.0)
       from held where ${isHeld("gaps")}`,
      [series.exchange, series.symbol, series.timeframe.text, nextTryMs],
    );
  });
}

const NAMES = columns<Series>({
  symbol: ["text", ({ symbol }) => symbol],
  timeframe: ["text", ({ timeframe }) => timeframe.text],
});

const SINCES = columns<number>({ since_ms: ["float8", (sinceMs) => sinceMs] });

const COLUMNS = `exchange, symbol, timeframe, state, missing, attempts,
  (extract(epoch from since) * 1000)::float8 as since_ms,
  (extract(epoch from until) * 1000)::float8 as until_ms,
  (extract(epoch from first_seen) * 1000)::float8 as first_seen_ms,
  (extract(epoch from last_try) * 1000)::float8 as last_try_ms,
  (extract(epoch from next_try) * 1000)::float8 as next_try_ms`;

const AFTER = `(exchange, symbol, timeframe, since)
  > ($1::text, $2::text, $3::text, to_timestamp($4::float8 / 1000.0))`;

/**
 * The next gaps of the table; and between them the gaps that follow from the bounds of series, and the holes that no scan
 * has entered yet. The latter two are computed only for the series of this page. The last page holds all that remain.
 */
const PAGE_STATEMENT = `
with page as materialized (
  select * from gaps where state <> 'filled' and ${AFTER}
  order by exchange, symbol, timeframe, since limit ${PAGE_GAPS}
),
page_end as materialized (
  select * from page order by exchange, symbol, timeframe, since offset ${PAGE_GAPS - 1}
)
select ${COLUMNS}, false as is_bound, true as is_entered from page
union all
select ${COLUMNS}, true, false from titan10_bound_gaps
where ${AFTER} and (exchange, symbol, timeframe) >= ($1::text, $2::text, $3::text)
  and (not exists (select from page_end)
       or (exchange, symbol, timeframe) <= (select exchange, symbol, timeframe from page_end))
  and (not exists (select from page_end)
       or (exchange, symbol, timeframe, since) <= (select exchange, symbol, timeframe, since from page_end))
union all
select ${COLUMNS}, false, false from (
  select exchange, symbol, timeframe, hole.since, hole.until, 'suspected' as state, 0 as attempts,
         (select count(*) from generate_series(hole.since, hole.until - interval '1 microsecond',
                                               titan10_step(timeframe)))::int as missing,
         now() as first_seen, null::timestamptz as last_try, now() as next_try
  from checkpoints as series cross join lateral titan10_holes(series) as hole
  where (exchange, symbol, timeframe) >= ($1::text, $2::text, $3::text)
    and (not exists (select from page_end)
         or (exchange, symbol, timeframe) <= (select exchange, symbol, timeframe from page_end))
) as new_hole
where ${AFTER}
  and (not exists (select from page_end)
       or (exchange, symbol, timeframe, since) <= (select exchange, symbol, timeframe, since from page_end))
order by exchange, symbol, timeframe, since_ms`;

interface PageRow extends GapRow {
  readonly is_bound: boolean;
  /** Whether it is a row of the table of gaps. */
  readonly is_entered: boolean;
}

interface GapRow {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  readonly state: GapState;
  readonly missing: number;
  readonly attempts: number;
  readonly since_ms: number;
  readonly until_ms: number;
  readonly first_seen_ms: number;
  readonly last_try_ms: number | null;
  readonly next_try_ms: number;
}

function gapOf(row: GapRow & Partial<PageRow>): Gap {
  return {
    series: {
      exchange: row.exchange,
      symbol: row.symbol,
      timeframe: parseTimeframe(row.timeframe),
    },
    window: { sinceMs: row.since_ms, untilMs: row.until_ms },
    state: row.state,
    missing: row.missing,
    attempts: row.attempts,
    firstSeenMs: row.first_seen_ms,
    lastTryMs: row.last_try_ms ?? undefined,
    nextTryMs: row.next_try_ms,
    isBound: row.is_bound === true,
  };
}
