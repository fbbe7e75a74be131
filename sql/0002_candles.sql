-- Candles live in one table a timeframe, made on demand, so that each gets a chunk interval that fits it: about
-- 10,000 candles a series. Five years of 1h for 20 series take 28.7 bytes a row that way against 63.7 in chunks
-- of seven days.

create table timeframes (
  timeframe      text primary key,
  table_name     text not null unique,
  chunk_interval interval not null
);

-- The older values of a candle that is being overwritten. The timeframe is the trigger's argument.
create function titan10_keep_revision() returns trigger language plpgsql as $$
begin
  insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume)
  values (old.exchange, old.symbol, tg_argv[0], old.time, old.open, old.high, old.low, old.close, old.volume);
  return new;
end
$$;

create view ohlcv as
select null::text as timeframe, null::timestamptz as time, null::text as exchange, null::text as symbol,
       null::numeric as open, null::numeric as high, null::numeric as low, null::numeric as close,
       null::numeric as volume
where false;

comment on view ohlcv is 'All candles. Name the timeframe in WHERE, and only its table is read.';

-- Makes the table of a timeframe, unless it is there: a hypertable where TimescaleDB is, a plain table elsewhere.
-- `step` and `anchor` say where candles may open; `step` is null for months and years, whose candles open on the
-- first of a month.
create function titan10_add_timeframe(
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

  if exists (select from pg_extension where extname = 'timescaledb') then
    execute format(
      'select create_hypertable(%L::regclass, %L, chunk_time_interval => %L::interval, create_default_indexes => false)',
      format('%I', new_table), 'time', new_chunk);
    execute format(
      'alter table %I set (timescaledb.compress, timescaledb.compress_segmentby = %L, timescaledb.compress_orderby = %L)',
      new_table, 'exchange, symbol', 'time desc');
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
