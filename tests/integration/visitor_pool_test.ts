/** The connections of a server: when a statement's time begins, and that visitors have connections of their own. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { STATEMENT_MS_MAX } from "../../lib/store/connection/server_pool.ts";
import type { Sql } from "../../lib/store/connection/sql.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import { type LateCancels, startLateCancels } from "../support/late_cancels.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { started } from "../support/started.ts";
import { openPostgres } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const never = new AbortController().signal;

interface Scene {
  readonly clock: ManualClock;
  readonly open: (
    options: {
      poolMax: number;
      isServed?: boolean;
      user?: string;
      clock?: Clock;
      /** Puts something before the server. */
      before?: (url: string) => string;
    },
  ) => Promise<Database>;
  /** Runs as a superuser. */
  readonly administer: (statements: string) => Promise<postgres.RowList<postgres.Row[]>>;
  /** Holds a lock until it is told. */
  readonly hold: (lock: number) => Promise<() => Promise<void>>;
}

async function withServer(
  t: Deno.TestContext,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const clock = new ManualClock();
  const admin = postgres(server.url, { max: 1, onnotice: () => {} });
  const opened: Database[] = [];
  try {
    await use({
      clock,
      administer: (statements) => admin.unsafe(statements),
      open: async ({ user, before = (url) => url, ...options }) => {
        const url = new URL(server.url);
        url.username = user ?? url.username;
        const database = await openDatabase({
          url: before(url.href),
          dataDir: "",
          clock,
          ...options,
        });
        opened.push(database);
        return database;
      },
      hold: async (lock) => {
        await admin`select pg_advisory_lock(${lock}::bigint)`;
        return async () => void await admin`select pg_advisory_unlock(${lock}::bigint)`;
      },
    });
  } finally {
    await admin.end();
    for (const database of opened) await database.close();
    await server.stop();
  }
}

/** Resolves when the statement waits for a lock, or anything else, at the server. */
const lock = (number: number) => (database: Database): Promise<unknown> =>
  database.run(`lock ${number}`, (sql) => sql`select pg_advisory_xact_lock(${number}::bigint)`);

Deno.test("a statement's time begins when it is sent, not while others have all connections", (t) =>
  withServer(t, async ({ clock, open, hold }) => {
    const database = await open({ poolMax: 1 });
    const unlocks = [await hold(1), await hold(2)];
    const first = database.runLong("lock", (sql) => sql`select pg_advisory_xact_lock(1)`);
    const second = lock(2)(database);
    await clock.advance(STATEMENT_MS_MAX - 1);
    await unlocks[0]!();
    await first;
    await clock.advance(STATEMENT_MS_MAX - 1);
    await unlocks[1]!();
    await second;
    assert.equal(clock.sleepers, 0);
  }));

Deno.test("a statement that finds no free connection for too long fails alone: the others, and the pool, stay", (t) =>
  withServer(t, async ({ clock, open, hold }) => {
    const database = await open({ poolMax: 1 });
    // The time of the first statement, which looks at the settings, is not what passes below.
    await lock(3)(database);
    const unlock = await hold(1);
    const pool = database.sql;
    const long = database.runLong("lock", (sql) => sql`select pg_advisory_xact_lock(1)`);
    const waiting = Array.from({ length: 20 }, () => lock(3)(database).catch((error) => error));
    await clock.advance(STATEMENT_MS_MAX);
    for (const error of await Promise.all(waiting)) {
      assert(error instanceof StoreError && error.kind === "unavailable", String(error));
      assert.match(error.message, /^Cannot lock 3: .*the wait for a free connection/);
    }
    await unlock();
    await long;
    assert.equal(database.sql, pool, "the pool was thrown away");
    await lock(3)(database);
  }));

Deno.test("visitors that keep all of their connections busy delay no statement of the archive", (t) =>
  withServer(t, async ({ open, hold }) => {
    const database = await open({ poolMax: 4, isServed: true });
    const visitors = database.visitors!(never);
    const unlock = await hold(1);
    const visits = Array.from({ length: 50 }, () => started(lock(1)(visitors)));
    const waiting = (): Promise<number> =>
      database.run("count", async (sql) => {
        const rows = await sql`
          select from pg_stat_activity
          where datname = current_database() and wait_event = 'advisory'`;
        return rows.length;
      });
    await until("a visitor at the server", async () => await waiting() > 0);
    for (let at = 0; at < 20; at++) await lock(2)(database);
    assert.equal(await waiting(), 1, "the visitors' share of four");
    await unlock();
    await Promise.all(visits);
  }));

Deno.test("work that takes hours leaves a connection to pages, also where there are but two", (t) =>
  withServer(t, async ({ open, hold }) => {
    const unlock = await hold(1);
    const database = await open({ poolMax: 2, isServed: true });
    const long = database.runLong("lock", (sql) => sql`select pg_advisory_xact_lock(1)`);
    await lock(2)(database);
    await unlock();
    await long;
  }));

