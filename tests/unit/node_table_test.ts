import assert from "node:assert/strict";
import { nodeExchangeTable, nodeTable, nodeTroubles } from "../../lib/cli/node_table.ts";
import { painter } from "../../lib/cli/terminal.ts";
import { width } from "../../lib/cli/text.ts";
import type { NodeExchange, NodeStatus } from "../../lib/serve/node_status.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 12, 0, 0);

const DRAWN = { nowMs: NOW_MS, columns: 80, paint: painter(false) };

const BINANCE: NodeExchange = {
  exchange: "binance",
  egress: "db1",
  leases: 10,
  breaker: "closed",
  bannedUntil: null,
  deniedSince: null,
};

const LEADER: NodeStatus = {
  node: "6fb6ec1b-3a5a-4cde-8a37-7e37bba30f11",
  name: "db1:9464",
  kind: "daemon",
  egress: "db1",
  version: "1.1.0",
  startedAt: "2026-01-30T08:00:00.000Z",
  seenAt: "2026-01-31T11:59:58.000Z",
  isLive: true,
  isLeader: true,
  leases: 30,
  exchanges: [BINANCE, { ...BINANCE, exchange: "kraken", leases: 20 }],
  differs: [],
};

const OTHER: NodeStatus = {
  ...LEADER,
  name: "db2:9464",
  egress: "203.0.113.11",
  isLeader: false,
  leases: 9,
  exchanges: [{
    ...{ ...BINANCE, egress: "203.0.113.11", leases: 9 },
    bannedUntil: "2026-01-31T12:10:00.000Z",
  }],
};

const IDLE: NodeStatus = { ...OTHER, name: "db3:9464", egress: "db1", leases: 0, exchanges: [] };

const NODES: readonly NodeStatus[] = [
  LEADER,
  OTHER,
  IDLE,
  { ...IDLE, name: "db4:9464", differs: ["SYMBOLS: top:10 here, top:20 there"] },
  { ...OTHER, name: "rented", kind: "backfill", startedAt: "2026-01-31T11:30:00.000Z" },
  { ...IDLE, name: "db5:9464", isLive: false, seenAt: "2026-01-31T09:05:00.000Z" },
];

Deno.test("each node says since when it runs, on how much it works, and what it is", () => {
  assert.deepEqual(nodeTable({ nodes: NODES }, DRAWN), [
    "NODE      EGRESS        UP FOR  SEEN   EXCHANGES  SYMBOLS  STATE",
    "db1:9464  db1           28 h    2.0 s          2       30  leads",
    "db2:9464  203.0.113.11  28 h    2.0 s          1        9  works",
    "db3:9464  db1           28 h    2.0 s          0        0  stands by",
    "db4:9464  db1           28 h    2.0 s          0        0  differs",
    "rented    203.0.113.11  30 min  2.0 s          1        9  backfill",
    "db5:9464  db1           –       2 h            0        0  gone",
  ]);
  assert.deepEqual(nodeTable({ nodes: [] }, DRAWN), []);
});

Deno.test("each exchange says by which nodes it is asked, and which of them it has banned", () => {
  assert.deepEqual(nodeExchangeTable({ nodes: NODES }, DRAWN), [
    "NODE      EXCHANGE  EGRESS        SYMBOLS  STATE",
    "db1:9464  binance   db1                10  ok",
    "db2:9464  binance   203.0.113.11        9  banned to 12:10",
    "rented    binance   203.0.113.11        9  banned to 12:10",
    "db1:9464  kraken    db1                20  ok",
  ]);
  assert.deepEqual(nodeExchangeTable({ nodes: [IDLE] }, DRAWN), []);
  const breaker = { ...LEADER, exchanges: [{ ...BINANCE, breaker: "half_open" as const }] };
  assert.match(nodeExchangeTable({ nodes: [breaker] }, DRAWN)[1]!, / breaker half open$/);
  const denied = "2026-01-29T12:10:00.000Z";
  const refused = { ...LEADER, exchanges: [{ ...BINANCE, deniedSince: denied }] };
  assert.match(nodeExchangeTable({ nodes: [refused] }, DRAWN)[1]!, / refused since 2026-01-29$/);
});

Deno.test("a node that is gone and one that may not lead are named with what is the matter", () => {
  assert.deepEqual(nodeTroubles({ nodes: NODES }), [
    "node db4:9464 (1.1.0) does not lead, its settings differ: SYMBOLS: top:10 here, top:20 there",
    "node db5:9464 has not been seen since 2026-01-31 09:05 UTC: other nodes have its symbols",
  ]);
  const gone = { ...LEADER, isLive: false, isLeader: false };
  assert.deepEqual(nodeTroubles({ nodes: [gone] }), [
    "node db1:9464 has not been seen since 2026-01-31 11:59 UTC",
  ]);
});

Deno.test("tables of nodes fit into 80 columns, however long the names of hosts are", () => {
  const long = "ip-10-0-0-1.eu-central-1.compute.internal:9464";
  const nodes = NODES.map((node) => ({ ...node, name: long, egress: long }));
  for (const line of [...nodeTable({ nodes }, DRAWN), ...nodeExchangeTable({ nodes }, DRAWN)]) {
    assert(width(line) <= 80, line);
  }
});
