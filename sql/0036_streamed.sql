-- A stream tells of a candle a second after its close, a minute before it is asked for. It is stored then, but a stream
-- proves nothing: only what an exchange answers counts as coverage. So it waits in `unsettled`, as every candle does that is
-- stored and not covered: the page that covers its time confirms it, gives it other values, or takes it back. Until an
-- answer has told of it, it is in `streamed`, too.

-- In steps: a column with a default cannot be added where functions have the type of the row in their bodies.
alter table checkpoints add column streamed tstzmultirange;
alter table checkpoints alter column streamed set default '{}';
update checkpoints set streamed = '{}';
alter table checkpoints alter column streamed set not null;

comment on column checkpoints.streamed is
  'Stored candles that came over a stream, and of which no answer of the exchange has told yet. A part of unsettled.';

create view streamed_candles as
select exchange, symbol, timeframe, slot.time
from checkpoints
cross join lateral unnest(streamed * unsettled) as range
cross join lateral titan10_open_times(timeframe, lower(range), upper(range)) as slot (time);

comment on view streamed_candles is
  'The candles that are provisional: they came over a stream, and no answer of the exchange has told of them yet.';

-- Stores streamed candles of one timeframe, each once. The outcome of each is `stored`; `revised` where another value of the
-- same stream was stored before; `known` where nothing of it is new: it is stored with the same values, or an answer has told
-- of it or of its time; and `left` where it is not archived: a series that was forgotten, that no answer has told of yet or
-- that has ended, or a market that the symbol does not mean.
create function titan10_store_streamed(
  wanted_timeframe text, exchanges text[], symbols text[], markets text[], times_ms float8[],
  opens numeric[], highs numeric[], lows numeric[], closes numeric[], volumes numeric[]
) returns table (place int, outcome text) language plpgsql volatile as $$
declare
  candle_table constant text := (select table_name from timeframes where timeframe = wanted_timeframe);
begin
  -- As any statement that writes: the table first, then the rows of the series, in order. The next statement sees what is
  -- written while this one waits.
  execute format('lock table only %I in row exclusive mode', candle_table);
  perform from checkpoints as known
  where known.timeframe = wanted_timeframe
    and (known.exchange, known.symbol) in (select * from unnest(exchanges, symbols))
  order by known.exchange, known.symbol for update;
  return query execute format($store$
    with given as materialized (
      select n::int as n, exchange, symbol, market, to_timestamp(ms / 1000.0) as time, open, high, low, close, volume
      from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10) with ordinality
        as row (exchange, symbol, market, ms, open, high, low, close, volume, n)
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
    select given.n, case when written.added then 'stored' when written.time is not null then 'revised'
                         when judged.is_wanted then 'known' else 'left' end
    from given left join judged using (n)
    left join written on (written.exchange, written.symbol, written.time) = (judged.exchange, judged.symbol, judged.time)
    order by given.n
  $store$, candle_table)
  using wanted_timeframe, exchanges, symbols, markets, times_ms, opens, highs, lows, closes, volumes;
end
$$;

-- As before, with the view above.
create or replace function titan10_relations() returns setof text language sql stable as $$
  select unnest(array[
    'alerts', 'all_gaps', 'archive', 'candle_revisions', 'capabilities', 'checkpoints', 'copied_series', 'events',
    'exchanges', 'gaps', 'import_conflicts', 'imports', 'jobs', 'listings', 'ohlcv', 'policy_runs', 'recent_pages',
    'rejected_candles', 'rollups', 'streamed_candles', 'timeframes', 'titan10_bound_gaps', 'titan10_migrations'
  ])
  union all select table_name from timeframes
  union all select unnest(array[view_name, held_name]) from rollups
$$;

-- Who may read `checkpoints`, of which the view is made, may read the view, too.
do $$
declare
  reader text;
begin
  for reader in
    select distinct case grantee when 0 then 'public' else grantee::regrole::text end
    from pg_class cross join lateral aclexplode(relacl)
    where pg_class.oid = 'checkpoints'::regclass and privilege_type = 'SELECT' and grantee <> relowner
  loop
    execute format('grant select on streamed_candles to %s', reader);
  end loop;
end
$$;
