/** The results of the scheduled jobs, stored for `status`. @module */
import type { Database } from "./connection/database.ts";
import { WRITE_AGAIN } from "./connection/restart_proof.ts";
import { epochMs } from "./parameters.ts";

export type JobOutcome = "running" | "success" | "failure" | "cancelled";

interface JobState {
  readonly job: string;
  readonly lastStartMs: number | undefined;
  readonly lastSuccessMs: number | undefined;
  readonly lastOutcome: JobOutcome | undefined;
}

export async function readJobs(database: Database): Promise<readonly JobState[]> {
  return await database.run("read the jobs", async (sql) => {
    const rows = await sql<JobRow[]>`
      select job, last_start, last_success, last_outcome from jobs order by job`;
    return rows.map((row) => ({
      job: row.job,
      lastStartMs: epochMs(row.last_start),
      lastSuccessMs: epochMs(row.last_success),
      lastOutcome: row.last_outcome ?? undefined,
    }));
  });
}

/** Records that a job started. */
export async function writeJobStart(database: Database, job: string, nowMs: number): Promise<void> {
  const write = (): Promise<void> =>
    database.run(`note the start of job ${job}`, async (sql) => {
      await sql`
        insert into jobs (job, last_start, last_outcome)
        values (${job}, to_timestamp(${nowMs}::float8 / 1000.0), 'running')
        on conflict (job) do update set last_start = excluded.last_start, last_outcome = 'running'`;
    });
  await database.writes.note("row", write);
}

/** Records how a job ended. */
export async function writeJobEnd(
  database: Database,
  job: string,
  { outcome, nowMs }: { readonly outcome: JobOutcome; readonly nowMs: number },
): Promise<void> {
  const successMs = outcome === "success" ? nowMs : null;
  const write = (): Promise<void> =>
    database.run(`note the end of job ${job}`, async (sql) => {
      await sql`
        insert into jobs as known (job, last_success, last_outcome)
        values (${job}, to_timestamp(${successMs}::float8 / 1000.0), ${outcome})
        on conflict (job) do update
        set last_success = coalesce(excluded.last_success, known.last_success),
            last_outcome = excluded.last_outcome`;
    });
  await database.writes.note("row", write);
}

/** Finds out whether the database takes writes, where nothing else was written for a while. */
export async function writeAgain(database: Database): Promise<void> {
  const write = (): Promise<void> =>
    database.run("write a row, to find out whether the database takes writes", async (sql) => {
      await sql.unsafe(WRITE_AGAIN);
    });
  await database.writes.note("row", write);
}

interface JobRow {
  readonly job: string;
  readonly last_start: Date | null;
  readonly last_success: Date | null;
  readonly last_outcome: JobOutcome | null;
}
