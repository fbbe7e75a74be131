/** The connection of a node's leases: what delays, breaks or crowds out the archive's connections ends no lease. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import type { LeaseChange } from "../../lib/archive/leases.ts";
import { systemClock } from "../../lib/clock.ts";
import { LEASE_TIMES } from "../../lib/node/lease_times.ts";
import { NodeLeases } from "../../lib/node/node_leases.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import type { OnReach } from "../../lib/store/connection/reach_watch.ts";
import type { Sql } from "../../lib/store/connection/sql.ts";
import { configureLogging, logger } from "../../lib/telemetry/log.ts";
import { configOf } from "../support/local_archive.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { startSwallowingProxy, type SwallowingProxy } from "../support/swallowing_proxy.ts";
import { openPostgres } from "../support/test_database.ts";
import { started } from "../support/started.ts";
import { until } from "../support/until.ts";

const { beatMs, leaseMs, soonMs, tryMs } = LEASE_TIMES;
const SYMBOLS = ["BTC/USDT", "ETH/USDT"];

/** Many times the connections that there are. */
const PAGES = 20;

interface Scene {
  readonly admin: Sql;
  /** Of the connections under test. */
  readonly proxy: SwallowingProxy;
  /** Moves the node and its connections. */
  readonly clock: ManualClock;
  readonly database: Database;
  readonly leases: NodeLeases;
  readonly changes: LeaseChange[];
  readonly lines: string[];
  /** `true` for each time that the database was found to be away, `false` for each that it was back. */
  readonly away: boolean[];
  /** How often the node has said that it lives. */
  readonly beats: () => Promise<number>;
  /** Lets the clock go on, and waits until the node has said once more that it lives. */
  readonly beatAfter: (ms: number) => Promise<void>;
  /** How many connections the program has. */
  readonly connections: () => Promise<number>;
}

async function withNode(
  t: Deno.TestContext,
  use: (scene: Scene) => Promise<void>,
  { user, needsTimers = false, hosts = 1 }: {
    readonly user?: string;
    readonly needsTimers?: boolean;
    /** How often the database URL names the server. */
    readonly hosts?: number;
  } = {},
): Promise<void> {
  // Under faketime the timers of a server do not run: one of its own has the real time.
  const server = needsTimers ? await startPostgres({ hasRealTime: true }) : await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const owner = await openDatabase({ ...OPTIONS, url: server.url, clock: systemClock });
  await migrate(owner, await readMigrations()).finally(() => owner.close());
  const admin = postgres(server.url, { max: 1, onnotice: () => {} });
  if (user !== undefined) {
    await admin.unsafe(`create role ${user} login superuser`);
    await admin.unsafe(`alter role ${user} nosuperuser connection limit 1;
      grant all on all tables in schema public to ${user};
      grant all on all sequences in schema public to ${user}`);
  }
  const url = new URL(server.url);
  url.username = user ?? url.username;
  const proxy = startSwallowingProxy(url.href);
  const clock = new ManualClock();
  const away: boolean[] = [];
  const onReach: OnReach = (report) => void away.push(report !== undefined);
  const { host } = new URL(proxy.url);
  const places = Array.from({ length: hosts }, () => host).join();
  const database = await openDatabase({
    ...{ ...OPTIONS, clock, onReach },
    url: proxy.url.replace(host, places),
  });
  const lines: string[] = [];
  configureLogging({ level: "info", format: "json", write: (line) => lines.push(line) });
  const archive = {
    ...{ database, clock, log: logger("test") },
    config: configOf({ EXCHANGES: "binance", EGRESS: crypto.randomUUID() }),
  };
  const settings = { settingsHash: "", settings: {}, egressOf: () => "192.0.2.1" };
  const node = { kind: "daemon", name: "test", place: undefined, version: "1" } as const;
  const leases = new NodeLeases({ ...node, archive, settingsOf: () => settings });
  const changes: LeaseChange[] = [];
  leases.onChange((change) => void changes.push(change));
  const beats = async (): Promise<number> => {
    const [row] = await admin<{ beats: number }[]>`
      select beats::int from nodes where node = ${leases.node}::uuid`;
    return row!.beats;
  };
  const beatAfter = async (ms: number): Promise<void> => {
    const before = await beats();
    await clock.advance(ms);
    await until("the next heartbeat", async () => await beats() > before);
    // The server has it before the node has the answer; one call more ends after that.
    await leases.follow();
    assert.ok(hold(leases));
  };
  const connections = async (): Promise<number> => {
    const [row] = await admin<{ n: number }[]>`
      select count(*)::int as n from pg_stat_activity
      where datname = current_database() and application_name = 'titan10'`;
    return row!.n;
  };
  const scene = { admin, proxy, clock, database, leases, changes, lines, away };
  try {
    await leases.start();
    await leases.want("binance", SYMBOLS);
    assert.ok(hold(leases));
    changes.length = 0;
    await use({ ...scene, beats, beatAfter, connections });
  } finally {
    await leases.stop();
    await database.close();
    await proxy.close();
    if (user !== undefined) await admin.unsafe(`drop owned by ${user}; drop role ${user}`);
    await admin.end();
    await server.stop();
  }
}

const OPTIONS = { dataDir: "", poolMax: 1 };

function hold(leases: NodeLeases): boolean {
  return SYMBOLS.every((symbol) => leases.holds("binance", symbol));
}

