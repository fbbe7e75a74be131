/** What a role, a database or a pooler has set changes no answer: it is set right, or refused by its name. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { isServerAway, StoreError } from "../../lib/store/connection/store_error.ts";
import { type Pgbouncer, startPgbouncer } from "../support/pgbouncer.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { openPostgres } from "../support/test_database.ts";

/** What a pooler passes on by itself. */
const PASSED_ON = {
  TimeZone: "'Asia/Kathmandu'",
  DateStyle: "German, DMY",
  standard_conforming_strings: "off",
};

Deno.test("a pooler that refuses start-up parameters is used all the same, unless what it keeps from us matters", async (t) => {
  const server = await startPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  let pooler: Pgbouncer | undefined;
  let dropping: Pgbouncer | undefined;
  try {
    pooler = await startPgbouncer(server.url);
    if (pooler === undefined) {
      console.log("PgBouncer is not installed: no pooler is tried");
      await t.step({ name: "needs PgBouncer", ignore: true, fn: () => {} });
      return;
    }
    const direct = async (statement: string): Promise<void> => {
      const database = await openDatabase({ url: server.url, ...OPTIONS });
      try {
        await database.sql.unsafe(statement);
      } finally {
        await database.close();
      }
    };
    const said: unknown[] = [];
    const pooled = async <T extends object>(
      name: string,
      statement: string,
      { query = "", others = "", port = pooler!.port } = {},
    ): Promise<T[]> => {
      // PgBouncer before 1.21 knows nothing of prepared statements.
      const place = `127.0.0.1:${port}${others}/${name}?prepare=false${query}`;
      const database = await openDatabase({
        url: `postgres://postgres@${place}`,
        onReach: (away) => void said.push(away?.error),
        ...OPTIONS,
      });
      try {
        return await database.run(
          "ask",
          async (sql) => [...await sql.unsafe<T[]>(statement)],
        );
      } finally {
        await database.close();
      }
    };
    await t.step("a server with its own defaults", async () => {
      await direct("create database plain");
      assert.deepEqual({ ...(await pooled<{ one: number }>("plain", "select 1 as one"))[0] }, {
        one: 1,
      });
    });
    await t.step("a database with a date style of its own", async () => {
      await direct("create database dates");
      for (const [name, value] of Object.entries(PASSED_ON)) {
        await direct(`alter database dates set ${name} = ${value}`);
      }
      const [row] = await pooled<{ at: Date }>(
        "dates",
        "select timestamptz '2024-12-11 10:00:00.5+00' as at",
      );
      assert.equal(row?.at.toISOString(), "2024-12-11T10:00:00.500Z");
    });
    await t.step("a pooler whose URL does not say that nothing may be prepared", async () => {
      assert.deepEqual(await manyOf(`127.0.0.1:${pooler!.port}/plain`), MANY);
    });
    await t.step("a database whose answers would be others", async () => {
      await direct("create database arrays");
      await direct("alter database arrays set array_nulls = off");
      await direct("alter database arrays set extra_float_digits = -15");
      await assert.rejects(
        pooled("arrays", "select 1"),
        (error) =>
          error instanceof StoreError && error.kind === "refused" &&
          /the server has extra_float_digits = -15, array_nulls = off\. Set .* for the role/.test(
            error.message,
          ),
      );
    });
    await t.step(
      "one of several hosts, and one that is asked whether it is the primary",
      async () => {
        for (
          const options of [
            { others: ",127.0.0.1:1" },
            { query: "&target_session_attrs=primary" },
            { others: `,127.0.0.1:${pooler!.port}` },
          ]
        ) {
          assert.equal((await pooled("plain", "select 1 as one", options)).length, 1);
        }
      },
    );
    await t.step(
      "what DATABASE_URL asks for and the pooler refuses is refused by its name",
      async () => {
        for (
          const [query, name] of [
            ["&schema=candles", "search_path"],
            ["&search_path=candles", "search_path"],
            ["&options=-c%20work_mem%3D8MB", "options"],
            ["&work_mem=8MB&target_session_attrs=primary", "work_mem"],
          ] as const
        ) {
          // The second time there is nothing left to find out.
          await assert.rejects(pooled("plain", "select 1", { query }), (error) => {
            assert(error instanceof StoreError && error.kind === "refused", String(error));
            assert.match(
              error.message,
              new RegExp(`refuses .*"unsupported startup parameter: ${name}`),
            );
            assert.match(error.message, /schema .* search_path/);
            assert(!isServerAway(error));
            return true;
          });
        }
      },
    );
    await t.step("a pooler that drops parameters without a word", async (t) => {
      dropping = await startPgbouncer(server.url, { ignores: DROPPED });
      const { port } = dropping!;
      assert.equal((await pooled("plain", "select 1 as one", { port })).length, 1);
      for (
        const [name, query, says] of [
          ["arrays", "", /the server has extra_float_digits = -15, array_nulls = off\. Set/],
          ["plain", "&schema=mine", /the server has search_path = "\$user", public\. Set search_/],
          ["plain", "&search_path=a,%20b", /Set search_path = a, b for the role/],
          ["plain", "&options=-c%20search_path%3Dmine", /Set search_path = mine for the role/],
        ] as const
      ) {
        await t.step(`${name}${query}`, async () => {
          await assert.rejects(
            pooled(name, "select 1", { query, port }),
            (error) =>
              error instanceof StoreError && error.kind === "refused" && says.test(error.message),
          );
        });
      }
      await direct("create database spaced");
      await direct("alter database spaced set search_path = a,b");
      const options = { query: "&search_path=a,%20b", port };
      assert.equal((await pooled("spaced", "select 1 as one", options)).length, 1);
      assert.deepEqual(await manyOf(`127.0.0.1:${port}/plain`), MANY);
    });
    assert.deepEqual(said, [], "a pooler that refuses something is not away");
  } finally {
    await dropping?.stop();
    await pooler?.stop();
    await server.stop();
  }
});

