-- A dataset of files is written anew only where candles have changed. Whether they have is not worked out from counts or clocks:
-- each change gives its months of its series a version that no other change ever gets, in the transaction that makes it. Files
-- that name the same version hold the same candles, also beside a database that was restored, or lost its newest commits. A
-- month without a row has not changed since this table is there.

create table changed_months (
  exchange  text not null,
  symbol    text not null,
  timeframe text not null,
  -- The first day of the month, UTC.
  month     date not null,
  version   uuid not null,
  primary key (exchange, symbol, timeframe, month)
) with (fillfactor = 70);

comment on table changed_months is
  'By series and month: a version that is another one after each change of its candles, or of what is covered. Compare for equality.';

-- Enters that candles of a series between two open times, both included, have changed. All that a transaction changes gets one
-- version, because nobody sees a state between its statements; what it has entered last is not entered again. Whoever calls
-- this for several series holds their checkpoints, so that nobody waits for another in a circle.
create function titan10_note_change(
  of_exchange text, of_symbol text, of_timeframe text, oldest timestamptz, newest timestamptz
) returns void language plpgsql volatile as $$
declare
  since constant timestamp := date_trunc('month', oldest at time zone 'UTC');
  until constant timestamp := date_trunc('month', newest at time zone 'UTC');
  entry constant text := concat_ws(E'\x1f', of_exchange, of_symbol, of_timeframe, since, until);
  new_version text := nullif(current_setting('titan10.change', true), '');
begin
  if new_version is null then
    new_version := set_config('titan10.change', gen_random_uuid()::text, true);
  elsif current_setting('titan10.changed', true) = entry then
    return;
  end if;
  perform set_config('titan10.changed', entry, true);
  if since = until then
    insert into changed_months as known (exchange, symbol, timeframe, month, version)
    values (of_exchange, of_symbol, of_timeframe, since, new_version::uuid)
    on conflict (exchange, symbol, timeframe, month) do update set version = excluded.version
    where known.version <> excluded.version;
    return;
  end if;
  insert into changed_months as known (exchange, symbol, timeframe, month, version)
  select of_exchange, of_symbol, of_timeframe, month, new_version::uuid
  from generate_series(since, until, interval '1 month') as month
  on conflict (exchange, symbol, timeframe, month) do update set version = excluded.version
  where known.version <> excluded.version;
end
$$;

-- What is covered tells which candles are final, and a candle that is taken back was not: so each change of either is one of
-- the candles that are final. What RETENTION drops is not: who keeps files of it keeps them.
create function titan10_note_coverage() returns trigger language plpgsql as $$
declare
  changed tstzmultirange := new.covered;
  span tstzrange;
begin
  if tg_op = 'UPDATE' then
    changed := (new.covered - old.covered) + (old.unsettled - new.unsettled)
               + case when new.covered @> old.covered then '{}'::tstzmultirange else old.covered - new.covered end;
    if new.expired_until is distinct from old.expired_until and new.expired_until is not null then
      changed := changed * tstzmultirange(tstzrange(new.expired_until, null));
    end if;
  end if;
  if isempty(changed) then
    return null;
  end if;
  -- Nobody can tell of all time: what has no end reaches as far as there are candles.
  if lower_inf(changed) or upper_inf(changed) then
    changed := changed * tstzmultirange(tstzrange(least(new.first, old.first), greatest(new.last, old.last), '[]'));
  end if;
  for span in select unnest(changed) loop
    perform titan10_note_change(new.exchange, new.symbol, new.timeframe, lower(span),
                                greatest(lower(span), upper(span) - interval '1 microsecond'));
  end loop;
  return null;
end
$$;

-- A copy brings the versions of the archive that it is made of.
create trigger note_coverage after update on checkpoints for each row
when ((old.covered is distinct from new.covered or not new.unsettled @> old.unsettled)
      and current_setting('titan10.copies', true) is distinct from 'on')
execute function titan10_note_coverage();

create trigger note_first_coverage after insert on checkpoints for each row
when (not isempty(new.covered) and current_setting('titan10.copies', true) is distinct from 'on')
execute function titan10_note_coverage();

create function titan10_forget_changes() returns trigger language plpgsql as $$
begin
  delete from changed_months
  where exchange = old.exchange and symbol = old.symbol and timeframe = old.timeframe;
  return null;
end
$$;

create trigger forget_changes after delete on checkpoints for each row execute function titan10_forget_changes();

-- As before, and every value that is replaced is a change, whoever replaces it.
create or replace function titan10_keep_revision() returns trigger language plpgsql as $$
begin
  insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume,
                                open_by, high_by, low_by, close_by, volume_by, import_id)
  values (old.exchange, old.symbol, tg_argv[0], old.time, old.open, old.high, old.low, old.close, old.volume,
          new.open - old.open, new.high - old.high, new.low - old.low, new.close - old.close, new.volume - old.volume,
          nullif(current_setting('titan10.import', true), '')::bigint);
  perform titan10_note_change(old.exchange, old.symbol, tg_argv[0], old.time, old.time);
  return new;
end
$$;

-- As before. Every statement that adds candles calls this, so it notes them: those that come into a hole of what is covered
-- leave coverage as it is.
create or replace function titan10_fill_gaps(wanted_exchange text, wanted_symbol text, wanted_timeframe text, times_ms float8[])
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
  perform titan10_note_change(wanted_exchange, wanted_symbol, wanted_timeframe, oldest, newest);
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

-- As before, with the table above.
create or replace function titan10_relations() returns setof text language sql stable as $$
  select unnest(array[
    'alerts', 'all_gaps', 'archive', 'candle_revisions', 'capabilities', 'changed_months',
    'checkpoints', 'copied_series', 'events',
    'exchanges', 'funding_checkpoints', 'funding_gaps', 'funding_holes', 'funding_rates', 'funding_revisions', 'gaps',
    'import_conflicts', 'imports', 'jobs', 'listings', 'ohlcv', 'policy_runs', 'recent_pages', 'rejected_candles',
    'rollups', 'streamed_candles', 'timeframes', 'titan10_bound_gaps', 'titan10_migrations'
  ])
  union all select table_name from timeframes
  union all select unnest(array[view_name, held_name]) from rollups
$$;

-- Who may read or write the ledger may do the same with this table.
do $$
declare
  allowed record;
begin
  for allowed in
    select distinct case grantee when 0 then 'public' else grantee::regrole::text end as role, privilege_type
    from pg_class cross join lateral aclexplode(relacl)
    where pg_class.oid = 'checkpoints'::regclass and grantee <> relowner
      and privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
  loop
    execute format('grant %s on changed_months to %s', allowed.privilege_type, allowed.role);
  end loop;
end
$$;

-- What is replaced looks for names in the session's schemas again, and queries may read what is new.
select titan10_keep_to_schema();
select titan10_guard_query();
