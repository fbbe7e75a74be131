-- A statement that locks several rows takes them in the order of their keys, as lib/store/lock_order.ts has it. Scans for
-- gaps, RETENTION and the statements that enter listings locked the series in whatever order PostgreSQL found them in:
-- two that met waited for each other until PostgreSQL ended one.

-- As before, with the series locked in order. And the table of candles is locked before, as by every statement that
-- writes to it: else a scan that has read candles waited for a series that RETENTION had, which waited to drop them.
create or replace function titan10_scan_gaps(wanted_timeframe text, found_at timestamptz) returns bigint
language plpgsql volatile set jit = off as $$
declare
  looked record;
  step interval := titan10_step(wanted_timeframe);
  candle_table text := (select table_name from timeframes where timeframe = wanted_timeframe);
  entered bigint := 0;
begin
  if candle_table is not null then
    execute format('lock table only %I in row exclusive mode', candle_table);
  end if;
  for looked in
    with fresh as materialized (
      select series, titan10_unscanned(series) as ranges from checkpoints as series where timeframe = wanted_timeframe
    ),
    holes as materialized (
      select (series).exchange, (series).symbol, hole.since, hole.until
      from fresh cross join lateral titan10_holes(series) as hole
    ),
    held as materialized (
      select known.exchange, known.symbol, fresh.ranges,
             (fresh.series).candles as candles_seen, (fresh.series).covered as covered_seen
      from checkpoints as known join fresh
        on known.exchange = (fresh.series).exchange and known.symbol = (fresh.series).symbol
      where known.timeframe = wanted_timeframe and not isempty(fresh.ranges) and not known.scanned && fresh.ranges
        and (select count(*) from holes) >= 0
      order by known.exchange, known.symbol for update of known
    ),
    noted as (
      update checkpoints as known set scanned = known.scanned + held.ranges
      from held
      where (known.exchange, known.symbol, known.timeframe) = (held.exchange, held.symbol, wanted_timeframe)
      returning known.exchange, known.symbol, held.ranges,
                (known.candles, known.covered) is distinct from (candles_seen, covered_seen) as is_raced
    ),
    found as (
      insert into gaps (exchange, symbol, timeframe, since, until, missing, first_seen, next_try)
      select exchange, symbol, wanted_timeframe, since, until,
             (select count(*) from generate_series(since, until - interval '1 microsecond', step)), found_at, found_at
      from holes join noted using (exchange, symbol)
      order by exchange, symbol, since
      on conflict do nothing
      returning 1
    )
    select noted.*, (select count(*) from found) as found from noted
    order by exchange, symbol
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

-- As before, with the series and their gaps locked in order.
create or replace function titan10_expire(wanted_timeframe text, until timestamptz)
returns table (dropped bigint, lacking text) language plpgsql as $$
declare
  candle_table text;
  known_until timestamptz;
begin
  dropped := 0;
  select table_name, expired_until into candle_table, known_until from timeframes where timeframe = wanted_timeframe;
  -- Whoever writes a page locks the table before the ledger: so does this, and neither waits for the other in a circle.
  execute format('lock table %I in share row exclusive mode', candle_table);
  -- What was dropped once and came again, such as the neighbour of a gap, is in the rollups already.
  lacking := titan10_lacking_rollup(wanted_timeframe, coalesce(known_until, '-infinity'), until);
  if lacking is not null then
    return next;
    return;
  end if;

  perform from checkpoints
  where timeframe = wanted_timeframe and least(first, lower(covered)) < titan10_expire.until
  order by exchange, symbol for update;
  perform from gaps
  where timeframe = wanted_timeframe and since < titan10_expire.until
  order by exchange, symbol, since for update;
  update timeframes
  set expired_from = coalesce(expired_from, (select min(least(c.first, lower(c.covered))) from checkpoints as c
                                             where c.timeframe = wanted_timeframe), until),
      expired_until = greatest(expired_until, until)
  where timeframe = wanted_timeframe;
  execute format($ledger$
    with gone as (
      select exchange, symbol, count(*) as candles from %1$I where time < $2 group by exchange, symbol
    ),
    cut as (
      update checkpoints as series
      set candles = series.candles - coalesce(gone.candles, 0),
          first = (select min(time) from %1$I as kept
                   where kept.exchange = series.exchange and kept.symbol = series.symbol and kept.time >= $2),
          last = case when series.last >= $2 then series.last end,
          covered = series.covered * tstzmultirange(tstzrange($2, null)),
          scanned = series.scanned * tstzmultirange(tstzrange($2, null)),
          expired_until = $2
      from checkpoints as known left join gone using (exchange, symbol)
      where (known.exchange, known.symbol, known.timeframe) = (series.exchange, series.symbol, series.timeframe)
        and series.timeframe = $1 and least(series.first, lower(series.covered)) < $2
      returning gone.candles
    )
    select coalesce(sum(candles), 0) from cut
  $ledger$, candle_table) into dropped using wanted_timeframe, until;
  delete from gaps where timeframe = wanted_timeframe and gaps.until <= titan10_expire.until;
  execute format($gap$
    update gaps as gap
    set since = $2,
        missing = (select count(*) from titan10_open_times($1, $2, gap.until) as slot (time)
                   where not exists (select from %1$I as candle
                                     where candle.exchange = gap.exchange and candle.symbol = gap.symbol
                                       and candle.time = slot.time))
    where gap.timeframe = $1 and gap.since < $2
      and not exists (select from gaps as other where other.since = $2
                        and (other.exchange, other.symbol, other.timeframe)
                            = (gap.exchange, gap.symbol, gap.timeframe))
  $gap$, candle_table) using wanted_timeframe, until;

  if titan10_is_hypertable(candle_table) then
    execute format('select %s.drop_chunks(%L::regclass, older_than => %L::timestamptz)',
                   titan10_timescale(), format('%I', candle_table), until);
  end if;
  execute format('delete from %I where time < $1', candle_table) using until;
  return next;
end
$$;
