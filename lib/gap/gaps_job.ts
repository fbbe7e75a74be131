/** The job `gaps`: repairs holes, then counts what is still missing. @module */
import type { Archive } from "../archive/archive.ts";
import type { Job } from "../archive/job.ts";
import { forgetUnconfigured, reportGaps, takeStock } from "./account.ts";
import { repairGaps } from "./repair.ts";

/**
 * Of several nodes each repairs what it asks for, and the leader looks for holes and counts them.
 *
 * @param options.onFilled is called when holes were filled, because rollups of these candles are then out of date.
 */
export function gapsJob(archive: Archive, options: { readonly onFilled: () => void }): Job {
  return {
    name: "gaps",
    get cron() {
      return archive.config.gapsCron;
    },
    mayOverlap: false,
    runOnce: async (signal) => {
      // The daemon speaks for the whole archive: a one-shot command may have been given other settings for once.
      await forgetUnconfigured(archive);
      const repaired = await repairGaps(archive, { signal });
      if (repaired.filled > 0) options.onFilled();
      if (!archive.leases.isLeader) return { ...repaired };
      return { ...repaired, ...reportGaps(await takeStock(archive)) };
    },
  };
}