/** Work on the archive's only connection, which lasts until it is told to end. */
async function occupy({ admin, database }: Scene): Promise<() => Promise<void>> {
  await admin`select pg_advisory_lock(1)`;
  const work = started(
    database.runLong("compress", (sql) => sql`select pg_advisory_xact_lock(1)`),
  );
  await until("a statement that waits", async () => {
    const rows = await admin`
      select from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`;
    return rows.length === 1;
  });
  return async () => {
    await admin`select pg_advisory_unlock(1)`;
    await work;
  };
}

Deno.test("a statement that keeps the only connection of the pool for longer than a lease ends none", (t) =>
  withNode(t, async (scene) => {
    const { database, leases, changes, beatAfter, away } = scene;
    const end = await occupy(scene);
    const pages = Array.from(
      { length: PAGES },
      () => started(database.run("store a page", (sql) => sql`select 1`)),
    );
    for (let passedMs = 0; passedMs <= 2 * leaseMs; passedMs += beatMs) {
      await beatAfter(beatMs);
      assert.ok(hold(leases) && leases.isLeader);
    }
    assert.deepEqual([changes, away], [[], []]);
    await end();
    await Promise.all(pages);
  }));

Deno.test("the connection of the leases is there from the start of a node to its end", (t) =>
  withNode(t, async ({ database, leases, connections }) => {
    await database.run("ask", (sql) => sql`select 1`);
    assert.equal(await connections(), 2);
    await leases.stop();
    await until("its end", async () => await connections() === 1);
  }));

Deno.test("connections that a network has forgotten are replaced before a lease ends, and those of pages with them", (t) =>
  withNode(t, async ({ database, proxy, clock, leases, changes, beatAfter, away, lines }) => {
    await database.run("ask", (sql) => sql`select 1`);
    await beatAfter(beatMs);
    proxy.swallow(true);
    await clock.advance(beatMs);
    const page = database.run("store a page", (sql) => sql`select 1`).catch((error) => error);
    await until("both to be lost", () => proxy.deaf === 2);
    proxy.swallow(false);
    await clock.advance(tryMs);
    await beatAfter(soonMs);
    assert.deepEqual(changes, []);
    assert.equal((await page).cause?.code, "CONNECTION_DESTROYED", "long before its own deadline");
    await database.run("ask", (sql) => sql`select 1`);
    assert.ok(hold(leases));
    assert.deepEqual(away, [true, false]);
    assert.deepEqual(lines, [], "what the pool tells is told once");
  }));

Deno.test("a heartbeat that waits for a lock is ended by the server, which does not count as away then", (t) =>
  withNode(t, async (scene) => {
    const { admin, clock, leases, lines, away, changes, beatAfter } = scene;
    const end = await occupy(scene);
    const table = await admin.reserve();
    await table`begin`;
    await table`lock table nodes in access exclusive mode`;
    await clock.advance(beatMs);
    await until("the server's answer", () => lines.length > 0);
    assert.match(lines[0]!, /could not tell that it lives.*55P03/);
    await table`rollback`;
    table.release();
    await beatAfter(soonMs);
    assert.deepEqual([changes, away], [[], []], "nor are the connections replaced");
    assert.ok(hold(leases));
    await end();
  }, { needsTimers: true }));

for (const hosts of [1, 2]) {
  Deno.test(`a role with one connection tells over it that a node lives, before the pages that wait for it, of ${hosts} hosts`, (t) =>
    withNode(t, async (scene) => {
      const { database, leases, clock, away, beats, connections } = scene;
      let isAsked = false;
      const asked = started(
        database.run("ask", (sql) => sql`select 1`).then(() => isAsked = true),
      );
      await until("the node's connection to be given up", async () => {
        // The server takes its time: no more than that passes.
        await systemClock.sleep(50);
        await clock.advance(50);
        return isAsked;
      });
      await asked;
      assert.equal(await connections(), 1);
      const end = await occupy(scene);
      const pages = Array.from(
        { length: PAGES },
        () => started(database.run("store a page", (sql) => sql`select 1`)),
      );
      const before = await beats();
      await clock.advance(beatMs);
      await end();
      await until("the heartbeat", async () => await beats() > before);
      await Promise.all(pages);
      await until("the answer to the node", () => hold(leases));
      assert.deepEqual(away, []);
    }, { hosts, user: `few_${crypto.randomUUID().slice(0, 8)}` }));
}

Deno.test("a connection that is given up while it is to be opened again is not opened", (t) =>
  withNode(t, async ({ database, proxy, connections }) => {
    const ask = (): Promise<unknown> => own.run("ask", (sql) => sql`select 1`);
    const own = database.openOwn!({ statementMsMax: 5_000, answerMsMax: 6_000 });
    await ask();
    proxy.cut();
    await assert.rejects(ask());
    const asked = started(ask());
    // Less than the pause before a connection is opened again.
    await systemClock.sleep(100);
    await own.close();
    await assert.rejects(asked, /CONNECTION_DESTROYED/);
    // It would come within a second.
    await systemClock.sleep(1_500);
    assert.equal(await connections(), 0);
  }));

Deno.test("a server that ends all connections is away once, and back once", (t) =>
  withNode(t, async ({ proxy, database, clock, away, beatAfter }) => {
    await database.run("ask", (sql) => sql`select 1`);
    proxy.cut();
    await assert.rejects(database.run("ask", (sql) => sql`select 1`));
    await clock.advance(beatMs);
    await until("that it is away", () => away.length > 0);
    await beatAfter(soonMs);
    await database.reach();
    await database.run("ask", (sql) => sql`select 1`);
    assert.deepEqual(away, [true, false]);
  }));
