/** What a role, a database or a pooler has set changes no answer: it is set right, or refused by its name. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { isServerAway, StoreError } from "../../lib/store/connection/store_error.ts";
import { type Pgbouncer, startPgbouncer } from "../support/pgbouncer.ts";
import { startPostgres } from "../support/postgres_server.ts";

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
      { query = "", others = "" } = {},
    ): Promise<T[]> => {
      // PgBouncer before 1.21 knows nothing of prepared statements.
      const place = `127.0.0.1:${pooler!.port}${others}/${name}?prepare=false${query}`;
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
    assert.deepEqual(said, [], "a pooler that refuses something is not away");
  } finally {
    await pooler?.stop();
    await server.stop();
  }
});

const OPTIONS = { dataDir: "", poolMax: 2, clock: systemClock };
