/** The statement that stores a page. @module */
import type { Window } from "../market/window.ts";
import { pageRows, REJECTED, REPLACED_VALUES, valuesOf } from "./candle_columns.ts";
import { ADDED_TIMES, fillGaps } from "./filled_gaps.ts";
import { mayWrite, newStamp, setStamp } from "./lease_stamp.ts";
import { columns } from "./parameters.ts";

export const UNSETTLED = columns<Window>({
  since_ms: ["float8", ({ sinceMs }) => sinceMs],
  until_ms: ["float8", ({ untilMs }) => untilMs],
});

/** What the statement returns. */
export interface WrittenRow {
  readonly number: string;
  readonly added: string;
  readonly revised: string;
  readonly revised_from: Date | null;
  readonly added_from: Date | null;
  readonly streamed_answered: string;
  readonly streamed_revised: string;
  readonly streamed_withdrawn: string;
  readonly last: Date | null;
  readonly unproved_from: Date | null;
}

const statements = new Map<string, string>();

/** The open times of the page's first and last candle. */
export const FIRST_TIME = "to_timestamp(($4::float8[])[1] / 1000.0)";
export const LAST_TIME = "to_timestamp(($4::float8[])[cardinality($4::float8[])] / 1000.0)";

/**
 * A page of new candles is inserted without `on conflict`, which makes each row cost half as much again, and without
 * `returning`, which costs a tenth. Its counts come from the parameters. The statement reads nothing from the table
 * that it writes to: a statement that reads a TimescaleDB chunk and then writes to it deadlocks with the compression of
 * that chunk.
 *
 * Writing to a compressed chunk decompresses the rows it touches. TimescaleDB limits how many, so that a careless
 * statement cannot decompress a whole table. A page has a bounded number of rows, so the limit is lifted here. It is
 * set inside the statement, to save a second round trip; `true` limits it to the transaction. The page's rows select
 * from it, so it takes effect before they are written. On plain PostgreSQL the setting has no effect.
 *
 * A page of an older lease is refused before its candles are looked at: what it would revise need not be asked for again.
 */
export function pageStatement(table: string, isNew: boolean): string {
  const key = `${table} ${isNew}`;
  const known = statements.get(key);
  if (known !== undefined) return known;
  const text = `
with unlimited as materialized (
  select set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true),
         set_config('lock_timeout', $16::text, true),
         coalesce((select ${isNew ? STREAMED : `case when ${mayWrite(22)} then ${STREAMED} end`}
                   from checkpoints as known
                   where exchange = $1::text and symbol = $2::text and timeframe = $3::text
                   ${isNew ? "" : "for update"}), '{}') as streamed
),
answered as (
  select count(*) as candles, coalesce(range_agg(tstzrange(time, time + titan10_step($3::text))), '{}') as times
  from unlimited, unnest($4::float8[]) as ms, to_timestamp(ms / 1000.0) as time
  where not isempty(streamed) and streamed @> time
),
numbered as materialized (select nextval('page_numbers') as number, $19::bigint as known),
page as (${pageRows(4, "from unlimited")}),
written as (
  insert into ${table} as stored (time, exchange, symbol, open, high, low, close, volume)
  select time, $1::text, $2::text, open, high, low, close, volume from page
  ${isNew ? "" : UPSERT}
),
tally as (
  ${isNew ? INSERTED : UPSERTED}
),
refused as (
  insert into rejected_candles as known (exchange, symbol, timeframe, answered, reason, time)
  select $1::text, $2::text, $3::text, answered, reason, to_timestamp(time_ms / 1000.0)
  from ${REJECTED.rows(13)}
  where (time_ms is not null and (reason <> 'time_not_aligned' or ${IS_SHIFTED})) or ${HAS_ROOM}
  on conflict (exchange, symbol, timeframe, answered) do update
  set times = known.times + 1, last_seen = now(), import_id = null
),
remembered as (
  insert into recent_pages (exchange, symbol, timeframe, number, first_time, last_time)
  select $1::text, $2::text, $3::text, number, ${FIRST_TIME}, ${LAST_TIME}
  from numbered where cardinality($4::float8[]) > 0
),
-- The newest time of which the answer tells. An exchange in trouble may answer with nothing, or with too little.
heard as (
  select greatest(${LAST_TIME}, to_timestamp(max(time_ms) / 1000.0)) + titan10_step($3::text) as until
  from ${REJECTED.rows(13)} where reason is distinct from 'time_not_aligned'
),
forgotten as (
  delete from recent_pages as page using numbered
  where page.exchange = $1::text and page.symbol = $2::text and page.timeframe = $3::text
    and page.number < numbered.number - 100000
)
${LEDGER}`;
  statements.set(key, text);
  return text;
}

/** So many rows are kept of a series that explain no missing candle: more of them, each time others, would fill the disk. */
const UNPLACED_ROWS_MAX = 100;

