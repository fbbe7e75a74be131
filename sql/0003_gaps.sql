-- Holes inside coverage, each with a state and a reason. They are found where coverage has grown, so the work is in
-- proportion to what is new and not to the archive: `scanned` remembers how far each series has been looked through.

alter table checkpoints add column scanned tstzmultirange not null default '{}';

comment on column checkpoints.scanned is 'The part of covered that has been looked through for gaps.';

create table gaps (
  exchange   text not null,
  symbol     text not null,
  timeframe  text not null,
  -- Open times of the first missing candle, and of the first candle after it that is there.
  since      timestamptz not null,
  until      timestamptz not null check (until > since),
  -- 'suspected' is open and asked for again; 'filled' is closed; the others are reasons.
  state      text not null default 'suspected'
             check (state in ('suspected', 'filled', 'no_trades', 'exchange_outage', 'rejected')),
  -- Candles of the span that are missing now.
  missing    int not null check (missing >= 0),
  attempts   int not null default 0,
  first_seen timestamptz not null default now(),
  last_try   timestamptz,
  next_try   timestamptz not null default now(),
  primary key (exchange, symbol, timeframe, since)
);

comment on table gaps is 'Spans inside coverage where candles are missing, and why.';

create index gaps_due on gaps (exchange, next_try) where state = 'suspected';
