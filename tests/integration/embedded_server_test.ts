/** The embedded server and a query that is ended: what that costs those who use the server meanwhile. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { type QueryPage, runQuery } from "../../lib/store/read_query.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { writeAgain } from "../../lib/store/job_state.ts";
import { EmbeddedServer } from "../../lib/store/connection/embedded_server.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { copyTemplate } from "../support/embedded_template.ts";
import { openEmbeddedTest } from "../support/test_database.ts";

/** Days of work, of which nothing is read from a disk. */
const ENDLESS =
  "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000000) b";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const never = new AbortController().signal;

function ask(
  database: Database,
  text: string,
  options: {
    readonly timeoutMs?: number;
    readonly signal?: AbortSignal;
    readonly rowsMax?: number | undefined;
  } = {},
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
    await sql`grant select on kept to pg_database_owner`;
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

    await t.step(
      "is followed by what the archive waits to write, not by the next query",
      async () => {
        const ended: string[] = [];
        const turn = await database.takeTurn!(never);
        const next = ask(database, "select n from kept").then(() => ended.push("query"));
        const write = database.run("write", (sql) => sql`insert into kept values (5)`)
          .then(() => ended.push("write"));
        await turn.end();
        await Promise.all([next, write]);
        await sql`delete from kept where n = 5`;
        assert.deepEqual(ended, ["write", "query"]);
      },
    );

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

/**
 * What once ended the server or overwrote its memory: `received invalid response: 2`, `function signature mismatch`. The
 * first ones are within what its stack now holds.
 */
const DEEP: readonly (readonly [text: string, expected: string | RegExp])[] = [
  [Array(500).fill("select 1").join(" union all "), "1"],
  [`select * from ${"(select * from ".repeat(500)}(select 1) x${") y".repeat(500)}`, "1"],
  ["select length((repeat('[', 5000) || repeat(']', 5000))::jsonb::text)", "10000"],
  ["select repeat('[', 10000)::json", /too deeply for the embedded database|stack depth/],
  [
    `select ${Array(10_000).fill("1").join("+")}`,
    /too deeply for the embedded database|stack depth/,
  ],
];

/** What once made the program two gigabytes large. */
const GREEDY: readonly (readonly [text: string, expected: RegExp])[] = [
  ["select array_fill(0, array[100000000])", /out of memory/],
  ["select repeat('x', 1000000000)", /out of memory/],
  ["select repeat('x', 9000000)", /a row of it has 9000002 bytes, and at most 4000000 are read/],
  ["select repeat('x', 9000000)::int", /invalid input syntax .* more characters/],
  [
    "select repeat('x', 100000) from generate_series(1, 10000)",
    /Cannot return more than 4\.0 MB of a query while the daemon runs. Ask for fewer or shorter rows/,
  ],
];

Deno.test("a query that is too deep or too greedy costs the embedded server nothing", async () => {
  const { database, drop } = await openEmbeddedTest();
  const { sql } = database;
  let crash: Error | undefined;
  database.crashed.then((error) => crash = error);
  try {
    await sql`create table kept (n int)`;
    for (const [at, [text, expected]] of [...DEEP, ...GREEDY].entries()) {
      const asked = ask(database, text, { rowsMax: 10_000 });
      if (typeof expected === "string") assert.equal((await asked)[0]?.rows[0]?.[0], expected);
      else await assert.rejects(asked, { message: expected });
      await sql`insert into kept values (${at})`;
      const [row] = await sql<{ n: number }[]>`select count(*)::int as n from kept`;
      assert.equal(row!.n, at + 1, text.slice(0, 60));
    }
    // Of its memory the server itself takes little: the rest is for the queries, and the whole is bounded.
    assert.deepEqual([...await sql`show shared_buffers`], [{ shared_buffers: "32MB" }]);
    const rows = "select n, repeat('x', 1000000) from generate_series(1, 20) n";
    const pages = await ask(database, rows, { rowsMax: undefined });
    const lengths = pages.flatMap(({ rows }) => rows.map(([n, text]) => [n, text?.length]));
    assert.deepEqual(lengths, Array.from({ length: 20 }, (_, n) => [`${n + 1}`, 1_000_000]));
    assert(pages.length >= 4, `${pages.length} pages`);
    // What a query had put aside when the server was ended.
    const sorted =
      "select count(*) from (select repeat(n::text, 40) from generate_series(1, 9000000) n order by 1) a";
    await assert.rejects(ask(database, sorted, { timeoutMs: 2_000 }), /was ended/);
    assert.deepEqual([...await sql`select name from pg_ls_tmpdir()`], []);

    // It answers, and takes no writes: that is known, and passes.
    await writeAgain(database);
    assert.equal(database.writes.trouble, undefined);
    await sql`set default_transaction_read_only = on`;
    await assert.rejects(writeAgain(database), { message: /read-only transaction \(25006\)$/ });
    assert.equal(database.writes.trouble, "it is read-only");
    await sql`reset default_transaction_read_only`;
    await writeAgain(database);
    assert.equal(database.writes.trouble, undefined);

    // A statement of the program's own is followed by a new server, too, of which this is a new session.
    await sql`select set_config('titan10.mark', 'old', false)`;
    const greedy = database.run("be greedy", (sql) => sql`select array_fill(0, array[100000000])`);
    await assert.rejects(greedy, { message: /Cannot be greedy: out of memory \(53200\)/ });
    assert.deepEqual([...await sql`select current_setting('titan10.mark', true) as mark`], [{
      mark: null,
    }]);
    assert.equal(crash, undefined);
  } finally {
    await drop();
  }
});

Deno.test("an embedded server that a query has ended is started before the next statement asks for it", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "titan10-test-" });
  await copyTemplate(dataDir);
  const server = new EmbeddedServer({
    path: `${dataDir}/pgdata`,
    clock: systemClock,
    onCrash: () => {},
    prove: () => Promise.resolve(),
  });
  try {
    await server.open();
    const turn = await server.takeTurn(never);
    await assert.rejects(turn.ask(ENDLESS, AbortSignal.timeout(100)));
    await turn.end();
    assert.equal(server.starts, 2);
  } finally {
    await server.close();
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("an embedded server that was started again", async (t) => {
  const timeframe = parseTimeframe("1m");
  const series = { exchange: "binance", symbol: "BTC/USDT", timeframe };
  const values = { open: "1", high: "2", low: "1", close: "2", volume: "3" };
  const early = { openTimeMs: HOUR_MS, ...values };
  const answered = { sinceMs: HOUR_MS, untilMs: HOUR_MS + MINUTE_MS };
  const later = { openTimeMs: answered.untilMs, ...values };
  const page = { candles: [early], rejected: [], answered: undefined, reachFromMs: undefined };

  /** What is lost without a trace in the ledger. */
  const losses: Readonly<Record<string, (database: Database) => Promise<unknown>>> = {
    "a page": ({ sql }) => sql`delete from recent_pages where number = 2`,
    "the candles of a page": ({ sql }) => sql`delete from ohlcv_1m`,
  };
  for (const [lost, lose] of Object.entries(losses)) {
    await t.step(`may have taken candles back, and has crashed when it lost ${lost}`, async () => {
      const { database, drop } = await openEmbeddedTest();
      try {
        await ensureCandleTables(database, [timeframe]);
        // A candle that was not final is taken back by the page that answers for its time without it.
        assert.equal((await writePage(database, series, page)).added, 1);
        await writePage(database, series, { ...page, candles: [later], answered });
        await assert.rejects(ask(database, ENDLESS, { timeoutMs: 100 }), /was ended/);
        const left = await database.run("ask", (sql) => sql`select from ohlcv_1m`);
        assert.equal(left.length, 1);

        await lose(database);
        await assert.rejects(ask(database, ENDLESS, { timeoutMs: 100 }), /was ended/);
        await assert.rejects(database.run("ask", (sql) => sql`select 1`));
        const { cause } = await database.crashed;
        assert.match(
          String((cause as Error).cause),
          /page 2 of binance BTC\/USDT 1m was stored, and is not there any more/,
        );
      } finally {
        await drop();
      }
    });
  }
});
