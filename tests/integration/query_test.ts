/** `titan10 query`: it answers, and changes nothing, whatever is asked. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { readServerSettings } from "../../lib/store/connection/server_settings.ts";
import { planRollups } from "../../lib/market/rollup.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { type QueryPage, runQuery, SHARED_ROWS_MAX } from "../../lib/store/read_query.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { arrangeRollups } from "../../lib/store/rollups.ts";
import { copyTemplate } from "../support/embedded_template.ts";
import {
  FORBIDDEN,
  FUNCTIONS,
  NONE_OF_ITS_BUSINESS,
  OF_SUPERUSERS,
} from "../support/refused_queries.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { seed } from "../support/seeded.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { openPostgres } from "../support/test_database.ts";

/** Days of work, of which nothing is read from a disk. */
const ENDLESS =
  "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000000) b";

/** What a text can hold that a row as text must not lose. */
const SHAPES: readonly string[] = [
  String
    .raw`select 1 as a, 2 as a, null as b, '' as c, '()' as d, 'a,b "c" \d\' as e, e'x\ny\t' as f, ' ' as g, '"' as h`,
  "select 1.50::numeric, 'NaN'::numeric, 1e-10::numeric, 0.1::float8, 'infinity'::float8, 9007199254740993::int8",
  "select '2024-01-01'::timestamptz, 'infinity'::timestamptz, '1 mon -2 days'::interval, date '2024-02-29'",
  String
    .raw`select '{"a": [1, null, "x\"y"]}'::jsonb, '{ }'::json, true, '\x00ff5c22'::bytea, 'b'::char, 'n'::name`,
  `select array[1, null, 3], array['a,b', null, '', '"'], '{}'::int[], array[array[1, 2], array[3, 4]]`,
  "select row(1, row('a', null), ''), point(1, 2), int4range(1, 5), 'gaps'::regclass",
  "select c from (values (1, 'x'), (null, null)) as c (a, b)",
  "select null",
  "select from generate_series(1, 3)",
  "select pg_sleep(0), 1",
  "select most_common_vals from pg_stats limit 1",
  "select * from ohlcv_1h order by time",
  "select 1 as one where false",
  "values (1, 'a'), (2, null) ;",
  "(select 2 as n) union all select 1 order by n -- the end",
  "table checkpoints",
  "with recursive t (n) as (select 1 union all select n + 1 from t where n < 2500) select n, repeat('ä\"', n % 7) from t",
];

type Login = "superuser" | "owner of the database" | "owner of a schema";

for (
  const login of [undefined, "superuser", "owner of the database", "owner of a schema"] as const
) {
  const kind = login === undefined ? "embedded" : `PostgreSQL, of the ${login}`;
  Deno.test(`a query only reads on a database that is ${kind}`, async (t) => {
    const dataDir = await Deno.makeTempDir({ prefix: "titan10-query-" });
    const isUnmigrated = login !== "superuser";
    const server = login === undefined ? undefined : await openPostgres({ isUnmigrated });
    try {
      if (login !== undefined && server === undefined) {
        await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
        return;
      }
      if (server === undefined) await copyTemplate(dataDir);
      const url = isUnmigrated && server !== undefined
        ? await urlOf(login!, server.url)
        : server?.url;
      await steps(t, { url, dataDir, login: login ?? "superuser" });
    } finally {
      await server?.stop();
      await Deno.remove(dataDir, { recursive: true });
    }
  });
}

async function steps(
  t: Deno.TestContext,
  { url, dataDir, login }: {
    readonly url: string | undefined;
    readonly dataDir: string;
    readonly login: Login;
  },
): Promise<void> {
  const database = await openDatabase({ url, dataDir, poolMax: 1, clock: systemClock });
  try {
    const since = "2024-01-01T00:00:00Z";
    await seed(database, [
      { exchange: "binance", symbol: "BTC/USDT", timeframe: "1h", since, candles: 3 },
    ]);
    await database.sql.unsafe(FUNCTIONS);
    const given = { timeoutMs: 60_000, signal: new AbortController().signal, clock: systemClock };
    const shared = { ...given, rowsMax: SHARED_ROWS_MAX };
    const readBy = async (options: typeof given, text: string): Promise<QueryPage> => {
      const pages = await Array.fromAsync(runQuery(database, text, options));
      return { columns: pages[0]!.columns, rows: pages.flatMap(({ rows }) => rows) };
    };
    for (const options of url === undefined ? [shared, given] : [given]) {
      await t.step(
        `nothing is changed on a connection that is ${options === shared ? "shared" : "its own"}`,
        () => attack(database, login, (text) => readBy(options, text)),
      );
    }
    await t.step("it reads all of the archive, also compressed candles and rollups", async () => {
      const { rollups } = planRollups([parseTimeframe("4h")], [parseTimeframe("1h")]);
      await arrangeRollups(database, rollups);
      await compressAll(database);
      const names = await relationsOf(database);
      assert(names.includes("ohlcv_rollup_4h") && names.includes("ohlcv_1h"), names.join());
      for (const name of names) await readBy(given, `select count(*) from ${name}`);
      const { rows } = await readBy(
        given,
        "select (select count(*) from ohlcv_1h), (select count(*) from ohlcv_rollup_4h), (select max(close) from ohlcv)",
      );
      assert.deepEqual(rows, [["3", "1", "40000.02"]]);
    });
    await t.step("names, types and values come as PostgreSQL writes them", async () => {
      for (const text of SHAPES) {
        assert.deepEqual(await readBy(given, text), await readPlainly(database, text), text);
      }
    });
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
    const { stdout, stderr } = await asked("table ohlcv_1h order by time limit 2");
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
  if (url !== undefined) return;
  await t.step("a query that takes too long is ended", () => assertEnds(ENDLESS, env));
}

/** Under faketime the timers of a server do not run: this one has the real time. */
Deno.test("a server's query that takes too long is ended, also one that lifts its timeout", async (t) => {
  const server = await startPostgres({ hasRealTime: true });
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    const database = await openDatabase({
      url: server.url,
      dataDir: "",
      poolMax: 1,
      clock: systemClock,
    });
    await migrate(database, await readMigrations());
    await database.close();
    const lifted = `select case n when 1 then set_config('statement_timeout', '0', false)
      when 1500 then pg_sleep(600)::text end from generate_series(1, 2000) as n`;
    for (const sql of [ENDLESS, lifted]) await assertEnds(sql, { DATABASE_URL: server.url });
  } finally {
    await server.stop();
  }
});

