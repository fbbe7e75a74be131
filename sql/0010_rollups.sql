-- Coarser candles that are worked out from the stored ones and say how complete they are; and retention, which may
-- drop candles only after every rollup built from them holds what they say.

alter table timeframes
  add column expired_from  timestamptz,
  add column expired_until timestamptz,
  add constraint expired_is_a_range check ((expired_from is null) = (expired_until is null));

comment on column timeframes.expired_from is 'Where the time that RETENTION has dropped began.';
comment on column timeframes.expired_until is
  'RETENTION has dropped all candles before. Rollups of that time hold what is known of it: they are not refreshed.';

alter table checkpoints add column expired_until timestamptz;

comment on column checkpoints.expired_until is
  'RETENTION has dropped what this series had before: neither owed nor missing. Null while it has dropped nothing.';

create table rollups (
  timeframe      text primary key,
  view_name      text not null unique,
  -- The rollup that this one is built from; null where that is the candles of the base.
  source         text references rollups (timeframe),
  base_timeframe text not null references timeframes (timeframe)
);

comment on table rollups is 'The rollups there are, and what each is built from.';

-- Makes a rollup, unless it is there: a continuous aggregate where TimescaleDB is, without data yet and with what is not
-- materialized worked out when asked; a view elsewhere. The view always reads the candles: aggregates of aggregates
-- would be worked out anew with every query.
create function titan10_add_rollup(
  new_timeframe text, new_view text, new_source text, new_base text, width interval, candles_max int
) returns void language plpgsql as $$
declare
  source_relation text := coalesce((select view_name from rollups where timeframe = new_source),
                                   (select table_name from timeframes where timeframe = new_base));
  candle_count text := case when new_source is null then 'count(*)' else 'sum(candles)::bigint' end;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_rollups', 0));
  if exists (select from rollups where timeframe = new_timeframe) then
    return;
  end if;
  if exists (select from pg_extension where extname = 'timescaledb') then
    execute format($ddl$
      create materialized view %1$I with (timescaledb.continuous, timescaledb.materialized_only = false) as
      select time_bucket(%2$L::interval, time) as time, exchange, symbol,
             first(open, time) as open, max(high) as high, min(low) as low, last(close, time) as close,
             sum(volume) as volume, %3$s as candles, %3$s = %4$s as complete
      from %5$I
      group by time_bucket(%2$L::interval, time), exchange, symbol
      with no data$ddl$, new_view, width, candle_count, candles_max, source_relation);
  else
    execute format($ddl$
      create view %1$I as
      select date_bin(%2$L::interval, time, '1970-01-01T00:00:00Z') as time, exchange, symbol,
             (array_agg(open order by time))[1] as open, max(high) as high, min(low) as low,
             (array_agg(close order by time desc))[1] as close,
             sum(volume) as volume, count(*) as candles, count(*) = %3$s as complete
      from %4$I
      group by date_bin(%2$L::interval, time, '1970-01-01T00:00:00Z'), exchange, symbol$ddl$,
      new_view, width, candles_max, (select table_name from timeframes where timeframe = new_base));
  end if;
  insert into rollups values (new_timeframe, new_view, new_source, new_base);
end
$$;

create function titan10_drop_rollup(old_timeframe text) returns void language plpgsql as $$
declare
  old_view text;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_rollups', 0));
  delete from rollups where timeframe = old_timeframe returning view_name into old_view;
  if old_view is null then
    return;
  end if;
  execute format('drop %s if exists %I',
                 case when exists (select from pg_extension where extname = 'timescaledb')
                      then 'materialized view' else 'view' end, old_view);
end
$$;

-- Has TimescaleDB materialize what is younger than `since` and older than `until` every so often. Needs TimescaleDB.
create function titan10_refresh_rollup_every(
  rollup_view text, since interval, until interval, every interval
) returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_rollups', 0));
  -- Of a rollup that is built from a rollup `if_not_exists` takes the same policy for a second one, and refuses it.
  if exists (
    select from timescaledb_information.jobs as job join timescaledb_information.continuous_aggregates as rollup
      on job.hypertable_name in (rollup.view_name, rollup.materialization_hypertable_name)
    where job.proc_name = 'policy_refresh_continuous_aggregate' and rollup.view_name = rollup_view
  ) then
    return;
  end if;
  perform add_continuous_aggregate_policy(format('%I', rollup_view)::regclass, start_offset => since, end_offset => until,
                                          schedule_interval => every);
end
$$;

-- Which rollup lacks something of the candles in a range, or null. Only what is materialized counts: what a query works
-- out from the candles goes with them. Of each series everything a rollup says is compared.
create function titan10_lacking_rollup(wanted_timeframe text, since timestamptz, until timestamptz)
returns text language plpgsql stable as $$
declare
  base_table text := (select table_name from timeframes where timeframe = wanted_timeframe);
  rollup record;
  is_lacking boolean;
