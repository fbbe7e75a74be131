-- One candle a symbol and time from several exchanges. Their rows stay apart in the tables; merging is a question,
-- asked anew each time, with the answer naming its sources.

-- `method` is 'primary': of each time the candle of the first exchange in `exchanges` that has one; or 'volume':
-- prices weighted by volume (plain means where nobody traded), volumes added up. Without `exchanges` all are taken,
-- the one with the highest volume in the range first.
create function ohlcv_merged(
  wanted_timeframe text, wanted_symbol text, since timestamptz, until timestamptz,
  exchanges text[] default null, method text default 'primary'
) returns table (
  "time" timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, sources text[]
) language plpgsql stable as $$
declare
  source_table text := (select table_name from timeframes where timeframe = wanted_timeframe);
begin
  if method not in ('primary', 'volume') then
    raise exception 'Cannot merge candles by %: expected primary or volume', quote_literal(method);
  end if;
  if source_table is null then
    raise exception 'Cannot merge candles of timeframe %: there are none', quote_literal(wanted_timeframe);
  end if;
  return query execute format($merge$
    with candle as (
      select c.*, case when $4 is null then null else array_position($4, c.exchange) end as place
      from %I as c
      where c.symbol = $1 and c.time >= $2 and c.time < $3 and ($4 is null or c.exchange = any ($4))
    ),
    ranked as (
      select candle.*, coalesce(place, rank() over (order by total desc, candle.exchange)) as rank
      from candle
      join (select t.exchange, sum(t.volume) as total from candle as t group by t.exchange) as traded
        on traded.exchange = candle.exchange
    )
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
    order by time
  $merge$, source_table) using wanted_symbol, since, until, exchanges, method;
end
$$;

comment on function ohlcv_merged is
  'One candle a time from several exchanges, by primary exchange with fallbacks or weighted by volume.';