async function assertEnds(sql: string, env: Readonly<Record<string, string>>): Promise<void> {
  const { code, stderr } = await runInProcess(["query", "--timeout", "200ms", sql], env);
  assert.deepEqual([code, stderr], [
    1,
    "Cannot run the query: it took longer than 0.2 s and was ended",
  ]);
}

/** Tries everything that must be refused, then looks whether something has changed. */
async function attack(
  database: Database,
  login: Login,
  read: (text: string) => Promise<QueryPage>,
): Promise<void> {
  const told = async (text: string): Promise<string> => {
    try {
      return `answered ${JSON.stringify((await read(text)).rows)}`;
    } catch (error) {
      return String(error);
    }
  };
  const isGuarded = login !== "owner of a schema";
  const attacks = [...FORBIDDEN, ...OF_SUPERUSERS, ...isGuarded ? NONE_OF_ITS_BUSINESS : []];
  for (const [text, why] of attacks) {
    const answer = await told(text);
    assert.match(answer, why, `${text}: ${answer}`);
  }
  assert.equal(
    await told("select set_config('search_path', 'nowhere', false)"),
    'answered [["nowhere"]]',
  );
  assert.match(await told("select pg_advisory_lock(n) from generate_series(1, 9) n"), /^answered/);
  const { queryOwner } = await readServerSettings(database, { now: () => 0 });
  const [row] = await database.sql`
    select (select count(*)::int from exchanges) as exchanges, session_user = current_user as is_login,
           (select count(*)::int from checkpoints) as checkpoints,
           current_setting('transaction_read_only') as read_only, current_user::text as login,
           (select count(*)::int from pg_locks where locktype = 'advisory'
             and database = (select oid from pg_database where datname = current_database())) as locks,
           (select count(*)::int from pg_largeobject_metadata) as objects`;
  assert.deepEqual({ ...row, queryOwner }, {
    exchanges: 0,
    is_login: true,
    checkpoints: 1,
    read_only: "off",
    login: row?.["login"],
    locks: 0,
    objects: 0,
    queryOwner: isGuarded ? "pg_database_owner" : row?.["login"],
  });
}

/** Every table and view that the archive has. */
async function relationsOf(database: Database): Promise<readonly string[]> {
  const rows = await database.sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = to_regnamespace(quote_ident(current_schema())) and relkind in ('r', 'p', 'v', 'm')
      and relname not like 'titan10\\_test\\_%'`;
  return rows.map(({ name }) => name);
}

/** Compresses what TimescaleDB lets one compress. */
async function compressAll(database: Database): Promise<void> {
  const [row] = await database.sql`select titan10_may_compress() as may`;
  if (row?.["may"] !== true) return;
  const [{ chunks } = { chunks: 0 }] = await database.sql<{ chunks: number }[]>`
    select count(compress_chunk(chunk))::int as chunks from show_chunks('ohlcv_1h') as chunk`;
  assert(chunks > 0);
}

/** The same, as the login itself reads it. */
async function readPlainly(database: Database, text: string): Promise<QueryPage> {
  const decoder = new TextDecoder();
  const answer = await database.sql.unsafe(text).raw() as unknown as {
    readonly columns: readonly { readonly name: string; readonly type: number }[];
    map<T>(read: (row: readonly (Uint8Array | null)[]) => T): T[];
  };
  return {
    columns: answer.columns.map(({ name, type }) => ({ name, type })),
    rows: Array.from(
      answer.map((row) => row.map((one) => one === null ? null : decoder.decode(one))),
    ),
  };
}

/** The database, for a login that may do anything in it, or in a schema of it, and nothing elsewhere. */
async function urlOf(login: Login, serverUrl: string): Promise<string> {
  const admin = await openDatabase({ url: serverUrl, dataDir: "", poolMax: 1, clock: systemClock });
  const role = `titan10_${crypto.randomUUID().slice(0, 8)}`;
  const url = new URL(serverUrl);
  try {
    await admin.sql.unsafe(`create role ${role} login`);
    await admin.sql.unsafe(
      login === "owner of a schema"
        ? `create schema authorization ${role}`
        : `alter database ${url.pathname.slice(1)} owner to ${role}`,
    );
  } finally {
    await admin.close();
  }
  url.username = role;
  return url.href;
}
