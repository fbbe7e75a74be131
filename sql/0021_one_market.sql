-- Nothing in the archive is of two markets. A page is of the market that it was asked of: if another program has found out
-- meanwhile that the symbol means another market, nothing of the page is stored, else one series would hold both. And a
-- rollup leaves out the candle in whose time a symbol became another market.

-- Whether a page that was asked of `page_market` may be stored; null where the exchange gives no id. If the newest listing
-- of the symbol is of another market, the whole statement is refused.
--
-- Volatile, so that it sees a listing that began while the statement waited for the row of the series. Whoever enters a
-- listing locks that row, too.
create function titan10_is_market(page_exchange text, page_symbol text, page_market text)
returns boolean language plpgsql volatile as $$
declare
  newest_market text;
begin
  if page_market is not null then
    select market_id into newest_market from listings
    where exchange = page_exchange and symbol = page_symbol
    order by since desc limit 1;
    if newest_market <> page_market then
      raise exception using
        errcode = 'TT002',
        message = format('%s is the market %s now, and this was asked of the market %s',
                         page_symbol, newest_market, page_market);
    end if;
  end if;
  return true;
end
$$;

-- The first open time of a candle that is not before `since`.
create function titan10_open_from(timeframe text, since timestamptz) returns timestamptz language sql stable as $$
  select min(time) from titan10_open_times(timeframe, since, since + titan10_step(timeframe)) as slot (time)
$$;

-- Ends the listing of a symbol and begins that of the market which it means now, at once: in between, a series would ask
-- the new market for the time of the old one. All series of the symbol begin anew, with their first whole candle. What is
-- stored is of the old market, also if the clock was set back: none of its time is given to the new one. Returns from when
-- on the symbol means the new market, also if another program has entered that meanwhile.
create function titan10_replace_listing(
  of_exchange text, of_symbol text, new_market text, new_symbol text, not_before timestamptz, noticed timestamptz
) returns timestamptz language plpgsql volatile as $$
declare
  old listings;
  began timestamptz;
begin
  -- Whoever stores a page of the old market has these rows, or waits for them and is refused then.
  perform from checkpoints where exchange = of_exchange and symbol = of_symbol order by timeframe for update;
  select * into old from listings where exchange = of_exchange and symbol = of_symbol order by since desc limit 1;
  if old.market_id = new_market then
    return old.since;
  end if;
  began := greatest(not_before, old.since + interval '1 ms',
                    (select max(last + titan10_step(timeframe)) from checkpoints
                     where exchange = of_exchange and symbol = of_symbol));
  update listings
  set until = coalesce(until, began), successor = coalesce(new_symbol, successor),
      why = case when new_symbol is not null then 'renamed'
                 when until is null or why = 'suspended' then 'replaced' else why end
  where exchange = of_exchange and symbol = of_symbol and since = old.since;
  insert into listings (exchange, symbol, since, market_id, noticed_at)
  values (of_exchange, of_symbol, began, new_market, noticed);
  update checkpoints set ended_at = null, ended_why = null, listed_from = titan10_open_from(timeframe, began)
  where exchange = of_exchange and symbol = of_symbol;
  return began;
end
$$;

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

create or replace function titan10_add_rollup(
  new_timeframe text, new_view text, new_source text, new_base text, width interval, candles_max int
) returns void language plpgsql as $$
declare
  base_relation text := (select table_name from timeframes where timeframe = new_base);
  source_relation text := coalesce((select held_name from rollups where timeframe = new_source), base_relation);
  candle_count text := case when new_source is null then 'count(*)' else 'sum(candles)::bigint' end;
  new_held text := 'titan10_rollup_' || new_timeframe;
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
      with no data$ddl$, new_held, width, candle_count, candles_max, source_relation);
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
                 case when exists (select from pg_extension where extname = 'timescaledb')
                      then 'materialized view' else 'view' end, old.held_name);
end
$$;

create or replace function titan10_lacking_rollup(wanted_timeframe text, since timestamptz, until timestamptz)
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
    select rollups.view_name,
           format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) as held
    from rollups left join timescaledb_information.continuous_aggregates as aggregate
      on aggregate.view_name = rollups.held_name
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

-- The rollups there are: what they hold is kept.
update rollups set held_name = 'titan10_rollup_' || timeframe;

do $$
declare
  rollup rollups;
begin
  for rollup in select * from rollups loop
    execute format('alter %s %I rename to %I',
                   case when exists (select from pg_extension where extname = 'timescaledb')
                        then 'materialized view' else 'view' end, rollup.view_name, rollup.held_name);
    perform titan10_show_rollup(rollup.view_name, rollup.held_name, titan10_step(rollup.timeframe));
  end loop;
end
$$;

alter table rollups alter column held_name set not null;

comment on column rollups.held_name is 'What the view reads: a continuous aggregate, or a view of the candles.';
