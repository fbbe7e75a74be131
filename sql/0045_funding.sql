-- Who holds a perpetual pays or gets its funding every few hours: without these rates no backtest of a perpetual is true. They
-- are kept as candles are, with a ledger of what the exchange has answered for. There is no timeframe: a rate belongs to the
-- moment at which it was paid, to the millisecond as the exchange says it, and how far apart these moments are may change.

create table funding_rates (
  exchange text        not null,
  symbol   text        not null,
  -- When it was paid.
  time     timestamptz not null,
  -- As a fraction: 0.0001 is one basis point. Who is long pays it, or gets it where it is negative. NaN is above Infinity.
  rate     numeric     not null check (rate > '-Infinity' and rate < 'Infinity'),
  primary key (exchange, symbol, time)
);

comment on table funding_rates is 'The funding rates of perpetuals, by the time at which they were paid.';
comment on column funding_rates.rate is 'As a fraction of the position: 0.0001 is 0.01 %. Negative where shorts pay.';

-- What a rate was before the exchange said something else.
create table funding_revisions (
  exchange   text        not null,
  symbol     text        not null,
  time       timestamptz not null,
  revised_at timestamptz not null default clock_timestamp(),
  rate       numeric     not null,
  primary key (exchange, symbol, time, revised_at)
);

create function titan10_keep_funding_revision() returns trigger language plpgsql as $$
begin
  insert into funding_revisions (exchange, symbol, time, rate) values (old.exchange, old.symbol, old.time, old.rate);
  return new;
end
$$;

create trigger keep_revision before update on funding_rates
for each row execute function titan10_keep_funding_revision();

-- Three rates a day: a year of chunks is small.
do $$
begin
  if titan10_timescale() is not null then
    execute format(
      'select %s.create_hypertable(%L::regclass, %L, chunk_time_interval => interval %L, create_default_indexes => false)',
      titan10_timescale(), 'funding_rates', 'time', '365 days');
  end if;
end
$$;

create table funding_checkpoints (
  exchange         text           not null,
  symbol           text           not null,
  -- The ranges of time that the exchange has answered for. Written in one statement with the rates.
  covered          tstzmultirange not null default '{}',
  rates            bigint         not null default 0 check (rates >= 0),
  first            timestamptz,
  last             timestamptz,
  -- The distance between the newest rates; null before there are two.
  interval_seconds int            check (interval_seconds > 0),
  -- The exchange gives nothing older.
  reach_from       timestamptz,
  -- From when on the rates were last wanted; null while they are not.
  wanted_since     timestamptz,
  -- Whether all that is covered has been looked through for missing rates.
  is_scanned       boolean        not null default false,
  last_error       text,
  created_at       timestamptz    not null default now(),
  primary key (exchange, symbol)
);

comment on table funding_checkpoints is 'One row a perpetual: of which time its exchange has given the funding rates.';

-- Spans between two rates that are much longer than those around them.
create table funding_holes (
  exchange   text        not null,
  symbol     text        not null,
  -- Just after the rate before the hole, and the time of the rate after it.
  since      timestamptz not null,
  until      timestamptz not null check (until > since),
  missing    int         not null check (missing > 0),
  -- 'suspected' is asked for again; 'empty' was, and the exchange has no rate.
  state      text        not null default 'suspected' check (state in ('suspected', 'empty')),
  first_seen timestamptz not null default now(),
  last_try   timestamptz,
  primary key (exchange, symbol, since)
);

-- The symbol whose listings tell which market a perpetual is: where only its mark price or its like is archived, that.
create function titan10_funding_listing(of_exchange text, of_symbol text) returns text language sql stable as $$
  select coalesce((
    select symbol from listings
    where exchange = of_exchange
      and symbol in (of_symbol, of_symbol || '@mark', of_symbol || '@index', of_symbol || '@premium')
    order by symbol = of_symbol desc, since desc limit 1
  ), of_symbol)
$$;

-- Stores what an answer told of one perpetual, and what it answered for, at once. The numbers of rates that were not stored
-- before, and of those that had another value. Refused, as a page of candles is, where the symbol was forgotten meanwhile or
-- means another market than the one that was asked.
create function titan10_store_funding(
  of_exchange text, of_symbol text, of_market text, times_ms float8[], given numeric[],
  answered_since_ms float8, answered_until_ms float8, reach_ms float8
) returns table (added bigint, revised bigint) language plpgsql volatile as $$
declare
  answered constant tstzmultirange := case
    when answered_since_ms is null then '{}'
    else tstzmultirange(tstzrange(to_timestamp(answered_since_ms / 1000.0), to_timestamp(answered_until_ms / 1000.0))) end;
  listed_as constant text := titan10_funding_listing(of_exchange, of_symbol);
