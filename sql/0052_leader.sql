-- Where several nodes share an archive, one of them, the leader, does what is done once: it judges alerts and posts them, rolls
-- up, drops what is too old. It judges by the database alone: each node writes here what it alone knows of the exchanges that it
-- asks, so that an alert neither begins nor ends because a node came or went, or another one leads.

create table node_exchanges (
  node     uuid not null,
  exchange text not null,
  egress   text not null,
  -- Durations in it are milliseconds before `at`, because the clocks of nodes differ.
  state    jsonb not null check (jsonb_typeof(state) = 'object'),
  at       timestamptz not null default clock_timestamp(),
  -- When the node has ceased to ask the exchange; null while it does.
  left_at  timestamptz,
  primary key (node, exchange)
) with (fillfactor = 50);

comment on table node_exchanges is
  'What each node knows of the exchanges that it asks, written after each poll. Rows of nodes that are gone are kept for some minutes.';

-- For how many judgements in a row conditions have held whose alerts have not begun: the next leader goes on counting.
create table alert_holds (
  alert text primary key,
  held  jsonb not null check (jsonb_typeof(held) = 'object'),
  -- Which node has judged.
  node  uuid not null,
  at    timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

comment on table alert_holds is
  'By kind of alert: how many times in a row its conditions were found by now, of alerts that begin only when one holds.';

alter table alerts add column sending uuid, add column sending_at timestamptz;

comment on column alerts.sending is
  'The node that posts this news to the webhook, or has tried to. Only it does so until some time after sending_at.';

-- A node whose settings differ from those of most others does not lead, and says in what.
alter table events
  drop constraint events_kind_check,
  add constraint events_kind_check check (kind in (
    'daemon_started', 'daemon_stopped', 'schema_upgraded', 'database_back', 'database_reopened', 'banned', 'ban_ended',
    'breaker_opened', 'breaker_closed', 'listed', 'relisted', 'delisted', 'suspended', 'renamed', 'expired',
    'market_replaced', 'market_respelled', 'not_listed', 'candles_revised', 'candles_rejected', 'file_differs',
    'files_away', 'settings_reloaded', 'settings_refused', 'settings_differ', 'forgotten', 'imported', 'copied',
    'alert_began', 'alert_ended'));

-- Whether a node leads, to be asked within the statement that may be executed only by the leader: its lease stays as it is until
-- the statement has ended. So what a node decided before it was stopped for minutes is not executed when it wakes. A lease that
-- nobody else has taken is as good as before. Without a node no leases are kept.
create function titan10_leads(of_node uuid) returns boolean language plpgsql volatile as $$
begin
  if of_node is null then
    return true;
  end if;
  perform from leases where exchange = '' and symbol = '' and holder = of_node for share;
  return found;
end
$$;

-- Whether a listing of a symbol is to begin: none goes on. Two nodes may load the same markets for the first time at once, and
-- find the same news: the second one waits here, and sees then what the first one has entered.
create function titan10_may_begin_listing(of_exchange text, of_symbol text) returns boolean language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_listings ' || of_exchange, 'listings'::regclass::oid::bigint));
  return not coalesce((select until is null from listings
                       where exchange = of_exchange and symbol = of_symbol order by since desc limit 1), false);
end
$$;

-- As before, with the tables above.
create or replace function titan10_relations() returns setof text language sql stable as $$
  select unnest(array[
    'alert_holds', 'alerts', 'all_gaps', 'archive', 'candle_revisions', 'capabilities', 'changed_months',
    'checkpoints', 'copied_series', 'egress_leases', 'events', 'exchange_egress',
    'exchanges', 'funding_checkpoints', 'funding_gaps', 'funding_holes', 'funding_rates', 'funding_revisions', 'gaps',
    'import_conflicts', 'imports', 'jobs', 'leases', 'listings', 'node_exchanges', 'node_symbols', 'nodes', 'ohlcv',
    'policy_runs', 'recent_pages', 'rejected_candles', 'rollups', 'streamed_candles', 'timeframes', 'titan10_bound_gaps',
    'titan10_migrations'
  ])
  union all select table_name from timeframes
  union all select unnest(array[view_name, held_name]) from rollups
$$;

-- Who may read or write the alerts may do the same with these tables.
select titan10_grant_as('alerts', 'node_exchanges', 'alert_holds');

-- Queries may read what is new.
select titan10_guard_query();
