/** TimescaleDB's policies where no background worker runs them: which are due, and how they went. @module */
import type { Database } from "./connection/database.ts";
import { epochMs, storableText } from "./parameters.ts";

/** A policy that is due. */
export interface PolicyJob {
  readonly id: number;
  /** `policy_compression` for example. */
  readonly procedure: string;
  /** The table it is for; undefined for one of the whole database. */
  readonly hypertable: string | undefined;
  /** Compression alone: what lies wholly before this is to be compressed. Milliseconds. */
  readonly compressBeforeMs: number | undefined;
}

/** Jobs below this id are TimescaleDB's own housekeeping for its background workers. */
const USER_JOB_ID_MIN = 1000;

/** As long as the errors that other tables keep. */
const ERROR_CHARACTERS_MAX = 500;

/**
 * The policies that are due: never run here, or not for as long as they say themselves, which after a failure is
 * their `retry_period`. The longest overdue comes first; one that is paused is left out.
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

/** Runs a policy to its end. */
export async function runPolicyJob(
  database: Database,
  { id, procedure }: PolicyJob,
): Promise<void> {
  await database.runLong(`run ${procedure} (${id})`, async (sql) => {
    // Policies commit as they go, which only a statement without parameters lets them.
    await sql.unsafe(`call run_job(${id})`);
  });
}

/** Notes how a run went, and forgets policies that are gone. */
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
        where job_id <> ${id} and job_id not in (select job_id from timescaledb_information.jobs)
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
