-- Backfill takes whole months from the files that an exchange publishes. Their origin is told by imports, as that of any file:
-- the address is the file's name. What is wrong with them is told by two kinds of events.

alter table events
  drop constraint events_kind_check,
  add constraint events_kind_check check (kind in (
    'daemon_started', 'daemon_stopped', 'schema_upgraded', 'database_back', 'database_reopened', 'banned', 'ban_ended',
    'breaker_opened', 'breaker_closed', 'listed', 'relisted', 'delisted', 'suspended', 'renamed', 'expired',
    'market_replaced', 'market_respelled', 'not_listed', 'candles_revised', 'candles_rejected', 'file_differs',
    'files_away', 'settings_reloaded', 'settings_refused', 'forgotten', 'imported', 'copied', 'alert_began',
    'alert_ended'));
