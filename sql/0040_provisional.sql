-- Streamed candles are told apart wherever candles are read. A rollup's candle is provisional if one of its candles is, a
-- merged one if one of those that it is made of is, and `ohlcv_explained` has a state for them: `stored` stays what it was,
-- candles that the exchange has answered with, or that were imported.

-- As before, with the mark. Where it is not read, nothing of the ledger is: PostgreSQL leaves out a join that neither adds rows
-- nor is read. Of candles before the first provisional one of the timeframe only the time is compared; a day more, because
-- months and days of a session's time zone differ in length.
create or replace function titan10_show_rollup(new_view text, held text, width interval) returns void language plpgsql as $$
begin
  execute format($ddl$
    create or replace view %1$I as
    select candle.time, candle.exchange, candle.symbol, candle.open, candle.high, candle.low, candle.close, candle.volume,
           candle.candles, candle.complete,
           case when candle.time > (select min(lower(streamed * unsettled)) - %3$L::interval - interval '1 day'
                                    from checkpoints
                                    where timeframe = (select base_timeframe from rollups where view_name = %1$L))
                then coalesce(known.streamed * known.unsettled
                              && tstzrange(candle.time, (candle.time at time zone 'UTC' + %3$L::interval) at time zone 'UTC'),
                              false)
                else false end as provisional
    from %2$I as candle
    left join checkpoints as known
      on known.exchange = candle.exchange and known.symbol = candle.symbol
     and known.timeframe = (select base_timeframe from rollups where view_name = %1$L)
    where not exists (
      select from listings as change
      where change.exchange = candle.exchange and change.symbol = candle.symbol and change.noticed_at is not null
        and change.since > candle.time and change.since < candle.time + %3$L::interval)$ddl$, new_view, held, width);
end
$$;

select titan10_show_rollup(view_name, held_name, titan10_step(timeframe)) from rollups;

-- With all seven arguments: `provisional` says whether a candle is made of one that came over a stream and is not confirmed
-- yet; `final_only` leaves out every candle that may still change before the others are merged. Where it is null, nothing of
-- the ledger is read, and nothing is marked.
create function ohlcv_merged(
  wanted_timeframe text, wanted_symbol text, since timestamptz, until timestamptz,
  exchanges text[], method text, final_only boolean
) returns table (
  "time" timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, sources text[],
  provisional boolean
) language plpgsql stable as $$
declare
  source_table text := (select table_name from timeframes where timeframe = wanted_timeframe);
  ledger text := case when final_only is null then '(select * from (values (null::text, null::text, null::text, '
                                                   '''{}''::tstzmultirange, ''{}''::tstzmultirange)) as nothing '
                                                   '(exchange, symbol, timeframe, unsettled, streamed))'
                      else 'checkpoints' end;
begin
  if method not in ('primary', 'volume') then
    raise exception 'Cannot merge candles by %: expected primary or volume', quote_literal(method);
  end if;
  if source_table is null then
    raise exception 'Cannot merge candles of timeframe %: there are none', quote_literal(wanted_timeframe);
  end if;
  return query execute format($merge$
    with young as materialized (
      select exchange, unsettled, streamed * unsettled as provisional
      from %s as known where symbol = $1 and timeframe = $6 and not isempty(unsettled)
    ),
    candle as (
      select c.*, case when $4 is null then null else array_position($4, c.exchange) end as place
      from %I as c
      where c.symbol = $1 and c.time >= $2 and c.time < $3 and ($4 is null or c.exchange = any ($4))
        and ($7 is not true or (select min(lower(unsettled)) from young) is null
             or c.time < (select min(lower(unsettled)) from young)
             or not exists (select from young where young.exchange = c.exchange and unsettled @> c.time))
    ),
    ranked as (
      select candle.*, coalesce(place, rank() over (order by total desc, candle.exchange)) as rank
      from candle
      join (select t.exchange, sum(t.volume) as total from candle as t group by t.exchange) as traded
        on traded.exchange = candle.exchange
    ),
    merged (time, open, high, low, close, volume, sources) as (
      select time,
             case when $5 = 'primary' then (array_agg(open order by rank))[1]
                  else coalesce(sum(open * volume) / nullif(sum(volume), 0), avg(open)) end,
             case when $5 = 'primary' then (array_agg(high order by rank))[1]
                  else coalesce(sum(high * volume) / nullif(sum(volume), 0), avg(high)) end,
             case when $5 = 'primary' then (array_agg(low order by rank))[1]
                  else coalesce(sum(low * volume) / nullif(sum(volume), 0), avg(low)) end,
             case when $5 = 'primary' then (array_agg(close order by rank))[1]
                  else coalesce(sum(close * volume) / nullif(sum(volume), 0), avg(close)) end,
             case when $5 = 'primary' then (array_agg(volume order by rank))[1] else sum(volume) end,
             case when $5 = 'primary' then (array_agg(exchange order by rank))[1:1]
                  else array_agg(exchange order by rank) end
      from ranked
      group by time
    )
    select merged.*,
           case when time >= (select min(lower(provisional)) from young)
                then exists (select from young where exchange = any (sources) and provisional @> time)
                else false end
    from merged
    order by time
  $merge$, ledger, source_table) using wanted_symbol, since, until, exchanges, method, wanted_timeframe, final_only;
end
$$;

comment on function ohlcv_merged(text, text, timestamptz, timestamptz, text[], text, boolean) is
  'The same, with the mark provisional, and without what may still change if final_only is true; with null nothing is marked.';

-- As before, also for who may read candles and not the ledger: with and without the mark candles are merged by one function.
create or replace function ohlcv_merged(
  wanted_timeframe text, wanted_symbol text, since timestamptz, until timestamptz,
  exchanges text[] default null, method text default 'primary'
) returns table (
  "time" timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, sources text[]
) language sql stable begin atomic
  select merged.time, merged.open, merged.high, merged.low, merged.close, merged.volume, merged.sources
  from ohlcv_merged(wanted_timeframe, wanted_symbol, since, until, exchanges, method, null) as merged;
end;

-- Where not everybody may call the one, the same roles may call the other.
do $$
declare
  given constant aclitem[] := (
    select proacl from pg_proc
    where oid = 'ohlcv_merged(text, text, timestamptz, timestamptz, text[], text)'::regprocedure);
  caller text;
begin
  if given is null then
    return;
  end if;
  revoke execute on function ohlcv_merged(text, text, timestamptz, timestamptz, text[], text, boolean) from public;
  for caller in
    select distinct case grantee when 0 then 'public' else grantee::regrole::text end from aclexplode(given)
  loop
    execute format(
      'grant execute on function ohlcv_merged(text, text, timestamptz, timestamptz, text[], text, boolean) to %s', caller);
  end loop;
end
$$;

-- As before, with one state more.
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
      select known.covered, known.streamed * known.unsettled as provisional,
             lower(known.streamed * known.unsettled) as provisional_from, known.expired_until, known.ended_at,
             bound.before_listing, bound.retention, titan10_outside(known) as outside
      from checkpoints as known
      cross join lateral titan10_bounds(known, known.wanted_since, known.wanted_until, known.kept_since) as bound
      where known.exchange = $2 and known.symbol = $3 and known.timeframe = $1
    ),
    told as (
      select slot.time, slot.n,
             case
               when candle.time >= series.provisional_from and series.provisional @> candle.time then 'provisional'
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

-- What is replaced looks for names in the session's schemas again.
select titan10_keep_to_schema();
