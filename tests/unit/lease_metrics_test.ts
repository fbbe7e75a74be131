import assert from "node:assert/strict";
import { ALL_LEASES, type LeaseListener, type Leases } from "../../lib/archive/leases.ts";
import { tellLeases } from "../../lib/daemon/lease_metrics.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { createMetrics, type Metrics } from "../../lib/telemetry/metrics.ts";

async function told(metrics: Metrics): Promise<readonly string[]> {
  return (await metrics.text()).split("\n")
    .filter((line) => /^titan10_(?:lease|leader)/.test(line)).toSorted();
}

function archiveOf(kind: Database["kind"], leases: Leases): Parameters<typeof tellLeases>[0] {
  return { database: { kind } as Database, leases, metrics: createMetrics() };
}

Deno.test("a node tells how many symbols of each exchange it holds, and how many it has lost against its will", async () => {
  let tell: LeaseListener = () => {};
  const archive = archiveOf("server", {
    ...ALL_LEASES,
    isLeader: false,
    onChange: (listener) => {
      tell = listener;
      return () => {};
    },
  });
  tellLeases(archive);
  assert.deepEqual(await told(archive.metrics), ["titan10_leader 0"]);
  tell({ exchange: "binance", gained: ["BTC/USDT", "ETH/USDT"], lost: [] });
  tell({ exchange: "kraken", gained: ["BTC/USD"], lost: [] });
  tell({ exchange: "binance", gained: ["SOL/USDT"], lost: [] });
  // What was never held cannot be lost.
  tell({ exchange: "binance", gained: [], lost: ["BTC/USDT", "XRP/USDT"], cause: "taken" });
  // Handed over on purpose.
  tell({ exchange: "kraken", gained: [], lost: ["BTC/USD"], cause: "handover" });
  tell({ exchange: "binance", gained: ["XRP/USDT"], lost: [] });
  tell({ exchange: "binance", gained: [], lost: ["XRP/USDT"], cause: "unwanted" });
  tell({ exchange: "", gained: [""], lost: [] });
  assert.deepEqual(await told(archive.metrics), [
    "titan10_leader 0",
    'titan10_lease_lost_total{exchange="binance"} 1',
    'titan10_leases_held{exchange="binance"} 2',
    'titan10_leases_held{exchange="kraken"} 0',
  ]);
});

Deno.test("with the embedded database a daemon leads and has no leases to tell of", async () => {
  const archive = archiveOf("embedded", ALL_LEASES);
  tellLeases(archive);
  assert.deepEqual(await told(archive.metrics), ["titan10_leader 1"]);
});
