/** The job `backfill`: fetches all owed candles of all exchanges, however long that takes. @module */
import type { Archive } from "../archive/archive.ts";
import type { Job } from "../archive/job.ts";
import { backfill } from "./backfill.ts";
import { type BackfillProgress, sumReports } from "./backfill_report.ts";

interface BackfillJobOptions {
  /** Called after every page. */
  readonly onProgress?: ((progress: BackfillProgress) => void) | undefined;
  /** Called when the backfill of all exchanges has ended, unless it was aborted. */
  readonly onEnd?: (() => void) | undefined;
  /** Called at the end of a run that wrote candles. */
  readonly onWritten: () => void;
}

export function backfillJob(archive: Archive, options: BackfillJobOptions): Job {
  return {
    name: "backfill",
    cron: archive.config.backfillCron,
    mayOverlap: false,
    runOnce: async (signal) => {
      const counts = sumReports(
        await backfill(archive, {
          signal,
          patient: true,
          onProgress: (progress) => options.onProgress?.(progress),
        }),
      );
      if (!signal.aborted) options.onEnd?.();
      if (counts.added + counts.revised > 0) options.onWritten();
      return counts;
    },
  };
}
