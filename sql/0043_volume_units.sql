-- Volume has a unit: CCXT gives the candles of one exchange with the volume in the base currency, those of another in the
-- quote currency or in contracts. The listing of a symbol says which, beside how much a contract is worth, and candles are
-- read with `volume_base`: their volume in the base currency where it follows exactly, else null.

alter table listings add column volume_unit text check (volume_unit in ('base', 'quote', 'contracts'));

comment on column listings.volume_unit is
  'What the volumes of candles count: the base currency, the quote currency, or contracts. Null: not known.';
comment on column listings.contract_size is
  'What one contract is worth: linear, in the base currency; inverse, in the quote currency. Null of spot, and if not known.';

-- The base volume of a row `candle`, as SQL. Of the time before the first listing of its symbol that one counts: when it
-- was listed is known only since the archive has it. A linear contract is worth a fixed amount of the base currency. Of a
-- volume in the quote currency, and of inverse contracts, which are worth a fixed amount of that, a candle does not say at
-- which prices it was traded. A spot series that was only ever imported has no listing: files are taken with the base volume.
create function titan10_volume_base() returns text language sql immutable return $sql$
  candle.volume * coalesce((
    select case listing.volume_unit
             when 'base' then 1
             when 'contracts' then case when listing.kind = 'linear' then listing.contract_size end
           end
    from listings as listing
    where listing.exchange = candle.exchange and listing.symbol = candle.symbol
    order by greatest(listing.since, candle.time), listing.since desc limit 1
  ), case when position(':' in candle.symbol) = 0 and not exists (
       select from listings as listing where listing.exchange = candle.exchange and listing.symbol = candle.symbol)
     then 1 end)
$sql$;

-- Makes the view of all candles anew. The base volume is a subquery of each row: where it is not read, it costs nothing.
create function titan10_show_candles() returns void language plpgsql as $$
begin
  execute 'create or replace view ohlcv as ' || coalesce((
    select string_agg(
      format('select %L::text as timeframe, time, exchange, symbol, open, high, low, close, volume, %s as volume_base '
             'from %I as candle', timeframe, titan10_volume_base(), table_name),
      ' union all ' order by chunk_interval, timeframe)
    from timeframes
  ), 'select null::text as timeframe, null::timestamptz as time, null::text as exchange, null::text as symbol, '
     'null::numeric as open, null::numeric as high, null::numeric as low, null::numeric as close, '
     'null::numeric as volume, null::numeric as volume_base where false');
end
$$;

select titan10_show_candles();

comment on column ohlcv.volume is 'As the exchange gives it, in the unit that listings.volume_unit names.';
comment on column ohlcv.volume_base is
  'The volume in the base currency; null where it does not follow exactly from the candle.';

-- As before, with the view made above.
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

  perform titan10_show_candles();
end
$$;

-- As before, with the base volume. It follows from the sum of the volumes: null where those are of listings with different
-- units, or contracts of different sizes.
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
                else false end as provisional,
           case when not exists (
                  select from listings as change
                  where change.exchange = candle.exchange and change.symbol = candle.symbol
                    and change.since > candle.time and change.since < candle.time + %3$L::interval)
                or (select count(distinct row (term.kind, term.volume_unit, term.contract_size)) from listings as term
                    where term.exchange = candle.exchange and term.symbol = candle.symbol
                      and term.since < candle.time + %3$L::interval
                      and term.since >= coalesce((select max(before.since) from listings as before
                                                  where before.exchange = candle.exchange and before.symbol = candle.symbol
                                                    and before.since <= candle.time), '-infinity')) = 1
                then %4$s end as volume_base
    from %2$I as candle
    left join checkpoints as known
      on known.exchange = candle.exchange and known.symbol = candle.symbol
     and known.timeframe = (select base_timeframe from rollups where view_name = %1$L)
    where not exists (
      select from listings as change
      where change.exchange = candle.exchange and change.symbol = candle.symbol and change.noticed_at is not null
        and change.since > candle.time and change.since < candle.time + %3$L::interval)$ddl$,
    new_view, held, width, titan10_volume_base());
end
$$;

-- As before: a symbol whose volumes count something else from now on begins anew, like one whose contracts have another size.
drop function titan10_replace_listing(text, text, text, text, text, numeric, text, timestamptz, timestamptz);

