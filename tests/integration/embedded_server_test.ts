/** The embedded server and a query that is ended: what that costs those who use the server meanwhile. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { type QueryPage, runQuery } from "../../lib/store/read_query.ts";
import { openEmbeddedTest } from "../support/test_database.ts";

/** Days of work, of which nothing is read from a disk. */
const ENDLESS =
  "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000000) b";

const never = new AbortController().signal;

function ask(
  database: Database,
  text: string,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<readonly QueryPage[]> {
  const given = { timeoutMs: 600_000, signal: never, clock: systemClock, rowsMax: 10, ...options };
  return Array.fromAsync(runQuery(database, text, given));
}

Deno.test("a query of the embedded server", async (t) => {
  const { database, drop } = await openEmbeddedTest();
  const { sql } = database;
  const counted = async (): Promise<number> => {
    const [row] = await sql<{ n: number }[]>`select count(*)::int as n from kept`;
    return row!.n;
  };
  try {
    await sql`create table kept (n int)`;
    await sql`insert into kept values (${1})`;

    await t.step("takes nothing with it when it is ended in time", async () => {
      const late = assert.rejects(ask(database, ENDLESS, { timeoutMs: 300 }), {
        message: "Cannot run the query: it took longer than 0.3 s and was ended",
        kind: "refused",
      });
      // The same text as before, which the connection has prepared, and a new one.
      const waiting = [2, 3, 4].map((n) => sql`insert into kept values (${n})`);
      const other = sql`select ${"a"} || 'b' as text`;
      await late;
      await Promise.all(waiting);
      assert.deepEqual([...await other], [{ text: "ab" }]);
      assert.equal(await counted(), 4);
    });

    await t.step("takes nothing with it when whoever asked it has gone", async () => {
      const gone = new AbortController();
      const asked = assert.rejects(ask(database, ENDLESS, { signal: gone.signal }), /gone/);
      // The query has its turn before anything that is asked after it.
      const waiting = sql`insert into kept values (${5})`;
      await systemClock.sleep(1);
      gone.abort(new Error("gone"));
      await asked;
      await waiting;
      assert.equal(await counted(), 5);
    });

    await t.step("that waits for other work is withdrawn, and the work goes on", async () => {
      const work = sql`select count(*)::int as n from generate_series(1, 6000000)`.execute();
      await systemClock.sleep(1);
      await assert.rejects(ask(database, "select 1", { timeoutMs: 20 }), {
        message: "Cannot run the query: the database was busy with other work for 0.02 s",
      });
      const gone = new AbortController();
      const asked = assert.rejects(ask(database, "select 1", { signal: gone.signal }), /gone/);
      gone.abort(new Error("gone"));
      await asked;
      assert.deepEqual([...await work], [{ n: 6_000_000 }]);
    });

    await t.step("waits for the end of a transaction", async () => {
      let asked: Promise<readonly QueryPage[]> | undefined;
      await sql.begin(async (tx) => {
        await tx`insert into kept values (${6})`;
        asked = ask(database, "select count(*) from kept");
        await systemClock.sleep(20);
        await tx`insert into kept values (${7})`;
      });
      assert.deepEqual((await asked)?.[0]?.rows, [["7"]]);
    });
  } finally {
    await drop();
  }
});
