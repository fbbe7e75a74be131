-- Two processes that start at once must agree on one compression policy: TimescaleDB itself lets both add one.

-- Has chunks compressed when all their candles are older than `after`, or not at all when that is null. Needs
-- TimescaleDB.
create function titan10_compress_after(candle_table text, after interval) returns void language plpgsql as $$
declare
  policies int;
  same boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_compress_after', 0));
  select count(*), bool_and((config ->> 'compress_after')::interval = after) into policies, same
  from timescaledb_information.jobs
  where proc_name in ('policy_compression', 'policy_columnstore') and hypertable_name = candle_table;
  if (after is null and policies = 0) or (policies = 1 and same) then
    return;
  end if;
  perform delete_job(job_id)
  from timescaledb_information.jobs
  where proc_name in ('policy_compression', 'policy_columnstore') and hypertable_name = candle_table;
  if after is not null then
    perform add_compression_policy(format('%I', candle_table)::regclass, after);
  end if;
end
$$;
