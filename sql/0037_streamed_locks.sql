-- Streamed candles of all exchanges are stored by one statement for each table, and it waited for each row that another
-- statement held: whoever held one series for a minute held up all the others. Now a series that is held is left out, and
-- its candles come again. What holds the table or a chunk of it is waited for a moment, less than it takes to find that two
-- statements wait for each other: a stream gives way, a page never has to.

-- As before. The outcome is `locked` where another statement holds the series: nothing of it is stored.
create or replace function titan10_store_streamed(
  wanted_timeframe text, exchanges text[], symbols text[], markets text[], times_ms float8[],
  opens numeric[], highs numeric[], lows numeric[], closes numeric[], volumes numeric[]
) returns table (place int, outcome text) language plpgsql volatile set lock_timeout = '250ms' as $$
declare
  candle_table constant text := (select table_name from timeframes where timeframe = wanted_timeframe);
  -- The places of candles whose series are not held, those of one of these series, and what became of them.
  free int[];
  own int[];
  told text[];
  outcomes text[] := array_fill('locked'::text, array[cardinality(times_ms)]);
  is_stored boolean := false;
  since timestamptz;
  store constant text := format($store$
    with given as materialized (
      select n::int as n, exchange, symbol, market, to_timestamp(ms / 1000.0) as time, open, high, low, close, volume
      from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10) with ordinality
        as row (exchange, symbol, market, ms, open, high, low, close, volume, n)
      where n = any($11)
    ),
    judged as materialized (
      select given.*,
             known.ended_at is null and not isempty(known.covered)
             and coalesce(known.followed_from <= given.time, true) and coalesce(known.listed_from <= given.time, true)
             and coalesce(given.market = (select market_id from listings as newest
                                          where newest.exchange = known.exchange and newest.symbol = known.symbol
                                          order by newest.since desc limit 1), true) as is_wanted,
             given.time < upper(known.covered)
             or (known.unsettled @> given.time and not known.streamed @> given.time) as is_told,
             (known.unsettled * known.streamed) @> given.time as is_again
      from given join checkpoints as known using (exchange, symbol)
      where known.timeframe = $1
    ),
    written as (
      insert into %I as stored (time, exchange, symbol, open, high, low, close, volume)
      select time, exchange, symbol, open, high, low, close, volume from judged where is_wanted and not is_told
      order by exchange, symbol, time
      on conflict (exchange, symbol, time) do update
      set open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
          volume = excluded.volume
      where (stored.open, stored.high, stored.low, stored.close, stored.volume)
            is distinct from (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
            -- What came another way, as from a file, is not a stream's to change.
            and (stored.exchange, stored.symbol, stored.time) in (select exchange, symbol, time from judged where is_again)
      returning (xmax = 0) as added, stored.exchange, stored.symbol, stored.time
    ),
    counted as (
      update checkpoints as known
      set candles = known.candles + sum.candles, first = least(known.first, sum.first),
          last = greatest(known.last, sum.last), unsettled = known.unsettled + sum.times,
          streamed = known.streamed * known.unsettled + sum.times
      from (select exchange, symbol, count(*) as candles, min(time) as first, max(time) as last,
                   range_agg(tstzrange(time, time + titan10_step($1))) as times
            from written where added group by exchange, symbol) as sum
      where known.exchange = sum.exchange and known.symbol = sum.symbol and known.timeframe = $1
    )
    select array_agg(case when written.added then 'stored' when written.time is not null then 'revised'
                          when judged.is_wanted then 'known' else 'left' end order by given.n)
    from given left join judged using (n)
    left join written on (written.exchange, written.symbol, written.time) = (judged.exchange, judged.symbol, judged.time)
  $store$, candle_table);
begin
  -- As any statement that writes: the table first, then the rows of the series, in order. The next statement sees what was
  -- written before they were held.
  execute format('lock table only %I in row exclusive mode', candle_table);
  with held as materialized (
    select known.exchange, known.symbol from checkpoints as known
    where known.timeframe = wanted_timeframe
      and (known.exchange, known.symbol) in (select * from unnest(exchanges, symbols))
    order by known.exchange, known.symbol for update skip locked
  )
  select array_agg(n::int order by n) into free
  from unnest(exchanges, symbols) with ordinality as row (exchange, symbol, n)
  where (exchange, symbol) in (select * from held)
     or not exists (select from checkpoints as known
                    where known.timeframe = wanted_timeframe
                      and (known.exchange, known.symbol) = (row.exchange, row.symbol));
  if free is null then
    return query select n::int, told_of from unnest(outcomes) with ordinality as row (told_of, n);
    return;
  end if;
  begin
    execute store into told
    using wanted_timeframe, exchanges, symbols, markets, times_ms, opens, highs, lows, closes, volumes, free;
    for n in 1 .. cardinality(free) loop
      outcomes[free[n]] := told[n];
    end loop;
  exception when lock_not_available then
    -- It is one candle's row, or the chunk of all. So each series is tried alone, in any order and for a second at most.
    perform set_config('lock_timeout', '10ms', true);
    since := clock_timestamp();
    for own in
      select array_agg(n order by n) from unnest(free) as n group by exchanges[n], symbols[n] order by random()
    loop
      exit when clock_timestamp() > since + interval '1 second';
      begin
        execute store into told
        using wanted_timeframe, exchanges, symbols, markets, times_ms, opens, highs, lows, closes, volumes, own;
        for n in 1 .. cardinality(own) loop
          outcomes[own[n]] := told[n];
        end loop;
        is_stored := true;
      exception when lock_not_available then
        -- Its candles are locked.
      end;
    end loop;
    if not is_stored then
      raise;
    end if;
  end;
  return query select n::int, told_of from unnest(outcomes) with ordinality as row (told_of, n);
end
$$;
