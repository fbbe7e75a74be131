-- What lies before a listing or behind an exchange's reach follows from the bounds of its series. It is worked out when
-- it is read, from the ledger and from what the configuration wants: rows beside the gaps that repeat it had to be made
-- to agree with the ledger again and again. And what an ask for gaps has brought is noted by functions, as SQL of its own.

alter table checkpoints
  add column wanted_since timestamptz,
  add column wanted_until timestamptz,
  add column kept_since   timestamptz;

comment on column checkpoints.wanted_since is
  'The configuration wants candles from here on. Null until the first look for gaps, and where it never named the series.';
comment on column checkpoints.wanted_until is
  'Candles before this are closed; null where that bounds nothing, because all bounds lie before it.';
comment on column checkpoints.kept_since is
  'The exchange has only its newest candles, from here on, at the newest look for gaps. Null where it keeps all.';

-- Until the next look for gaps, what was known of these series is what their rows say.
update checkpoints as series
set wanted_since = bound.since, kept_since = bound.kept_since
from (select exchange, symbol, timeframe, min(since) as since, max(until) filter (where state = 'retention') as kept_since
      from gaps where is_bound group by exchange, symbol, timeframe) as bound
where (series.exchange, series.symbol, series.timeframe) = (bound.exchange, bound.symbol, bound.timeframe);

delete from gaps where is_bound;

alter table gaps drop column is_bound;

-- How many candles open in a range.
create function titan10_candles(timeframe text, since timestamptz, until timestamptz)
returns bigint language sql immutable as $$
  select case
    when right(timeframe, 1) in ('M', 'y') then
      (select max(month) - min(month)
       from (select ceil((12 * extract(year from month_start) + extract(month from month_start) - 1 - 12 * 1970
                          + case when month_start < utc then 1 else 0 end)
                         / (12 * extract(year from titan10_step(timeframe))
                            + extract(month from titan10_step(timeframe)))) as month
             from (select time at time zone 'UTC' as utc, date_trunc('month', time at time zone 'UTC') as month_start
                   from unnest(array[since, until]) as time) as bound) as months)
    else
      (select max(candle) - min(candle)
       from (select ceil((extract(epoch from time) - case right(timeframe, 1) when 'w' then 4 * 86400 else 0 end)
                         / extract(epoch from titan10_step(timeframe))) as candle
             from unnest(array[since, until]) as time) as bounds)
  end::bigint
$$;

-- Nothing older can be asked for: the exchange does not keep it, or lists the symbol no more.
create function titan10_reach(series checkpoints, kept_since timestamptz) returns timestamptz language sql immutable as $$
  select greatest(series.reach_from, kept_since, case when series.ended_why <> 'suspended' then series.ended_at end,
                  '-infinity')
$$;

-- Time of a series that holds no candle for a reason that no ask would change:
--
-- - what lies before the listing is `before_listing`, asked for or not;
-- - what was never answered for and lies behind the exchange's reach is `retention`;
-- - what was answered for, empty, before the first candle is `before_listing` once nothing older is owed and a second
--   ask has confirmed it: one answer may have lost its first rows; `retention` where older candles existed.
--
-- `unconfirmed` is what is to be asked for again before the first candle counts as the first one, also where a search
-- has found the listing, which a single answer may have misled; null when nothing is.
create function titan10_bounds(
  series checkpoints, wanted_since timestamptz, wanted_until timestamptz, kept_since timestamptz,
  out before_listing tstzmultirange, out retention tstzmultirange, out unconfirmed tstzrange
) language plpgsql immutable as $$
declare
  -- Where the candles begin: with the first one, or where older ones were dropped. A hole after that is a gap.
  begins timestamptz := least(series.first, series.expired_until);
  -- An answer for the neighbour of a gap may lie before the time that is kept, and says nothing of a listing.
  covered tstzmultirange := case
    when series.expired_until is null then series.covered
    else series.covered * tstzmultirange(tstzrange(begins, null)) end;
  since timestamptz := least(wanted_since, lower(covered));
  until timestamptz := least(wanted_until, series.ended_at, 'infinity');
  reach timestamptz := titan10_reach(series, kept_since);
  listed timestamptz := coalesce(series.listed_from, '-infinity');
  first_candle timestamptz := coalesce(begins, upper(covered), since);
  is_confirmed boolean := series.first is not distinct from series.first_confirmed or series.expired_until is not null;
  older tstzmultirange;
  -- Answered for and empty, before the first candle.
  edge tstzmultirange;
  is_older_owed boolean;
  -- Whether the exchange had older candles than it gives.
  was_kept boolean;
