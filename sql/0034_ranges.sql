-- The history that is wanted may end: BACKFILL=1m:2021-01-01..2023-01-01. What lies between that end and the first poll is
-- wanted by nothing and owed by nobody, and every view says so. From the first poll on everything is wanted, so where polls
-- began is kept: coverage cannot tell it, because ranges are moved.

alter table checkpoints
  add column wanted_ends timestamptz,
  add column followed_from timestamptz;

comment on column checkpoints.wanted_ends is
  'The end of the history that the configuration wants. Null where it reaches to the newest candle.';
comment on column checkpoints.followed_from is
  'From here on candles are wanted whatever history is: polls began here. Infinity before the first poll. Null where no '
  'range with an end was ever asked for: then all is wanted from the beginning of coverage on.';

-- What the configuration does not ask for, of a series whose history has an end.
create function titan10_outside(series checkpoints) returns tstzmultirange language sql immutable begin atomic
  select case
    when (series).wanted_ends is null then '{}'::tstzmultirange
    else tstzmultirange(tstzrange(null, null))
      - tstzmultirange(tstzrange(least((series).wanted_since, (series).wanted_ends), (series).wanted_ends),
                       tstzrange(coalesce((series).followed_from, 'infinity'), null))
  end;
end;

comment on function titan10_outside is 'Time of a series that lies outside the configured range, and before its first poll.';

create or replace function ohlcv_explained(
  wanted_timeframe text, wanted_exchange text, wanted_symbol text, since timestamptz, until timestamptz
) returns table (span_since timestamptz, span_until timestamptz, state text, candles bigint) language plpgsql stable as $$
declare
  source_table text := (select table_name from timeframes where timeframe = wanted_timeframe);
begin
  if source_table is null then
    raise exception 'Cannot explain candles of timeframe %: there are none', quote_literal(wanted_timeframe);
  end if;
  return query execute format($explain$
    with series as materialized (
      select known.covered, known.expired_until, known.ended_at, bound.before_listing, bound.retention,
             titan10_outside(known) as outside
      from checkpoints as known
      cross join lateral titan10_bounds(known, known.wanted_since, known.wanted_until, known.kept_since) as bound
      where known.exchange = $2 and known.symbol = $3 and known.timeframe = $1
    ),
    told as (
      select slot.time, slot.n,
             case
               when candle.time is not null then 'stored'
               when gap.state is not null then gap.state
               when series.before_listing @> slot.time then 'before_listing'
               when series.retention @> slot.time then 'retention'
               when series.covered @> slot.time then 'suspected'
               when slot.time < series.expired_until then 'expired'
               when slot.time >= series.ended_at then 'ended'
               when series.outside @> slot.time then 'outside_range'
               else 'owed'
             end as state
      from titan10_open_times($1, $4, $5) with ordinality as slot (time, n)
      left join %I as candle
        on candle.exchange = $2 and candle.symbol = $3 and candle.time = slot.time
      left join gaps as gap
        on gap.exchange = $2 and gap.symbol = $3 and gap.timeframe = $1 and gap.state <> 'filled'
       and slot.time >= gap.since and slot.time < gap.until
      left join series on true
    ),
    island as (
      select told.*, n - row_number() over (partition by told.state order by n) as island from told
    )
    select min(time), max(time) + titan10_step($1), island.state, count(*)
    from island group by island.state, island order by 1
  $explain$, source_table) using wanted_timeframe, wanted_exchange, wanted_symbol, since, until;
end
$$;
