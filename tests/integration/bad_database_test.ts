/** What is said of databases that are not as they should be. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import {
  type BorrowedPostgres,
  createServerDatabase,
  openPostgres,
} from "../support/test_database.ts";
import { runInProcess } from "../support/shell.ts";

interface BadDatabase {
  /** What it is made from. @default template0 */
  readonly template?: string;
  /** Spoils a database that has been migrated, unless `isEmpty`. */
  readonly spoil?: string;
  readonly isEmpty?: boolean;
  /** Another address than the database's. */
  readonly url?: (url: URL) => string;
  /** @default migrate */
  readonly command?: "migrate" | "status" | "doctor";
  readonly code: number;
  readonly says: RegExp;
}

const BAD: Readonly<Record<string, BadDatabase>> = {
  "migrated by a newer titan10: refused, with both versions": {
    spoil: "insert into titan10_migrations values (9999, '9999_future.sql', 'x')",
    code: 1,
    says: /migrated to 9999_future\.sql by a newer titan10, .* Use the newer titan10$/,
  },
  "migrated by another text: refused, with both hashes": {
    spoil: "update titan10_migrations set hash = 'x' where version = 1",
    code: 1,
    says: /0001_ledger\.sql was applied with another text \(hash x…, here [0-9a-f]{12}…\)/,
  },
  "a table of somebody else has our name: refused, and left alone": {
    isEmpty: true,
    spoil: "create table checkpoints (mine int)",
    code: 1,
    says:
      /Cannot migrate .* a table checkpoints that is not Titan-10's\. Give Titan-10 a schema of its own/,
  },
  "a view that was dropped: made again": {
    spoil: "drop view ohlcv",
    code: 0,
    says: /./,
  },
  "a migration that its row forgot: refused": {
    spoil: "delete from titan10_migrations where version = 8",
    code: 1,
    says: /Cannot migrate .* a table alerts that this titan10 did not make/,
  },
  "no right to create: refused, with the right": {
    isEmpty: true,
    spoil: "drop role if exists guest; create role guest login",
    url: (url) => url.href.replace("postgres@", "guest@"),
    code: 1,
    says: /Cannot migrate .*permission denied for schema public/,
  },
  "no right to read: refused, with the right": {
    spoil: "drop role if exists guest; create role guest login",
    url: (url) => url.href.replace("postgres@", "guest@"),
    command: "status",
    code: 1,
    says: /permission denied for table titan10_migrations/,
  },
  "not in UTF-8: refused, with its encoding": {
    template: "template0 encoding 'LATIN1'",
    isEmpty: true,
    code: 1,
    says: /Cannot migrate .* its encoding is LATIN1, .*\. Make one with UTF-8: create database/,
  },
  "a user who is not there: refused, with his name": {
    url: (url) => url.href.replace("postgres@", "nobody-here:hunter2-hunter2@"),
    command: "status",
    code: 1,
    says: /role "nobody-here" does not exist/,
  },
  "a database that is not there: refused, with its name": {
    url: (url) => new URL("/nowhere", url).href,
    command: "status",
    code: 1,
    says: /database "nowhere" does not exist/,
  },
  "a parameter that cannot be honoured: refused, with its name": {
    url: (url) => `${url.href}?sslpassword=hunter2`,
    command: "status",
    code: 2,
    says: /expected no sslpassword, because client certificates are not supported/,
  },
  "a parameter that is nobody's: refused, with its name": {
    url: (url) => `${url.href}?ssl_mode=disable`,
    command: "status",
    code: 1,
    says: /unrecognized configuration parameter "ssl_mode"/,
  },
  "not migrated: status says what to run": {
    isEmpty: true,
    command: "status",
    code: 1,
    says: /no archive in this database yet.*Run titan10 migrate/,
  },
  "without TimescaleDB: used all the same, and doctor says why": {
    command: "doctor",
    code: 1,
    says: /ok database server, .* does not offer the extension timescaledb .*ok migrations all/,
  },
  "read-only by default: its own sessions may write": {
    spoil:
      "do $$ begin execute format('alter database %I set default_transaction_read_only = on', " +
      "current_database()); end $$",
    isEmpty: true,
    code: 0,
    says: /applied 0001_ledger\.sql/,
  },
};

const ENV = {
  EXCHANGES: "binance",
  SYMBOLS: "BTC/USDT",
  TIMEFRAMES: "1m",
  BACKFILL: "off",
  RETRY_ATTEMPTS: "1",
  // Nobody: only the database is looked at here.
  EXCHANGE_BINANCE: '{"urls":{"api":{"public":"http://127.0.0.1:1"}}}',
};

Deno.test("every bad database is said to be one", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    for (const [name, bad] of Object.entries(BAD)) await t.step(name, () => tryOne(server, bad));
    await t.step("what listens there is a web server: refused, and named", webServer);
    await t.step("what listens there says nothing: given up, and named", silence);
  } finally {
    await server.stop();
  }
});

async function tryOne(server: BorrowedPostgres, bad: BadDatabase): Promise<void> {
  const { url, drop } = await createServerDatabase(server.url, bad.template);
  try {
    if (bad.isEmpty !== true) {
      const { code, stderr } = await runInProcess(["migrate"], { ...ENV, DATABASE_URL: url });
      assert.equal(code, 0, stderr);
    }
    if (bad.spoil !== undefined) await execute(url, bad.spoil);
    const DATABASE_URL = bad.url?.(new URL(url)) ?? url;
    const result = await runInProcess([bad.command ?? "migrate"], { ...ENV, DATABASE_URL });
    const said = `${result.stdout}\n${result.stderr}`.replace(/\s+/g, " ").trim();
    assert.equal(result.code, bad.code, said);
    assert.match(said, bad.says);
    assert.doesNotMatch(said, /hunter2|\bat .*\.ts:\d/, "neither a secret nor a stack");
  } finally {
    await drop();
  }
}

async function webServer(): Promise<void> {
  const web = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("hello"),
  );
  try {
    const DATABASE_URL = `postgres://u@127.0.0.1:${web.addr.port}/db`;
    const { code, stderr } = await runInProcess(["status"], { ...ENV, DATABASE_URL });
    assert.equal(code, 1);
    assert.match(stderr, /not a PostgreSQL server/);
  } finally {
    await web.shutdown();
  }
}

async function silence(): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) accepted.push(connection);
  })();
  try {
    const DATABASE_URL = `postgres://u@127.0.0.1:${listener.addr.port}/db?connect_timeout=1`;
    const { code, stderr } = await runInProcess(["status"], { ...ENV, DATABASE_URL });
    assert.equal(code, 1);
    assert.match(stderr, /CONNECT_TIMEOUT 127\.0\.0\.1/);
  } finally {
    listener.close();
    await accepting;
    for (const connection of accepted) connection.close();
  }
}

async function execute(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
