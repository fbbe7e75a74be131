/** `titan10 query`: it answers, and changes nothing, whatever is asked. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { runQuery, SHARED_ROWS_MAX } from "../../lib/store/read_query.ts";
import { compileServer, copyTemplate } from "../support/embedded_template.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { seed } from "../support/seeded.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { openPostgres } from "../support/test_database.ts";

/** What would change something, or see what is none of its business. */
const FORBIDDEN: readonly (readonly [string, RegExp])[] = [
  ["insert into exchanges (exchange) values ('x')", /syntax error/],
  ["with x as (insert into exchanges values ('x') returning 1) select * from x", /data-modifying/],
  ["select 1; drop table gaps", /multiple commands/],
  ["select 1 into stolen", /SELECT INTO|INTO/],
  ["set transaction_read_only = off", /syntax error/],
  [
    "select set_config('transaction_read_only', 'off', true), nextval('alerts_id_seq')",
    /before any/,
  ],
  ["select titan10_drop_rollup('1h')", /read-only transaction/],
  // Until PostgreSQL 16 such objects may be made, and are gone with the rollback.
  ["select lowrite(lo_open(lo_create(77), 131072), 'x')", /read-only transaction|answered/],
  ["copy (select 1) to program 'touch /tmp/titan10-was-here'", /syntax error/],
  ["select pg_read_file('/etc/passwd')", /permission denied/],
  ["select pg_terminate_backend(pg_backend_pid())", /permission denied|must be|"f"/i],
  ["do $$ begin commit; end $$", /syntax error/],
  ["commit", /syntax error/],
  ["explain analyze delete from exchanges", /syntax error/],
  ["select 1) ; delete from exchanges; --", /syntax error/],
  ["table exchanges for update", /read-only transaction|permission denied/],
  ["select titan10_test_delete()", /read-only transaction/],
  ["select titan10_test_commit()", /invalid transaction termination/],
  ["select titan10_test_lift()", /before any/],
  [
    "select set_config('default_transaction_read_only', 'off', false), titan10_test_delete()",
    /read-only/,
  ],
];

/** Days of work, of which nothing is read from a disk. */
const ENDLESS =
  "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000000) b";

/** What somebody may have made before. */
const FUNCTIONS = `
create function titan10_test_delete() returns int language plpgsql as
  $$ begin delete from checkpoints; return 1; end $$;
create function titan10_test_commit() returns int language plpgsql as
  $$ begin commit; delete from checkpoints; return 1; end $$;
create function titan10_test_lift() returns int language plpgsql as
  $$ begin set transaction read write; delete from checkpoints; return 1; end $$;`;

for (const kind of ["embedded", "postgres", "postgres, for a login that owns it"]) {
  Deno.test(`a query only reads on a database that is ${kind}`, async (t) => {
    const dataDir = await Deno.makeTempDir({ prefix: "titan10-query-" });
    const server = kind === "embedded"
      ? undefined
      : await (kind === "postgres" ? openPostgres() : startPostgres());
    try {
      if (kind !== "embedded" && server === undefined) {
        await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
        return;
      }
      const isOwner = kind.includes("owns");
      if (server === undefined) {
        await compileServer();
        await copyTemplate(dataDir);
      }
      await steps(t, { url: isOwner ? await ownedBy(server!.url) : server?.url, dataDir, isOwner });
    } finally {
      await server?.stop();
      await Deno.remove(dataDir, { recursive: true });
    }
  });
}

