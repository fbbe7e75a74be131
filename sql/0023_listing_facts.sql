-- A settling time that was learned is forgotten when no candle needs it any more.

alter table capabilities add column settle_needed_at timestamptz;

update capabilities set settle_needed_at = learned_at where settle_seconds is not null;

comment on column capabilities.settle_needed_at is
  'When candles last changed so late. A week later settle_seconds does not count any more.';
