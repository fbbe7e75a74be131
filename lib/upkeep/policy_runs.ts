/** Runs TimescaleDB's policies on the embedded server, which has no background workers to run them. @module */
import {
  type PolicyJob,
  readDuePolicyJobs,
  runPolicyJob,
  writePolicyRun,
} from "../store/policy_job.ts";
import { compressChunks } from "../store/compression.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import type { Archive } from "../archive/archive.ts";
import type { Job } from "../archive/job.ts";
import { errorText } from "../text/redact.ts";

interface MaintenanceReport {
  /** Policies that were due and ran to their end. */
  readonly policies: number;
  readonly failed: number;
  /** Chunks that were compressed. */
  readonly compressed: number;
}

/** How often the job looks for due policies. Each policy has its own interval. */
const MAINTENANCE_CRON = "*/10 * * * *";

/** The job `maintenance`, for the embedded server with TimescaleDB. Other servers run their policies themselves. */
export function maintenanceJob(archive: Archive): Job {
  return {
    name: "maintenance",
    cron: MAINTENANCE_CRON,
    mayOverlap: false,
    isLeaders: true,
    runOnce: async (signal) => ({ ...await runDuePolicies(archive, { signal }) }),
  };
}

/**
 * Runs the policies that are due, one after another. A failure is logged and does not stop the other policies; the
 * failed policy is tried again after its `retry_period`. Needs TimescaleDB.
 */
export async function runDuePolicies(
  archive: Pick<Archive, "database" | "clock" | "log">,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<MaintenanceReport> {
  const { database, clock, log } = archive;
  const report = { policies: 0, failed: 0, compressed: 0 };
  for (const job of await readDuePolicyJobs(database, { nowMs: clock.now() })) {
    const startMs = clock.now();
    let failure: string | undefined;
    try {
      report.compressed += await runPolicy(archive, job, { signal });
    } catch (error) {
      log[isServerAway(error) ? "debug" : "warn"]("a TimescaleDB policy failed", {
        policy: job.procedure,
        table: job.hypertable,
        error,
      });
      failure = errorText(error);
    }
    // An aborted policy is not recorded, so it stays due.
    if (signal?.aborted === true) break;
    report[failure === undefined ? "policies" : "failed"]++;
    await writePolicyRun(database, { id: job.id, startMs, error: failure });
  }
  return report;
}

/**
 * Runs one policy. Compression is done chunk by chunk, not by `run_job`, which compresses all chunks in one call: the
 * embedded server has one connection, and polls would wait until that call ends.
 *
 * @returns how many chunks were compressed.
 */
async function runPolicy(
  archive: Pick<Archive, "database" | "log">,
  job: PolicyJob,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const { hypertable, compressBeforeMs: beforeMs } = job;
  if (hypertable === undefined || beforeMs === undefined) {
    await runPolicyJob(archive.database, job);
    return 0;
  }
  const { database, log } = archive;
  const { compressed, failed } = await compressChunks(database, {
    hypertable,
    beforeMs,
    signal,
    log,
  });
  if (failed > 0) {
    throw new Error(`Cannot compress ${failed} chunks of ${hypertable}: the log says why`);
  }
  return compressed;
}
