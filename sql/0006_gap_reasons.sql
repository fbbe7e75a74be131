-- Every minute that is not there has a reason, also where nothing was asked for: before the listing, behind what the
-- exchange keeps, after the end of a market. And a revision says by how much.

alter table checkpoints
  add column listed_from timestamptz,
  add column first_confirmed timestamptz,
  add column ended_at    timestamptz,
  add column ended_why   text check (ended_why in ('delisted', 'suspended', 'renamed')),
  add constraint ended_for_a_reason check ((ended_at is null) = (ended_why is null));

comment on column checkpoints.listed_from is
  'The exchange has nothing of this listing before: found by search, or the day on which the symbol came back.';
comment on column checkpoints.first_confirmed is
  'The first candle, once what lies right before it was asked for a second time and stayed empty.';
comment on column checkpoints.ended_at is 'Since when the market is not traded; nothing after it is owed. Null while it is.';

-- The times at which a symbol was listed. A symbol that comes back may be another coin: its candles are told apart by
-- the listing in whose time they lie.
create table listings (
  exchange  text not null,
  symbol    text not null,
  -- When it was first seen, or first seen again.
  since     timestamptz not null,
  until     timestamptz check (until >= since),
  -- The exchange's own id of the market.
  market_id text,
  why       text check (why in ('delisted', 'suspended', 'renamed')),
  -- The symbol under which the exchange lists the market now.
  successor text,
  -- When it was last seen missing, after it ended: a later listing begins after that.
  absent_at timestamptz,
  primary key (exchange, symbol, since)
);

comment on table listings is 'From when to when each symbol was seen listed, and why that ended.';

alter table gaps
  drop constraint gaps_state_check,
  add constraint gaps_state_check check (state in ('suspected', 'refetching', 'filled', 'no_trades', 'exchange_outage',
                                                   'before_listing', 'retention', 'rejected')),
  -- A reason that follows from the bounds of a series. It is worked out anew, never asked for.
  add column is_bound boolean not null default false;

comment on column gaps.is_bound is 'Outside of what the exchange can be asked for; follows from the bounds of the series.';

drop index gaps_due;
create index gaps_due on gaps (exchange, next_try) where state in ('suspected', 'refetching');

create index rejected_candles_time on rejected_candles (exchange, symbol, timeframe, time);

-- What a revision changed: the newer value minus the older one.
alter table candle_revisions
  add column open_by   numeric,
  add column high_by   numeric,
  add column low_by    numeric,
  add column close_by  numeric,
  add column volume_by numeric;

create or replace function titan10_keep_revision() returns trigger language plpgsql as $$
begin
  insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume,
                                open_by, high_by, low_by, close_by, volume_by)
  values (old.exchange, old.symbol, tg_argv[0], old.time, old.open, old.high, old.low, old.close, old.volume,
          new.open - old.open, new.high - old.high, new.low - old.low, new.close - old.close, new.volume - old.volume);
  return new;
end
$$;

comment on column candle_revisions.open is 'The older value; the newer one is in the candle, or in the next revision.';
comment on column candle_revisions.close_by is 'The newer value minus the older one.';

-- The time from one candle to the next: of 1m a minute, of 1M a month.
create function titan10_step(timeframe text) returns interval language sql immutable as $$
  select (left(timeframe, -1) || case right(timeframe, 1)
    when 's' then ' seconds' when 'm' then ' minutes' when 'h' then ' hours' when 'd' then ' days'
    when 'w' then ' weeks' when 'M' then ' months' when 'y' then ' years' end)::interval
$$;

-- The open times of the candles in a range, in UTC whatever the session's time zone is.
create function titan10_open_times(timeframe text, since timestamptz, until timestamptz)
returns setof timestamptz language sql stable as $$
  with first as (
    select case
      when right(timeframe, 1) in ('M', 'y') then
        (select date_trunc('month', since at time zone 'UTC')
                - make_interval(months => (12 * (extract(year from since at time zone 'UTC') - 1970)
                                           + extract(month from since at time zone 'UTC') - 1)::int
                                          % (12 * extract(year from titan10_step(timeframe))
                                             + extract(month from titan10_step(timeframe)))::int))
      else date_bin(titan10_step(timeframe), since at time zone 'UTC',
                    case right(timeframe, 1) when 'w' then timestamp '1970-01-05' else timestamp '1970-01-01' end)
    end as open_time
  )
  select slot.open_time at time zone 'UTC'
  from first,
       generate_series(first.open_time, until at time zone 'UTC', titan10_step(timeframe)) as slot (open_time)
  where slot.open_time >= since at time zone 'UTC' and slot.open_time < until at time zone 'UTC'
$$;

-- What is known of every candle of a series in a range, as spans: 'stored', the state of its gap, or 'owed' where the
-- exchange has not answered yet.
create function ohlcv_explained(
  wanted_timeframe text, wanted_exchange text, wanted_symbol text, since timestamptz, until timestamptz
) returns table (span_since timestamptz, span_until timestamptz, state text, candles bigint) language plpgsql stable as $$
declare
  source_table text := (select table_name from timeframes where timeframe = wanted_timeframe);
begin
  if source_table is null then
    raise exception 'Cannot explain candles of timeframe %: there are none', quote_literal(wanted_timeframe);
  end if;
  return query execute format($explain$
    with told as (
      select slot.time, slot.n,
             case
               when candle.time is not null then 'stored'
               when gap.state is not null then gap.state
               when series.covered @> slot.time then 'suspected'
               else 'owed'
             end as state
      from titan10_open_times($1, $4, $5) with ordinality as slot (time, n)
      left join %I as candle
        on candle.exchange = $2 and candle.symbol = $3 and candle.time = slot.time
      left join gaps as gap
        on gap.exchange = $2 and gap.symbol = $3 and gap.timeframe = $1 and gap.state <> 'filled'
       and slot.time >= gap.since and slot.time < gap.until
      left join checkpoints as series
        on series.exchange = $2 and series.symbol = $3 and series.timeframe = $1
    ),
    island as (
      select told.*, n - row_number() over (partition by told.state order by n) as island from told
    )
    select min(time), max(time) + titan10_step($1), island.state, count(*)
    from island group by island.state, island order by 1
  $explain$, source_table) using wanted_timeframe, wanted_exchange, wanted_symbol, since, until;
end
$$;

comment on function ohlcv_explained is
  'Every candle of a series in a range as spans: stored, owed, or the state or reason of its gap.';
