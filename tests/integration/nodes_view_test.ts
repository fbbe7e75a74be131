/** What people and programs are told of the nodes that share an archive. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { slotsOf } from "../../lib/serve/exchange_slots.ts";
import { readNodes } from "../../lib/serve/node_status.ts";
import { readStatus } from "../../lib/serve/status.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { writeBan } from "../../lib/store/exchange_state.ts";
import { beat, releaseNode } from "../../lib/store/nodes.ts";
import { JOINED_SYMBOLS, joinNode } from "../support/joined_node.ts";
import { configOf } from "../support/local_archive.ts";
import { passagesOf } from "../support/markdown.ts";
import { runInProcess } from "../support/shell.ts";
import { openEmbeddedTest, openTestDatabase } from "../support/test_database.ts";

const HOUR_MS = 3_600_000;

/** What a node is told at its next call is what it has released. */
async function handOver(database: Database, node: string): Promise<void> {
  const holdings = await beat(database, { node, count: 2, leaseMs: HOUR_MS });
  const leases =
    holdings?.leases.flatMap(({ exchange, symbols, epochs, leaving }) =>
      symbols.map((symbol, at) => ({ exchange, symbol, epoch: epochs[at]! }))
        .filter(({ symbol }) => leaving.includes(symbol))
    ) ?? [];
  await beat(database, { node, count: 3, leaseMs: HOUR_MS, released: { slots: [], leases } });
}

async function withServer(
  t: Deno.TestContext,
  use: (database: Database, url: string) => Promise<void>,
): Promise<void> {
  const test = await openTestDatabase("postgres");
  if (test?.url === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    await migrate(test.database, await readMigrations());
    await use(test.database, test.url);
  } finally {
    await test.drop();
  }
}

Deno.test("nodes say who leads, who works on how much by which egress, and who may not lead", (t) =>
  withServer(t, async (database) => {
    assert.deepEqual(await readNodes(database, Date.UTC(2026, 0)), []);
    const first = await joinNode(database, { egress: "db2" });
    const bannedUntilMs = systemClock.now() + HOUR_MS;
    await joinNode(database, { egress: "db1" });
    await joinNode(database, {
      ...{ egress: "db3", settingsHash: "own" },
      settings: { EXCHANGES: "binance", SYMBOLS: "top:10" },
    });
    await handOver(database, first);
    await writeBan(database, { exchange: "binance", egress: "db1" }, {
      ...{ host: "api.binance.com", untilMs: bannedUntilMs, reason: "too many" },
    });
    const nodes = await readNodes(database, systemClock.now());
    assert.deepEqual(
      nodes.map(({ name, isLeader, isLive, differs }) => [name, isLeader, isLive, differs]),
      [
        ["db2", true, true, []],
        ["db1", false, true, []],
        ["db3", false, true, ["SYMBOLS: top:10 here, top:20 there"]],
      ],
    );
    assert.equal(nodes[0]?.node, first);
    assert.equal(nodes.reduce((sum, { leases }) => sum + leases, 0), JOINED_SYMBOLS.length);
    for (const { name, egress, leases, exchanges, kind, version } of nodes) {
      assert.deepEqual([egress, kind, version], [name, "daemon", "1.1.0"]);
      assert.deepEqual(
        exchanges.map((one) => [one.exchange, one.egress, one.leases, one.breaker]),
        [["binance", name, leases, "closed"]],
      );
    }
    const banned = slotsOf(nodes, "binance").map((
      { egress, bannedUntil },
    ) => [egress, bannedUntil]);
    assert.deepEqual(banned, [
      ["db2", null],
      ["db1", new Date(bannedUntilMs).toISOString()],
      ["db3", null],
    ]);
  }));

