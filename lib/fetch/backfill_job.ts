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
  /** Exchanges whose backfill is running. One that is down may be waited for until it comes back. */
  const busy = new Set<string>();
  return {
    name: "backfill",
    cron: archive.config.backfillCron,
    // Each run takes the exchanges that no earlier run is still busy with.
    mayOverlap: true,
    runOnce: async (signal) => {
      const exchanges = archive.exchanges.filter(({ id }) => !busy.has(id));
      for (const { id } of exchanges) busy.add(id);
      const counts = sumReports(
        await backfill({ ...archive, exchanges }, {
          signal,
          patient: true,
          onProgress: (progress) => options.onProgress?.(progress),
          onExchangeEnd: (id) => busy.delete(id),
        }),
      );
      if (!signal.aborted) options.onEnd?.();
      if (counts.added + counts.revised > 0) options.onWritten();
      return counts;
    },
  };
}
