-- The gaps follow what is written. A candle that comes into a gap is taken off that gap's count by the statement that
-- stores it: before, one late candle had all gaps of its series counted again. And a candle that was stored before it was
-- final is taken back by the statement that covers its time without it: nothing keeps a value that no final answer has
-- confirmed.

-- The time for which an answer is not believed: from the first candle on that is stored, not final yet, and newer than all
-- of which this answer tells or one before it did (`heard`). An exchange in trouble may answer with nothing, or too little.
create function titan10_unproved(unsettled tstzmultirange, heard timestamptz)
returns tstzmultirange language sql immutable as $$
  select case when isempty(newer) then '{}'::tstzmultirange else tstzmultirange(tstzrange(lower(newer), null)) end
  from (select unsettled * tstzmultirange(tstzrange(heard, null)) as newer) as told
$$;

-- Takes back the stored candles of a series in `times`, but not those in `kept_ms`, their open times in milliseconds.
-- `known` is as in titan10_may_revise: an answer that was asked for earlier takes nothing back. Where a candle was taken
-- back, `first` and `last` are those of the series then. Its values stay in candle_revisions.
create function titan10_take_back(
  wanted_exchange text, wanted_symbol text, wanted_timeframe text, times tstzmultirange, kept_ms float8[], known bigint,
  out candles bigint, out first timestamptz, out last timestamptz
) language plpgsql volatile as $$
declare
  source_table text;
  gone timestamptz[];
begin
  candles := 0;
  if isempty(times) then
    return;
  end if;
  select array_agg(slot.time) into gone
  from unnest(times) as range
  cross join lateral titan10_open_times(wanted_timeframe, lower(range), upper(range)) as slot (time)
  where slot.time <> all (select to_timestamp(ms / 1000.0) from unnest(kept_ms) as ms);
  if gone is null then
    return;
  end if;
  source_table := (select table_name from timeframes where timeframe = wanted_timeframe);
  perform titan10_may_revise(wanted_exchange, wanted_symbol, wanted_timeframe, slot.time, known) from unnest(gone) as slot (time);
  -- On its way it reads what is compressed: no more than the time it needs, and however much that is.
  perform set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true);
  execute format($delete$
    with taken as (
      delete from %I
      where exchange = $1 and symbol = $2 and time = any ($3)
        and time >= $5 and time <= $6
      returning *
    )
    insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume)
    select exchange, symbol, $4, time, open, high, low, close, volume from taken
  $delete$, source_table) using wanted_exchange, wanted_symbol, gone, wanted_timeframe,
    (select min(at) from unnest(gone) as at), (select max(at) from unnest(gone) as at);
  get diagnostics candles = row_count;
  if candles = 0 then
    return;
  end if;
  execute format($bounds$
    select (select time from %1$I where exchange = $1 and symbol = $2 order by time limit 1),
           (select time from %1$I where exchange = $1 and symbol = $2 order by time desc limit 1)
  $bounds$, source_table) into first, last using wanted_exchange, wanted_symbol;
end
$$;

-- Takes candles that were added to a series off the gaps in which they lie. `times_ms` are their open times in
-- milliseconds. Call it while the series' checkpoint is locked: no gap of it is entered meanwhile. Volatile, so that it sees
-- the gaps that were entered while the lock was waited for.
create function titan10_fill_gaps(wanted_exchange text, wanted_symbol text, wanted_timeframe text, times_ms float8[])
returns bigint language plpgsql volatile as $$
declare
  oldest timestamptz;
  newest timestamptz;
  filled bigint := 0;
begin
  if coalesce(cardinality(times_ms), 0) = 0 then
    return 0;
  end if;
  select to_timestamp(min(ms) / 1000.0), to_timestamp(max(ms) / 1000.0) into oldest, newest from unnest(times_ms) as ms;
  -- Gaps do not overlap: of those that begin before the candles, only the last one may reach them.
  oldest := coalesce((select since from gaps
                      where exchange = wanted_exchange and symbol = wanted_symbol and timeframe = wanted_timeframe
                        and since <= oldest
                      order by since desc limit 1), oldest);
  if not exists (select from gaps
                 where exchange = wanted_exchange and symbol = wanted_symbol and timeframe = wanted_timeframe
                   and since between oldest and newest and state <> 'filled') then
    return 0;
  end if;
  -- Locked by a statement of its own: the next one sees into which parts an ask that held them has cut them.
  perform from gaps
  where exchange = wanted_exchange and symbol = wanted_symbol and timeframe = wanted_timeframe
    and since between oldest and newest and state <> 'filled'
  order by since for update;
  with hit as (
    select gap.since, count(*) as candles
    from unnest(times_ms) as ms
    cross join lateral (
      select since, until, state from gaps
      where exchange = wanted_exchange and symbol = wanted_symbol and timeframe = wanted_timeframe
        and since <= to_timestamp(ms / 1000.0)
      order by since desc limit 1
    ) as gap
    where gap.until > to_timestamp(ms / 1000.0) and gap.state <> 'filled'
    group by gap.since
  )
  update gaps as gap
  set missing = greatest(gap.missing - hit.candles, 0),
      state = case when gap.missing <= hit.candles then 'filled' else gap.state end
  from hit
  where gap.exchange = wanted_exchange and gap.symbol = wanted_symbol and gap.timeframe = wanted_timeframe
    and gap.since = hit.since;
  get diagnostics filled = row_count;
  return filled;
