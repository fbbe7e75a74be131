-- A first candle is confirmed by a second look before it. That look comes an hour after the first: an exchange in
-- trouble answers twice in a row with less than it has.

alter table checkpoints
  add column doubted_first timestamptz,
  add column doubted_since timestamptz;

comment on column checkpoints.doubted_first is
  'The first candle whose confirmation is waited for.';
comment on column checkpoints.doubted_since is
  'Since when, by the clock of the program.';