begin
  before_listing := '{}';
  retention := '{}';
  if wanted_since is null or since >= until then
    return;
  end if;
  before_listing := tstzmultirange(tstzrange(since, greatest(since, least(until, listed))))
    - case when begins is null then '{}' else covered * tstzmultirange(tstzrange(begins, null)) end;
  retention := tstzmultirange(tstzrange(since, greatest(since, least(until, reach)))) - (covered + before_listing);
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
  if is_older_owed or not (is_confirmed or begins is null or was_kept) then
    return;
  end if;
  if was_kept then
    retention := retention + edge;
  else
    before_listing := before_listing + edge;
  end if;
end
$$;

comment on function titan10_bounds is
  'Time of a series without candles whose reason follows from its bounds, and what must be asked for to confirm them.';

create view titan10_bound_gaps as
select exchange, symbol, timeframe, lower(span.range) as since, upper(span.range) as until, span.state,
       titan10_candles(timeframe, lower(span.range), upper(span.range))::int as missing, 0 as attempts,
       created_at as first_seen, null::timestamptz as last_try, created_at as next_try
from checkpoints as series
cross join lateral titan10_bounds(series, wanted_since, wanted_until, kept_since) as bound
cross join lateral (
  select range, 'before_listing' as state from unnest(bound.before_listing) as range
  union all
  select range, 'retention' from unnest(bound.retention) as range
) as span;

create view all_gaps as
select exchange, symbol, timeframe, since, until, state, missing, attempts, first_seen, last_try, next_try from gaps
union all
select exchange, symbol, timeframe, since, until, state, missing, attempts, first_seen, last_try, next_try
from titan10_bound_gaps;

comment on view all_gaps is
  'The gaps, and the time before listings and behind the reach of exchanges, which follows from the ledger.';

-- What is known of every candle that could be in these gaps of a series: whether it is there; else, of a gap whose reason
-- may be proved, whether a row came for it that was refused; else whether another symbol of the exchange has one then.
create function titan10_gap_slots(
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
                         and candle.time = slot.time)
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
  using wanted_timeframe, wanted_exchange, wanted_symbol, gap_sinces, gap_untils, are_provable;
end
$$;

-- How many other symbols of the exchange were answered for throughout a gap, and had begun by then.
create function titan10_others_answered(gap gaps) returns bigint language sql stable as $$
  select count(*) from checkpoints as other
  where other.exchange = gap.exchange and other.timeframe = gap.timeframe and other.symbol <> gap.symbol
    and other.first < gap.since and other.covered @> tstzrange(gap.since, gap.until)
$$;

-- Puts one gap for each run of missing candles with the same reason in the place of one. Returns their states.
create function titan10_cut_gap(
  wanted_timeframe text, wanted_exchange text, wanted_symbol text, wanted_since timestamptz
) returns setof text language plpgsql as $$
declare
  gap gaps;
  others bigint;
begin
  delete from gaps
  where exchange = wanted_exchange and symbol = wanted_symbol and timeframe = wanted_timeframe and since = wanted_since
  returning * into gap;
  others := titan10_others_answered(gap);
  return query
  with reasoned as (
    select slot.open_time, slot.n,
           case
             when slot.stored then 'stored'
             when slot.refused then 'rejected'
             when slot.traded or others < 2 then 'no_trades'
             else 'exchange_outage'
           end as reason
    from titan10_gap_slots(wanted_timeframe, wanted_exchange, wanted_symbol,
                           array[gap.since], array[gap.until], array[true]) as slot
  ),
  run as (
    select reasoned.*, reasoned.n - row_number() over (partition by reason order by reasoned.n) as run from reasoned
  )
  insert into gaps (exchange, symbol, timeframe, since, until, state, missing, attempts, first_seen, last_try, next_try)
  select gap.exchange, gap.symbol, gap.timeframe, min(open_time), max(open_time) + titan10_step(wanted_timeframe), reason,
         count(*), gap.attempts, gap.first_seen, gap.last_try, gap.next_try
  from run where reason <> 'stored' group by reason, run.run
  returning state;