create function titan10_replace_listing(
  of_exchange text, of_symbol text, new_market text, new_kind text, new_settle text, new_size numeric, new_unit text,
  new_symbol text, not_before timestamptz, noticed timestamptz
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
    and coalesce(old.contract_size = new_size, true) and coalesce(old.volume_unit = new_unit, true)
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
  insert into listings (exchange, symbol, since, market_id, kind, settle, contract_size, volume_unit, noticed_at)
  values (of_exchange, of_symbol, began, new_market, new_kind, new_settle, new_size, new_unit, noticed);
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


-- The same for one symbol: what the volumes of each exchange and time count, and what makes them the base volume (`factor`, or
-- null). Volumes that are `counted` alike can be added. Whoever may read candles may merge them, also without the right to
-- read listings, of which this tells nothing else.
create function titan10_volume_units(wanted_symbol text)
returns table (
  exchange text, since timestamptz, until timestamptz, volume_unit text, counted text, factor numeric
) language sql stable security definer begin atomic
  select listing.exchange,
         case when lag(listing.since) over listed is null then '-infinity' else listing.since end,
         coalesce(lead(listing.since) over listed, 'infinity'),
         listing.volume_unit,
         case listing.volume_unit when 'contracts' then 'contracts ' || trim_scale(listing.contract_size)
                                  else listing.volume_unit end,
         case listing.volume_unit
           when 'base' then 1
           when 'contracts' then case when listing.kind = 'linear' then listing.contract_size end
         end
  from listings as listing where listing.symbol = wanted_symbol
  window listed as (partition by listing.exchange order by listing.since);
end;

-- Candles are merged by what was traded in the base currency. Volumes with different units are never added: `volume` of a
-- candle that several have made is null then, and a candle whose base volume is not known is left out beside one whose is.
-- The functions get a column more, so they are made anew. Views that users have made of the former ones go on with these,
-- under another name, without the column.
alter function ohlcv_merged(text, text, timestamptz, timestamptz, text[], text, boolean) rename to titan10_merged_marked_0040;
alter function ohlcv_merged(text, text, timestamptz, timestamptz, text[], text) rename to titan10_merged_0040;

create function ohlcv_merged(
  wanted_timeframe text, wanted_symbol text, since timestamptz, until timestamptz,
  exchanges text[], method text, final_only boolean
) returns table (
  "time" timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, sources text[],
  provisional boolean, volume_base numeric
) language plpgsql stable as $$
declare
  source_table text := (select table_name from timeframes where timeframe = wanted_timeframe);
  ledger text := case when final_only is null then '(select * from (values (null::text, null::text, null::text, '
                                                   '''{}''::tstzmultirange, ''{}''::tstzmultirange)) as nothing '
                                                   '(exchange, symbol, timeframe, unsettled, streamed))'
                      else 'checkpoints' end;
  -- Who is first needs no look at the others of a time, which is as much work as all the rest.
  slots text := case when method = 'primary' then 'select ranked.*, true as is_known, false as is_alike from ranked'
                     else 'select ranked.*, bool_or(volume_base is not null) over slot as is_known, '
                          'count(counted) over slot = count(*) over slot '
                          'and min(counted) over slot = max(counted) over slot as is_alike '
                          'from ranked window slot as (partition by time)' end;
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
    unit as materialized (select * from titan10_volume_units($1)),
    candle as (
      select c.*, case when $4 is null then null else array_position($4, c.exchange) end as place,
             c.volume * case when unit.exchange is null and position(':' in $1) = 0 then 1 else unit.factor end as volume_base,
             case when unit.exchange is null and position(':' in $1) = 0 then 'base' else unit.counted end as counted
      from %I as c
      left join unit on unit.exchange = c.exchange and c.time >= unit.since and c.time < unit.until
      where c.symbol = $1 and c.time >= $2 and c.time < $3 and ($4 is null or c.exchange = any ($4))
        and ($7 is not true or (select min(lower(unsettled)) from young) is null
             or c.time < (select min(lower(unsettled)) from young)
             or not exists (select from young where young.exchange = c.exchange and unsettled @> c.time))
    ),
    ranked as (
      select candle.*,
             coalesce(place, rank() over (order by total_base desc nulls last, total desc nulls last, candle.exchange))
               as rank
      from candle
      join (select t.exchange, sum(t.volume_base) as total_base, sum(t.volume) as total from candle as t group by t.exchange)
        as traded on traded.exchange = candle.exchange
    ),
    -- Of several candles of a time, those whose base volume is not known are left out, unless it is known of none.
    weighed as (
      select ranked.*, coalesce(volume_base, case when is_alike then volume end) as weight
      from (%s) as ranked
      where $5 = 'primary' or volume_base is not null or not is_known
    ),
    merged (time, open, high, low, close, volume, sources, volume_base) as (
      select time,
             case when $5 = 'primary' then (array_agg(open order by rank))[1]
                  else coalesce(sum(open * weight) / nullif(sum(weight), 0), avg(open)) end,
             case when $5 = 'primary' then (array_agg(high order by rank))[1]
                  else coalesce(sum(high * weight) / nullif(sum(weight), 0), avg(high)) end,
             case when $5 = 'primary' then (array_agg(low order by rank))[1]
                  else coalesce(sum(low * weight) / nullif(sum(weight), 0), avg(low)) end,
             case when $5 = 'primary' then (array_agg(close order by rank))[1]
                  else coalesce(sum(close * weight) / nullif(sum(weight), 0), avg(close)) end,
             case when $5 = 'primary' then (array_agg(volume order by rank))[1]
                  when count(*) = 1 or (count(counted) = count(*) and min(counted) = max(counted)) then sum(volume) end,
             case when $5 = 'primary' then (array_agg(exchange order by rank))[1:1]
                  else array_agg(exchange order by rank) end,
             case when $5 = 'primary' then (array_agg(volume_base order by rank))[1] else sum(volume_base) end
      from weighed
      group by time
    )
    select time, open, high, low, close, volume, sources,
           case when time >= (select min(lower(provisional)) from young)
                then exists (select from young where exchange = any (sources) and provisional @> time)
                else false end, volume_base
    from merged
    order by time
  $merge$, ledger, source_table, slots) using wanted_symbol, since, until, exchanges, method, wanted_timeframe, final_only;
end
$$;

comment on function ohlcv_merged(text, text, timestamptz, timestamptz, text[], text, boolean) is
  'The same, with the mark provisional, and without what may still change if final_only is true; with null nothing is marked.';

create function ohlcv_merged(
  wanted_timeframe text, wanted_symbol text, since timestamptz, until timestamptz,
  exchanges text[] default null, method text default 'primary'
) returns table (
  "time" timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, sources text[],
  volume_base numeric
) language sql stable begin atomic
  select merged.time, merged.open, merged.high, merged.low, merged.close, merged.volume, merged.sources, merged.volume_base
  from ohlcv_merged(wanted_timeframe, wanted_symbol, since, until, exchanges, method, null) as merged;
end;

comment on function ohlcv_merged(text, text, timestamptz, timestamptz, text[], text) is
  'One candle a time from several exchanges, by primary exchange with fallbacks or weighted by volume.';

create or replace function titan10_merged_marked_0040(
  wanted_timeframe text, wanted_symbol text, since timestamptz, until timestamptz,
  exchanges text[], method text, final_only boolean
) returns table (
  "time" timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, sources text[],
  provisional boolean
) language sql stable begin atomic
  select merged.time, merged.open, merged.high, merged.low, merged.close, merged.volume, merged.sources, merged.provisional
  from ohlcv_merged(wanted_timeframe, wanted_symbol, since, until, exchanges, method, final_only) as merged;
end;

create or replace function titan10_merged_0040(
  wanted_timeframe text, wanted_symbol text, since timestamptz, until timestamptz,
  exchanges text[] default null, method text default 'primary'
) returns table (
  "time" timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, sources text[]
) language sql stable begin atomic
  select merged.time, merged.open, merged.high, merged.low, merged.close, merged.volume, merged.sources
  from ohlcv_merged(wanted_timeframe, wanted_symbol, since, until, exchanges, method, null) as merged;
end;

-- Whoever may call the former ones may call the new ones, and the function of units that these call, also where not everybody
-- may call what is new. The former ones stay where a view reads them.
do $$
declare
  former record;
  granted record;
begin
  for former in
    select coalesce(proacl, acldefault('f', proowner)) as acl, proowner,
           format('%I(%s)', 'ohlcv_merged', oidvectortypes(proargtypes)) as renewed,
           format('%I(%s)', proname, oidvectortypes(proargtypes)) as name
    from pg_proc
    where oid in (
      'titan10_merged_0040(text, text, timestamptz, timestamptz, text[], text)'::regprocedure,
      'titan10_merged_marked_0040(text, text, timestamptz, timestamptz, text[], text, boolean)'::regprocedure)
  loop
    execute format('revoke execute on function %s from public', former.renewed);
    for granted in select * from aclexplode(former.acl) as acl where acl.grantee <> former.proowner loop
      execute format('grant execute on function %s, titan10_volume_units(text) to %s%s', former.renewed,
                     case granted.grantee when 0 then 'public' else granted.grantee::regrole::text end,
                     case when granted.is_grantable then ' with grant option' else '' end);
    end loop;
    begin
      execute format('drop function %s', former.name);
    exception when dependent_objects_still_exist then
      null;
    end;
  end loop;
end
$$;

select titan10_show_rollup(view_name, held_name, titan10_step(timeframe)) from rollups;

-- What is replaced looks for names in the session's schemas again.
select titan10_keep_to_schema();
