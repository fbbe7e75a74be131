-- Every view of the archive counts the same: `status`, `gaps`, `ohlcv_explained` and the page. What was answered for and
-- empty before the first candle is `before_listing` in all of them, also while it is to be asked for once more, and
-- `suspected` as long as older time is owed. Time after the end of a market is owed in none. A row that came and was rejected shows where the exchange's candles begin, as a candle does:
-- a series of which every row was rejected is not one that was not listed yet.

alter table checkpoints add column rows_from timestamptz;

comment on column checkpoints.wanted_since is
  'Candles are wanted from here on; infinity when none are any more, null when no run has said yet.';
comment on column checkpoints.rows_from is
  'The oldest candle that was rejected, where none is stored before it: a hole after it is a gap. Null where there is none.';

create or replace function titan10_bounds(
  series checkpoints, wanted_since timestamptz, wanted_until timestamptz, kept_since timestamptz,
  out before_listing tstzmultirange, out retention tstzmultirange, out unconfirmed tstzrange
) language plpgsql immutable as $$
declare
  -- Where the candles begin: with the first one, even one that was rejected, or where older ones were dropped. A hole after
  -- that is a gap.
  begins timestamptz := least(series.first, series.rows_from, series.expired_until);
  -- An answer for the neighbour of a gap may lie before the time that is kept, and says nothing of a listing.
  covered tstzmultirange := case
    when series.expired_until is null then series.covered
    else series.covered * tstzmultirange(tstzrange(begins, null)) end;
  -- Stored, but not covered before they are final.
  young tstzmultirange := coalesce(series.unsettled, '{}');
  since timestamptz := least(wanted_since, lower(covered + young));
  until timestamptz := least(wanted_until, series.ended_at, 'infinity');
  reach timestamptz := titan10_reach(series, kept_since);
  listed timestamptz := coalesce(series.listed_from, '-infinity');
  first_candle timestamptz := coalesce(begins, upper(covered), since);
  is_confirmed boolean := series.first is not distinct from series.first_confirmed or series.expired_until is not null
    or coalesce(series.rows_from < series.first, false);
  older tstzmultirange;
  -- Answered for and empty, before the first candle.
  edge tstzmultirange;
  is_older_owed boolean;
  -- Whether the exchange had older candles than it gives.
  was_kept boolean;
begin
  before_listing := '{}';
  retention := '{}';
  -- Of a series that is wanted no more, from the infinite future on, what was answered for counts all the same.
  if wanted_since is null or since >= until then
    return;
  end if;
  before_listing := tstzmultirange(tstzrange(since, greatest(since, least(until, listed))))
    - case when begins is null then '{}' else covered * tstzmultirange(tstzrange(begins, null)) end - young;
  retention := tstzmultirange(tstzrange(since, greatest(since, least(until, reach)))) - (covered + before_listing + young);
  older := tstzmultirange(tstzrange(since, greatest(since, least(until, first_candle))));
  edge := covered * older - before_listing;
  is_older_owed := not isempty(older - (covered + before_listing + retention));
  -- Fine candles that begin that much later than the coarser ones of the same symbol were not kept so long.
  was_kept := retention && tstzrange(null, first_candle)
    or coalesce(first_candle > series.listed_from + interval '48 hours', false);
  if not (is_confirmed or begins is null or is_older_owed or was_kept) then
    -- Of a symbol that came back, time before its first listing is left alone.
    select range into unconfirmed from unnest(edge + before_listing) as range
    where upper(range) = begins and upper(edge + before_listing) = begins;
  end if;
  if is_older_owed then
    return;
  end if;
  if was_kept then
    retention := retention + edge;
  else
    before_listing := before_listing + edge;
  end if;
end
$$;

-- What was answered for, empty, before the candles begin, and has no reason (yet). In PL/pgSQL, because planners fail on
-- this one when it is inlined into the view.
create function titan10_unexplained(series checkpoints, before_listing tstzmultirange, retention tstzmultirange)
returns tstzmultirange language plpgsql immutable as $$
begin
  if series.expired_until is not null then
    return '{}';
  end if;
  return series.covered * tstzmultirange(tstzrange(null, least(series.first, series.rows_from))) - before_listing - retention;
end
$$;

create or replace view titan10_bound_gaps as
select exchange, symbol, timeframe, lower(span.range) as since, upper(span.range) as until, span.state,
       titan10_candles(timeframe, lower(span.range), upper(span.range))::int as missing, 0 as attempts,
       created_at as first_seen, null::timestamptz as last_try, created_at as next_try
from checkpoints as series
cross join lateral titan10_bounds(series, wanted_since, wanted_until, kept_since) as bound
cross join lateral (
  select range, 'before_listing' as state from unnest(bound.before_listing) as range
  union all
  select range, 'retention' from unnest(bound.retention) as range
  union all
  select range, 'suspected' from unnest(titan10_unexplained(series, bound.before_listing, bound.retention)) as range
) as span;

comment on view all_gaps is
  'The gaps, and what follows from the ledger: the time before listings, behind the reach of exchanges, and what was '
  'answered for and empty before a first candle while older time is owed.';

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
      select known.covered, known.expired_until, known.ended_at, bound.before_listing, bound.retention
      from checkpoints as known
      cross join lateral titan10_bounds(known, known.wanted_since, known.wanted_until, known.kept_since) as bound
      where known.exchange = $2 and known.symbol = $3 and known.timeframe = $1
    ),
    told as (
      select slot.time, slot.n,
             case
               when candle.time is not null then 'stored'
               when gap.state is not null then gap.state
               when series.before_listing @> slot.time then 'before_listing'
               when series.retention @> slot.time then 'retention'
               when series.covered @> slot.time then 'suspected'
               when slot.time < series.expired_until then 'expired'
               when slot.time >= series.ended_at then 'ended'
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
