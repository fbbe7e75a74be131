/** The page's table of nodes. @module */
import assert from "node:assert/strict";
import { nodeReason, nodeState } from "../../lib/serve/page/nodes.js";
import type { NodeExchange, NodeStatus } from "../../lib/serve/node_status.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 12, 0, 0);

const KRAKEN: NodeExchange = {
  ...{ exchange: "kraken", egress: "db1", leases: 3 },
  ...{ breaker: "closed", bannedUntil: null, deniedSince: null },
};

const NODE: NodeStatus = {
  ...{ node: "", name: "db1:9464", kind: "daemon", version: "1", egress: "db1" },
  ...{ startedAt: "2026-01-31T11:00:00.000Z", seenAt: "2026-01-31T11:59:57.000Z" },
  ...{ isLive: true, isLeader: false, leases: 3, exchanges: [KRAKEN], differs: [] },
};

Deno.test("a node leads, works, stands by, differs, backfills or is gone, and the page says which", () => {
  const states = ([
    { isLeader: true },
    {},
    { leases: 0 },
    { differs: ["SYMBOLS: top:10 here, top:20 there"] },
    { kind: "backfill" },
    { isLive: false, isLeader: false },
  ] as const).map((change) => nodeState({ ...NODE, ...change }));
  assert.deepEqual(states, ["leads", "works", "stands by", "differs", "backfill", "gone"]);
});

Deno.test("of a node that is gone, may not lead or is barred from an exchange the page says what is the matter", () => {
  const reasonOf = (change: Partial<NodeStatus>): string => {
    const { level, text } = nodeReason({ ...NODE, ...change }, NOW_MS);
    return `${level}: ${text}`;
  };
  const barred = (change: Partial<NodeExchange>): string =>
    reasonOf({ exchanges: [{ ...KRAKEN, ...change }] });
  assert.equal(reasonOf({}), "good: ");
  assert.match(reasonOf({ isLive: false }), /^bad: Not seen since 11:59:57\. Other nodes have its/);
  assert.equal(
    reasonOf({ differs: ["LIVE: off here, auto there"] }),
    "warn: It works, but cannot lead: its settings differ. LIVE: off here, auto there.",
  );
  const bannedUntil = "2026-01-31T12:30:00.000Z";
  assert.equal(barred({ bannedUntil }), "warn: kraken has banned db1 until 12:30.");
  assert.equal(barred({ bannedUntil: "2026-01-31T11:30:00.000Z" }), "good: ");
  assert.equal(barred({ deniedSince: bannedUntil, bannedUntil }), "warn: kraken refuses db1.");
  assert.equal(barred({ breaker: "half_open" }), "warn: the breaker of kraken is half open.");
});
