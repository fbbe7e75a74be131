/** What an ask for gaps has brought: they are filled, given a reason, or stay open. @module */
import type { GapState } from "../market/gap.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { candleTable, stepText } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { plainArray } from "./parameters.ts";
import { attempt } from "./connection/store_error.ts";

/** One gap that was asked for. */
export interface GapNote {
  readonly sinceMs: number;
  readonly nextTryMs: number;
  /** Whether the exchange answered for the whole gap; else the ask counts for nothing. */
  readonly isAnswered: boolean;
  /** Whether its candles' absence may be given a reason that something else proves. */
  readonly isProvable: boolean;
  /** Whether it must be given a reason if it is still empty. */
  readonly isConclusive: boolean;
}

/**
 * Notes one ask, for all gaps of a series that lie in its window. Of each it counts what is missing now, and closes
 * it when that is nothing. A gap that was asked for and that the exchange answered for gets a reason:
 *
 * - `rejected`, when rows came for all that is missing and failed the checks;
 * - `no_trades`, when other symbols of the exchange have candles at all of those times: it was up, others traded;
 * - when it must have one: `exchange_outage` where no symbol of the exchange has a candle and at least two others
 *   were answered for; else `no_trades`.
 *
 * A gap of several reasons is cut into one for each.
 *
 * @returns the states of the gaps that were asked for.
 */
export async function noteGapsAsked(
  database: Database,
  series: Series,
  { window, notes, nowMs }: {
    readonly window: Window;
    readonly notes: readonly GapNote[];
    readonly nowMs: number;
  },
): Promise<readonly GapState[]> {
  const { exchange, symbol, timeframe } = series;
  return await attempt(`note an ask for gaps of ${seriesName(series)}`, async () => {
    const rows = await database.sql.unsafe<NotedRow[]>(noteStatement(timeframe), [
      exchange,
      symbol,
      timeframe.text,
      window.sinceMs,
      window.untilMs,
      nowMs,
      plainArray(notes.map(({ sinceMs }) => sinceMs)),
      plainArray(notes.map(({ nextTryMs }) => nextTryMs)),
      plainArray(notes.map(({ isAnswered }) => String(isAnswered))),
      plainArray(notes.map(({ isAnswered, isProvable }) => String(isAnswered && isProvable))),
      plainArray(notes.map(({ isAnswered, isConclusive }) => String(isAnswered && isConclusive))),
    ], { prepare: true });
    const states: GapState[] = [];
    for (const { since_ms, state, is_mixed, was_asked } of rows) {
      if (is_mixed) states.push(...await cutGap(database, series, since_ms));
      else if (was_asked) states.push(state);
    }
    return states;
  });
}

interface NotedRow {
  readonly since_ms: number;
  readonly state: GapState;
  readonly is_mixed: boolean;
  readonly was_asked: boolean;
}

/** Puts one gap for each run of missing candles with the same reason in the place of one. */
async function cutGap(
  { sql }: Database,
  { exchange, symbol, timeframe }: Series,
  sinceMs: number,
): Promise<readonly GapState[]> {
  const rows = await sql.unsafe<{ state: GapState }[]>(
    cutStatement(timeframe),
    [exchange, symbol, timeframe.text, sinceMs],
    { prepare: true },
  );
  return rows.map(({ state }) => state);
}

/** Whether there is a candle, a rejected row, a candle of another symbol, at the time of a `slot` in a `gap`. */
function facts(timeframe: Timeframe): {
  readonly stored: string;
  readonly refused: string;
  readonly traded: string;
  readonly others: string;
  readonly slots: string;
} {
  const table = candleTable(timeframe);
  const step = `interval '${stepText(timeframe)}'`;
  return {
    stored: `exists (select from ${table} as candle
      where candle.exchange = gap.exchange and candle.symbol = gap.symbol and candle.time = slot.time)`,
    refused: `exists (select from rejected_candles as row
      where row.exchange = gap.exchange and row.symbol = gap.symbol and row.timeframe = gap.timeframe
        and row.time >= slot.time and row.time < slot.time + ${step} and row.import_id is null)`,
    traded: `exists (select from checkpoints as other join ${table} as candle
        on candle.exchange = other.exchange and candle.symbol = other.symbol
      where other.exchange = gap.exchange and other.timeframe = gap.timeframe
        and other.symbol <> gap.symbol and candle.time = slot.time)`,
    others: `(select count(*) from checkpoints as other
      where other.exchange = gap.exchange and other.timeframe = gap.timeframe
        and other.symbol <> gap.symbol and other.first < gap.since
        and other.covered @> tstzrange(gap.since, gap.until))`,
    slots: `generate_series(gap.since, gap.until - interval '1 microsecond', ${step})`,
  };
}