async function steps(
  t: Deno.TestContext,
  { url, dataDir, isOwner }: {
    readonly url: string | undefined;
    readonly dataDir: string;
    readonly isOwner: boolean;
  },
): Promise<void> {
  const database = await openDatabase({ url, dataDir, poolMax: 1, clock: systemClock });
  try {
    const since = "2024-01-01T00:00:00Z";
    await seed(database, [
      { exchange: "binance", symbol: "BTC/USDT", timeframe: "1h", since, candles: 3 },
    ]);
    await database.sql.unsafe(FUNCTIONS);
    // Whoever ends his own connection has ended nothing else.
    const forbidden = isOwner
      ? FORBIDDEN.filter(([text]) => !text.includes("pg_terminate_backend"))
      : FORBIDDEN;
    const given = { timeoutMs: 60_000, signal: new AbortController().signal, clock: systemClock };
    const shared = { ...given, rowsMax: SHARED_ROWS_MAX };
    for (const options of url === undefined ? [shared, given] : [given]) {
      await t.step(
        `nothing is changed on a connection that is ${options === shared ? "shared" : "its own"}`,
        async () => {
          const told = async (text: string): Promise<string> => {
            try {
              const pages = await Array.fromAsync(runQuery(database, text, options));
              return `answered ${JSON.stringify(pages.flatMap(({ rows }) => rows))}`;
            } catch (error) {
              return String(error);
            }
          };
          for (const [text, why] of forbidden) assert.match(await told(text), why, text);
          assert.equal(
            await told("select set_config('search_path', 'nowhere', false)"),
            'answered [["nowhere"]]',
          );
          const [row] = await database.sql`
            select (select count(*)::int from exchanges) as exchanges, current_user::text as login,
                   (select count(*)::int from checkpoints) as checkpoints,
                   current_setting('transaction_read_only') as read_only,
                   (select count(*)::int from pg_largeobject_metadata) as objects`;
          assert.deepEqual(row, {
            exchanges: 0,
            login: isOwner ? "titan10" : "postgres",
            checkpoints: 1,
            read_only: "off",
            objects: 0,
          });
        },
      );
    }
    if (url === undefined) {
      await t.step("on a shared connection nobody's statement falls into the query", async () => {
        const writes = Array.from(
          { length: 20 },
          (_, n) =>
            database.sql`insert into exchanges (exchange) values (${`x${n}`})`.then(() =>
              "written"
            ),
        );
        const asked = Array.fromAsync(
          runQuery(database, `select n from generate_series(1, ${SHARED_ROWS_MAX}) as n`, shared),
        );
        const more = Array.from(
          { length: 20 },
          (_, n) =>
            database.sql`insert into exchanges (exchange) values (${`y${n}`})`.then(() =>
              "written"
            ),
        );
        const rows = (await asked).flatMap((page) => page.rows);
        assert.deepEqual(
          rows.map(([n]) => Number(n)),
          Array.from({ length: SHARED_ROWS_MAX }, (_, index) => index + 1),
        );
        assert.deepEqual(new Set(await Promise.all([...writes, ...more])), new Set(["written"]));
        await assert.rejects(
          Array.fromAsync(
            runQuery(database, `select n from generate_series(0, ${SHARED_ROWS_MAX}) as n`, shared),
          ),
          /Cannot return more than 10000 rows of a query while the daemon runs/,
        );
      });
    }
  } finally {
    await database.close();
  }
  const env: Record<string, string> = url === undefined
    ? { DATA_DIR: dataDir }
    : { DATABASE_URL: url };
  const asked = (...args: string[]): Promise<CommandResult> =>
    runInProcess(["query", ...args], env);
  await t.step("it answers as a table, as JSON lines and as CSV", async () => {
    const sql = `select time, close, volume::float8 as v, symbol = 'x' as is_x, null as nothing,
      'a,"b' as text from ohlcv_1h order by time limit 1`;
    assert.deepEqual(await asked("--json", sql), {
      code: 0,
      stdout:
        `{"time":"2024-01-01T00:00:00Z","close":40000.00,"v":0,"is_x":false,"nothing":null,"text":"a,\\"b"}`,
      stderr: "",
    });
    assert.equal(
      (await asked("--csv", sql)).stdout,
      'time,close,v,is_x,nothing,text\n2024-01-01T00:00:00Z,40000.00,0,f,,"a,""b"',
    );
    const { stdout, stderr } = await asked("table ohlcv_1h limit 2");
    assert.match(stdout, /^row 1\ntime {6}2024-01-01T00:00:00Z\nexchange {2}binance\n/);
    assert.equal(stderr, "2 rows");
    const narrow = await asked(String.raw`values (1, E'\x1b[31mred')`);
    assert.equal(narrow.stdout, "column1  column2\n      1  \\x1b[31mred");
  });
  await t.step("rows come page by page, as many as are asked for", async () => {
    const many = await asked("--csv", "select n from generate_series(1, 2500) as n");
    assert.deepEqual(
      many.stdout.split("\n"),
      ["n", ...Array.from({ length: 2500 }, (_, n) => String(n + 1))],
    );
    const few = await asked("--limit", "3", "select n from generate_series(1, 2500) as n");
    assert.equal(few.stdout, "n\n1\n2\n3");
    const table = await asked("select n from generate_series(1, 2500) as n");
    assert.match(table.stderr, /^1,000 rows\nThere are more/);
  });
  await t.step("a query that takes too long is ended", async () => {
    const result = await asked("--timeout", "200ms", ENDLESS);
    assert.deepEqual([result.code, result.stderr], [
      1,
      "Cannot run the query: it took longer than 0.2 s and was ended",
    ]);
  });
}

/** A database of a login that may do anything in it, and nothing elsewhere. */
async function ownedBy(url: string): Promise<string> {
  const admin = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
  try {
    await admin.sql.unsafe("create role titan10 login");
    await admin.sql.unsafe("create database titan10 owner titan10");
  } finally {
    await admin.close();
  }
  return url.replace("postgres@", "titan10@").replace(/postgres$/, "titan10");
}
