/** The daemon's jobs, and which job wakes which. @module */
import type { Alerts } from "../alert/alerting.ts";
import type { Archive } from "../archive/archive.ts";
import type { FreshSeries } from "../archive/fresh_series.ts";
import type { Job, JobName } from "../archive/job.ts";
import { backfillJob } from "../fetch/backfill_job.ts";
import type { BackfillProgress } from "../fetch/backfill_report.ts";
import { fundingJobs } from "../fetch/funding_job.ts";
import { CatchUp } from "../fetch/catch_up.ts";
import { pollJob } from "../fetch/poll.ts";
import type { PollReport } from "../fetch/poll_report.ts";
import { doubtJob } from "../fetch/reach_doubt.ts";
import { gapsJob } from "../gap/gaps_job.ts";
import type { Capacity } from "../market/capacity.ts";
import { tellDifferingSettings } from "../node/differing_settings.ts";
import { datasetJob } from "../transfer/dataset_job.ts";
import { timescaleVersion } from "../store/connection/timescale.ts";
import { pruneJob } from "../upkeep/prune.ts";
import { maintenanceJob } from "../upkeep/policy_runs.ts";
import { storageJob } from "../upkeep/storage_gauges.ts";
import { upkeepJob } from "../upkeep/upkeep.ts";
import { Schedule } from "./schedule.ts";
import type { Watchdog } from "./watchdog.ts";

export interface JobsOptions {
  readonly alerts: Alerts;
  /** Watches the job `poll`. */
  readonly watchdog?: Watchdog | undefined;
  /** Called when the markets of an exchange are new, with what its polls take, and when they could not be loaded. */
  readonly onMarkets?: ((exchange: string, capacity: Capacity | undefined) => void) | undefined;
  /** @default nothing is streamed */
  readonly streams?: FreshSeries | undefined;
  /** Called after every poll. */
  readonly onPoll?: ((report: PollReport) => void) | undefined;
  /** Called after every page of a backfill. */
  readonly onBackfillProgress?: ((progress: BackfillProgress) => void) | undefined;
  /** Called when a backfill of all exchanges has ended. */
  readonly onBackfillEnd?: (() => void) | undefined;
}

/** The schedule of an archive, and how a backfill of one exchange is begun with other ranges. */
export interface ArchiveSchedule {
  readonly schedule: Schedule;
  readonly startBackfill: (exchange: string) => void;
  /** The same when it was polled, so that nothing is asked for by both. One that is under way begins anew then. */
  readonly startBackfillAfterPoll: (exchange: string) => void;
}

/** Builds the schedule of all jobs. A job may wake another job, but never waits for it. */
export async function scheduleOf(archive: Archive, options: JobsOptions): Promise<ArchiveSchedule> {
  const wake = (name: JobName): void => schedule.wake(name);
  const { reports } = options.alerts;
  const onWritten = (): void => {
    reports.noteWritten();
    wake("upkeep");
  };
  reports.onWrites(() => wake("upkeep"));
  const awaitingPoll = new Set<string>();
  const catchUp = new CatchUp(archive, { onWritten });
  const poll = pollJob(archive, {
    onMarkets: options.onMarkets,
    onPolled: (exchange) => {
      if (!awaitingPoll.delete(exchange)) return;
      archive.exchanges.find(({ id }) => id === exchange)?.work.renewWants();
      startBackfill(exchange);
    },
    streams: options.streams,
    onOwing: (exchange, sinceMs) => catchUp.note(exchange, sinceMs),
    onEnd: (report) => options.onPoll?.(report),
  });
  const { runOnce: pollOnce } = poll;
  const backfill = backfillJob(archive, {
    onProgress: options.onBackfillProgress,
    onEnd: options.onBackfillEnd,
    onWritten,
    onDue: () => wake("backfill"),
  });
  const schedule: Schedule = new Schedule([
    Object.assign(poll, {
      watchdog: options.watchdog,
      runOnce: async (signal: AbortSignal) => {
        const report = await reports.during(() => pollOnce(signal));
        wake("alerts");
        await tellDifferingSettings(archive);
        return report;
      },
    }),
    catchUp.job,
    doubtJob(archive, { onOwed: backfill.startOver }),
    gapsJob(archive, { onFilled: onWritten }),
    ...options.alerts.jobs,
    backfill,
    ...fundingJobs(archive, { onOwed: () => wake("funding_history") }),
    upkeepJob(archive),
    ...await policyJobs(archive),
    storageJob(archive),
    pruneJob(archive),
    datasetJob(archive),
  ], archive);
  const startBackfill = (exchange: string): void => {
    backfill.startOver(exchange);
    wake("funding_history");
  };
  const startBackfillAfterPoll = (exchange: string): void => void awaitingPoll.add(exchange);
  return { schedule, startBackfill, startBackfillAfterPoll };
}

async function policyJobs(archive: Archive): Promise<readonly Job[]> {
  const { database } = archive;
  const isNeeded = database.kind === "embedded" && await timescaleVersion(database) !== null;
  return isNeeded ? [maintenanceJob(archive)] : [];
}
