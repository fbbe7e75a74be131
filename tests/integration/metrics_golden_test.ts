import assert from "node:assert/strict";
import { createMetrics } from "../../lib/telemetry/metrics.ts";

// When a change is meant, copy the differences shown into the file, run `promtool check metrics` on it,
// and tell of it in CHANGELOG.md: somebody's dashboards read these names.
Deno.test("names, types, help, labels and buckets of all metrics are those of the golden file", async () => {
  const metrics = createMetrics();
  const exchange = "binance";
  const series = { exchange, symbol: "BTC/USDT", timeframe: "1m" };
  metrics.buildInfo.set({ version: "0.1.0", deno: "2.9.6" }, 1);
  metrics.leader(() => true);
  metrics.leasesHeld.set({ exchange }, 20);
  metrics.leasesLost.inc({ exchange });
  metrics.candlesWritten.inc({ exchange });
  metrics.candlesRevised.inc({ exchange });
  metrics.candlesRejected.inc({ exchange, reason: "misaligned" });
  metrics.historyFiles.inc({ exchange, outcome: "stored" });
  metrics.fetchDurationSeconds.observe({ exchange }, 0.2);
  metrics.fetchFailures.inc({ exchange, kind: "transient" });
  metrics.pollsSkipped.inc({ exchange });
  metrics.retries.inc({ exchange });
  metrics.setBreakerState(exchange, "closed");
  metrics.exchangeBannedUntilSeconds.set({ exchange }, 1);
  metrics.streamUp.set({ exchange }, 1);
  metrics.streamMessages.inc({ exchange });
  metrics.streamEnds.inc({ exchange, reason: "silent" });
  metrics.streamCandles.inc({ exchange, outcome: "stored" });
  metrics.candleAgeSeconds.observe({ exchange }, 0.3);
  metrics.lastClosedCandleSeconds.set(series, 1);
  metrics.fundingLastSeconds.set({ exchange, symbol: "BTC/USDT:USDT" }, 1);
  metrics.candlesMissing.set(series, 1);
  metrics.candlesMissingRatio.set(series, 1);
  metrics.candlesOwed.set(series, 1);
  metrics.coveredUntilSeconds.set(series, 1);
  metrics.retentionLossSeconds.set({ exchange }, 1);
  metrics.alerts.set({ alert: "stale", exchange }, 1);
  metrics.alertPosts.inc({ outcome: "sent" });
  metrics.jobRuns.inc({ job: "poll", outcome: "success" });
  metrics.jobDurationSeconds.observe({ job: "poll" }, 2);
  metrics.jobLastSuccessSeconds.set({ job: "poll" }, 1);
  metrics.settleSeconds.set({ exchange }, 120);
  metrics.rowsPruned.inc({ table: "gaps" });
  metrics.dbWriteDurationSeconds.observe({ exchange }, 0.004);
  metrics.setConfigReloaded(true);
  metrics.configReloadedSeconds.set({}, 1);
  metrics.setDatabaseUp(true);
  metrics.setTimescaledb(true);
  metrics.setCompression(true);
  metrics.storageBytes.set({ timeframe: "1m" }, 1);
  metrics.chunks.set({ timeframe: "1m", state: "compressed" }, 1);
  metrics.compressionRatio.set({ timeframe: "1m" }, 1);

  const zeroed = (await metrics.text()).replace(/^([^#\n].*) \S+$/gm, "$1 0");
  const golden = await Deno.readTextFile(new URL("./golden/metrics.txt", import.meta.url));
  assert.equal(zeroed, golden);
});
