-- A series belongs to a market, and the exchange's own id says which one: CCXT's symbol may mean another market tomorrow.
-- Then the old listing ends and a new one begins, and nobody asks the new market for the time of the old one.

alter table listings
  drop constraint listings_why_check,
  add constraint listings_why_check check (why in ('delisted', 'suspended', 'renamed', 'replaced'));

comment on column listings.why is
  'Why it ended. replaced: the symbol now means the market of the next row, and the exchange lists this one no more.';

alter table listings add column noticed_at timestamptz;

comment on column listings.noticed_at is
  'When it was noticed that the symbol means this market and not the one before; null where it means the same.';

-- An alert may be about a symbol in all its timeframes.
alter table alerts
  drop constraint alerts_check2,
  add constraint alerts_timeframe_of_a_symbol check (symbol is not null or timeframe is null),
  drop constraint alerts_alert_check,
  add constraint alerts_alert_check
    check (alert in ('gap_percent', 'breaker_open', 'access_denied', 'stale', 'retention_loss', 'listing_changed'));