begin
  if not exists (select from pg_extension where extname = 'timescaledb') then
    return (select min(view_name) from rollups where base_timeframe = wanted_timeframe);
  end if;
  for rollup in
    select view_name, format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) as held
    from rollups left join timescaledb_information.continuous_aggregates using (view_name)
    where base_timeframe = wanted_timeframe
  loop
    execute format($check$
      select exists (
        select exchange, symbol, count(*), sum(volume), max(high), min(low), first(open, time), last(close, time)
        from %I where time >= $1 and time < $2 group by exchange, symbol
        except
        select exchange, symbol, sum(candles), sum(volume), max(high), min(low), first(open, time), last(close, time)
        from %s where time >= $1 and time < $2 group by exchange, symbol
      )$check$, base_table, rollup.held) into is_lacking using since, until;
    if is_lacking then
      return rollup.view_name;
    end if;
  end loop;
  return null;
end
$$;

-- Drops the candles of a timeframe before `until`, the end of a chunk, and all that the ledger says of them, at once.
-- Nothing is dropped while a rollup lacks something: `lacking` names it then.
create function titan10_expire(wanted_timeframe text, until timestamptz)
returns table (dropped bigint, lacking text) language plpgsql as $$
declare
  candle_table text;
  known_until timestamptz;
begin
  dropped := 0;
  select table_name, expired_until into candle_table, known_until from timeframes where timeframe = wanted_timeframe;
  -- Whoever writes a page locks the table before the ledger: so does this, and neither waits for the other in a circle.
  execute format('lock table %I in share row exclusive mode', candle_table);
  -- What was dropped once and came again, such as the neighbour of a gap, is in the rollups already.
  lacking := titan10_lacking_rollup(wanted_timeframe, coalesce(known_until, '-infinity'), until);
  if lacking is not null then
    return next;
    return;
  end if;

  update timeframes
  set expired_from = coalesce(expired_from, (select min(least(c.first, lower(c.covered))) from checkpoints as c
                                             where c.timeframe = wanted_timeframe), until),
      expired_until = greatest(expired_until, until)
  where timeframe = wanted_timeframe;
  execute format($ledger$
    with gone as (
      select exchange, symbol, count(*) as candles from %1$I where time < $2 group by exchange, symbol
    ),
    cut as (
      update checkpoints as series
      set candles = series.candles - coalesce(gone.candles, 0),
          first = (select min(time) from %1$I as kept
                   where kept.exchange = series.exchange and kept.symbol = series.symbol and kept.time >= $2),
          last = case when series.last >= $2 then series.last end,
          covered = series.covered * tstzmultirange(tstzrange($2, null)),
          scanned = series.scanned * tstzmultirange(tstzrange($2, null)),
          expired_until = $2
      from checkpoints as known left join gone using (exchange, symbol)
      where (known.exchange, known.symbol, known.timeframe) = (series.exchange, series.symbol, series.timeframe)
        and series.timeframe = $1 and least(series.first, lower(series.covered)) < $2
      returning gone.candles
    )
    select coalesce(sum(candles), 0) from cut
  $ledger$, candle_table) into dropped using wanted_timeframe, until;
  delete from gaps where timeframe = wanted_timeframe and gaps.until <= titan10_expire.until;
  execute format($gap$
    update gaps as gap
    set since = $2,
        missing = (select count(*) from titan10_open_times($1, $2, gap.until) as slot (time)
                   where not exists (select from %1$I as candle
                                     where candle.exchange = gap.exchange and candle.symbol = gap.symbol
                                       and candle.time = slot.time))
    where gap.timeframe = $1 and gap.since < $2
      and not exists (select from gaps as other where other.since = $2
                        and (other.exchange, other.symbol, other.timeframe)
                            = (gap.exchange, gap.symbol, gap.timeframe))
  $gap$, candle_table) using wanted_timeframe, until;

  if exists (select from pg_extension where extname = 'timescaledb') then
    perform drop_chunks(format('%I', candle_table)::regclass, older_than => until);
  end if;
  execute format('delete from %I where time < $1', candle_table) using until;
  return next;
end
$$;

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
    with told as (
      select slot.time, slot.n,
             case
               when candle.time is not null then 'stored'
               when gap.state is not null then gap.state
               when series.covered @> slot.time then 'suspected'
               when slot.time < series.expired_until then 'expired'
               else 'owed'
             end as state
      from titan10_open_times($1, $4, $5) with ordinality as slot (time, n)
      left join %I as candle
        on candle.exchange = $2 and candle.symbol = $3 and candle.time = slot.time
      left join gaps as gap
        on gap.exchange = $2 and gap.symbol = $3 and gap.timeframe = $1 and gap.state <> 'filled'
       and slot.time >= gap.since and slot.time < gap.until
      left join checkpoints as series
        on series.exchange = $2 and series.symbol = $3 and series.timeframe = $1
    ),
    island as (
      select told.*, n - row_number() over (partition by told.state order by n) as island from told
    )
    select min(time), max(time) + titan10_step($1), island.state, count(*)
    from island group by island.state, island order by 1
  $explain$, source_table) using wanted_timeframe, wanted_exchange, wanted_symbol, since, until;
end
$$;

comment on function ohlcv_explained is
  'Every candle of a series in a range as spans: stored, owed, expired, or the state or reason of its gap.';
