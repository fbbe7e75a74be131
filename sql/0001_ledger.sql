-- The ledger: what every series' exchange has answered for. Work owed is "desired range minus covered", so this
-- one table is what makes a crash, an outage or an older history a matter of one subtraction.

create table checkpoints (
  exchange   text not null,
  symbol     text not null,
  timeframe  text not null,
  -- The ranges of time the exchange has answered for. Written in the same statement as the candles: a crash may
  -- repeat a page, never claim one.
  covered    tstzmultirange not null default '{}',
  -- Counts are kept, not counted: scanning for them takes 0.6 s per million rows.
  candles    bigint not null default 0 check (candles >= 0),
  first      timestamptz,
  last       timestamptz,
  -- Nothing older can be had from the exchange, learned from its answers. Time before it is impossible, not owed.
  reach_from timestamptz,
  -- 'list' when named by the user, 'top' when chosen by volume: such a series is never dropped by itself.
  chosen     text not null default 'list' check (chosen in ('list', 'top')),
  last_error text,
  created_at timestamptz not null default now(),
  primary key (exchange, symbol, timeframe)
);

comment on table checkpoints is 'One row a series: what its exchange has answered for, and what is known of its bounds.';
comment on column checkpoints.covered is 'Half-open ranges of candle open times that the exchange has answered for.';
comment on column checkpoints.last_error is 'Why the newest ask failed; null after one that succeeded.';

-- Rows that came and failed the checks: evidence, apart from the candles.
create table rejected_candles (
  exchange   text not null,
  symbol     text not null,
  timeframe  text not null,
  -- The row as the exchange gave it, JSON text of at most 500 characters.
  answered   text not null,
  reason     text not null,
  -- Open time, where the row has a readable one.
  time       timestamptz,
  times      bigint not null default 1,
  first_seen timestamptz not null default now(),
  last_seen  timestamptz not null default now(),
  primary key (exchange, symbol, timeframe, answered)
);

-- What a stored candle said before the exchange said something else. The newer value is in the candle's table.
create table candle_revisions (
  exchange   text not null,
  symbol     text not null,
  timeframe  text not null,
  time       timestamptz not null,
  revised_at timestamptz not null default clock_timestamp(),
  open       numeric not null,
  high       numeric not null,
  low        numeric not null,
  close      numeric not null,
  volume     numeric not null
);

create index candle_revisions_series on candle_revisions (exchange, symbol, timeframe, time);

-- What must outlive a restart about an exchange: a ban is honoured to its end by the next process too.
create table exchanges (
  exchange      text primary key,
  breaker       text not null default 'closed' check (breaker in ('closed', 'open', 'half_open')),
  banned_until  timestamptz,
  ban_reason    text,
  last_error    text,
  last_error_at timestamptz
);

-- The scheduled jobs and how they went.
create table jobs (
  job          text primary key,
  last_start   timestamptz,
  last_success timestamptz,
  last_outcome text
);