end
$$;

-- Counts anew what is missing in the gaps of a series that reach into a range.
create function titan10_recount_gaps(
  wanted_timeframe text, wanted_exchange text, wanted_symbol text, wanted_since timestamptz, wanted_until timestamptz
) returns void language plpgsql volatile as $$
begin
  perform from gaps
  where exchange = wanted_exchange and symbol = wanted_symbol and timeframe = wanted_timeframe
    and since < wanted_until and until > wanted_since and state <> 'filled'
  order by since for update;
  execute format($recount$
    update gaps as gap
    set missing = counted.missing, state = case when counted.missing = 0 then 'filled' else gap.state end
    from (
      select since, (select count(*) from generate_series(since, until - interval '1 microsecond', $6))
                    - (select count(*) from %I as candle
                       where candle.exchange = $2 and candle.symbol = $3 and candle.time >= known.since
                         and candle.time < known.until) as missing
      from gaps as known
      where exchange = $2 and symbol = $3 and timeframe = $1 and since < $5 and until > $4 and state <> 'filled'
    ) as counted
    where gap.exchange = $2 and gap.symbol = $3 and gap.timeframe = $1 and gap.since = counted.since
      and gap.missing <> counted.missing
  $recount$, (select table_name from timeframes where timeframe = wanted_timeframe))
  using wanted_timeframe, wanted_exchange, wanted_symbol, wanted_since, wanted_until, titan10_step(wanted_timeframe);
end
$$;

-- Coverage of a series from where its candles begin that was not looked through for gaps.
create function titan10_unscanned(series checkpoints) returns tstzmultirange language sql immutable as $$
  select case
    when least(series.first, series.rows_from, series.expired_until) is null then '{}'
    else series.covered * tstzmultirange(tstzrange(least(series.first, series.rows_from, series.expired_until), null))
         - series.scanned
  end
$$;

-- The holes in that coverage of a series, in order. For each range, it lists the time one step before it, the times of its
-- candles, and its end. Where two neighbours are more than one step apart, candles are missing. `offset 0` makes PostgreSQL
-- look up each range separately; with a plain join, it would read all candles for a few new ones.
create function titan10_holes(series checkpoints) returns table (since timestamptz, until timestamptz)
language plpgsql stable set jit = off as $$
declare
  unscanned tstzmultirange := titan10_unscanned(series);
  source_table text := (select table_name from timeframes where timeframe = series.timeframe);
begin
  if isempty(unscanned) or source_table is null then
    return;
  end if;
  return query execute format($holes$
    with fresh as (select range from unnest($1) as range),
    places as (
      select range, lower(range) - $2 as time from fresh
      union all
      select range, candle.time
      from fresh cross join lateral (
        select time from %I where exchange = $3 and symbol = $4 and time >= lower(range) and time < upper(range)
        offset 0
      ) as candle
      union all
      select range, upper(range) from fresh
    ),
    neighbours as (
      select time + $2 as since, lead(time) over (partition by range order by time) as until from places
    )
    select neighbours.since, neighbours.until from neighbours where neighbours.until > neighbours.since order by 1
  $holes$, source_table)
  using unscanned, titan10_step(series.timeframe), series.exchange, series.symbol;
end
$$;

-- Looks through the coverage of a timeframe that was not looked through yet, and enters the gaps it finds. They are due at
-- once. Returns how many. `scanned` grows only by the ranges that the statement saw, so a page that is committed while it
-- runs is scanned next time. A series of which another process looked through some of these ranges meanwhile, or noted a
-- rejected candle in them, is left to the next scan: the update sees its newest row. Where a page has added candles
-- meanwhile, the gaps are counted again. The holes come first, so that no page waits for its row while candles are read.
create function titan10_scan_gaps(wanted_timeframe text, found_at timestamptz) returns bigint
language plpgsql volatile set jit = off as $$
declare
  looked record;
  step interval := titan10_step(wanted_timeframe);
  entered bigint := 0;
