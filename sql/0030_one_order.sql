-- Every statement that writes candles and the ledger locks the table of the candles first, then the row of the series. One
-- that entered a listing had the row first, and took candles back after that. While RETENTION dropped candles, which locks
-- the table first, the two waited for each other until PostgreSQL ended one.
--
-- And users who may read single columns of a rollup may again: 0025 renamed what they were granted, and gave the new view
-- the grants of whole tables alone.

-- Locks the tables of all candles as any statement that writes to them does. Not their chunks: there may be thousands of
-- these. Call it before rows of checkpoints are locked.
create function titan10_lock_candles() returns boolean language plpgsql volatile as $$
declare
  candle_table text;
begin
  for candle_table in select table_name from timeframes order by table_name loop
    execute format('lock table only %I in row exclusive mode', candle_table);
  end loop;
  return true;
end
$$;

-- As before, with the tables locked first.
create or replace function titan10_replace_listing(
  of_exchange text, of_symbol text, new_market text, new_kind text, new_settle text, new_size numeric, new_symbol text,
  not_before timestamptz, noticed timestamptz
) returns timestamptz language plpgsql volatile as $$
declare
  old listings;
  began timestamptz;
begin
  perform titan10_lock_candles();
  -- Whoever stores a page of the old market has these rows, or waits for them and is refused then.
  perform from checkpoints where exchange = of_exchange and symbol = of_symbol order by timeframe for update;
  select * into old from listings where exchange = of_exchange and symbol = of_symbol order by since desc limit 1;
  if old.market_id = new_market and coalesce(old.kind = new_kind, true) and coalesce(old.settle = new_settle, true)
    and coalesce(old.contract_size = new_size, true)
  then
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
  insert into listings (exchange, symbol, since, market_id, kind, settle, contract_size, noticed_at)
  values (of_exchange, of_symbol, began, new_market, new_kind, new_settle, new_size, noticed);
  -- Candles before it that were not final yet are taken back: they may be half-formed for good, and the exchange cannot be
  -- asked for them again.
  with begun as materialized (
    select series.timeframe, from_time, taken.candles, taken.first, taken.last
    from checkpoints as series
    cross join lateral titan10_open_from(series.timeframe, began) as from_time
    cross join lateral titan10_take_back(of_exchange, of_symbol, series.timeframe,
                                         series.unsettled * tstzmultirange(tstzrange(null, from_time)), '{}', null) as taken
    where series.exchange = of_exchange and series.symbol = of_symbol
  )
  update checkpoints as known
  set ended_at = null, ended_why = null, listed_from = from_time,
      unsettled = known.unsettled - tstzmultirange(tstzrange(null, from_time)),
      candles = known.candles - begun.candles,
      first = case when begun.candles = 0 then known.first else begun.first end,
      last = case when begun.candles = 0 then known.last else begun.last end
  from begun
  where known.exchange = of_exchange and known.symbol = of_symbol and known.timeframe = begun.timeframe;
  return began;
end
$$;

do $$
declare
  granted record;
begin
  for granted in
    select view_name, attname, acl.*
    from rollups
    join pg_class as held on held.oid = format('%I', held_name)::regclass
    join pg_attribute on attrelid = held.oid and not attisdropped
    cross join lateral aclexplode(attacl) as acl
    where acl.grantee <> held.relowner
  loop
    execute format('grant %s (%I) on %I to %s%s', granted.privilege_type, granted.attname, granted.view_name,
                   case granted.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(granted.grantee)) end,
                   case when granted.is_grantable then ' with grant option' else '' end);
  end loop;
end
$$;