begin
  -- Whoever enters another market, or forgets a series, has these rows.
  perform from checkpoints as known where known.exchange = of_exchange and known.symbol = listed_as
  order by known.timeframe for key share;
  perform from funding_checkpoints as known where known.exchange = of_exchange and known.symbol = of_symbol for update;
  if not found then
    raise exception using
      errcode = 'TT003', message = format('%s %s was forgotten while it was asked for', of_exchange, of_symbol);
  end if;
  perform titan10_is_market(of_exchange, listed_as, of_market);
  with written as (
    insert into funding_rates as stored (exchange, symbol, time, rate)
    select of_exchange, of_symbol, to_timestamp(ms / 1000.0), rate from unnest(times_ms, given) as row (ms, rate)
    on conflict (exchange, symbol, time) do update set rate = excluded.rate where stored.rate <> excluded.rate
    returning (xmax = 0) as is_new
  )
  select count(*) filter (where is_new), count(*) filter (where not is_new) into added, revised from written;
  update funding_checkpoints as known
  set covered = known.covered + answered,
      rates = known.rates + added,
      first = least(known.first, (select to_timestamp(min(ms) / 1000.0) from unnest(times_ms) as ms)),
      last = greatest(known.last, (select to_timestamp(max(ms) / 1000.0) from unnest(times_ms) as ms)),
      reach_from = coalesce(to_timestamp(reach_ms / 1000.0), known.reach_from),
      is_scanned = known.is_scanned and added = 0 and known.covered @> answered,
      last_error = null
  where known.exchange = of_exchange and known.symbol = of_symbol;
  -- One of the newest distances is that of two rates without a hole between them.
  if added > 0 then
    update funding_checkpoints as known
    set interval_seconds = coalesce(
      (select nullif(round(min(extract(epoch from newer - older)))::int, 0)
       from (select time as newer, lead(time) over (order by time desc) as older
             from funding_rates where exchange = of_exchange and symbol = of_symbol
             order by time desc limit 4) as newest
       where older is not null), known.interval_seconds)
    where known.exchange = of_exchange and known.symbol = of_symbol;
  end if;
  return next;
end
$$;

-- Looks for holes in what is covered of a perpetual, unless that was done. Between two rates is one if they are further apart
-- than the rates on both sides are: where only one side differs, the interval has changed. Holes that were filled go.
create function titan10_find_funding_holes(of_exchange text, of_symbol text) returns void language plpgsql volatile as $$
declare
  ranges tstzmultirange;
begin
  select covered into ranges from funding_checkpoints
  where exchange = of_exchange and symbol = of_symbol and not is_scanned for update;
  if not found then
    return;
  end if;
  with step as (
    select time, lead(time) over (order by time) as next, lead(time) over (order by time) - time as length
    from funding_rates where exchange = of_exchange and symbol = of_symbol
  ),
  usual as (
    select time, next, length,
           -- Three on each side, because holes may follow each other. Of the first and the last of all only the one beside:
           -- the others there may be of another interval.
           case when lead(length) over around is null then lag(length) over around
                when lag(length) over around is null then lead(length) over around
                else greatest(least(lag(length, 1) over around, lag(length, 2) over around, lag(length, 3) over around),
                              least(lead(length, 1) over around, lead(length, 2) over around, lead(length, 3) over around))
           end as around
    from step where length is not null
    window around as (order by time)
  ),
  hole as materialized (
    select time + interval '1 ms' as since, next as until,
           greatest(1, round(extract(epoch from length) / extract(epoch from around)) - 1)::int as missing
    from usual where length > 1.5 * around and ranges @> tstzrange(time + interval '1 ms', next)
  ),
  filled as (
    delete from funding_holes as known
    where known.exchange = of_exchange and known.symbol = of_symbol
      and not exists (select from hole where hole.since = known.since)
  )
  insert into funding_holes as known (exchange, symbol, since, until, missing)
  select of_exchange, of_symbol, since, until, missing from hole
  on conflict (exchange, symbol, since) do update set until = excluded.until, missing = excluded.missing
  where (known.until, known.missing) is distinct from (excluded.until, excluded.missing);
  update funding_checkpoints set is_scanned = true where exchange = of_exchange and symbol = of_symbol;
end
$$;

-- The holes, and the time before the first rate. If the perpetual was traded then, the exchange does not keep what is so old.
create view funding_gaps as
select exchange, symbol, since, until, missing, state,
       case state when 'suspected' then 'no rate came: it will be asked for again'
                  else 'asked for again: the exchange has no rate' end as reason
from funding_holes
union all
select exchange, symbol, since, first, missing, case when is_traded then 'retention' else 'before_listing' end,
       case when is_traded then 'the perpetual was traded, and the exchange gives no rate so old'
            else 'before the first rate of the perpetual' end
