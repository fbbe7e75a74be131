-- Rollups of an archive in a schema of its own: continuous aggregates are looked up by schema and name, and TimescaleDB's
-- functions are called in the schema that they are in. What a rollup is, is asked of itself, not of the database: under
-- the Apache licence, and of a plain table, it is a view.

-- A continuous aggregate where there may be one, a view elsewhere.
create or replace function titan10_add_rollup(
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
  if titan10_may_compress() and titan10_is_hypertable((select table_name from timeframes where timeframe = new_base))
     and coalesce(titan10_is_aggregate((select view_name from rollups where timeframe = new_source)), true) then
    execute format($ddl$
      create materialized view %1$I with (timescaledb.continuous, timescaledb.materialized_only = false) as
      select %6$s.time_bucket(%2$L::interval, time) as time, exchange, symbol,
             %6$s.first(open, time) as open, max(high) as high, min(low) as low, %6$s.last(close, time) as close,
             sum(volume) as volume, %3$s as candles, %3$s = %4$s as complete
      from %5$I
      group by %6$s.time_bucket(%2$L::interval, time), exchange, symbol
      with no data$ddl$, new_view, width, candle_count, candles_max, source_relation,
      titan10_timescale());
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

create or replace function titan10_drop_rollup(old_timeframe text) returns void language plpgsql as $$
declare
  old_view text;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_rollups', 0));
  delete from rollups where timeframe = old_timeframe returning view_name into old_view;
  if old_view is null then
    return;
  end if;
  execute format('drop %s if exists %I',
                 case when titan10_is_aggregate(old_view) then 'materialized view' else 'view' end, old_view);
end
$$;

create or replace function titan10_refresh_rollup_every(
  rollup_view text, since interval, until interval, every interval
) returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_rollups', 0));
  if not titan10_is_aggregate(rollup_view) then
    return;
  end if;
  -- Of a rollup that is built from a rollup `if_not_exists` takes the same policy for a second one, and refuses it.
  -- Versions of TimescaleDB name the view or what holds its data.
  if exists (
    select from timescaledb_information.jobs as job join timescaledb_information.continuous_aggregates as rollup
      on (job.hypertable_schema, job.hypertable_name)
         in ((rollup.view_schema, rollup.view_name),
             (rollup.materialization_hypertable_schema, rollup.materialization_hypertable_name))
    where job.proc_name = 'policy_refresh_continuous_aggregate'
      and rollup.view_schema = current_schema() and rollup.view_name = rollup_view
  ) then
    return;
  end if;
  execute format('select %s.add_continuous_aggregate_policy(%L::regclass, start_offset => %L::interval, '
                 'end_offset => %L::interval, schedule_interval => %L::interval)',
                 titan10_timescale(), format('%I', rollup_view), since, until, every);
end
$$;

create or replace function titan10_lacking_rollup(wanted_timeframe text, since timestamptz, until timestamptz)
returns text language plpgsql stable as $$
declare
  base_table text := (select table_name from timeframes where timeframe = wanted_timeframe);
  rollup record;
  lacking text;
  is_lacking boolean;
begin
  -- A view holds nothing.
  select min(view_name) into lacking from rollups
  where base_timeframe = wanted_timeframe and not titan10_is_aggregate(view_name);
  if lacking is not null or not exists (select from rollups where base_timeframe = wanted_timeframe) then
    return lacking;
  end if;
  for rollup in
    select view_name, format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) as held
    from rollups join timescaledb_information.continuous_aggregates using (view_name)
    where base_timeframe = wanted_timeframe and view_schema = current_schema()
  loop
    execute format($check$
      select exists (
        select exchange, symbol, count(*), sum(volume), max(high), min(low), %3$s.first(open, time), %3$s.last(close, time)
        from %1$I where time >= $1 and time < $2 group by exchange, symbol
        except
        select exchange, symbol, sum(candles), sum(volume), max(high), min(low), %3$s.first(open, time), %3$s.last(close, time)
        from %2$s where time >= $1 and time < $2 group by exchange, symbol
      )$check$, base_table, rollup.held, titan10_timescale()) into is_lacking using since, until;
    if is_lacking then
      return rollup.view_name;
    end if;
  end loop;
  return null;
end
$$;
