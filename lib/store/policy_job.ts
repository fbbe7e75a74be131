/** TimescaleDB's policies on a server without background workers: which are due, and how they went. @module */
import type { Database } from "./connection/database.ts";
import { readTimescale } from "./connection/timescale.ts";
import { epochMs, storableText } from "./parameters.ts";

/** A policy that is due. */
export interface PolicyJob {
  readonly id: number;
  /** For example `policy_compression`. */
  readonly procedure: string;
  /** The table of the policy; undefined for a policy of the whole database. */
  readonly hypertable: string | undefined;
  /** Only for compression: chunks that end before this are to be compressed. Milliseconds. */
  readonly compressBeforeMs: number | undefined;
}

/** Jobs with ids below this are TimescaleDB's own maintenance jobs for its background workers. */
const USER_JOB_ID_MIN = 1000;

/** Errors are cut to this length, as in other tables. */
const ERROR_CHARACTERS_MAX = 500;

/**
 * The policies that are due: those that never ran here, and those whose `schedule_interval` has passed since the last
 * start. After a failure, `retry_period` is used instead. The longest overdue policy comes first; paused ones are left
 * out.
 */
export async function readDuePolicyJobs(
  database: Database,
  { nowMs }: { readonly nowMs: number },
): Promise<readonly PolicyJob[]> {
  return await database.run("read the policies that are due", async (sql) => {
    const rows = await sql<PolicyJobRow[]>`
      with clock as (select to_timestamp(${nowMs}::float8 / 1000.0) as now),
      known as (
        select job_id, proc_name, hypertable_name,
               case when proc_name in ('policy_compression', 'policy_columnstore')
                         and hypertable_schema = current_schema()
                    then clock.now - (config ->> 'compress_after')::interval end as compress_before,
               coalesce(last_start + case when last_error is null then schedule_interval
                                          else retry_period end, '-infinity') as due,
               clock.now
        from clock, timescaledb_information.jobs left join policy_runs using (job_id)
        where scheduled and job_id >= ${USER_JOB_ID_MIN}
      )
      select job_id, proc_name, hypertable_name, compress_before from known
      where due <= now
      order by due, job_id`;
    return rows.map((row) => ({
      id: row.job_id,
      procedure: row.proc_name,
      hypertable: row.hypertable_name ?? undefined,
      compressBeforeMs: epochMs(row.compress_before),
    }));
  });
}

/** Runs a policy until it ends. */
export async function runPolicyJob(
  database: Database,
  { id, procedure }: PolicyJob,
): Promise<void> {
  const timescale = await readTimescale(database);
  if (timescale === undefined) return;
  await database.runLong(`run ${procedure} (${id})`, async (sql) => {
    // Policies commit while they run. PostgreSQL allows that only in a statement without parameters.
    await sql.unsafe(`call ${timescale.schema}.run_job(${id})`);
  });
}

/** Records how a run went, and deletes the records of policies that no longer exist. */
export async function writePolicyRun(
  database: Database,
  { id, startMs, error }: {
    readonly id: number;
    readonly startMs: number;
    /** Why it failed; undefined when it succeeded. */
    readonly error: string | undefined;
  },
): Promise<void> {
  const text = error === undefined ? null : storableText(error, ERROR_CHARACTERS_MAX);
  await database.run(`note the run of policy ${id}`, async (sql) => {
    await sql`
      with gone as (
        delete from policy_runs
        where job_id in (
          select job_id from policy_runs
          where job_id <> ${id} and job_id not in (select job_id from timescaledb_information.jobs)
          for update skip locked
        )
      )
      insert into policy_runs (job_id, last_start, last_error)
      values (${id}, to_timestamp(${startMs}::float8 / 1000.0), ${text})
      on conflict (job_id) do update
      set last_start = excluded.last_start, last_error = excluded.last_error`;
  });
}

interface PolicyJobRow {
  readonly job_id: number;
  readonly proc_name: string;
  readonly hypertable_name: string | null;
  readonly compress_before: Date | null;
}