function noteStatement(timeframe: Timeframe): string {
  const { stored, refused, traded, others, slots } = facts(timeframe);
  return `
with asked as (
  select to_timestamp(since_ms / 1000.0) as since, to_timestamp(next_ms / 1000.0) as next_try,
         answered, provable, conclusive
  from unnest($7::float8[], $8::float8[], $9::boolean[], $10::boolean[], $11::boolean[])
    as row (since_ms, next_ms, answered, provable, conclusive)
),
touched as (
  select gap.*, asked.since is not null as was_asked, asked.next_try as then_try,
         coalesce(asked.answered, false) as answered, coalesce(asked.provable, false) as provable,
         coalesce(asked.conclusive, false) as conclusive
  from gaps as gap left join asked on asked.since = gap.since
  where gap.exchange = $1::text and gap.symbol = $2::text and gap.timeframe = $3::text
    and gap.since < to_timestamp($5::float8 / 1000.0) and gap.until > to_timestamp($4::float8 / 1000.0)
    and gap.state <> 'filled' and not gap.is_bound
),
counted as (
  select gap.since, gap.state, gap.was_asked, gap.then_try, gap.answered, gap.provable, gap.conclusive,
         count(*) filter (where not slot.stored) as missing,
         count(*) filter (where slot.refused) as refused,
         count(*) filter (where slot.traded) as traded,
         case when gap.conclusive then ${others} else 0 end as others
  from touched as gap
  cross join lateral (
    select seen.stored, seen.refused, not seen.stored and not seen.refused and gap.provable and ${traded} as traded
    from ${slots} as slot (time)
    cross join lateral (select ${stored} as stored) as there
    cross join lateral (select there.stored, not there.stored and gap.provable and ${refused} as refused) as seen
  ) as slot
  group by gap.exchange, gap.symbol, gap.timeframe, gap.since, gap.until, gap.state, gap.was_asked, gap.then_try,
           gap.answered, gap.provable, gap.conclusive
),
judged as (
  select counted.*,
         case
           when missing = 0 then 'filled'
           when not was_asked then state
           when provable and refused = missing then 'rejected'
           when provable and traded = missing then 'no_trades'
           when conclusive and refused + traded = 0 and others >= 2 then 'exchange_outage'
           when conclusive and refused = 0 and others < 2 then 'no_trades'
           else 'suspected'
         end as verdict,
         conclusive or (provable and refused + traded = missing) as is_due
  from counted
)
update gaps
set missing = judged.missing,
    state = judged.verdict,
    attempts = gaps.attempts + judged.answered::int,
    last_try = case when judged.was_asked then to_timestamp($6::float8 / 1000.0) else gaps.last_try end,
    next_try = coalesce(judged.then_try, gaps.next_try)
from judged
where gaps.exchange = $1::text and gaps.symbol = $2::text and gaps.timeframe = $3::text
  and gaps.since = judged.since
returning (extract(epoch from gaps.since) * 1000)::float8 as since_ms, gaps.state, judged.was_asked,
          judged.is_due and judged.verdict = 'suspected' as is_mixed`;
}

/** The gap is deleted by what the insert reads from, so that the first part may begin where it began. */
function cutStatement(timeframe: Timeframe): string {
  const { stored, refused, traded, others, slots } = facts(timeframe);
  return `
with gap as (
  delete from gaps
  where exchange = $1::text and symbol = $2::text and timeframe = $3::text
    and since = to_timestamp($4::float8 / 1000.0)
  returning *
),
reasoned as (
  select slot.time, slot.n,
         case
           when ${stored} then 'stored'
           when ${refused} then 'rejected'
           when ${traded} or gap.others < 2 then 'no_trades'
           else 'exchange_outage'
         end as state
  from (select gap.*, ${others} as others from gap) as gap
  cross join lateral ${slots} with ordinality as slot (time, n)
),
run as (
  select reasoned.*, n - row_number() over (partition by state order by n) as run from reasoned
),
part as (
  select min(time) as since, max(time) + interval '${
    stepText(timeframe)
  }' as until, state, count(*) as missing
  from run where state <> 'stored' group by state, run
)
insert into gaps (exchange, symbol, timeframe, since, until, state, missing, attempts, first_seen, last_try, next_try)
select gap.exchange, gap.symbol, gap.timeframe, part.since, part.until, part.state, part.missing, gap.attempts,
       gap.first_seen, gap.last_try, gap.next_try
from part cross join gap
returning state`;
}
