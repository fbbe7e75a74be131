-- What an exchange's answers have taught about it: how long its pages are, how far back it reaches. Kept, so that a
-- restart does not have to find out again by pages that come cut, and so that people can look.

create table capabilities (
  exchange         text not null,
  timeframe        text not null,
  page_rows        int not null check (page_rows > 0),
  page_rows_source text not null check (page_rows_source in ('table', 'ccxt', 'default', 'answers')),
  rows_seen        int not null check (rows_seen >= 0),
  since_honoured   boolean,
  newest_candles   bigint check (newest_candles >= 0),
  omits_silent     boolean,
  learned_at       timestamptz not null,
  primary key (exchange, timeframe)
);

comment on table capabilities is 'What each exchange can do for a timeframe, as its answers have shown; null where they have shown nothing.';
comment on column capabilities.page_rows is 'Candles that a request asks for at most.';
comment on column capabilities.page_rows_source is 'Who says so: titan10''s own table, CCXT, nobody (default), or the exchange''s answers.';
comment on column capabilities.rows_seen is 'Rows of the longest answer that ever came.';
comment on column capabilities.since_honoured is 'True when the exchange has given older candles when asked for them than it had given before.';
comment on column capabilities.newest_candles is 'How many of its newest candles the exchange has, of the series that reaches back furthest; null when no end was met.';
comment on column capabilities.omits_silent is 'Whether a candle without trades is left out (true) or comes without volume (false).';
comment on column capabilities.learned_at is 'When an answer last changed any of this.';
