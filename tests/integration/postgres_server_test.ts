/** The throwaway PostgreSQL server of the other tests: killed, started again, cleaned up. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { findPrograms, type PostgresServer, startPostgres } from "../support/postgres_server.ts";

const ignore = await findPrograms() === undefined;

Deno.test({
  name: "a PostgreSQL that is killed takes its clients with it, and has its rows after a restart",
  ignore,
  fn: async () => {
    await withServer(async (server) => {
      const { url } = server;
      assert.deepEqual([...await ask(url, "select 1 as one")], [{ one: 1 }]);
      // An unlogged table is emptied by a crash, and by nothing else.
      await ask(url, "create table kept as select 7 as seven");
      await ask(url, "create unlogged table lost as select 7 as seven");
      assert.equal(await duringQuery(url, "select pg_sleep(600)", () => server.kill9()), "lost");
      await assert.rejects(ask(url, "select 1"), { code: "ECONNREFUSED" });

      await server.restart();
      assert.equal(server.url, url);
      assert.deepEqual([...await ask(url, "select seven from kept")], [{ seven: 7 }]);
      assert.deepEqual([...await ask(url, "select seven from lost")], []);

      // Running this time: what ends it, and gently, is the restart itself.
      await ask(url, "insert into lost values (8)");
      await server.restart();
      assert.deepEqual([...await ask(url, "select seven from lost")], [{ seven: 8 }]);
    });
  },
});

Deno.test({
  name: "a PostgreSQL listens on loopback alone",
  ignore,
  fn: async () => {
    await withServer(async ({ url }) => {
      const [row] = await ask(
        url,
        "select current_setting('listen_addresses') as tcp, current_setting('unix_socket_directories') as unix",
      );
      assert.deepEqual({ ...row }, { tcp: "127.0.0.1", unix: "" });
    });
  },
});

for (const state of ["running", "killed"] as const) {
  Deno.test({
    name: `a ${state} PostgreSQL that is stopped leaves nothing behind, and may be stopped twice`,
    ignore,
    fn: async () => {
      const server = await startPostgres();
      assert.ok(server);
      const [row] = await ask(server.url, "select current_setting('data_directory') as folder");
      await Deno.stat(row?.["folder"]);
      if (state === "killed") await server.kill9();
      await server.stop();
      await server.stop();
      await assert.rejects(Deno.stat(row?.["folder"]), Deno.errors.NotFound);
      await assert.rejects(ask(server.url, "select 1"), { code: "ECONNREFUSED" });
    },
  });
}

async function withServer(use: (server: PostgresServer) => Promise<void>): Promise<void> {
  const server = await startPostgres();
  assert.ok(server);
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

/** A connection a question, so that no answer hangs on what an earlier connection went through. */
async function ask(url: string, query: string): Promise<postgres.RowList<postgres.Row[]>> {
  const sql = postgres(url, { max: 1 });
  try {
    return await sql.unsafe(query);
  } finally {
    await sql.end({ timeout: 0 });
  }
}

/** Does something while the server is at work on a query, and says what became of the query. */
async function duringQuery(
  url: string,
  query: string,
  act: () => Promise<void>,
): Promise<"answered" | "lost"> {
  const sql = postgres(url, { max: 1 });
  try {
    // A round trip first: the query is then written to an open connection at once.
    await sql`select 1`;
    const outcome = sql.unsafe(query).then(() => "answered" as const, () => "lost" as const);
    await act();
    return await outcome;
  } finally {
    await sql.end({ timeout: 0 });
  }
}
