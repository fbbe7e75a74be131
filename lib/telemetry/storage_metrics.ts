/** What Prometheus is told of the candle tables: size, chunks, compression. @module */
import { Gauge, type Registry } from "prom-client";
import type { GaugeMetric } from "./metric.ts";

/** One value a candle table, which is one a timeframe. */
export interface StorageMetrics {
  readonly storageBytes: GaugeMetric<"timeframe">;
  readonly chunks: GaugeMetric<"timeframe" | "state">;
  readonly compressionRatio: GaugeMetric<"timeframe">;
}

export function storageMetrics(registry: Registry): StorageMetrics {
  const registers = [registry];
  return {
    storageBytes: new Gauge({
      name: "titan10_storage_bytes",
      help: "Disk that the timeframe's table takes, indexes included.",
      labelNames: ["timeframe"],
      registers,
    }),
    chunks: new Gauge({
      name: "titan10_chunks",
      help: "Chunks of the timeframe's table, by whether they are compressed; " +
        "absent without TimescaleDB.",
      labelNames: ["timeframe", "state"],
      registers,
    }),
    compressionRatio: new Gauge({
      name: "titan10_compression_ratio",
      help: "How many times smaller compression has made the chunks it has been through; " +
        "absent before the first.",
      labelNames: ["timeframe"],
      registers,
    }),
  };
}
