-- The embedded server has no background workers, so that TimescaleDB neither runs its policies there nor knows when
-- they ran: the daemon runs those that are due, and this is its memory of it.

create table policy_runs (
  -- As in timescaledb_information.jobs.
  job_id     int primary key,
  last_start timestamptz not null,
  -- Why the newest run failed; null after one that succeeded.
  last_error text
);

comment on table policy_runs is 'When the daemon ran each policy of TimescaleDB, where no background worker does.';