Deno.test("an exchange that has banned one egress is not banned while another one asks it", (t) =>
  withServer(t, async (database) => {
    const told = async (): Promise<string | null | undefined> => {
      const { exchanges } = await readStatus({
        config: configOf({ EXCHANGES: "binance" }),
        database,
        nowMs: systemClock.now(),
        newestCandlesMax: () => undefined,
      });
      return exchanges.find(({ exchange }) => exchange === "binance")?.bannedUntil;
    };
    const untilMs = systemClock.now() + HOUR_MS;
    const ban = { host: "api.binance.com", untilMs, reason: "too many" };
    await joinNode(database, { egress: "db1" });
    const other = await joinNode(database, { egress: "db2" });
    await writeBan(database, { exchange: "binance", egress: "db1" }, ban);
    assert.equal(await told(), null);
    await writeBan(database, { exchange: "binance", egress: "db2" }, {
      ...{ ...ban, untilMs: untilMs + HOUR_MS },
    });
    assert.equal(await told(), new Date(untilMs).toISOString());
    await releaseNode(database, other);
    assert.equal(await told(), new Date(untilMs).toISOString());
  }));

Deno.test("a node that has ended without a word is told of as gone, one that has handed over not at all", (t) =>
  withServer(t, async (database) => {
    const gone = await joinNode(database, { egress: "db1" });
    const left = await joinNode(database, { egress: "db2" });
    await joinNode(database, { egress: "rented", kind: "backfill" });
    await releaseNode(database, left);
    await database.sql`update nodes set until = clock_timestamp() where node = ${gone}::uuid`;
    const nodes = await readNodes(database, systemClock.now());
    assert.deepEqual(
      nodes.map(({ name, kind, isLive, isLeader, leases }) => [
        ...[name, kind, isLive, isLeader, leases],
      ]),
      [["rented", "backfill", true, false, 0], ["db1", "daemon", false, false, 0]],
    );
  }));

Deno.test("titan10 nodes shows them, and as JSON what docs/http.md says", (t) =>
  withServer(t, async (database, url) => {
    const env = { DATABASE_URL: url };
    const { code, stdout } = await runInProcess(["nodes"], env);
    assert.deepEqual([code, stdout], [0, "No node works on this archive."]);
    await joinNode(database, { egress: "db1", exchanges: ["binance", "kraken"] });
    await joinNode(database, { egress: "db1", name: "idle", exchanges: [] });
    const shown = await runInProcess(["nodes"], env);
    assert.deepEqual(shown.stdout.split("\n").map((line) => line.replaceAll(/ {2,}/g, "  ")), [
      "NODE  EGRESS  UP FOR  SEEN  EXCHANGES  SYMBOLS  STATE",
      shown.stdout.split("\n")[1]?.replaceAll(/ {2,}/g, "  "),
      shown.stdout.split("\n")[2]?.replaceAll(/ {2,}/g, "  "),
      "",
      "NODE  EXCHANGE  EGRESS  SYMBOLS  STATE",
      "db1  binance  db1  4  ok",
      "db1  kraken  db1  4  ok",
    ]);
    assert.match(shown.stdout, /^db1 +db1 .* 2 +8 +leads$/m);
    assert.match(shown.stdout, /^idle +– .* 0 +0 +stands by$/m);
    const json = await runInProcess(["nodes", "--json"], env);
    const { nodes } = JSON.parse(json.stdout);
    const document = await Deno.readTextFile(new URL("../../docs/http.md", import.meta.url));
    const shownNode = passagesOf(document).find(({ heading, language }) =>
      heading === "Nodes" && language === "json"
    );
    assert(shownNode !== undefined);
    const keys = (one: Record<string, unknown>): unknown => [
      Object.keys(one),
      Object.keys((one["exchanges"] as object[])[0] ?? {}),
    ];
    assert.deepEqual(keys(nodes[0]), keys(JSON.parse(shownNode.text)));
  }));

Deno.test("the embedded database has no nodes, and titan10 nodes says so", async () => {
  const test = await openEmbeddedTest();
  try {
    assert.deepEqual(await readNodes(test.database, systemClock.now()), []);
  } finally {
    await test.drop();
  }
});
