/** What the daemon does again and again: each room gives its own jobs, the daemon runs them. @module */

/** The values of the label `job` of `titan10_job_*`. */
export type JobName =
  | "poll"
  | "gaps"
  | "backfill"
  | "catch_up"
  | "alerts"
  | "gap_alerts"
  | "upkeep"
  | "maintenance"
  | "storage"
  | "prune";

/** What one run has done, by what is counted. */
export type JobReport = Readonly<Record<string, number>>;

/** Work that is done in runs. No run waits for another job's: what follows from it is told to the schedule. */
export interface Job {
  readonly name: JobName;
  /** Five cron fields, UTC. A sixth in front counts seconds. Undefined where it runs only when it is woken. */
  readonly cron: string | undefined;
  /** Whether a run may begin while one is under way. */
  readonly mayOverlap: boolean;
  /** Whether a run that counts nothing is told at debug only. @default false */
  readonly isQuiet?: boolean | undefined;
  /** One run. Stops early, without an error, when the signal is aborted. */
  readonly runOnce: (signal: AbortSignal) => Promise<JobReport>;
}