Deno.test("where a role may have few connections, the archive has them, and visitors are answered over those", async (t) => {
  for (const [limit, first] of [[1, "the archive"], [1, "visitors"], [2, "visitors"]] as const) {
    await t.step(
      `${limit}, and ${first} came first`,
      (t) =>
        withServer(t, async ({ open, administer }) => {
          const user = `few_${crypto.randomUUID().slice(0, 8)}`;
          await administer(`create role ${user} login connection limit ${limit}`);
          const database = await open({ poolMax: 8, isServed: true, user, clock: systemClock });
          const visit = (): Promise<unknown> =>
            Promise.all([1, 2, 3].map((one) => lock(one)(database.visitors!(never))));
          const write = (): Promise<unknown> =>
            Promise.all([4, 5, 6].map((one) => lock(one)(database)));
          const steps = first === "visitors" ? [visit, write] : [write, visit];
          for (const step of [...steps, ...steps]) await step();
          // One that runs for long does not keep it out either.
          const long = (sql: Sql): Promise<unknown> => sql`select pg_sleep(0.3), 1`;
          const visits = Promise.all(
            [1, 2].map(() => database.visitors!(never).run("wait", long)),
          );
          await write();
          await visits;
          await database.close();
          await administer(`drop role ${user}`);
        }),
    );
  }
});

Deno.test("a visitor's statement is ended at the server when the visitor has gone, and no other is", (t) =>
  withServer(t, async ({ open, hold, administer }) => {
    const database = await open({ poolMax: 8, isServed: true });
    const unlock = await hold(1);
    const [gone, here] = [new AbortController(), new AbortController()];
    const ended = assert.rejects(lock(1)(database.visitors!(gone.signal)), {
      message: "Cannot lock 1: canceling statement due to user request (57014)",
    });
    const other = lock(1)(database.visitors!(here.signal));
    const waiting = async (): Promise<number> => {
      const [row] = await administer(
        `select count(*)::int as n from pg_stat_activity
         where datname = current_database() and wait_event = 'advisory'`,
      );
      return row?.["n"];
    };
    await until("two that wait for a lock", async () => await waiting() >= 2);
    gone.abort(new Error("gone"));
    await ended;
    assert.equal(await waiting(), 1);
    await unlock();
    await other;
    // Both connections are as they were.
    await Promise.all([2, 3].map((one) => lock(one)(database.visitors!(here.signal))));
    await assert.rejects(lock(1)(database.visitors!(gone.signal)), /gone/);
  }));

for (const others of ["the archive", "visitors"] as const) {
  Deno.test(`a request to cancel that comes when its statement has ended ends no other, of ${others}`, (t) =>
    withServer(t, async ({ clock, open, hold, administer }) => {
      const user = `late_${crypto.randomUUID().slice(0, 8)}`;
      await administer(
        `create role ${user} login connection limit ${others === "visitors" ? 8 : 2}`,
      );
      const unlocks = [await hold(1), await hold(2), await hold(3)];
      const cancels: LateCancels[] = [];
      const before = (url: string): string => {
        cancels.push(startLateCancels(url));
        return cancels[0]!.url;
      };
      const database = await open({ poolMax: 8, isServed: true, user, before });
      const waiting = async (): Promise<number> => {
        const [row] = await administer(
          `select count(*)::int as n from pg_stat_activity
           where datname = current_database() and wait_event = 'advisory'`,
        );
        return row?.["n"];
      };
      // The archive has both connections, one of which is busy: a visitor is answered over the other.
      await Promise.all([4, 5].map((one) => lock(one)(database)));
      const long = lock(3)(database);
      await until("one that waits for a lock", async () => await waiting() >= 1);
      const gone = new AbortController();
      const visit = lock(1)(database.visitors!(gone.signal)).catch((error) => error);
      await until("two that wait for a lock", async () => await waiting() >= 2);
      gone.abort(new Error("gone"));
      await cancels[0]!.asked;
      await unlocks[0]!();
      // The answer comes, which frees the connection where nothing keeps it back.
      for (let look = 0; look < 50; look++) await waiting();
      const next = lock(2)(others === "visitors" ? database.visitors!(never) : database)
        .then(() => "answered", (error) => error);
      // Where it is sent at once, it is sent by then.
      for (let look = 0; look < 50; look++) if (await waiting() === 2) break;
      cancels[0]!.pass();
      await visit;
      for (let passedMs = 0; passedMs < 10_000 && await waiting() < 2; passedMs += 50) {
        await clock.advance(50);
      }
      await unlocks[1]!();
      await unlocks[2]!();
      assert.equal(await next, "answered");
      await long;
      await cancels[0]!.close();
    }));
}

Deno.test("the server ends a visitor's statement after ten seconds, and no other", (t) =>
  withServer(t, async ({ open }) => {
    const database = await open({ poolMax: 3, isServed: true });
    const limitOf = (one: Database): Promise<unknown> =>
      one.run("ask", async (sql) => (await sql`show statement_timeout`)[0]?.["statement_timeout"]);
    assert.deepEqual([await limitOf(database), await limitOf(database.visitors!(never))], [
      "0",
      "10s",
    ]);
  }));