from (
  select known.exchange, known.symbol, known.first, bound.since,
         floor(extract(epoch from known.first - bound.since) / extract(epoch from early.step))::int as missing,
         exists (select from checkpoints as candles
                 where candles.exchange = known.exchange and candles.symbol = known.symbol
                   and candles.first < known.first - early.step) as is_traded
  from funding_checkpoints as known
  cross join lateral (select least(lower(known.covered), case when known.reach_from is not null then known.wanted_since end)
                             as since) as bound
  -- At first they may have been paid less often than now.
  cross join lateral (
    select greatest(make_interval(secs => known.interval_seconds),
                    (select time from funding_rates as second
                     where second.exchange = known.exchange and second.symbol = known.symbol and second.time > known.first
                     order by second.time limit 1) - known.first) as step
  ) as early
  where known.first >= bound.since + early.step
) as before_first;

comment on view funding_gaps is 'Where funding rates are missing in what was answered for, and why.';

-- Who may read candles may read rates, and who may read the ledger of the one may read that of the other.
do $$
declare
  allowed record;
begin
  for allowed in
    select distinct case grantee when 0 then 'public' else grantee::regrole::text end as reader,
           case pg_class.oid when 'ohlcv'::regclass then 'funding_rates'
                else 'funding_rates, funding_revisions, funding_checkpoints, funding_holes, funding_gaps' end as relations
    from pg_class cross join lateral aclexplode(relacl)
    where pg_class.oid in ('ohlcv'::regclass, 'checkpoints'::regclass) and privilege_type = 'SELECT' and grantee <> relowner
  loop
    execute format('grant select on %s to %s', allowed.relations, allowed.reader);
  end loop;
end
$$;

-- As before, with the tables and the view above.
create or replace function titan10_relations() returns setof text language sql stable as $$
  select unnest(array[
    'alerts', 'all_gaps', 'archive', 'candle_revisions', 'capabilities', 'checkpoints', 'copied_series', 'events',
    'exchanges', 'funding_checkpoints', 'funding_gaps', 'funding_holes', 'funding_rates', 'funding_revisions', 'gaps',
    'import_conflicts', 'imports', 'jobs', 'listings', 'ohlcv', 'policy_runs', 'recent_pages', 'rejected_candles',
    'rollups', 'streamed_candles', 'timeframes', 'titan10_bound_gaps', 'titan10_migrations'
  ])
  union all select table_name from timeframes
  union all select unnest(array[view_name, held_name]) from rollups
$$;

-- As before, with the funding rates of a symbol of which no series is left, also none of another price.
create or replace function titan10_forget(of_exchange text, of_symbol text, of_timeframe text)
returns bigint language plpgsql volatile as $$
declare
  candle_table constant text := (select table_name from timeframes where timeframe = of_timeframe);
  market constant text := regexp_replace(of_symbol, '@(mark|index|premium)$', '');
  held text;
  deleted bigint := 0;
begin
  -- Rows in compressed chunks are deleted, however many they are.
  perform set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true);
  -- As any statement that writes: the tables first, then the row of the series, for which pages wait.
  perform titan10_lock_candles();
  delete from checkpoints where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  if candle_table is not null then
    execute format('delete from %I where exchange = $1 and symbol = $2', candle_table) using of_exchange, of_symbol;
    get diagnostics deleted = row_count;
  end if;
  delete from candle_revisions where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from rejected_candles where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from import_conflicts where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from imports where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from gaps where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from alerts where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  -- As whoever writes events, before it holds one of them.
  perform pg_advisory_xact_lock(hashtextextended('titan10_note_event', 0));
  delete from events where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from recent_pages where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from copied_series where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  if not exists (select from checkpoints where exchange = of_exchange and symbol = of_symbol) then
    delete from listings where exchange = of_exchange and symbol = of_symbol;
    delete from alerts where exchange = of_exchange and symbol = of_symbol;
    delete from events where exchange = of_exchange and symbol = of_symbol;
  end if;
  if not exists (select from checkpoints where exchange = of_exchange
                   and symbol in (market, market || '@mark', market || '@index', market || '@premium'))
  then
    delete from funding_checkpoints where exchange = of_exchange and symbol = market;
    delete from funding_rates where exchange = of_exchange and symbol = market;
    delete from funding_revisions where exchange = of_exchange and symbol = market;
    delete from funding_holes where exchange = of_exchange and symbol = market;
  end if;
  -- What rollups hold of candles that RETENTION has dropped cannot be worked out anew, so nothing is: it is deleted, too.
  if exists (select from rollups where base_timeframe = of_timeframe and titan10_is_aggregate(held_name)) then
    for held in
      select format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)
      from rollups join timescaledb_information.continuous_aggregates as aggregate on aggregate.view_name = held_name
      where base_timeframe = of_timeframe and aggregate.view_schema = current_schema()
    loop
      execute format('delete from %s where exchange = $1 and symbol = $2', held) using of_exchange, of_symbol;
    end loop;
  end if;
  return deleted;
end
$$;

-- What is replaced looks for names in the session's schemas again, and queries may read what is new.
select titan10_keep_to_schema();
select titan10_guard_query();
