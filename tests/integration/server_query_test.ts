/** `titan10 query` on a server: what is fetched at once is bounded in bytes, and the server ends what is asked no more. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { FETCH_BYTES, type QueryPage, runQuery } from "../../lib/store/read_query.ts";
import { peakOf } from "../support/peak_memory.ts";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { start } from "../support/program.ts";
import { openPostgres } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const never = new AbortController().signal;

function ask(database: Database, text: string, rowsMax?: number): AsyncGenerator<QueryPage, void> {
  const options = { timeoutMs: 60_000, signal: never, clock: systemClock };
  return runQuery(database, text, rowsMax === undefined ? options : { ...options, rowsMax });
}

Deno.test("a query's long rows are fetched from a server a few at once", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const options = { url: server.url, dataDir: "", poolMax: 1, clock: systemClock };
  const database = await openDatabase(options);
  try {
    await t.step("all of them come, in order", async () => {
      const lengths: number[] = [];
      const sql = "select n, repeat('x', 700000 + n) from generate_series(1, 40) n";
      let rows = 0;
      for await (const page of ask(database, sql)) {
        lengths.push(page.rows.reduce((sum, [, text]) => sum + text!.length, 0));
        for (const [n, text] of page.rows) {
          rows++;
          assert.deepEqual([Number(n), text?.length], [rows, 700_000 + rows]);
        }
      }
      assert.equal(rows, 40);
      assert(Math.max(...lengths) < 2 * FETCH_BYTES, `${lengths}`);
    });
    await t.step("the longest row that is read comes, and a longer one is refused", async () => {
      // A pair of brackets is around a row.
      const most = FETCH_BYTES - 2;
      const [page] = await Array.fromAsync(ask(database, `select repeat('x', ${most})`));
      assert.equal(page?.rows[0]?.[0]?.length, most);
      await assert.rejects(
        Array.fromAsync(ask(database, `select repeat('ä', ${most / 2}) || 'x'`)),
        {
          kind: "refused",
          message:
            "Cannot run the query: a row of it has 4000001 bytes, and at most 4000000 are read. Ask for parts of " +
            "long texts, such as left(…, 1000) or substring(…), or for candles by titan10 export (54000)",
        },
      );
    });
    await t.step("what an error repeats of a long value is cut", async () => {
      const text = "select n from generate_series(1, 3) n where repeat(n || 'x', 4500000)::int > 0";
      for (const sql of [text, "select repeat('x', 9000000)::int"]) {
        await assert.rejects(Array.fromAsync(ask(database, sql)), (error: Error) => {
          assert.match(
            error.message,
            /^Cannot run the query: invalid input syntax .* more characters/,
          );
          assert((error.cause as Error).message.length <= 10_000);
          return true;
        });
      }
    });
    await t.step("a daemon returns few bytes, too", async () => {
      const sql = "select repeat('x', 999998) from generate_series(1, N)";
      const four = await Array.fromAsync(ask(database, sql.replace("N", "3"), 10_000));
      assert.equal(four.flatMap(({ rows }) => rows).length, 3);
      await assert.rejects(Array.fromAsync(ask(database, sql.replace("N", "5"), 10_000)), {
        message:
          "Cannot return more than 4.0 MB of a query while the daemon runs. Ask for fewer or shorter rows, " +
          "use titan10 export, or stop the daemon",
      });
    });
  } finally {
    await database.close();
    await server.stop();
  }
});

Deno.test("a query of long rows leaves the program that asks small", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    const sql = "select repeat('x', 900000) from generate_series(1, 100)";
    const program = start(["query", "--csv", sql], {
      cwd: Deno.cwd(),
      env: { DATABASE_URL: server.url },
    });
    const bytes = await peakOf(program);
    assert.equal((await program.ended).code, 0, program.stderr());
    assert.equal(program.stdout().length, "repeat\n".length + 100 * 900_001);
    assert(bytes < 300e6, `${bytes} bytes`);
  } finally {
    await server.stop();
  }
});

Deno.test("a query that is ended early is ended at the server, too, also behind a pooler", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const admin = postgres(server.url, { max: 1, onnotice: () => {} });
  const running = async (): Promise<number> => {
    const [row] = await admin`
      select count(*)::int as n from pg_stat_activity
      where datname = current_database() and state = 'active' and query ~ 'titan10_query_fetch' and pid <> pg_backend_pid()`;
    return row?.["n"];
  };
  const endsEarly = async (url: string): Promise<void> => {
    const database = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
    try {
      const ending = new AbortController();
      const options = { timeoutMs: 60_000, signal: ending.signal, clock: systemClock };
      const asked = assert.rejects(
        Array.fromAsync(runQuery(database, "select pg_sleep(60)", options)),
        /told to stop/,
      );
      await until("the query to run", async () => await running() > 0);
      ending.abort(new Error("told to stop"));
      await asked;
      assert.equal(await running(), 0);
      const [page] = await Array.fromAsync(ask(database, "select 1"));
      assert.deepEqual(page?.rows, [["1"]]);
    } finally {
      await database.close();
    }
  };
  try {
    await t.step("on the server itself", () => endsEarly(server.url));
    const pooler = await startPgbouncer(server.url);
    await t.step({
      name: "behind PgBouncer",
      ignore: pooler === undefined,
      fn: async () => {
        const url = new URL(server.url);
        url.port = String(pooler!.port);
        await endsEarly(url.href).finally(pooler!.stop);
      },
    });
  } finally {
    await admin.end();
    await server.stop();
  }
});
