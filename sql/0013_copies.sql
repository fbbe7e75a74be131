-- An archive can be carried from one database to another. It has a name for that, by which a copy that was stopped half
-- way is known again, and by which no archive is ever poured into another.

create table archive (
  is_only     boolean primary key default true check (is_only),
  id          uuid not null default gen_random_uuid(),
  -- The archive that this one is a copy of, and since when. Without an end it is not whole yet, and nobody's to write to.
  copied_from uuid,
  copy_began  timestamptz,
  copy_ended  timestamptz,
  check ((copied_from is null) = (copy_began is null)),
  check (copy_ended is null or copy_began is not null)
);

insert into archive default values;

comment on table archive is 'The one archive in this database, and where it was copied from.';

-- Series whose candles have arrived, while a copy is under way.
create table copied_series (
  exchange  text not null,
  symbol    text not null,
  timeframe text not null,
  -- How the series stood in the other database: when that has changed, it is copied again.
  state     text not null,
  primary key (exchange, symbol, timeframe)
);
