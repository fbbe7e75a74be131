-- The history that is wanted may end: BACKFILL=1m:2021-01-01..2023-01-01. What lies between that end and the first poll is
-- wanted by nothing and owed by nobody, and every view says so. From the first poll on everything is wanted, so where polls
-- began is kept: coverage cannot tell it, because ranges are moved.

alter table checkpoints
  add column wanted_ends timestamptz,
  add column followed_from timestamptz;

comment on column checkpoints.wanted_ends is
  'The end of the history that the configuration wants. Null where it reaches to the newest candle.';
comment on column checkpoints.followed_from is
  'From here on candles are wanted whatever history is: polls began here. Infinity before the first poll. Null where no '
  'range with an end was ever asked for: then all is wanted from the beginning of coverage on.';

-- What is wanted of a series of which a range was ever asked for: the history, and all from the first poll on.
create function titan10_wanted(series checkpoints) returns tstzmultirange language sql immutable begin atomic
  select tstzmultirange(tstzrange(least((series).wanted_since, (series).wanted_ends), (series).wanted_ends),
                        tstzrange((series).followed_from, null));
end;

-- What the configuration does not ask for, of such a series.
create function titan10_outside(series checkpoints) returns tstzmultirange language sql immutable begin atomic
  select case when (series).followed_from is null then '{}'::tstzmultirange
              else tstzmultirange(tstzrange(null, null)) - titan10_wanted(series) end;
end;

comment on function titan10_outside is 'Time of a series that lies outside the configured range, and before its first poll.';

-- As before, of what is wanted and of what was answered for, which need not be one piece any more.
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
  wanted tstzmultirange;
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
  wanted := tstzmultirange(tstzrange(since, until));
  if series.followed_from is not null then
    wanted := wanted * (titan10_wanted(series) + covered + young);
  end if;
  before_listing := wanted * tstzmultirange(tstzrange(null, listed))
    - case when begins is null then '{}' else covered * tstzmultirange(tstzrange(begins, null)) end - young;
  retention := wanted * tstzmultirange(tstzrange(null, reach)) - (covered + before_listing + young);
  older := wanted * tstzmultirange(tstzrange(null, first_candle));
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
      select known.covered, known.expired_until, known.ended_at, bound.before_listing, bound.retention,
             titan10_outside(known) as outside
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
