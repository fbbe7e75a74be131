/** The type of a job. Each directory defines its own jobs, and the daemon runs them. @module */

/** The values of the label `job` of `titan10_job_*`. */
export type JobName =
  | "poll"
  | "gaps"
  | "backfill"
  | "catch_up"
  | "funding"
  | "funding_history"
  | "doubt"
  | "alerts"
  | "gap_alerts"
  | "upkeep"
  | "maintenance"
  | "storage"
  | "prune"
  | "dataset";

/** The counts of one run, by name. */
export type JobReport = Readonly<Record<string, number>>;

/** Work that is done in runs. A run never waits for another job: if it makes work for one, it wakes it. */
export interface Job {
  readonly name: JobName;
  /** Five cron fields, or six with seconds first, in UTC. Undefined if the job runs only when it is woken. */
  readonly cron: string | undefined;
  /** Whether a run may begin while another run of this job is in progress. */
  readonly mayOverlap: boolean;
  /** Whether a run whose counts are all 0 is logged only at debug. @default false */
  readonly isQuiet?: boolean | undefined;
  /** Whether it is done once for the whole archive: of several nodes, the leader does it. @default false */
  readonly isLeaders?: boolean | undefined;
  /** Does one run. Returns early, without an error, when the signal is aborted. */
  readonly runOnce: (signal: AbortSignal) => Promise<JobReport>;
}