Deno.test("what a role has set and nobody can ask to be otherwise is refused by its name", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const admin = await openDatabase({ url: server.url, ...OPTIONS });
  const role = `set_${crypto.randomUUID().replaceAll("-", "")}`;
  try {
    const known = await admin.sql<{ name: string }[]>`select name from pg_settings`;
    await admin.sql.unsafe(`create role ${role} login`);
    const url = new URL(server.url);
    url.username = role;
    for (
      const [name, value] of [["session_replication_role", "replica"], [
        "transaction_timeout",
        "50",
      ]]
    ) {
      const isKnown = known.some((setting) => setting.name === name);
      await t.step({
        name: isKnown ? name! : `${name}, which this server does not know`,
        ignore: !isKnown,
        fn: async () => {
          await admin.sql.unsafe(`alter role ${role} set ${name} = '${value}'`);
          const database = await openDatabase({ url: url.href, ...OPTIONS });
          try {
            await assert.rejects(
              database.run("ask", (sql) => sql`select 1`),
              (error) =>
                error instanceof StoreError && error.kind === "refused" &&
                new RegExp(`this user: the server has ${name} = ${value}\\. Set ${name} = \\w+ for`)
                  .test(error.message),
            );
          } finally {
            await database.close();
            await admin.sql.unsafe(`alter role ${role} reset ${name}`);
          }
        },
      });
    }
  } finally {
    await admin.sql.unsafe(`drop role ${role}`);
    await admin.close();
    await server.stop();
  }
});

/** Enough that a pooler gives them different connections. */
const MANY = Array.from({ length: 200 }, (_, at) => at);

/** Asks for them at once, each by a statement that would be prepared. */
async function manyOf(place: string): Promise<readonly number[]> {
  const url = `postgres://postgres@${place}`;
  const database = await openDatabase({ url, ...OPTIONS });
  try {
    return await Promise.all(
      MANY.map((one) =>
        database.run("ask", async (sql) => {
          const [row] = await sql<{ one: number }[]>`
            select ${one}::int as one, pg_sleep(0.001 * (${one}::int % 3))`;
          return row!.one;
        })
      ),
    );
  } finally {
    await database.close();
  }
}

/** Start-up parameters of ours, and others that lead somewhere else. */
const DROPPED = [
  "IntervalStyle",
  "extra_float_digits",
  "array_nulls",
  "bytea_output",
  "default_transaction_isolation",
  "default_transaction_read_only",
  "default_transaction_deferrable",
  "transform_null_equals",
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "idle_session_timeout",
  "search_path",
  "options",
  "titan10.session",
];

const OPTIONS = { dataDir: "", poolMax: 2, clock: systemClock };
