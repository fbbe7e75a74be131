-- A dated future ends when it expires, and an exchange says when that is, years before: so its end is no absence that must
-- last before it counts. Its last candle holds the moment before; up to there its candles are asked for after its end, too,
-- as those of a suspended market are. Where the exchange answers no more of it, it has nothing older than its end either:
-- reach_from says so.

alter table listings
  add column expires_at timestamptz,
  drop constraint listings_why_check,
  add constraint listings_why_check check (why in ('delisted', 'suspended', 'renamed', 'replaced', 'expired'));

comment on column listings.expires_at is 'When the dated future expires, as its exchange said last; null of all other markets.';

alter table checkpoints
  drop constraint checkpoints_ended_why_check,
  add constraint checkpoints_ended_why_check check (ended_why in ('delisted', 'suspended', 'renamed', 'expired'));

alter table events
  drop constraint events_kind_check,
  add constraint events_kind_check check (kind in (
    'daemon_started', 'daemon_stopped', 'schema_upgraded', 'database_back', 'database_reopened', 'banned', 'ban_ended',
    'breaker_opened', 'breaker_closed', 'listed', 'relisted', 'delisted', 'suspended', 'renamed', 'expired',
    'market_replaced', 'market_respelled', 'not_listed', 'candles_revised', 'candles_rejected', 'settings_reloaded',
    'settings_refused', 'forgotten', 'imported', 'copied', 'alert_began', 'alert_ended'));

-- As before, but that an exchange may still give the history of a future that has expired.
create or replace function titan10_reach(series checkpoints, kept_since timestamptz) returns timestamptz
language sql immutable as $$
  select greatest(series.reach_from, kept_since,
                  case when series.ended_why not in ('suspended', 'expired') then series.ended_at end, '-infinity')
$$;
