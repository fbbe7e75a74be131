-- Candles may come from files, too. What an exchange said and what a file says must never be taken for each other: each
-- import is kept, with the times it has brought and those it was believed to answer for, and where a file contradicts
-- what is stored, both are.

create table imports (
  id         bigint generated always as identity primary key,
  file       text not null,
  -- Of the whole file; null until its end was reached.
  sha256     text,
  exchange   text not null,
  symbol     text not null,
  timeframe  text not null,
  began      timestamptz not null default now(),
  -- Null while it runs, and for ever when it was stopped half way: what it has stored stays, and stays named here.
  ended      timestamptz,
  -- Candles that were not there, and those that were there and said something else and were replaced.
  added      bigint not null default 0,
  replaced   bigint not null default 0,
  -- Open times of both.
  stored     tstzmultirange not null default '{}',
  -- What the file was taken to answer for, as part of checkpoints.covered.
  claimed    tstzmultirange not null default '{}'
);

comment on table imports is 'One row for each series of each file that was imported.';
comment on column imports.stored is 'Where candles came from this file; newer values are told by candle_revisions.';

-- What a file says of a candle that the archive has with other values, which were kept.
create table import_conflicts (
  exchange   text not null,
  symbol     text not null,
  timeframe  text not null,
  time       timestamptz not null,
  import_id  bigint not null references imports (id),
  open       numeric not null,
  high       numeric not null,
  low        numeric not null,
  close      numeric not null,
  volume     numeric not null,
  primary key (exchange, symbol, timeframe, time)
);

alter table rejected_candles add column import_id bigint references imports (id);
alter table candle_revisions add column import_id bigint references imports (id);

comment on table import_conflicts is 'What the newest file says of candles that are stored with other values.';
comment on column rejected_candles.import_id is 'The import whose file held the row; null when an exchange gave it.';
comment on column candle_revisions.import_id is 'The import that brought the newer value; null when an exchange gave it.';

create or replace function titan10_keep_revision() returns trigger language plpgsql as $$
begin
  insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume,
                                open_by, high_by, low_by, close_by, volume_by, import_id)
  values (old.exchange, old.symbol, tg_argv[0], old.time, old.open, old.high, old.low, old.close, old.volume,
          new.open - old.open, new.high - old.high, new.low - old.low, new.close - old.close, new.volume - old.volume,
          nullif(current_setting('titan10.import', true), '')::bigint);
  return new;
end
$$;
