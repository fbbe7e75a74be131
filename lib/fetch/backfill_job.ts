/** The job `backfill`: all that is owed, of all exchanges, for as long as that takes. @module */
import type { Archive } from "../archive/archive.ts";
import type { Job } from "../archive/job.ts";
import { backfill } from "./backfill.ts";
import { type BackfillProgress, sumReports } from "./backfill_report.ts";

interface BackfillJobOptions {
  /** Told after every page. */
  readonly onProgress?: ((progress: BackfillProgress) => void) | undefined;
  /** Told when all exchanges are done. */
  readonly onEnd?: (() => void) | undefined;
  /** Told at the end when candles were written. */
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