/** A page that answers by misaligned rows alone: all of them are shifted alike, and each explains a candle. */
const IS_SHIFTED = `($10::float8 is not null and cardinality($4::float8[]) = 0
   and not exists (select from ${REJECTED.rows(13)} where reason <> 'time_not_aligned'))`;

const HAS_ROOM = `(select count(*) < ${UNPLACED_ROWS_MAX}
   from (select from rejected_candles as other
         where (other.exchange, other.symbol, other.timeframe) = ($1::text, $2::text, $3::text)
           and (other.time is null or other.reason = 'time_not_aligned')
         limit ${UNPLACED_ROWS_MAX}) as unplaced)`;

/** `xmax` is zero in a row that this statement inserted. In a row that it updated, it is this transaction's id. */
const UPSERT = `on conflict (exchange, symbol, time) do update
  set ${REPLACED_VALUES}
  where case when (${valuesOf("stored")}) is distinct from (${valuesOf("excluded")})
             then titan10_may_revise($1::text, $2::text, $3::text, stored.time, $19::bigint) else false end
  returning (xmax = 0) as added, stored.time`;

const STREAMED = "streamed * unsettled";

/** A stream had brought it, and no answer had told of it. */
const WAS_STREAMED = "(select streamed from unlimited) @> time";

const UPSERTED =
  `select count(*) filter (where added) as added, count(*) filter (where not added) as revised,
         min(time) as first, max(time) as last,
         min(time) filter (where not added and not ${WAS_STREAMED}) as revised_from,
         min(time) filter (where added) as added_from,
         count(*) filter (where not added and ${WAS_STREAMED}) as streamed_revised,
         ${ADDED_TIMES}
  from written`;

/** The counts of the whole page, whose candles are ascending. */
const INSERTED = `select cardinality($4::float8[]) as added, 0 as revised, ${FIRST_TIME} as first,
         ${LAST_TIME} as last, null::timestamptz as revised_from, null::timestamptz as added_from,
         0 as streamed_revised, $4::float8[] as added_ms`;

/** What the answer covers. */
const PROVED = `(excluded.covered - titan10_unproved(known.unsettled,
                                      greatest((select until from heard), upper(known.covered), to_timestamp($21::float8 / 1000.0))))`;

/** Enters the page into the row of its series, and says what it was worth. */
const LEDGER = `
insert into checkpoints as known
  (exchange, symbol, timeframe, covered, candles, first, last, reach_from, unsettled, epoch, holder)
select $1::text, $2::text, $3::text,
       case when $10::float8 is null then '{}'::tstzmultirange
            else tstzmultirange(tstzrange(to_timestamp($10::float8 / 1000.0), to_timestamp($11::float8 / 1000.0)))
       end,
       added, first, last, to_timestamp($12::float8 / 1000.0),
       (select coalesce(range_agg(tstzrange(to_timestamp(since_ms / 1000.0), to_timestamp(until_ms / 1000.0))), '{}')
        from ${UNSETTLED.rows(17)}),
       ${newStamp(22)}
from tally
where titan10_is_archived($1::text, $2::text, $3::text, $20::text)
on conflict (exchange, symbol, timeframe) do update
set covered = known.covered + ${PROVED},
    -- Candles that were not final, and that this answer covers without confirming them, are taken back.
    (candles, first, last) = (
      select known.candles + excluded.candles - gone.candles,
             case when gone.candles = 0 then least(known.first, excluded.first) else least(gone.first, excluded.first) end,
             case when gone.candles = 0 then greatest(known.last, excluded.last) else greatest(gone.last, excluded.last) end
      from titan10_take_back($1::text, $2::text, $3::text,
                             known.unsettled * ${PROVED} - known.covered, $4::float8[],
                             $19::bigint) as gone
    ),
    reach_from = coalesce(excluded.reach_from, known.reach_from),
    unsettled = (known.unsettled + excluded.unsettled) - (known.covered + ${PROVED}),
    streamed = (known.streamed - (select times from answered)) * known.unsettled - (known.covered + ${PROVED}),
    last_error = null,
    ${setStamp(22)}
-- The newest row, also where another page was stored while this one waited for it.
where ${mayWrite(22)} and titan10_is_market($1::text, $2::text, $20::text)
returning last, (select added from tally) as added, (select revised from tally) as revised,
          (select revised_from from tally) as revised_from, (select added_from from tally) as added_from,
          (select candles from answered) as streamed_answered,
          (select streamed_revised from tally) as streamed_revised,
          (select coalesce(sum(titan10_candles($3::text, lower(range), upper(range))), 0)
           from unnest((select streamed from unlimited) - unsettled - (select times from answered)) as range)
            as streamed_withdrawn,
          (select number from numbered) as number,
          case when $10::float8 is not null
               then lower(tstzmultirange(tstzrange(to_timestamp($10::float8 / 1000.0),
                                                   to_timestamp($11::float8 / 1000.0))) - covered) end as unproved_from,
          ${fillGaps("added_ms", "from tally")}`;
