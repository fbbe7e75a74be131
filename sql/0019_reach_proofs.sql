-- That an exchange has nothing older is an inference from its answers, which may have been wrong: an exchange in trouble
-- gives its newest candles whatever is asked. So it is asked again, at growing intervals, and what it then gives takes
-- the inference back. And some exchanges give older candles only where a request names an end.

alter table checkpoints
  add column reach_asked_at timestamptz,
  add column reach_asks     int not null default 0 check (reach_asks >= 0);

comment on column checkpoints.reach_asked_at is
  'When candles older than reach_from were last asked for, by the clock of the program.';
comment on column checkpoints.reach_asks is 'How often they were asked for again, and none came.';

alter table capabilities add column until_needed boolean not null default false;

comment on column capabilities.until_needed is
  'True when the exchange has given older candles only where the request named an end.';
