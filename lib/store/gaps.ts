/** Gaps: found in SQL from coverage and candles, asked for again, and given a reason. @module */
import type { GapState } from "../market/gap.ts";
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { candleTable, stepText } from "./candle_table.ts";
import type { Database } from "./database.ts";
import { attempt } from "./store_error.ts";

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
 * series' first candle is no hole: it lies before the listing.
 *
 * @returns how many holes were found.
 */
export async function scanGaps({ sql }: Database, timeframe: Timeframe): Promise<number> {
  return await attempt(`look for gaps of ${timeframe.text}`, async () => {
    const [row] = await sql.unsafe<{ found: number }[]>(
      scanStatement(timeframe),
      [timeframe.text],
      {
        prepare: true,
      },
    );
    return row?.found ?? 0;
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
       where exchange = $1 and state = 'suspected' and next_try <= to_timestamp($2::float8 / 1000.0)
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

/** Candles that are missing for a reason, by series. */
export async function readExplained({ sql }: Database): Promise<ReadonlyMap<string, number>> {
  return await attempt("read what is explained", async () => {
    const rows = await sql<
      { exchange: string; symbol: string; timeframe: string; missing: number }[]
    >`
      select exchange, symbol, timeframe, sum(missing)::int as missing from gaps
      where state not in ('suspected', 'filled') group by exchange, symbol, timeframe`;
    return new Map(rows.map(({ exchange, symbol, timeframe, missing }) => [
      seriesName({ exchange, symbol, timeframe: parseTimeframe(timeframe) }),
      missing,
    ]));
  });
}

/**
 * Notes an ask for a gap: counts what is missing now, closes the gap when that is nothing, and gives it a reason
 * when the exchange has answered for it and that `isConclusive`:
 *
 * - `rejected`: rows came for all that is missing, and failed the checks;
 * - `exchange_outage`: no series of the exchange has a candle then, and at least two others were answered for;
 * - `no_trades` otherwise: the exchange answered, others traded, this one did not.
 *
 * @returns the gap's state afterwards.
 */
export async function noteGapAsked(
  { sql }: Database,
  { series, window }: Pick<Gap, "series" | "window">,
  { nowMs, nextTryMs, isAnswered, isConclusive }: {
    readonly nowMs: number;
    readonly nextTryMs: number;
    readonly isAnswered: boolean;
    readonly isConclusive: boolean;
  },
): Promise<GapState> {
  return await attempt(`note an ask for a gap of ${seriesName(series)}`, async () => {
    const [row] = await sql.unsafe<{ state: GapState }[]>(noteStatement(series.timeframe), [
      series.exchange,
      series.symbol,
      series.timeframe.text,
      window.sinceMs,
      nowMs,
      nextTryMs,
      isAnswered && isConclusive,
      isAnswered ? 1 : 0,
    ], { prepare: true });
    return row?.state ?? "suspected";
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
 * committed meanwhile is looked through the next time.
 */
function scanStatement(timeframe: Timeframe): string {
  const step = `interval '${stepText(timeframe)}'`;
  return `
with fresh as (
  select exchange, symbol, range
  from checkpoints, unnest(covered * tstzmultirange(tstzrange(first, null)) - scanned) as range
  where timeframe = $1::text and first is not null
),
places as (
  select exchange, symbol, range, lower(range) - ${step} as time from fresh
  union all
  select fresh.exchange, fresh.symbol, range, candle.time
  from fresh join ${candleTable(timeframe)} as candle
    on candle.exchange = fresh.exchange and candle.symbol = fresh.symbol
   and candle.time >= lower(range) and candle.time < upper(range)
  union all
  select exchange, symbol, range, upper(range) from fresh
),
neighbours as (
  select exchange, symbol, time + ${step} as since,
         lead(time) over (partition by exchange, symbol, range order by time) as until
  from places
),
found as (
  insert into gaps (exchange, symbol, timeframe, since, until, missing)
  select exchange, symbol, $1::text, since, until,
         (select count(*) from generate_series(since, until - interval '1 microsecond', ${step}))
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
  where checkpoints.timeframe = $1::text and checkpoints.exchange = looked.exchange
    and checkpoints.symbol = looked.symbol
)
select count(*)::int as found from found`;
}

function noteStatement(timeframe: Timeframe): string {
  const table = candleTable(timeframe);
  return `
with gap as (
  select * from gaps
  where exchange = $1::text and symbol = $2::text and timeframe = $3::text
    and since = to_timestamp($4::float8 / 1000.0)
),
facts as (
  select (select count(*) from generate_series(gap.since, gap.until - interval '1 microsecond',
                                               interval '${stepText(timeframe)}'))
         - (select count(*) from ${table} as candle
            where candle.exchange = gap.exchange and candle.symbol = gap.symbol
              and candle.time >= gap.since and candle.time < gap.until) as missing,
         (select count(distinct time) from rejected_candles as refused
          where refused.exchange = gap.exchange and refused.symbol = gap.symbol
            and refused.timeframe = gap.timeframe
            and refused.time >= gap.since and refused.time < gap.until) as refused,
         (select count(*) from checkpoints as other
          where other.exchange = gap.exchange and other.timeframe = gap.timeframe
            and other.symbol <> gap.symbol and other.first < gap.since
            and other.covered @> tstzrange(gap.since, gap.until)) as others,
         exists (select from checkpoints as other join ${table} as candle
                   on candle.exchange = other.exchange and candle.symbol = other.symbol
                 where other.exchange = gap.exchange and other.timeframe = gap.timeframe
                   and candle.time >= gap.since and candle.time < gap.until) as traded
  from gap
)
update gaps
set missing = facts.missing,
    attempts = gaps.attempts + $8::int,
    last_try = to_timestamp($5::float8 / 1000.0),
    next_try = to_timestamp($6::float8 / 1000.0),
    state = case
      when facts.missing = 0 then 'filled'
      when not $7::boolean then 'suspected'
      when facts.refused >= facts.missing then 'rejected'
      when not facts.traded and facts.others >= 2 then 'exchange_outage'
      else 'no_trades'
    end
from facts
where gaps.exchange = $1::text and gaps.symbol = $2::text and gaps.timeframe = $3::text
  and gaps.since = to_timestamp($4::float8 / 1000.0)
returning gaps.state`;
}
