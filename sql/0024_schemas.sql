-- An archive lives in a schema of its own, the first of the search path, among others in one database: what TimescaleDB
-- knows is looked up by schema and name, and its functions are called in the schema that the extension is in, which
-- need not be on the search path. And each table decides for itself what it is: a hypertable or not, with compression
-- or, under the Apache licence, without.

-- The schema of TimescaleDB's functions, quoted; null where it cannot be used: there is none, the server does not
-- preload it, or this user may not use its schema.
create function titan10_timescale() returns text language sql stable as $$
  select quote_ident(nspname)
  from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
  where extname = 'timescaledb' and has_schema_privilege(pg_namespace.oid, 'usage')
    and exists (select from pg_settings where name = 'timescaledb.license')
$$;

-- Whether there may be compression, continuous aggregates and policies: the Apache licence has none of them.
create function titan10_may_compress() returns boolean language sql stable as $$
  select titan10_timescale() is not null and current_setting('timescaledb.license', true) = 'timescale'
$$;

create function titan10_is_hypertable(candle_table text) returns boolean language plpgsql stable as $$
begin
  -- A statement of its own: PostgreSQL would look for the view before it works out what comes first.
  if titan10_timescale() is null then
    return false;
  end if;
  return exists (select from timescaledb_information.hypertables
                 where hypertable_schema = current_schema() and hypertable_name = candle_table);
end
$$;

-- Whether a rollup is a continuous aggregate; null for null.
create function titan10_is_aggregate(rollup_view text) returns boolean language plpgsql stable strict as $$
begin
  if titan10_timescale() is null then
    return false;
  end if;
  return exists (select from timescaledb_information.continuous_aggregates
                 where view_schema = current_schema() and view_name = rollup_view);
end
$$;

-- Lets a hypertable be compressed, where that may be.
create function titan10_enable_compression(candle_table text) returns void language plpgsql as $$
begin
  if not titan10_may_compress() then
    return;
  end if;
  if exists (select from timescaledb_information.hypertables
             where hypertable_schema = current_schema() and hypertable_name = candle_table and not compression_enabled)
  then
    execute format(
      'alter table %I set (timescaledb.compress, timescaledb.compress_segmentby = %L, timescaledb.compress_orderby = %L)',
      candle_table, 'exchange, symbol', 'time desc');
  end if;
end
$$;

-- A hypertable where TimescaleDB can be used, a plain table elsewhere.
create or replace function titan10_add_timeframe(
  new_timeframe text, new_table text, new_chunk interval, step interval, anchor timestamptz
) returns void language plpgsql as $$
declare
  aligned text := case
    when step is null then $check$date_trunc('month', time at time zone 'UTC') = time at time zone 'UTC'$check$
    else format('date_bin(%L::interval, time, %L::timestamptz) = time', step, anchor)
  end;
begin
  -- Two processes may meet here; the second finds the work done.
  perform pg_advisory_xact_lock(hashtextextended('titan10_add_timeframe', 0));
  if exists (select from timeframes where timeframe = new_timeframe) then
    return;
  end if;

  -- The checks repeat lib/market/candle.ts: a rule that matters is held twice. NaN is above Infinity in numeric,
  -- so the upper bounds exclude both.
  execute format($ddl$
    create table %1$I (
      time     timestamptz not null check (%2$s),
      exchange text    not null,
      symbol   text    not null,
      open     numeric not null check (open > 0),
      high     numeric not null check (high < 'Infinity' and high >= greatest(open, close)),
      low      numeric not null check (low > 0 and low <= least(open, close)),
      close    numeric not null check (close > 0),
      volume   numeric not null check (volume >= 0 and volume < 'Infinity'),
      primary key (exchange, symbol, time)
    )$ddl$, new_table, aligned);
  execute format(
    'create trigger keep_revision before update on %I for each row execute function titan10_keep_revision(%L)',
    new_table, new_timeframe);

  if titan10_timescale() is not null then
    execute format(
      'select %s.create_hypertable(%L::regclass, %L, chunk_time_interval => %L::interval, create_default_indexes => false)',
      titan10_timescale(), format('%I', new_table), 'time', new_chunk);
    perform titan10_enable_compression(new_table);
  end if;

  insert into timeframes values (new_timeframe, new_table, new_chunk);

  execute (
    select 'create or replace view ohlcv as ' || string_agg(
      format('select %L::text as timeframe, time, exchange, symbol, open, high, low, close, volume from %I',
             timeframe, table_name),
      ' union all ' order by chunk_interval, timeframe)
    from timeframes
  );
end
$$;

-- Does nothing to a plain table, nor under the Apache licence. A table that was made under it can be compressed from now
-- on.
create or replace function titan10_compress_after(candle_table text, after interval) returns void language plpgsql as $$
declare
  policies int[];
  same boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_compress_after', 0));
  if not titan10_may_compress() or not titan10_is_hypertable(candle_table) then
    return;
  end if;
  perform titan10_enable_compression(candle_table);
  select coalesce(array_agg(job_id), '{}'), bool_and((config ->> 'compress_after')::interval = after)
  into policies, same
  from timescaledb_information.jobs
  where proc_name in ('policy_compression', 'policy_columnstore')
    and hypertable_schema = current_schema() and hypertable_name = candle_table;
  if (after is null and cardinality(policies) = 0) or (cardinality(policies) = 1 and same) then
    return;
  end if;
  for at in 1 .. cardinality(policies) loop
    execute format('select %s.delete_job(%s)', titan10_timescale(), policies[at]);
  end loop;
  if after is not null then
    execute format('select %s.add_compression_policy(%L::regclass, %L::interval)',
                   titan10_timescale(), format('%I', candle_table), after);
  end if;
end
$$;

-- As before, with chunks where the table has them.
create or replace function titan10_expire(wanted_timeframe text, until timestamptz)
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

  if titan10_is_hypertable(candle_table) then
    execute format('select %s.drop_chunks(%L::regclass, older_than => %L::timestamptz)',
                   titan10_timescale(), format('%I', candle_table), until);
  end if;
  execute format('delete from %I where time < $1', candle_table) using until;
  return next;
end
$$;
