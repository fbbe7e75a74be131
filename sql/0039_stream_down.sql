-- A stream that stays down costs no candle, and was seen only by those who look at the page: now it is an alert, too.
alter table alerts
  drop constraint alerts_alert_check,
  add constraint alerts_alert_check
    check (alert in ('gap_percent', 'breaker_open', 'access_denied', 'stale', 'stream_down', 'polls_skipped',
                     'retention_loss', 'listing_changed'));
