-- Candles of other prices than that of trades: `BTC/USDT:USDT@mark`, `@index`, `@premium` are series like any other, but what
-- the exchange works out has no volume, and a premium may be zero or negative, and opens where the one before closed, maybe
-- outside of its own high and low. So the checks of the tables of candles, and the
-- tables that keep a candle's older or other values, let a volume be absent there. Whatever kept the former checks keeps these.

alter table candle_revisions alter column volume drop not null;
alter table import_conflicts alter column volume drop not null;

-- The price that a symbol is of: `mark` of `BTC/USDT:USDT@mark`.
create function titan10_price_of(symbol text) returns text language sql immutable as $$
  select case when right(symbol, 5) = '@mark' then 'mark' when right(symbol, 6) = '@index' then 'index'
              when right(symbol, 8) = '@premium' then 'premium' else 'trade' end
$$;

-- The tables that there are. Of each, the former checks are found by what they say: their names may be others in a database that
-- was restored, and checks of the user's own stay.
create table titan10_former_checks (
  open   numeric not null check (open > 0),
  high   numeric not null check (high < 'Infinity' and high >= greatest(open, close)),
  low    numeric not null check (low > 0 and low <= least(open, close)),
  close  numeric not null check (close > 0),
  volume numeric not null check (volume >= 0 and volume < 'Infinity')
);

do $$
declare
  candle_table text;
  former text;
begin
  for candle_table in select table_name from timeframes order by table_name loop
    for former in
      select conname from pg_constraint
      where contype = 'c' and conrelid = format('%I', candle_table)::regclass
        and pg_get_constraintdef(oid) in (select pg_get_constraintdef(oid) from pg_constraint
                                          where contype = 'c' and conrelid = 'titan10_former_checks'::regclass)
    loop
      execute format('alter table %I drop constraint %I', candle_table, former);
    end loop;
    execute format('alter table %I alter column volume drop not null', candle_table);
    execute format($ddl$
      alter table %I
        add check (open < 'Infinity' and open > '-Infinity' and (open > 0 or right(symbol, 8) = '@premium')),
        add check (high < 'Infinity' and high >= close and (high >= open or right(symbol, 8) = '@premium')),
        add check (low > '-Infinity' and low <= close and (low > 0 and low <= open or right(symbol, 8) = '@premium')),
        add check (close > 0 or right(symbol, 8) = '@premium'),
        add check (coalesce(volume >= 0 and volume < 'Infinity',
                            right(symbol, 5) = '@mark' or right(symbol, 6) = '@index' or right(symbol, 8) = '@premium'))
    $ddl$, candle_table);
  end loop;
end
$$;

drop table titan10_former_checks;

-- As before, with these checks.
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
      open     numeric not null
               check (open < 'Infinity' and open > '-Infinity' and (open > 0 or right(symbol, 8) = '@premium')),
      high     numeric not null
               check (high < 'Infinity' and high >= close and (high >= open or right(symbol, 8) = '@premium')),
      low      numeric not null
               check (low > '-Infinity' and low <= close and (low > 0 and low <= open or right(symbol, 8) = '@premium')),
      close    numeric not null check (close > 0 or right(symbol, 8) = '@premium'),
      volume   numeric
               check (coalesce(volume >= 0 and volume < 'Infinity',
                               right(symbol, 5) = '@mark' or right(symbol, 6) = '@index' or right(symbol, 8) = '@premium')),
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

-- As before, but only series of the same price tell of each other: a mark price is worked out while nobody can trade, so it is
-- no proof that others traded, nor that the exchange was up for them.
create or replace function titan10_gap_slots(
  wanted_timeframe text, wanted_exchange text, wanted_symbol text,
  gap_sinces timestamptz[], gap_untils timestamptz[], are_provable boolean[]
) returns table (gap_since timestamptz, open_time timestamptz, n bigint, stored boolean, refused boolean, traded boolean)
language plpgsql stable as $$
begin
  return query execute format($slots$
    select gap.since, slot.time, slot.n, seen.stored, seen.refused,
           not seen.stored and not seen.refused and gap.provable
           and exists (select from checkpoints as other join %1$I as candle
                         on candle.exchange = other.exchange and candle.symbol = other.symbol
                       where other.exchange = $2 and other.timeframe = $1 and other.symbol <> $3
                         and titan10_price_of(other.symbol) = $7 and candle.time = slot.time)
    from unnest($4, $5, $6) as gap (since, until, provable)
    cross join lateral generate_series(gap.since, gap.until - interval '1 microsecond', titan10_step($1))
      with ordinality as slot (time, n)
    cross join lateral (
      select exists (select from %1$I as candle
                     where candle.exchange = $2 and candle.symbol = $3 and candle.time = slot.time) as stored
    ) as there
    cross join lateral (
      select there.stored,
             not there.stored and gap.provable
             and exists (select from rejected_candles as row
                         where row.exchange = $2 and row.symbol = $3 and row.timeframe = $1
                           and row.time >= slot.time and row.time < slot.time + titan10_step($1)
                           and row.import_id is null) as refused
    ) as seen
  $slots$, (select table_name from timeframes where timeframe = wanted_timeframe))
  using wanted_timeframe, wanted_exchange, wanted_symbol, gap_sinces, gap_untils, are_provable,
        titan10_price_of(wanted_symbol);
end
$$;

create or replace function titan10_others_answered(gap gaps) returns bigint language sql stable as $$
  select count(*) from checkpoints as other
  where other.exchange = gap.exchange and other.timeframe = gap.timeframe and other.symbol <> gap.symbol
    and titan10_price_of(other.symbol) = titan10_price_of(gap.symbol)
    and other.first < gap.since and other.covered @> tstzrange(gap.since, gap.until)
$$;

comment on column candle_revisions.volume is 'Null of a mark price, an index price or a premium, which nobody trades.';

-- What is replaced looks for names in the session's schemas again.
select titan10_keep_to_schema();
