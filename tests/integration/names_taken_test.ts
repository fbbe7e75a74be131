/** A database in which somebody else has a table or view of a name that the archive needs. @module */
import assert from "node:assert/strict";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import { openAnyTest, openTestDatabase } from "../support/test_database.ts";

const FOREIGN: Readonly<Record<string, string>> = {
  "create table ohlcv (a int)": "table ohlcv",
  "create table checkpoints (id int)": "table checkpoints",
  "create table jobs (id serial, name text)": "table jobs",
  "create view gaps as select 1 as a": "view gaps",
  "create table exchanges (id int)": "table exchanges",
  "create table imports (id int)": "table imports",
  "create table alerts (id int)": "table alerts",
  "create table ohlcv_1m (time timestamptz, open float)": "table ohlcv_1m",
  "create materialized view alerts as select 1 as a": "view alerts",
};

Deno.test("somebody else's table is named, and nothing is made", async (t) => {
  const opened = await openTestDatabase("postgres", { isUnmigrated: true }) ??
    await openTestDatabase("embedded", { isUnmigrated: true });
  assert(opened !== undefined);
  const { database } = opened;
  try {
    for (const [statement, name] of Object.entries(FOREIGN)) {
      await t.step(name, async () => {
        await database.sql.unsafe(statement);
        await assert.rejects(migrate(database, await readMigrations()), (error) => {
          assert(error instanceof StoreError && error.kind === "refused");
          assert.match(error.message, new RegExp(`it has a ${name} that is not Titan-10's`));
          return true;
        });
        const [found] = await database.sql`select to_regclass('titan10_migrations') as there`;
        assert.equal(found?.["there"], null);
        await database.sql.unsafe(
          `drop ${statement.includes("materialized") ? "materialized " : ""}${name}`,
        );
      });
    }
    await t.step("without them it is migrated", async () => {
      const migrations = await readMigrations();
      assert.equal((await migrate(database, migrations)).applied.length, migrations.length);
    });
  } finally {
    await opened.drop();
  }
});

Deno.test("every table and view of the archive is among the names that are looked for", async () => {
  const opened = await openAnyTest();
  try {
    const migrations = await readMigrations();
    await migrate(opened.database, migrations);
    const rows = await opened.database.sql<{ name: string }[]>`
      select relname as name from pg_class
      where relnamespace = current_schema()::regnamespace and relkind in ('r', 'v', 'm')
        and relname not like 'ohlcv\\_%' and relname <> 'titan10_migrations'`;
    const all = migrations.map(({ text }) => text).join("\n");
    for (const { name } of rows) {
      assert.match(all, new RegExp(`^create (or replace )?(table|view) ${name}\\b`, "m"), name);
    }
  } finally {
    await opened.drop();
  }
});

Deno.test("an archive of any earlier version is migrated", async () => {
  const opened = await openTestDatabase("postgres", { isUnmigrated: true }) ??
    await openTestDatabase("embedded", { isUnmigrated: true });
  assert(opened !== undefined);
  const { database } = opened;
  try {
    const migrations = await readMigrations();
    for (const { version } of migrations.slice(0, -1)) {
      await migrate(database, migrations.filter((one) => one.version <= version));
      const { applied } = await migrate(database, migrations);
      const newer = migrations.filter((one) => one.version > version);
      assert.equal(applied.length, newer.length);
      await database.sql.unsafe("drop schema public cascade; create schema public");
    }
  } finally {
    await opened.drop();
  }
});
