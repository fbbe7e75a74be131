/** The job `storage`: updates the metrics of the candle tables' sizes. @module */
import { readStorage } from "../store/storage.ts";
import type { Archive } from "../archive/archive.ts";
import type { Job } from "../archive/job.ts";

/** Every five minutes, because sizes change slowly. */
const STORAGE_CRON = "*/5 * * * *";

export function storageJob(archive: Archive): Job {
  return {
    name: "storage",
    cron: STORAGE_CRON,
    mayOverlap: false,
    isQuiet: true,
    isLeaders: true,
    runOnce: async () => {
      await measureStorage(archive);
      return {};
    },
  };
}

/** Reads the sizes of the candle tables and sets the gauges. */
export async function measureStorage(
  { database, clock, metrics }: Pick<Archive, "database" | "clock" | "metrics">,
): Promise<void> {
  for (
    const { timeframe, totalBytes, chunks } of await readStorage(database, { nowMs: clock.now() })
  ) {
    metrics.storageBytes.set({ timeframe }, totalBytes);
    if (chunks === undefined) continue;
    const { count, compressed, beforeBytes, afterBytes } = chunks;
    metrics.chunks.set({ timeframe, state: "compressed" }, compressed);
    metrics.chunks.set({ timeframe, state: "uncompressed" }, count - compressed);
    if (afterBytes > 0) metrics.compressionRatio.set({ timeframe }, beforeBytes / afterBytes);
    else metrics.compressionRatio.remove({ timeframe });
  }
}
