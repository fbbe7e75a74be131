-- Rollups of an archive in a schema of its own: continuous aggregates are looked up by schema and name, and TimescaleDB's
-- functions are called in the schema that they are in. What a rollup is, is asked of itself, not of the database: under
-- the Apache licence, and of a plain table, it is a view.
--
-- And no candle of a rollup is of two markets: each is read through a view that leaves out the candle in whose time a symbol
-- became another market. A continuous aggregate cannot read when listings begin.

alter table rollups add column held_name text unique;

-- Makes the view of a rollup. What is held is worked out of all candles of a symbol; where it became another market, that
-- would have prices of both, and the view leaves it out.
create function titan10_show_rollup(new_view text, held text, width interval) returns void language plpgsql as $$
begin
  execute format($ddl$
    create view %I as
    select time, exchange, symbol, open, high, low, close, volume, candles, complete
    from %I as candle
    where not exists (
      select from listings as change
      where change.exchange = candle.exchange and change.symbol = candle.symbol and change.noticed_at is not null
        and change.since > candle.time and change.since < candle.time + %L::interval)$ddl$, new_view, held, width);
end
$$;

-- What is held is a continuous aggregate where there may be one, a view elsewhere.
create or replace function titan10_add_rollup(
  new_timeframe text, new_view text, new_source text, new_base text, width interval, candles_max int
) returns void language plpgsql as $$
declare
  base_relation text := (select table_name from timeframes where timeframe = new_base);
  source_held text := (select held_name from rollups where timeframe = new_source);
  new_held text := 'titan10_rollup_' || new_timeframe;
  candle_count text := case when new_source is null then 'count(*)' else 'sum(candles)::bigint' end;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_rollups', 0));
  if exists (select from rollups where timeframe = new_timeframe) then
    return;
  end if;
  if titan10_may_compress() and titan10_is_hypertable(base_relation)
     and coalesce(titan10_is_aggregate(source_held), true) then
    execute format($ddl$
      create materialized view %1$I with (timescaledb.continuous, timescaledb.materialized_only = false) as
      select %6$s.time_bucket(%2$L::interval, time) as time, exchange, symbol,
             %6$s.first(open, time) as open, max(high) as high, min(low) as low, %6$s.last(close, time) as close,
             sum(volume) as volume, %3$s as candles, %3$s = %4$s as complete
      from %5$I
      group by %6$s.time_bucket(%2$L::interval, time), exchange, symbol
      with no data$ddl$, new_held, width, candle_count, candles_max, coalesce(source_held, base_relation),
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
      new_held, width, candles_max, base_relation);
  end if;
  perform titan10_show_rollup(new_view, new_held, width);
  insert into rollups (timeframe, view_name, source, base_timeframe, held_name)
  values (new_timeframe, new_view, new_source, new_base, new_held);
end
$$;

create or replace function titan10_drop_rollup(old_timeframe text) returns void language plpgsql as $$
declare
  old rollups;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_rollups', 0));
  delete from rollups where timeframe = old_timeframe returning * into old;
  if old.timeframe is null then
    return;
  end if;
  execute format('drop view if exists %I', old.view_name);
  execute format('drop %s if exists %I',
                 case when titan10_is_aggregate(old.held_name) then 'materialized view' else 'view' end, old.held_name);
end
$$;

drop function titan10_refresh_rollup_every(text, interval, interval, interval);

create function titan10_refresh_rollup_every(
  held text, since interval, until interval, every interval
) returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_rollups', 0));
  if not titan10_is_aggregate(held) then
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
      and rollup.view_schema = current_schema() and rollup.view_name = held
  ) then
    return;
  end if;
  execute format('select %s.add_continuous_aggregate_policy(%L::regclass, start_offset => %L::interval, '
                 'end_offset => %L::interval, schedule_interval => %L::interval)',
                 titan10_timescale(), format('%I', held), since, until, every);
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
  where base_timeframe = wanted_timeframe and not titan10_is_aggregate(held_name);
  if lacking is not null or not exists (select from rollups where base_timeframe = wanted_timeframe) then
    return lacking;
  end if;
  for rollup in
    select rollups.view_name,
           format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) as held
    from rollups join timescaledb_information.continuous_aggregates as aggregate on aggregate.view_name = rollups.held_name
    where base_timeframe = wanted_timeframe and aggregate.view_schema = current_schema()
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

-- The rollups there are: what they hold is kept.
update rollups set held_name = 'titan10_rollup_' || timeframe;

do $$
declare
  rollup rollups;
  granted record;
begin
  for rollup in select * from rollups loop
    execute format('alter %s %I rename to %I',
                   case when titan10_is_aggregate(rollup.view_name) then 'materialized view' else 'view' end,
                   rollup.view_name, rollup.held_name);
    perform titan10_show_rollup(rollup.view_name, rollup.held_name, titan10_step(rollup.timeframe));
    -- Who might read the rollup by its name still may.
    for granted in
      select acl.* from pg_class, aclexplode(relacl) as acl
      where pg_class.oid = format('%I', rollup.held_name)::regclass and acl.grantee <> relowner
    loop
      execute format('grant %s on %I to %s%s', granted.privilege_type, rollup.view_name,
                     case granted.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(granted.grantee)) end,
                     case when granted.is_grantable then ' with grant option' else '' end);
    end loop;
  end loop;
end
$$;

alter table rollups alter column held_name set not null;

comment on column rollups.held_name is 'What the view reads: a continuous aggregate, or a view of the candles.';
