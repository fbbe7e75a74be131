/** Every way of writing where a database is leads to that database, over the network and through a unix socket. @module */
import assert from "node:assert/strict";
import { join } from "node:path";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { readServerSettings } from "../../lib/store/connection/server_settings.ts";
import { type PostgresServer, startPostgres } from "../support/postgres_server.ts";
import { runInProcess } from "../support/shell.ts";

/** What a session says of itself. */
interface Session {
  readonly database: string;
  readonly isFile: boolean;
  readonly user: string;
  readonly path: string;
  readonly name: string;
}

async function sessionOf(url: string): Promise<Session> {
  const database = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
  try {
    return await database.run("ask the server", async (sql) => {
      const [row] = await sql<Session[]>`
        select current_database() as database, inet_server_addr() is null as "isFile",
          current_user::text as user, current_setting('search_path') as path,
          current_setting('application_name') as name`;
      return row!;
    });
  } finally {
    await database.close();
  }
}

/** `USER`, `PORT`, `DIR` and `ENCODED` stand for what the server has. */
const URLS: readonly (readonly [url: string, found: Partial<Session>])[] = [
  ["postgres://USER@127.0.0.1:PORT/candles?channel_binding=prefer", {}],
  ["postgres://USER@127.0.0.1:PORT/candles?channel_binding=disable", {}],
  ["postgres://USER@127.0.0.1:PORT/candles?gssencmode=prefer&keepalives=0&sslmode=disable", {}],
  ["postgres://USER@127.0.0.1:PORT/My%20Db", { database: "My Db" }],
  ["postgres:///candles?host=DIR&port=PORT&user=USER", { isFile: true }],
  ["postgres://USER@/candles?host=DIR&port=PORT", { isFile: true }],
  ["postgres://USER@ENCODED:PORT/candles", { isFile: true }],
  ["postgres://USER@ENCODED:PORT/candles?sslmode=verify-full", { isFile: true }],
  ["postgres:///My%20Db?host=ENCODED&port=PORT&user=USER&dbname=candles", { isFile: true }],
  ["postgresql://localhost:PORT?dbname=candles&user=USER", {}],
  ["postgres://USER@nowhere.invalid:PORT/candles?hostaddr=127.0.0.1&sslmode=disable", {}],
  ["postgres://USER@127.0.0.1:1,127.0.0.1:PORT/candles", {}],
  ["postgres://USER@nowhere.invalid,ENCODED/candles?port=PORT&sslmode=disable", { isFile: true }],
  ["postgres://USER@127.0.0.1:PORT/candles?target_session_attrs=read-write", {}],
  ["postgres://USER@127.0.0.1:PORT/candles?schema=mine&pgbouncer=true", { path: '"mine"' }],
  ["postgres://USER@127.0.0.1:PORT/candles?options=-c%20search_path%3Dours", { path: "ours" }],
  ["postgres://USER@127.0.0.1:PORT/candles?search_path=theirs", { path: "theirs" }],
  ["postgres://USER@127.0.0.1:PORT/candles?application_name=mine", { name: "mine" }],
  ["postgres://who:any@127.0.0.1:PORT/candles?user=USER", {}],
];

async function withServer(
  t: Deno.TestContext,
  use: (server: PostgresServer, put: (url: string) => string) => Promise<void>,
): Promise<void> {
  const server = await startPostgres({ hasSocket: true });
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    const admin = postgres(server.url, { max: 1 });
    await admin`create database candles`;
    await admin`create database "My Db"`;
    await admin.end();
    const { port } = new URL(server.url);
    const dir = server.socketDir;
    await use(
      server,
      (url) =>
        url.replaceAll("USER", "postgres").replaceAll("PORT", port).replaceAll("DIR", dir)
          .replaceAll("ENCODED", encodeURIComponent(dir)),
    );
  } finally {
    await server.stop();
  }
}

