/** Gaps: found in SQL from coverage and candles, and read again when they are due or asked about. @module */
import type { BoundSpan, GapState } from "../market/gap.ts";
import type { GapReasons } from "../market/gap_reasons.ts";
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { candleTable, stepText } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { plainArray, textArray } from "./parameters.ts";
import { attempt } from "./connection/store_error.ts";

/** A hole inside coverage. Times in milliseconds. */
export interface Gap {
  readonly series: Series;
  /** From the first missing candle to the first one after it that is there. */
  readonly window: Window;
  readonly state: GapState;
  /** Candles of the window that are missing now. */
  readonly missing: number;
  readonly attempts: number;
  readonly firstSeenMs: number;
  readonly lastTryMs: number | undefined;
  readonly nextTryMs: number;
}

/**
 * Looks through the coverage that has not been looked through yet and enters the holes it finds. Time before a
 * series' first candle is no hole: it lies before the listing, or was dropped. What it finds was first seen at `nowMs`,
 * and may be asked for from then on.
 *
 * @returns how many holes were found.
 */
export async function scanGaps(
  { long }: Database,
  timeframe: Timeframe,
  nowMs: number,
): Promise<number> {
  return await attempt(`look for gaps of ${timeframe.text}`, async () => {
    // Both in one message, and so in one transaction. The planner expects far more ranges than there are, and would
    // compile the statement for longer than it runs.
    const [, rows] = await long.unsafe<[never[], { found: number }[]]>(
      `set local jit = off; ${scanStatement(timeframe, nowMs)}`,
    );
    return rows?.[0]?.found ?? 0;
  });
}

/** The suspected gaps of an exchange whose time to be asked for again has come, newest first. */
export async function readDueGaps(
  { sql }: Database,
  exchange: string,
  { nowMs, gapsMax }: { readonly nowMs: number; readonly gapsMax: number },
): Promise<readonly Gap[]> {
  return await attempt(`read the due gaps of ${exchange}`, async () => {
    const rows = await sql.unsafe<GapRow[]>(
      `select ${COLUMNS} from gaps
       where exchange = $1 and state in ('suspected', 'refetching') and next_try <= to_timestamp($2::float8 / 1000.0)
       order by until desc limit $3::int`,
      [exchange, nowMs, gapsMax],
      { prepare: true },
    );
    return rows.map(gapOf);
  });
}

/** All gaps but the filled ones, by series and time. */
export async function readGaps({ sql }: Database): Promise<readonly Gap[]> {
  return await attempt("read the gaps", async () => {
    const rows = await sql.unsafe<GapRow[]>(
      `select ${COLUMNS} from gaps where state <> 'filled' order by exchange, symbol, timeframe, since`,
    );
    return rows.map(gapOf);
  });
}

/** Candles that are missing inside coverage for a reason, by series and reason. */
export async function readExplained(
  { sql }: Database,
): Promise<ReadonlyMap<string, GapReasons>> {
  return await attempt("read what is explained", async () => {
    const rows = await sql<
      { exchange: string; symbol: string; timeframe: string; reasons: GapReasons }[]
    >`
      select exchange, symbol, timeframe, json_object_agg(state, missing) as reasons
      from (select exchange, symbol, timeframe, state, sum(missing)::int as missing from gaps
            where state not in ('suspected', 'refetching', 'filled') and not is_bound
            group by exchange, symbol, timeframe, state) as explained
      group by exchange, symbol, timeframe`;
    return new Map(rows.map(({ exchange, symbol, timeframe, reasons }) => [
      seriesName({ exchange, symbol, timeframe: parseTimeframe(timeframe) }),
      reasons,
    ]));
  });
}

/**
 * Says that these gaps of one series are being asked for just now, or (`isAsking` false) that this came to nothing.
 */
export async function markRefetching(
  { sql }: Database,
  series: Series,
  { sincesMs, isAsking }: { readonly sincesMs: readonly number[]; readonly isAsking: boolean },
): Promise<void> {
  const [from, to] = isAsking ? ["suspected", "refetching"] : ["refetching", "suspected"];
  await attempt(`mark gaps of ${seriesName(series)} as ${to}`, async () => {
    await sql`
      update gaps set state = ${to}
      where exchange = ${series.exchange} and symbol = ${series.symbol}
        and timeframe = ${series.timeframe.text} and state = ${from}
        and since = any (select to_timestamp(ms / 1000.0)
                         from unnest(${plainArray(sincesMs)}::float8[]) as ms)`;
  });
}

/** A span of one series whose reason follows from its bounds. */
interface BoundGap extends BoundSpan {
  readonly series: Series;
  /** Candles that would open in the span. */
  readonly missing: number;
}

/**
 * Replaces the spans of these series that follow from their bounds, and gives open gaps that the exchange can no
 * longer be asked for the reason `retention`.
 */
