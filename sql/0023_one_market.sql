-- A page is of the market that it was asked of. Another program may have found out meanwhile that the symbol means another
-- market: then nothing of the page is stored, else one series would hold the candles of two markets.

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
  of_exchange text, of_symbol text, new_market text, new_kind text, new_settle text, new_size numeric, new_symbol text,
  not_before timestamptz, noticed timestamptz
) returns timestamptz language plpgsql volatile as $$
declare
  old listings;
  began timestamptz;
begin
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
