/** Tells the metrics what the candle tables take. @module */
import { readStorage } from "../store/storage.ts";
import type { Archive } from "../archive/archive.ts";

/** Reads the sizes of the candle tables and brings the gauges up to date. */
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
