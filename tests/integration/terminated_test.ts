/** A server ends connections in the middle of statements and migrations: it says why, and the work goes on. @module */
import { started } from "../support/started.ts";
import assert from "node:assert/strict";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import {
  migrate,
  pendingMigrations,
  readMigrations,
} from "../../lib/store/connection/migrations.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import { openPostgres } from "../support/test_database.ts";
import { until } from "../support/until.ts";

/** Makes each statement of a migration slow enough to be met in the middle. */
const SLOW = `
  create function slow() returns event_trigger language plpgsql as 'begin perform pg_sleep(0.01); end';
  create event trigger slow on ddl_command_start execute function slow()`;

/** Ends the program's own connections to this database, all or those that wait for a lock. */
const TERMINATE = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and application_name = 'titan10'`;

interface Ground {
  readonly admin: postgres.Sql;
  open(): Promise<Database>;
}

async function withGround(
  t: Deno.TestContext,
  use: (ground: Ground) => Promise<void>,
): Promise<void> {
  const server = await openPostgres({ isUnmigrated: true });
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const { url } = server;
  const admin = postgres(url, { max: 1, onnotice: () => {} });
  const opened: Database[] = [];
  try {
    await use({
      admin,
      async open(): Promise<Database> {
        const database = await openDatabase({ url, dataDir: "", poolMax: 2, clock: systemClock });
        opened.push(database);
        return database;
      },
    });
  } finally {
    for (const database of opened) await database.close();
    await admin.end();
    await server.stop();
  }
}

Deno.test("a statement whose connection is ended fails with the server's own words", (t) =>
  withGround(t, async ({ admin, open }) => {
    const database = await open();
    const asking = database.run("ask", (sql) => sql`select pg_sleep(60)`);
    const rejected = assert.rejects(
      asking,
      (error) =>
        error instanceof StoreError && error.kind === "unavailable" &&
        error.message ===
          "Cannot ask: terminating connection due to administrator command (57P01)",
    );
    await untilFound(
      admin,
      `select from pg_stat_activity
       where datname = current_database() and query like '%pg_sleep(60)' and state = 'active'`,
    );
    await admin.unsafe(TERMINATE);
    await rejected;
    assert.equal(await database.run("ask", async (sql) => (await sql`select 1`).length), 1);
  }));

Deno.test("a migration that waits for another is ended, and goes on", (t) =>
  withGround(t, async ({ admin, open }) => {
    await admin.unsafe(SLOW);
    const migrations = await readMigrations();
    const [first, second] = [await open(), await open()];
    const both = [first, second].map((database) => started(migrate(database, migrations)));
    await untilFound(admin, `${WAITING} and wait_event_type = 'Lock'`);
    await admin.unsafe(`${TERMINATE} and wait_event_type = 'Lock'`);
    const applied = (await Promise.all(both)).map((report) => report.applied.length);
    assert.deepEqual(applied.sort((a, b) => a - b), [0, migrations.length]);
    assert.deepEqual(await pendingMigrations(first, migrations), []);
  }));

Deno.test("wherever migrations are ended, all of them are applied or none", (t) =>
  withGround(t, async ({ admin, open }) => {
    await admin.unsafe(SLOW);
    const migrations = await readMigrations();
    const database = await open();
    let isOver = false;
    const migrating = migrate(database, migrations).then(
      () => undefined,
      (error: unknown) => error,
    ).finally(() => isOver = true);
    // It is tried five times in all, so that the last one is left alone.
    for (const ms of [5, 150, 60, 250]) {
      await systemClock.sleep(ms);
      if (isOver) break;
      await admin.unsafe(TERMINATE);
      const pending = await pendingMigrations(await open(), migrations);
      assert(pending.length === 0 || pending.length === migrations.length, pending.join());
    }
    assert.equal(await migrating, undefined);
    assert.deepEqual(await pendingMigrations(database, migrations), []);
  }));

Deno.test("a migration waits for the page that an older version writes, and neither is ended", (t) =>
  withGround(t, async ({ admin, open }) => {
    const database = await open();
    const migrations = await readMigrations();
    await migrate(database, migrations.filter(({ version }) => version <= 40));
    await ensureCandleTables(database, [parseTimeframe("1m")]);
    let migrating: Promise<unknown> = Promise.resolve();
    const page = admin.begin(async (tx) => {
      await tx`lock table ohlcv_1m in row exclusive mode`;
      migrating = migrate(database, migrations);
      await untilFound(tx, `${WAITING} and wait_event_type = 'Lock'`);
      await tx`insert into checkpoints (exchange, symbol, timeframe) values ('binance', 'BTC/USDT', '1m')`;
      await tx`
        insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume)
        values ('binance', 'BTC/USDT', '1m', '2024-01-01', 1, 1, 1, 1, 1)`;
    });
    assert.deepEqual(
      (await Promise.allSettled([page, page.catch(() => {}).then(() => migrating)])).map((
        { status },
      ) => status),
      ["fulfilled", "fulfilled"],
    );
    assert.deepEqual(await pendingMigrations(database, migrations), []);
  }));

Deno.test("a migration that PostgreSQL ends because two wait for each other goes on", (t) =>
  withGround(t, async ({ admin, open }) => {
    await admin.unsafe(`
      create sequence tries;
      create function end_first() returns event_trigger language plpgsql as $$
      begin
        if nextval('tries') = 1 then
          raise exception 'deadlock detected' using errcode = '40P01';
        end if;
      end $$;
      create event trigger end_first on ddl_command_start execute function end_first()`);
    const database = await open();
    const migrations = await readMigrations();
    assert.equal((await migrate(database, migrations)).applied.length, migrations.length);
  }));

const WAITING = `
  select from pg_stat_activity where datname = current_database() and application_name = 'titan10'`;

async function untilFound(admin: postgres.ISql, found: string): Promise<void> {
  await until(`a row of ${found}`, async () => (await admin.unsafe(found)).length > 0);
}
