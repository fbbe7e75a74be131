/** An import of many files as a process: killed, stopped, and twice at once. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { writeFiles } from "../support/many_files.ts";
import { assertCode, run, type Running, start, withDirectory } from "../support/program.ts";
import { createServerDatabase, openPostgres } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT"];
const HOURS = 80;
const FILES = SYMBOLS.length * HOURS;
const CANDLES = FILES * 60;

type Sql = ReturnType<typeof postgres>;

interface Scene {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly sql: Sql;
}

/** A folder of files, and a server that outlives the imports. */
async function withScene(t: Deno.TestContext, use: (scene: Scene) => Promise<void>): Promise<void> {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs a server", ignore: true, fn: () => {} });
    return;
  }
  const { url } = await createServerDatabase(server.url);
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await withDirectory(async (cwd) => {
      await writeFiles(`${cwd}/data`, { symbols: SYMBOLS, hours: HOURS });
      await use({ cwd, sql, env: { DATABASE_URL: url, TIMEFRAMES: "1m", BACKFILL: "off" } });
    });
  } finally {
    await sql.end();
    await server.stop();
  }
}

/** Waits until at least so many files were imported as a whole, or the program has ended. */
async function untilImported({ sql }: Scene, program: Running, files: number): Promise<void> {
  let isOver = false;
  program.ended.then(() => isOver = true);
  while (!isOver && await wholeFiles(sql) < files) await systemClock.sleep(5);
}

async function wholeFiles(sql: Sql): Promise<number> {
  const [{ exists }] =
    await sql`select to_regclass('imports') is not null as exists` as unknown as [
      { exists: boolean },
    ];
  if (!exists) return 0;
  const [{ count }] =
    await sql`select count(*)::int from imports where options is not null` as unknown as [
      { count: number },
    ];
  return count;
}

/** All is there, once, and brought by as many imports as are named. */
async function assertWhole(sql: Sql): Promise<void> {
  const [truth] = await sql`
    select count(*)::int as candles, count(distinct (symbol, time))::int as times from ohlcv_1m`;
  assert.deepEqual({ ...truth }, { candles: CANDLES, times: CANDLES });
  const series = await sql`
    select candles::int, covered = tstzmultirange(tstzrange(first, last + interval '1 minute')) as whole
    from checkpoints`;
  assert.deepEqual(
    series.map((one) => ({ ...one })),
    SYMBOLS.map(() => ({ candles: HOURS * 60, whole: true })),
  );
  const [added] = await sql`select sum(added)::int as added from imports`;
  assert.deepEqual({ ...added }, { added: CANDLES });
}

Deno.test("an import that was killed goes on where it was, and stores nothing twice", (t) =>
  withScene(t, async (scene) => {
    const { cwd, env, sql } = scene;
    for (const files of [10, 70, 120]) {
      const program = start(["import", "data"], { cwd, env });
      await untilImported(scene, program, files);
      program.kill("SIGKILL");
      const { code } = await program.ended;
      assert.notEqual(code, 0, "it was over before it was killed");
    }
    // The server goes on with what it was sent last.
    await until("the end of its connections", async () => {
      const others = await sql`
        select from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`;
      return others.length === 0;
    });
    const before = await wholeFiles(sql);
    assert.ok(before >= 120 && before < FILES, `${before}`);
    const last = await run(["import", "--json", "data"], { cwd, env });
    assertCode(last, 0);
    const { known, tables, total } = JSON.parse(last.stdout);
    assert.deepEqual([known, tables], [before, FILES]);
    assert.equal(total.added + total.same, total.rows);
    await assertWhole(sql);
  }));

Deno.test("an import that is stopped says what it has done, and how to go on", (t) =>
  withScene(t, async (scene) => {
    const { cwd, env, sql } = scene;
    const program = start(["import", "data"], { cwd, env });
    await untilImported(scene, program, 20);
    program.kill("SIGTERM");
    assert.equal((await program.ended).code, 143);
    assert.match(
      program.stdout(),
      /^In all: 240 files, \d+ tables taken, \d series, [\d,]+ rows$/m,
    );
    assert.match(program.stderr(), /^Stopped by SIGTERM\. No row is stored twice: /m);
    assertCode(await run(["import", "data"], { cwd, env }), 0);
    await assertWhole(sql);
  }));

Deno.test("two imports of the same folder at once come to the same as one", (t) =>
  withScene(t, async ({ cwd, env, sql }) => {
    const both = await Promise.all(
      [1, 2].map(() => run(["import", "--json", "data"], { cwd, env })),
    );
    for (const result of both) assertCode(result, 0);
    await assertWhole(sql);
    const totals = both.map(({ stdout }) => JSON.parse(stdout).total);
    assert.equal(totals[0].added + totals[1].added, CANDLES);
    for (const { conflicts, rejected } of totals) assert.deepEqual([conflicts, rejected], [0, 0]);
  }));
