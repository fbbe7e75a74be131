-- Alerts that have begun, and their ends. They are kept so that a restart neither tells of the same trouble twice nor
-- forgets to tell that it is over; and because nothing is lost here, the table is also the outbox of the webhook.

create table alerts (
  id         bigint generated always as identity primary key,
  alert      text not null check (alert in ('gap_percent', 'breaker_open', 'stale', 'retention_loss')),
  exchange   text not null,
  -- Null, both, where the whole exchange is meant.
  symbol     text,
  timeframe  text,
  -- What was found when it began, in the unit of the threshold: percent of gap_percent, seconds of the others.
  value      double precision not null,
  threshold  double precision not null,
  summary    text not null,
  began      timestamptz not null,
  ended      timestamptz check (ended >= began),
  -- When the webhook took the news or was given up on; '-infinity' where there was no webhook to send it to.
  began_sent timestamptz,
  ended_sent timestamptz check (ended_sent is null or ended is not null),
  check ((symbol is null) = (timeframe is null))
);

comment on table alerts is 'Alerts that have begun, with their ends; rows that are not sent yet are the outbox of the webhook.';

-- Also what keeps two processes from telling of the same trouble.
create unique index alerts_running on alerts (alert, exchange, coalesce(symbol, ''), coalesce(timeframe, ''))
  where ended is null;

create index alerts_unsent on alerts (id)
  where began_sent is null or (ended is not null and ended_sent is null);
