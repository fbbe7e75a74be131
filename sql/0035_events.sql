-- What has happened to an archive was only in the log of its process, which few read and which rotates away: now the archive
-- says itself when its database was away, an exchange banned it, a symbol was delisted or its settings changed. The log
-- is bounded by rows and by age, whatever happens: what happens again and again is one row that says how often.

create table events (
  id        bigint generated always as identity primary key,
  kind      text not null check (kind in (
    'daemon_started', 'daemon_stopped', 'schema_upgraded', 'database_back', 'database_reopened', 'banned', 'ban_ended',
    'breaker_opened', 'breaker_closed', 'listed', 'relisted', 'delisted', 'suspended', 'renamed', 'market_replaced',
    'market_respelled', 'not_listed', 'candles_revised', 'candles_rejected', 'settings_reloaded', 'settings_refused',
    'forgotten', 'imported', 'copied', 'alert_began', 'alert_ended')),
  -- Null where the archive as a whole is meant.
  exchange  text,
  symbol    text check (symbol is null or exchange is not null),
  timeframe text check (timeframe is null or symbol is not null),
  -- Which alert, of alert_began and alert_ended.
  alert     text check ((alert is null) = (kind not in ('alert_began', 'alert_ended'))),
  time      timestamptz not null,
  since     timestamptz not null check (since <= time),
  times     int not null check (times > 0),
  candles   bigint check (candles >= 0),
  text      text not null
) with (fillfactor = 70);

comment on table events is 'What has happened to the archive, newest by time: at most 100 rows of a kind, none older than a year.';
comment on column events.time is 'When it happened; where it has happened several times, the last of them.';
comment on column events.since is 'When it began; where it has happened several times, the first of them.';
comment on column events.times is 'How often it has happened, without an hour between two of them.';
comment on column events.candles is 'How many candles it is about, in all of these times.';

-- Who could read the alerts reads the events, too: the status has both.
do $$
declare
  reader text;
begin
  for reader in
    select distinct case grantee when 0 then 'public' else grantee::regrole::text end
    from pg_class cross join lateral aclexplode(relacl)
    where pg_class.oid = 'alerts'::regclass and privilege_type = 'SELECT' and grantee <> relowner
  loop
    execute format('grant select on events to %s', reader);
  end loop;
end
$$;

-- Keeps an event: where the same has happened within the hour before, its row counts one more. `is_each` is for kinds whose
-- text says what is different each time: then only the same text counts. Then deletes what is too old or too much.
--
-- No index but that of the key: a row that counts on is written where it was, so that nothing grows where there is no
-- vacuum. Several writers wait for each other here, before they hold a row. While someone else holds the table, the event is
-- refused and comes again: a statement without an answer would end all connections of the program.
create function titan10_note_event(
  told_kind text, told_exchange text, told_symbol text, told_timeframe text, told_alert text,
  told_time timestamptz, told_since timestamptz, told_times int, told_candles bigint, told_text text, is_each boolean
) returns void language plpgsql volatile set lock_timeout = '1s' as $$
declare
  known bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_note_event', 0));
  select id into known from events
  where kind = told_kind and exchange is not distinct from told_exchange and symbol is not distinct from told_symbol
    and timeframe is not distinct from told_timeframe and alert is not distinct from told_alert
    and (not is_each or text = told_text)
    and time >= told_since - interval '1 hour' and since > told_time - interval '1 day'
  order by time desc, id desc limit 1;
  if known is null then
    insert into events (kind, exchange, symbol, timeframe, alert, time, since, times, candles, text)
    values (told_kind, told_exchange, told_symbol, told_timeframe, told_alert, greatest(told_time, told_since), told_since,
            told_times, told_candles, told_text);
  else
    update events
    set time = greatest(time, told_time), since = least(since, told_since),
        times = least(times::bigint + told_times, 2147483647),
        candles = case when candles is null and told_candles is null then null
                       else coalesce(candles, 0) + coalesce(told_candles, 0) end,
        text = told_text
    where id = known;
  end if;
  delete from events
  where time < told_time - interval '1 year'
     or (kind = told_kind and id not in (select id from events where kind = told_kind
                                         order by time desc, id desc limit 100));
end
$$;

-- Whether the newest of these events is that a daemon has started or that it has stopped; null where there is neither.
create function titan10_last_run() returns text language sql stable set lock_timeout = '1s' as $$
  select kind from events where kind in ('daemon_started', 'daemon_stopped')
  order by time desc, kind desc limit 1
$$;

-- A poll that is left out again and again is an alert of the webhook, too.
alter table alerts
  drop constraint alerts_alert_check,
  add constraint alerts_alert_check
    check (alert in ('gap_percent', 'breaker_open', 'access_denied', 'stale', 'polls_skipped', 'retention_loss',
                     'listing_changed'));

-- As before, with the events.
create or replace function titan10_relations() returns setof text language sql stable as $$
  select unnest(array[
    'alerts', 'all_gaps', 'archive', 'candle_revisions', 'capabilities', 'checkpoints', 'copied_series', 'events',
    'exchanges', 'gaps', 'import_conflicts', 'imports', 'jobs', 'listings', 'ohlcv', 'policy_runs', 'recent_pages',
    'rejected_candles', 'rollups', 'timeframes', 'titan10_bound_gaps', 'titan10_migrations'
  ])
  union all select table_name from timeframes
  union all select unnest(array[view_name, held_name]) from rollups
$$;

-- As before, with its events.
create or replace function titan10_forget(of_exchange text, of_symbol text, of_timeframe text)
returns bigint language plpgsql volatile as $$
declare
  candle_table constant text := (select table_name from timeframes where timeframe = of_timeframe);
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

-- Lets queries read the new table.
select titan10_guard_query();
