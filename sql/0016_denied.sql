-- An exchange that refuses this address is a trouble of its own: waiting does not end it, and a proxy may.

alter table alerts
  drop constraint alerts_alert_check,
  add constraint alerts_alert_check
    check (alert in ('gap_percent', 'breaker_open', 'access_denied', 'stale', 'retention_loss'));