Deno.test("every way of writing a URL leads to the database that it names", (t) =>
  withServer(t, async (_, put) => {
    for (const [url, found] of URLS) {
      await t.step(url, async () => {
        const expected = { database: "candles", isFile: false, user: "postgres", name: "titan10" };
        const { path, ...session } = await sessionOf(put(url));
        assert.deepEqual(
          { ...session, path },
          { ...expected, path: '"$user", public', ...found },
        );
      });
    }
  }));

Deno.test("whatever a URL calls the program, its own connections are not those of others", (t) =>
  withServer(t, async (_, put) => {
    const url = put("postgres://USER@127.0.0.1:PORT/candles?application_name=mine");
    const database = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
    const other = postgres(put("postgres://USER@127.0.0.1:PORT/candles"), { max: 1 });
    try {
      await other`select 1`;
      const { connectionsOfOthers } = await readServerSettings(database, {
        now: () => systemClock.now(),
      });
      assert.equal(connectionsOfOthers, 1);
    } finally {
      await other.end();
      await database.close();
    }
  }));

Deno.test("a password is found in the file that a URL names, by host, port, database and user", (t) =>
  withServer(t, async (server, put) => {
    const admin = postgres(server.url, { max: 1 });
    await admin`create role guarded login password 'p:w\\d'`;
    await admin.end();
    const folder = join(server.socketDir, "data");
    const rules = await Deno.readTextFile(join(folder, "pg_hba.conf"));
    const guarded = "host all guarded 127.0.0.1/32 scram-sha-256\n";
    await Deno.writeTextFile(join(folder, "pg_hba.conf"), guarded + rules);
    await server.restart();
    const passfile = join(server.socketDir, "passwords");
    await Deno.writeTextFile(
      passfile,
      put("# of tests\nelsewhere:*:*:*:no\n*:PORT:candles:guarded:p\\:w\\\\d\n*:*:*:*:no\n"),
    );
    const url = put(`postgres://guarded@127.0.0.1:PORT/candles?passfile=${passfile}`);
    assert.equal((await sessionOf(url)).user, "guarded");
    await assert.rejects(sessionOf(url.replace("/candles", "/My%20Db")), /password authentication/);
    await assert.rejects(sessionOf(`${url}-not`), /Cannot read the passwords in .*Set passfile/);
    await assert.rejects(sessionOf(put("postgres://guarded@127.0.0.1:PORT/candles")), StoreFault);
  }));

const StoreFault = /Cannot ask the server: .*password/;

Deno.test("a URL that cannot be used ends with what is wrong in it, and never with its password", async () => {
  for (
    const [DATABASE_URL, env, says] of [
      ["postgres://u:hunter2@h/100%", {}, /DATABASE_URL=.*two hexadecimal digits after each %/],
      ["postgres://u:hunter2@h/db?sslcert=/c", {}, /DATABASE_URL=.*expected no sslcert, because/],
      [
        "postgres://u@h/db",
        { PGSSLMODE: "prefer" },
        /PGSSLMODE="\*\*\*": expected sslmode=disable/,
      ],
      ["postgres://u@h/db", { PGGSSENCMODE: "require" }, /PGGSSENCMODE=.* GSSAPI is not supported/],
    ] as const
  ) {
    const { code, stderr } = await runInProcess(["status"], { ...env, DATABASE_URL });
    assert.equal(code, 2, stderr);
    assert.match(stderr.replace(/\s+/g, " "), says);
    assert.doesNotMatch(stderr, /hunter2/);
  }
});

Deno.test("psql's variables complete a URL, and alone leave the archive embedded", (t) =>
  withServer(t, async (_, put) => {
    const env = {
      PGHOST: put("DIR"),
      PGPORT: put("PORT"),
      PGUSER: "postgres",
      PGDATABASE: "My Db",
      EXCHANGES: "binance",
    };
    const served = await runInProcess(["status"], { ...env, DATABASE_URL: "postgres://" });
    assert.match(served.stderr, /There is no archive in this database yet/);
    const embedded = await runInProcess(["status"], { ...env, DATA_DIR: put("DIR/none") });
    assert.match(embedded.stderr, /There is no archive here: .*none has none/);
  }));