export async function writeBoundGaps(
  { sql }: Database,
  bounds: readonly {
    readonly series: Series;
    /** The exchange gives nothing older. Milliseconds; −Infinity where that is not known. */
    readonly reachFromMs: number;
  }[],
  gaps: readonly BoundGap[],
): Promise<void> {
  await attempt("write what follows from the bounds of the series", async () => {
    await sql`
      with series as (
        select exchange, symbol, timeframe, to_timestamp(reach_ms / 1000.0) as reach_from
        from unnest(${textArray(bounds.map(({ series }) => series.exchange))}::text[],
                    ${textArray(bounds.map(({ series }) => series.symbol))}::text[],
                    ${textArray(bounds.map(({ series }) => series.timeframe.text))}::text[],
                    ${plainArray(bounds.map(({ reachFromMs }) => reachFromMs))}::float8[])
          as row (exchange, symbol, timeframe, reach_ms)
      ),
      bound as (
        select exchange, symbol, timeframe, to_timestamp(since_ms / 1000.0) as since,
               to_timestamp(until_ms / 1000.0) as until, state, missing
        from unnest(${textArray(gaps.map(({ series }) => series.exchange))}::text[],
                    ${textArray(gaps.map(({ series }) => series.symbol))}::text[],
                    ${textArray(gaps.map(({ series }) => series.timeframe.text))}::text[],
                    ${plainArray(gaps.map(({ window }) => window.sinceMs))}::float8[],
                    ${plainArray(gaps.map(({ window }) => window.untilMs))}::float8[],
                    ${plainArray(gaps.map(({ state }) => state))}::text[],
                    ${plainArray(gaps.map(({ missing }) => missing))}::int[])
          as row (exchange, symbol, timeframe, since_ms, until_ms, state, missing)
      ),
      gone as (
        delete from gaps using series
        where gaps.is_bound and (gaps.exchange, gaps.symbol, gaps.timeframe)
              = (series.exchange, series.symbol, series.timeframe)
          and not exists (select from bound
                          where (bound.exchange, bound.symbol, bound.timeframe, bound.since)
                              = (gaps.exchange, gaps.symbol, gaps.timeframe, gaps.since))
      ),
      lost as (
        update gaps set state = 'retention' from series
        where (gaps.exchange, gaps.symbol, gaps.timeframe)
              = (series.exchange, series.symbol, series.timeframe)
          and gaps.state in ('suspected', 'refetching') and gaps.until <= series.reach_from
      )
      insert into gaps as known (exchange, symbol, timeframe, since, until, state, missing, is_bound)
      select exchange, symbol, timeframe, since, until, state, missing, true from bound
      on conflict (exchange, symbol, timeframe, since) do update
      set until = excluded.until, state = excluded.state, missing = excluded.missing, is_bound = true
      where (known.until, known.state, known.missing, known.is_bound)
            is distinct from (excluded.until, excluded.state, excluded.missing, true)`;
  });
}

const COLUMNS = `exchange, symbol, timeframe, state, missing, attempts,
  (extract(epoch from since) * 1000)::float8 as since_ms,
  (extract(epoch from until) * 1000)::float8 as until_ms,
  (extract(epoch from first_seen) * 1000)::float8 as first_seen_ms,
  (extract(epoch from last_try) * 1000)::float8 as last_try_ms,
  (extract(epoch from next_try) * 1000)::float8 as next_try_ms`;

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

function gapOf(row: GapRow): Gap {
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
  };
}

/**
 * A candle's place before and after each fresh range stand beside the candles in it; where two neighbours are more
 * than a step apart, candles are missing. `scanned` grows by what this very statement saw: a page that is
 * committed meanwhile is looked through the next time. `offset 0` has each range looked up by itself: joined, the
 * planner reads all candles for a few new ones.
 */
function scanStatement(timeframe: Timeframe, nowMs: number): string {
  const step = `interval '${stepText(timeframe)}'`;
  return `
with fresh as (
  select exchange, symbol, range
  from checkpoints, unnest(covered * tstzmultirange(tstzrange(least(first, expired_until), null)) - scanned) as range
  where timeframe = '${timeframe.text}' and least(first, expired_until) is not null
),
places as (
  select exchange, symbol, range, lower(range) - ${step} as time from fresh
  union all
  select fresh.exchange, fresh.symbol, range, candle.time
  from fresh cross join lateral (
    select time from ${candleTable(timeframe)}
    where exchange = fresh.exchange and symbol = fresh.symbol and time >= lower(range) and time < upper(range)
    offset 0
  ) as candle
  union all
  select exchange, symbol, range, upper(range) from fresh
),
neighbours as (
  select exchange, symbol, time + ${step} as since,
         lead(time) over (partition by exchange, symbol, range order by time) as until
  from places
),
found as (
  insert into gaps (exchange, symbol, timeframe, since, until, missing, first_seen, next_try)
  select exchange, symbol, '${timeframe.text}', since, until,
         (select count(*) from generate_series(since, until - interval '1 microsecond', ${step})),
         to_timestamp(${nowMs} / 1000.0), to_timestamp(${nowMs} / 1000.0)
  from neighbours where until > since
  on conflict do nothing
  returning 1
),
looked as (
  select exchange, symbol, range_agg(range) as ranges from fresh group by exchange, symbol
),
noted as (
  update checkpoints set scanned = scanned + looked.ranges
  from looked
  where checkpoints.timeframe = '${timeframe.text}' and checkpoints.exchange = looked.exchange
    and checkpoints.symbol = looked.symbol
)
select count(*)::int as found from found`;
}
