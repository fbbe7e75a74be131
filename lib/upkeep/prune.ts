/** The job `prune`: deletes rejected candles, filled gaps, revisions and alerts older than `PRUNE_AFTER`. @module */
import type { Archive } from "../archive/archive.ts";
import type { Job, JobReport } from "../archive/job.ts";
import { PRUNED_TABLES, pruneRows, reuseRoom } from "../store/pruning.ts";

const PRUNE_CRON = "17 * * * *";

/** Rows per statement. It takes some hundred milliseconds, and with a single connection a poll waits that long. */
const ROWS_MAX = 10_000;

/** Statements per table in one run. The next run deletes the rest. */
const STATEMENTS_MAX = 10;

export function pruneJob(archive: Archive): Job {
  return {
    name: "prune",
    get cron() {
      return archive.config.pruneAfterMs === undefined ? undefined : PRUNE_CRON;
    },
    mayOverlap: false,
    isQuiet: true,
    isLeaders: true,
    runOnce: async (signal) => {
      const { config: { pruneAfterMs }, clock } = archive;
      if (pruneAfterMs === undefined) return {};
      return await prune(archive, { beforeMs: clock.now() - pruneAfterMs, signal });
    },
  };
}

/** Deletes old rows. Returns how many were deleted, by table. */
async function prune(
  { database, metrics }: Archive,
  { beforeMs, signal }: { readonly beforeMs: number; readonly signal: AbortSignal },
): Promise<JobReport> {
  const report: Record<string, number> = {};
  for (const table of PRUNED_TABLES) {
    report[table] = 0;
    for (let statement = 0; statement < STATEMENTS_MAX && !signal.aborted; statement++) {
      const rows = await pruneRows(database, table, { beforeMs, rowsMax: ROWS_MAX });
      report[table] += rows;
      metrics.rowsPruned.inc({ table }, rows);
      if (rows < ROWS_MAX) break;
    }
    if (report[table] > 0) await reuseRoom(database, table);
  }
  return report;
}