begin
  for looked in
    with fresh as materialized (
      select series, titan10_unscanned(series) as ranges from checkpoints as series where timeframe = wanted_timeframe
    ),
    holes as materialized (
      select (series).exchange, (series).symbol, hole.since, hole.until
      from fresh cross join lateral titan10_holes(series) as hole
    ),
    noted as (
      update checkpoints as known set scanned = known.scanned + fresh.ranges
      from fresh
      where known.timeframe = wanted_timeframe and known.exchange = (fresh.series).exchange
        and known.symbol = (fresh.series).symbol and not isempty(fresh.ranges) and not known.scanned && fresh.ranges
        and (select count(*) from holes) >= 0
      returning known.exchange, known.symbol, fresh.ranges,
                (known.candles, known.covered) is distinct from ((fresh.series).candles, (fresh.series).covered) as is_raced
    ),
    found as (
      insert into gaps (exchange, symbol, timeframe, since, until, missing, first_seen, next_try)
      select exchange, symbol, wanted_timeframe, since, until,
             (select count(*) from generate_series(since, until - interval '1 microsecond', step)), found_at, found_at
      from holes join noted using (exchange, symbol)
      on conflict do nothing
      returning 1
    )
    select noted.*, (select count(*) from found) as found from noted
  loop
    entered := looked.found;
    if looked.is_raced then
      perform titan10_recount_gaps(wanted_timeframe, looked.exchange, looked.symbol,
                                   lower(looked.ranges), upper(looked.ranges));
    end if;
  end loop;
  return entered;
end
$$;

drop function titan10_note_gaps(
  text, text, text, timestamptz, timestamptz, timestamptz, float8[], float8[], boolean[], boolean[], boolean[]);

-- Notes one ask for gaps of a series. Of each it counts what is missing now, and closes it when that is nothing. A gap that
-- the exchange answered for gets a reason:
--
-- - `rejected`, when rows came for all that is missing and failed the checks;
-- - `no_trades`, when other symbols of the exchange have candles at all of those times: it was up, others traded;
-- - when it must have one: `exchange_outage` where no symbol of the exchange has a candle and at least two others were
--   answered for; else `no_trades`.
--
-- A gap of several reasons is cut into one for each. Returns the states of the gaps. They come as arrays: where each begins
-- and when it is asked for next, in milliseconds; whether the exchange answered for all of it; whether its absence may be
-- given a reason that something else proves; whether it must be given one.
create function titan10_note_gaps(
  wanted_timeframe text, wanted_exchange text, wanted_symbol text, asked_at timestamptz,
  sinces_ms float8[], next_tries_ms float8[], are_answered boolean[], are_provable boolean[], are_conclusive boolean[]
) returns setof text language plpgsql as $$
declare
  noted record;
begin
  -- Locked by a statement of its own: what pages have added until then the next one sees, and what they add later they take
  -- off what it has counted.
  perform from gaps
  where exchange = wanted_exchange and symbol = wanted_symbol and timeframe = wanted_timeframe
    and since = any (select to_timestamp(ms / 1000.0) from unnest(sinces_ms) as ms)
  order by since for update;
  for noted in
    with asked as (
      select to_timestamp(since_ms / 1000.0) as since, to_timestamp(next_ms / 1000.0) as next_try,
             answered, answered and provable as provable, answered and conclusive as conclusive
      from unnest(sinces_ms, next_tries_ms, are_answered, are_provable, are_conclusive)
        as row (since_ms, next_ms, answered, provable, conclusive)
    ),
    touched as materialized (
      select gap, asked.*, gap.until, gap.state
      from gaps as gap join asked using (since)
      where gap.exchange = wanted_exchange and gap.symbol = wanted_symbol and gap.timeframe = wanted_timeframe
    ),
    slots as (
      select gap_since, count(*) filter (where not stored) as missing, count(*) filter (where refused) as refused,
             count(*) filter (where traded) as traded
      from (select array_agg(since) as sinces, array_agg(until) as untils, array_agg(provable) as provables
            from touched where state <> 'filled') as open
      cross join lateral titan10_gap_slots(wanted_timeframe, wanted_exchange, wanted_symbol, sinces, untils, provables)
      group by gap_since
    ),
    counted as (
      select touched.*, coalesce(slots.missing, 0) as missing, coalesce(slots.refused, 0) as refused,
             coalesce(slots.traded, 0) as traded,
             case when conclusive then titan10_others_answered(gap) else 0 end as others
      from touched left join slots on slots.gap_since = touched.since
    ),
    judged as (
      select counted.*,
             case
               when missing = 0 then 'filled'
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
    set missing = judged.missing, state = judged.verdict, attempts = gaps.attempts + judged.answered::int,
        last_try = asked_at, next_try = judged.next_try
    from judged
    where gaps.exchange = wanted_exchange and gaps.symbol = wanted_symbol and gaps.timeframe = wanted_timeframe
      and gaps.since = judged.since
    returning gaps.since, gaps.state, judged.is_due and judged.verdict = 'suspected' as is_mixed
  loop
    if noted.is_mixed then
      return query select titan10_cut_gap(wanted_timeframe, wanted_exchange, wanted_symbol, noted.since);
    else
      return next noted.state;
    end if;
  end loop;
end
$$;
