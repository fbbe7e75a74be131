/** A node and its leases: what it gains, hands over, loses and gets back, on a real server. @module */
import assert from "node:assert/strict";
import { LEASE_TIMES } from "../../lib/node/lease_times.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { LEASE_MS, SharingNode } from "../support/shared_archive.ts";
import { openTestDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const SYMBOLS = ["ADA/USDT", "BTC/USDT", "ETH/USDT", "SOL/USDT"] as const;
const ALL = [...SYMBOLS];

type Join = (options?: ConstructorParameters<typeof SharingNode>[1]) => SharingNode;

async function withNodes(
  t: Deno.TestContext,
  use: (join: Join, database: Database) => Promise<void>,
): Promise<void> {
  const test = await openTestDatabase("postgres");
  if (test === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const nodes: SharingNode[] = [];
  try {
    await migrate(test.database, await readMigrations());
    await use((options) => {
      nodes.push(new SharingNode(test.database, options));
      return nodes.at(-1)!;
    }, test.database);
  } finally {
    for (const { leases } of nodes) await leases.stop();
    await test.drop();
  }
}

Deno.test("one node holds all that it wants as soon as it has said what, and leads", (t) =>
  withNodes(t, async (join) => {
    const node = join({ exchanges: ["binance", "kraken"] });
    const { leases } = node;
    assert.equal(
      leases.mayAsk("binance") || leases.isLeader,
      false,
      "nothing before it has started",
    );
    await leases.start();
    assert.ok(leases.mayAsk("binance") && leases.mayAsk("kraken") && leases.isLeader);
    assert.deepEqual(
      node.changes.toSorted((a, b) => a.exchange < b.exchange ? -1 : 1),
      ["", "binance", "kraken"].map((exchange) => ({
        exchange,
        gained: exchange === "" ? [""] : [],
        lost: [],
      })),
    );
    assert.equal(leases.mayAsk("okx"), false, "what is not configured");
    await leases.want("binance", SYMBOLS);
    assert.deepEqual(node.held("binance", SYMBOLS), ALL);
    assert.deepEqual(leases.stampOf("binance", "BTC/USDT"), { holder: leases.node, epoch: 1 });
    assert.equal(leases.holds("binance", "XRP/USDT"), false);
    assert.deepEqual(node.changes.at(-1), { exchange: "binance", gained: ALL, lost: [] });
    const before = node.changes.length;
    await leases.want("binance", SYMBOLS);
    await leases.follow();
    assert.equal(node.changes.length, before, "nothing new is told when nothing is new");
  }));

Deno.test("a second node gets half of the symbols, each when the work for it has ended", (t) =>
  withNodes(t, async (join) => {
    const [one, other] = [join(), join()];
    await one.leases.start();
    await one.leases.want("binance", SYMBOLS);
    const work = Promise.withResolvers<void>();
    one.work = work.promise;
    await other.leases.start();
    await other.leases.want("binance", SYMBOLS);
    assert.deepEqual(other.held("binance", SYMBOLS), [], "it waits for the work of the first one");
    await one.leases.follow();
    const left = one.held("binance", SYMBOLS);
    assert.equal(left.length, 2);
    const given = ALL.filter((symbol) => !left.includes(symbol));
    assert.deepEqual(one.changes.at(-1), {
      exchange: "binance",
      gained: [],
      lost: given,
      cause: "handover",
    });
    for (let turn = 0; turn < 3; turn++) {
      await one.leases.follow();
      await other.leases.follow();
    }
    assert.deepEqual(other.held("binance", SYMBOLS), [], "as long as it takes");
    assert.equal(
      one.leases.stampOf("binance", given[0]!)?.epoch,
      1,
      "which is judged by the lease that it had",
    );
    work.resolve();
    await one.until("the release", () => true);
    await other.until("what was released", () => other.held("binance", SYMBOLS).length === 2);
    assert.deepEqual(other.held("binance", SYMBOLS), given);
    assert.deepEqual(one.held("binance", SYMBOLS), left);
    assert.equal(other.leases.stampOf("binance", given[0]!)?.epoch, 2);
    assert.deepEqual([one.leases.isLeader, other.leases.isLeader], [true, false]);
  }));

Deno.test("work that does not end is not waited for longer than some seconds", (t) =>
  withNodes(t, async (join) => {
    const [one, other] = [join(), join()];
    await one.leases.start();
    await one.leases.want("binance", SYMBOLS);
    const never = Promise.withResolvers<void>();
    one.work = never.promise;
    await other.leases.start();
    await other.leases.want("binance", SYMBOLS);
    await one.leases.follow();
    await one.clock.advance(10_000);
    await one.leases.follow();
    await other.until("its half", () => other.held("binance", SYMBOLS).length === 2);
    never.resolve();
  }));

Deno.test("of two nodes of one egress only one may ask an exchange, and it gives away all of it or nothing", (t) =>
  withNodes(t, async (join) => {
    const options = { exchanges: ["binance", "kraken"], egress: "192.0.2.1" };
    const [one, other] = [join(options), join(options)];
    await one.leases.start();
    for (const id of options.exchanges) await one.leases.want(id, SYMBOLS);
    await other.leases.start();
    assert.deepEqual(options.exchanges.filter((id) => other.leases.mayAsk(id)), []);
    await one.leases.follow();
    const kept = options.exchanges.filter((id) => one.leases.mayAsk(id));
    assert.equal(kept.length, 1);
    const given = options.exchanges.find((id) => !kept.includes(id))!;
    assert.deepEqual(one.held(given, SYMBOLS), []);
    await one.until("the release", () => true);
    await other.until("the other exchange", () => other.leases.mayAsk(given));
    await other.leases.want(given, SYMBOLS);
    await other.until("its symbols", () => other.held(given, SYMBOLS).length === SYMBOLS.length);
    assert.deepEqual([one.leases.mayAsk(given), other.leases.mayAsk(kept[0]!)], [false, false]);
  }));

Deno.test("a node that ends gives back all at once, and who stays has it with its next call", (t) =>
  withNodes(t, async (join) => {
    const [one, other] = [join({ egress: "192.0.2.1" }), join({ egress: "192.0.2.1" })];
    await one.leases.start();
    await one.leases.want("binance", SYMBOLS);
    await other.leases.start();
    assert.equal(other.leases.mayAsk("binance"), false);
    await one.leases.stop();
    assert.deepEqual([one.held("binance", SYMBOLS), one.leases.isLeader], [[], false]);
    await other.leases.follow();
    assert.ok(other.leases.mayAsk("binance") && other.leases.isLeader);
    await other.leases.want("binance", SYMBOLS);
    assert.deepEqual(other.held("binance", SYMBOLS), ALL);
    await one.leases.want("binance", ["XRP/USDT"]);
    await one.leases.stop();
  }));

Deno.test("without a database nothing is held when the lease is over, and all is again when it is back", (t) =>
  withNodes(t, async (join) => {
    const node = join();
    const { leases, clock } = node;
    await leases.start();
    await leases.want("binance", SYMBOLS);
    const stamp = leases.stampOf("binance", "BTC/USDT");
    node.cut(true);
    await clock.advance(LEASE_MS - 1);
    assert.deepEqual(node.held("binance", SYMBOLS), ALL, "until then");
    node.changes.length = 0;
    await clock.advance(1_001);
    assert.deepEqual([node.held("binance", SYMBOLS), leases.isLeader], [[], false]);
    assert.equal(leases.isWaiting, true, "for what it had");
    assert.deepEqual(new Set(node.changes.map(({ cause }) => cause)), new Set(["away"]));
    assert.deepEqual(node.changes.flatMap(({ lost }) => lost).sort(), ["", ...ALL]);
    assert.deepEqual(leases.stampOf("binance", "BTC/USDT"), stamp);
    await leases.want("binance", [...SYMBOLS, "XRP/USDT"]);
    assert.equal(leases.holds("binance", "XRP/USDT"), false, "what was not told is not held");
    node.cut(false);
    await node.until("all of it", () => leases.isLeader && leases.holds("binance", "XRP/USDT"));
    assert.deepEqual(node.held("binance", SYMBOLS), ALL);
    assert.deepEqual(leases.stampOf("binance", "BTC/USDT"), stamp, "nobody took it");
    assert.equal(leases.isWaiting, false);
    assert.equal(
      node.lines.filter((line) => line.includes('"level":"warn"')).length,
      0,
      node.lines.join("\n"),
    );
  }));

Deno.test("what a server that has taken over does not know is told again", (t) =>
  withNodes(t, async (join, { sql }) => {
    const node = join();
    const { leases } = node;
    await leases.start();
    await leases.want("binance", SYMBOLS);
    await leases.follow();
    // Its last calls are lost with the server before, and with them what it wants and its settings.
    await sql`update nodes set beats = 1, settings_hash = 'older'`;
    await sql`delete from node_symbols`;
    await sql`delete from leases where exchange <> ''`;
    await sql`delete from egress_leases`;
    await node.until("all of it", () => node.held("binance", SYMBOLS).length === SYMBOLS.length);
    const [row] = await sql`select settings_hash from nodes`;
    assert.equal(row?.["settings_hash"], "");
  }));

Deno.test("nobody waits for a database that does not answer at all for longer than for a try", (t) =>
  withNodes(t, async (join) => {
    const node = join();
    await node.leases.start();
    node.isSilent = true;
    const over: (readonly string[])[] = [];
    for (const symbols of [["ADA/USDT"], ALL, ["BTC/USDT"]]) {
      void node.leases.want("binance", symbols).then(() => over.push(symbols));
      await node.clock.advance(LEASE_TIMES.tryMs + LEASE_TIMES.soonMs);
    }
    node.isSilent = false;
    assert.deepEqual(over, [["ADA/USDT"], ALL, ["BTC/USDT"]]);
  }));

Deno.test("a clock that is set is no reason to hold anything longer", (t) =>
  withNodes(t, async (join) => {
    const node = join();
    await node.leases.start();
    node.clock.set(LEASE_MS);
    assert.equal(node.leases.mayAsk("binance"), false);
    await node.leases.follow();
    assert.equal(node.leases.mayAsk("binance"), true);
  }));

Deno.test("a node that others took for ended begins anew, with another id and what is left for it", (t) =>
  withNodes(t, async (join, { sql }) => {
    const [one, other] = [join({ place: "host 127.0.0.1:1" }), join()];
    await one.leases.start();
    await one.leases.want("binance", SYMBOLS);
    const before = one.leases.node;
    await sql`delete from nodes where node = ${before}::uuid`;
    await other.leases.start();
    await other.leases.want("binance", SYMBOLS);
    assert.deepEqual(other.held("binance", SYMBOLS), ALL);
    one.changes.length = 0;
    await one.leases.follow();
    assert.deepEqual(one.changes.find(({ exchange }) => exchange === "binance"), {
      exchange: "binance",
      gained: [],
      lost: ALL,
      cause: "taken",
    });
    assert.notEqual(one.leases.node, before);
    await other.until("the release", () => other.held("binance", SYMBOLS).length === 2);
    await one.until("half of it", () => one.held("binance", SYMBOLS).length === 2);
    const [symbol] = one.held("binance", SYMBOLS);
    assert.deepEqual(one.leases.stampOf("binance", symbol!), { holder: one.leases.node, epoch: 3 });
  }));

Deno.test("a node that began anew ends no other node of its place", (t) =>
  withNodes(t, async (join, { sql }) => {
    const place = "twin 127.0.0.1:9464";
    const [one, other] = [join({ place }), join({ place })];
    await one.leases.start();
    await other.leases.start();
    for (let turn = 0; turn < 3; turn++) {
      await one.leases.follow();
      await other.leases.follow();
    }
    const rows = await sql<{ node: string }[]>`select node from nodes`;
    assert.deepEqual(
      rows.map(({ node }) => node).sort(),
      [one.leases.node, other.leases.node].sort(),
    );
  }));

Deno.test("a lease that another node had meanwhile is lost and gained, though it was never missed", (t) =>
  withNodes(t, async (join, { sql }) => {
    const node = join();
    await node.leases.start();
    await node.leases.want("binance", SYMBOLS);
    node.changes.length = 0;
    await sql`update leases set epoch = epoch + 2 where symbol = 'BTC/USDT'`;
    await node.leases.follow();
    assert.deepEqual(node.changes, [
      { exchange: "binance", gained: [], lost: ["BTC/USDT"], cause: "taken" },
      { exchange: "binance", gained: ["BTC/USDT"], lost: [] },
    ]);
  }));

Deno.test("a reload gives back what is not wanted any more, and claims what is", (t) =>
  withNodes(t, async (join) => {
    const node = join({ exchanges: ["binance", "kraken"], egress: "192.0.2.1" });
    const { leases } = node;
    await leases.start();
    await leases.want("binance", SYMBOLS);
    await leases.want("kraken", SYMBOLS);
    node.changes.length = 0;
    await leases.want("binance", ["BTC/USDT"]);
    assert.deepEqual(node.changes.at(-1)?.cause, "unwanted");
    assert.deepEqual(node.held("binance", SYMBOLS), ["BTC/USDT"]);
    node.configure(["binance", "okx"]);
    await leases.follow();
    assert.deepEqual(["binance", "kraken", "okx"].map((id) => leases.mayAsk(id)), [
      true,
      false,
      true,
    ]);
    assert.deepEqual(node.held("kraken", SYMBOLS), []);
  }));

Deno.test("what is wanted before the first call is held after it", (t) =>
  withNodes(t, async (join) => {
    const node = join();
    const wanted = node.leases.want("binance", SYMBOLS);
    await node.leases.start();
    await wanted;
    assert.deepEqual(node.held("binance", SYMBOLS), ALL);
  }));

Deno.test("a node says again and again that it lives, sooner while something comes to it", (t) =>
  withNodes(t, async (join, { sql }) => {
    const [one, other] = [join(), join()];
    await one.leases.start();
    await one.leases.want("binance", SYMBOLS);
    await other.leases.start();
    await other.leases.want("binance", SYMBOLS);
    const beats = async (): Promise<readonly number[]> => {
      const rows = await sql<{ node: string; beats: number }[]>`select node, beats::int from nodes`;
      return [one, other].map(({ leases }) => rows.find(({ node }) => node === leases.node)!.beats);
    };
    const before = await beats();
    for (const { clock } of [one, other]) await clock.advance(1_000);
    await until("the one that waits", async () => (await beats())[1]! > before[1]!);
    assert.equal((await beats())[0], before[0]);
    await one.clock.advance(4_000);
    await until("the other one", async () => (await beats())[0]! > before[0]!);
  }));