end
$$;

-- Notes one ask, for all gaps of a series that lie between `asked_since` and `asked_until`. Of each it counts what is
-- missing now, and closes it when that is nothing. A gap that was asked for and that the exchange answered for gets a
-- reason:
--
-- - `rejected`, when rows came for all that is missing and failed the checks;
-- - `no_trades`, when other symbols of the exchange have candles at all of those times: it was up, others traded;
-- - when it must have one: `exchange_outage` where no symbol of the exchange has a candle and at least two others were
--   answered for; else `no_trades`.
--
-- A gap of several reasons is cut into one for each. Returns the states of the gaps that were asked for. Those come as
-- arrays: where each begins and when it is asked for next, in milliseconds; whether the exchange answered for all of it;
-- whether its absence may be given a reason that something else proves; whether it must be given one.
create function titan10_note_gaps(
  wanted_timeframe text, wanted_exchange text, wanted_symbol text,
  asked_since timestamptz, asked_until timestamptz, asked_at timestamptz,
  sinces_ms float8[], next_tries_ms float8[], are_answered boolean[], are_provable boolean[], are_conclusive boolean[]
) returns setof text language plpgsql as $$
declare
  noted record;
begin
  for noted in
    with asked as (
      select to_timestamp(since_ms / 1000.0) as since, to_timestamp(next_ms / 1000.0) as next_try,
             answered, answered and provable as provable, answered and conclusive as conclusive
      from unnest(sinces_ms, next_tries_ms, are_answered, are_provable, are_conclusive)
        as row (since_ms, next_ms, answered, provable, conclusive)
    ),
    touched as materialized (
      select gap, gap.since, gap.until, gap.state, asked.since is not null as was_asked, asked.next_try,
             coalesce(asked.answered, false) as answered, coalesce(asked.provable, false) as provable,
             coalesce(asked.conclusive, false) as conclusive
      from gaps as gap left join asked on asked.since = gap.since
      where gap.exchange = wanted_exchange and gap.symbol = wanted_symbol and gap.timeframe = wanted_timeframe
        and gap.since < asked_until and gap.until > asked_since and gap.state <> 'filled'
    ),
    slots as (
      select gap_since, count(*) filter (where not stored) as missing, count(*) filter (where refused) as refused,
             count(*) filter (where traded) as traded
      from (select array_agg(since) as sinces, array_agg(until) as untils, array_agg(provable) as provables
            from touched) as all_touched
      cross join lateral titan10_gap_slots(wanted_timeframe, wanted_exchange, wanted_symbol, sinces, untils, provables)
      group by gap_since
    ),
    counted as (
      select touched.*, slots.missing, slots.refused, slots.traded,
             case when conclusive then titan10_others_answered(gap) else 0 end as others
      from touched join slots on slots.gap_since = touched.since
    ),
    judged as (
      select counted.*,
             case
               when missing = 0 then 'filled'
               when not was_asked then state
               when provable and refused = missing then 'rejected'
               when provable and traded = missing then 'no_trades'
               when conclusive and refused + traded = 0 and others >= 2 then 'exchange_outage'
               when conclusive and refused = 0 and others < 2 then 'no_trades'
               else 'suspected'
             end as verdict,
             conclusive or (provable and refused + traded = missing) as is_due
      from counted
    )
    update gaps
    set missing = judged.missing,
        state = judged.verdict,
        attempts = gaps.attempts + judged.answered::int,
        last_try = case when judged.was_asked then asked_at else gaps.last_try end,
        next_try = coalesce(judged.next_try, gaps.next_try)
    from judged
    where gaps.exchange = wanted_exchange and gaps.symbol = wanted_symbol and gaps.timeframe = wanted_timeframe
      and gaps.since = judged.since
    returning gaps.since, gaps.state, judged.was_asked, judged.is_due and judged.verdict = 'suspected' as is_mixed
  loop
    if noted.is_mixed then
      return query select titan10_cut_gap(wanted_timeframe, wanted_exchange, wanted_symbol, noted.since);
    elsif noted.was_asked then
      return next noted.state;
    end if;
  end loop;
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
      select known.covered, known.expired_until, bound.before_listing, bound.retention
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
