import assert from "node:assert/strict";
import { ALL_LEASES, type LeaseChange, type Leases } from "../../lib/archive/leases.ts";
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

Deno.test("a node tells how many symbols of each exchange it holds, and how many it has lost", async () => {
  let tell = (_change: LeaseChange): unknown => undefined;
  const archive = archiveOf("server", {
    ...ALL_LEASES,
    isLeader: false,
    onChange: (listener) => {
      tell = listener;
      return () => {
        tell = () => undefined;
      };
    },
  });
  const end = tellLeases(archive);
  assert.deepEqual(await told(archive.metrics), ["titan10_leader 0"]);
  tell({ exchange: "binance", gained: ["BTC/USDT", "ETH/USDT"], lost: [] });
  tell({ exchange: "kraken", gained: ["BTC/USD"], lost: [] });
  // What was never held cannot be lost.
  tell({ exchange: "binance", gained: ["SOL/USDT"], lost: ["BTC/USDT", "XRP/USDT"] });
  tell({ exchange: "kraken", gained: [], lost: ["BTC/USD"] });
  const all = [
    "titan10_leader 0",
    'titan10_lease_lost_total{exchange="binance"} 1',
    'titan10_lease_lost_total{exchange="kraken"} 1',
    'titan10_leases_held{exchange="binance"} 2',
    'titan10_leases_held{exchange="kraken"} 0',
  ];
  assert.deepEqual(await told(archive.metrics), all);
  end();
  tell({ exchange: "binance", gained: [], lost: ["ETH/USDT"] });
  assert.deepEqual(await told(archive.metrics), all);
});

Deno.test("with the embedded database a daemon leads and has no leases to tell of", async () => {
  const archive = archiveOf("embedded", ALL_LEASES);
  tellLeases(archive);
  assert.deepEqual(await told(archive.metrics), ["titan10_leader 1"]);
});
