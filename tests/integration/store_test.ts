/** The ledger and the candles' tables, in a real database. @module */
import assert from "node:assert/strict";
import type { Candle } from "../../lib/market/candle.ts";
import type { Series } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { candleTable, ensureCandleTables } from "../../lib/store/candle_table.ts";
import { setCompressionPolicy } from "../../lib/store/compression.ts";
import { DataDirHeldError } from "../../lib/store/connection/data_dir.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { readExchangeStates, writeBan, writeBreaker } from "../../lib/store/exchange_state.ts";
import { readJobs, writeJobEnd, writeJobStart } from "../../lib/store/job_state.ts";
import {
  noteSeriesError,
  readCheckpoints,
  readOwed,
  registerSeries,
} from "../../lib/store/ledger.ts";
import {
  migrate,
  pendingMigrations,
  readMigrations,
} from "../../lib/store/connection/migrations.ts";
import { readTimescale, timescaleVersion } from "../../lib/store/connection/timescale.ts";
import { scanGaps } from "../../lib/store/gaps.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { readStorage } from "../../lib/store/storage.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import { systemClock } from "../../lib/clock.ts";
import { isPackageWanted } from "../support/postgres_programs.ts";
import {
  DATABASE_KINDS_AND_ROLES,
  hasStatistics,
  openOnServer,
  openPostgres,
  openTestDatabase,
  type TestDatabase,
} from "../support/test_database.ts";
import { until } from "../support/until.ts";

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 1);
const TIMEFRAMES = ["1m", "1d", "1w", "1M", "3M"].map(parseTimeframe);

const BTC: Series = series("BTC/USDT");

for (const kind of DATABASE_KINDS_AND_ROLES) {
  Deno.test(`the store keeps its promises on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    try {
      await migrate(opened.database, await readMigrations());
      await ensureCandleTables(opened.database, TIMEFRAMES);
      for (const [name, test] of Object.entries(TESTS)) {
        await t.step(name, async () => {
          await opened.database
            .sql`truncate checkpoints, rejected_candles, candle_revisions, exchanges, jobs, gaps, listings`;
          await opened.database.sql.unsafe(`delete from ${candleTable(BTC.timeframe)}`);
          await test(opened);
        });
      }
    } finally {
      await opened.drop();
    }
  });
}

const TESTS: Readonly<Record<string, (opened: TestDatabase) => Promise<void>>> = {
  "a page's candles, coverage and counts are stored together": async ({ database }) => {
    const written = await writePage(database, BTC, page(0, 3));
    const lastMs = START_MS + 2 * MINUTE_MS;
    assert.deepEqual(written, {
      added: 3,
      revised: 0,
      revisedFromMs: undefined,
      addedFromMs: START_MS,
      streamed: { confirmed: 0, revised: 0, withdrawn: 0 },
      lastMs,
      unprovedFromMs: undefined,
    });
    const [checkpoint] = await readCheckpoints(database);
    assert.deepEqual(checkpoint?.covered, [minutes(0, 3)]);
    assert.equal(checkpoint?.candles, 3);
    assert.equal(checkpoint?.firstMs, START_MS);
  },

  "a page that is repeated changes nothing": async ({ database }) => {
    await writePage(database, BTC, page(0, 3));
    const again = await writePage(database, BTC, page(0, 3));
    assert.deepEqual([again.added, again.revised], [0, 0]);
    assert.equal((await readCheckpoints(database))[0]?.candles, 3);
    assert.equal((await database.sql`select from candle_revisions`).length, 0);
  },

  "values are stored digit for digit": async ({ database }) => {
    const exact = {
      openTimeMs: START_MS,
      open: "0.0000000001",
      high: "12345678901234567890.123456789012345678",
      low: "1e-10",
      close: "1e-10",
      volume: "99999999999999999999.00000001",
    };
    await writePage(database, BTC, { ...page(0, 1), candles: [exact] });
    const [row] = await database
      .sql`select open::text, high::text, low::text, volume::text from ohlcv_1m`;
    assert.deepEqual({ ...row }, {
      open: "0.0000000001",
      high: "12345678901234567890.123456789012345678",
      low: "0.0000000001",
      volume: "99999999999999999999.00000001",
    });
  },

  "a candle that comes back different is revised, its older values and the difference are kept":
    async (
      { database },
    ) => {
      await writePage(database, BTC, page(0, 2));
      const [first, second] = page(0, 2).candles;
      assert(first && second);
      const changed = { ...second, high: "200", close: "150" };
      const written = await writePage(database, BTC, { ...page(0, 2), candles: [first, changed] });
      assert.deepEqual([written.added, written.revised], [0, 1]);
      const [now] = await database.sql`select close::text from ohlcv_1m order by time desc limit 1`;
      assert.equal(now?.["close"], "150");
      const [old] = await database.sql`
      select timeframe, close::text, close_by::text, volume_by::text from candle_revisions`;
      assert.deepEqual({ ...old }, {
        timeframe: "1m",
        close: "101",
        close_by: "49",
        volume_by: "0.0",
      });
      assert.equal((await readCheckpoints(database))[0]?.candles, 2);
    },

  "a value that differs only in trailing zeros is no revision": async ({ database }) => {
    await writePage(database, BTC, page(0, 1));
    const [candle] = page(0, 1).candles;
    assert(candle);
    const written = await writePage(database, BTC, {
      ...page(0, 1),
      candles: [{ ...candle, close: `${candle.close}.000` }],
    });
    assert.equal(written.revised, 0);
  },

  "a page with one impossible candle is refused whole": async ({ database }) => {
    const [good, bad] = page(0, 2).candles;
    assert(good && bad);
    await assert.rejects(
      writePage(database, BTC, { ...page(0, 2), candles: [good, { ...bad, low: "500" }] }),
      (error) =>
        error instanceof StoreError && error.kind === "refused" && /23514/.test(error.message),
    );
    assert.equal((await readCheckpoints(database)).length, 0);
    assert.equal((await database.sql`select from ohlcv_1m`).length, 0);
  },

  "the tables refuse what the candle rules refuse": async ({ database }) => {
    const bad: Readonly<Record<string, readonly [string, string, string, string, string, string]>> =
      {
        "a zero price": ["2024-01-01", "0", "1", "1", "1", "1"],
        "not a number": ["2024-01-01", "1", "NaN", "1", "1", "1"],
        "infinity": ["2024-01-01", "1", "Infinity", "1", "1", "1"],
        "a negative volume": ["2024-01-01", "1", "1", "1", "1", "-1"],
        "a high below the close": ["2024-01-01", "1", "1", "1", "2", "1"],
        "a low above the open": ["2024-01-01", "1", "3", "2", "3", "1"],
        "a misaligned time": ["2024-01-01 00:00:30", "1", "1", "1", "1", "1"],
      };
    for (const [name, values] of Object.entries(bad)) {
      await assert.rejects(
        database.sql.unsafe(
          "insert into ohlcv_1m (time, exchange, symbol, open, high, low, close, volume) " +
            `values (${
              values.map((value) => `'${value}'`).join(", ").replace(", ", ", 'x', 'y', ")
            })`,
        ),
        /violates check constraint/,
        name,
      );
    }
    for (const [table, time] of [["ohlcv_1w", "2024-01-02"], ["ohlcv_1mo", "2024-01-02"]]) {
      await assert.rejects(
        database.sql.unsafe(`insert into ${table} values ('${time}', 'x', 'y', 1, 1, 1, 1, 1)`),
        /violates check constraint/,
      );
    }
  },

  "rejected rows are kept as evidence and counted when they come again": async ({ database }) => {
    const rejected = [
      { reason: "price_not_positive" as const, row: "[1,-2]", openTimeMs: START_MS },
      { reason: "price_not_positive" as const, row: "[1,-2]", openTimeMs: START_MS },
      { reason: "time_not_a_number" as const, row: `["a\\"b{}",null]`, openTimeMs: undefined },
    ];
    await writePage(database, BTC, { ...page(0, 1), rejected });
    await writePage(database, BTC, { ...page(0, 1), rejected });
    const rows = await database.sql`
      select answered, reason, times::int, time is null as unknown from rejected_candles order by reason`;
    assert.deepEqual(rows.map((row) => ({ ...row })), [
      { answered: "[1,-2]", reason: "price_not_positive", times: 2, unknown: false },
      { answered: `["a\\"b{}",null]`, reason: "time_not_a_number", times: 2, unknown: true },
    ]);
  },

  "owed is desired minus covered": async ({ database }) => {
    await registerSeries(database, [BTC], "list");
    await writePage(database, BTC, page(10, 20));
    await writePage(database, BTC, page(30, 40));
    const owed = await readOwed(database, [{ series: BTC, window: minutes(0, 50) }]);
    assert.deepEqual(owed[0]?.owed, [minutes(0, 10), minutes(20, 30), minutes(40, 50)]);
  },

  "nothing is owed of a series that is wholly covered": async ({ database }) => {
    await writePage(database, BTC, page(0, 50));
    assert.deepEqual(await readOwed(database, [{ series: BTC, window: minutes(0, 50) }]), []);
  },

  "a series that nobody has asked for owes everything": async ({ database }) => {
    const owed = await readOwed(database, [{ series: BTC, window: minutes(0, 5) }]);
    assert.deepEqual(owed[0]?.owed, [minutes(0, 5)]);
  },

  "time before the exchange's reach is not owed": async ({ database }) => {
    const { sinceMs } = minutes(20, 21);
    await writePage(database, BTC, { ...page(30, 40), reachFromMs: sinceMs });
    const owed = await readOwed(database, [{ series: BTC, window: minutes(0, 40) }]);
    assert.deepEqual(owed[0]?.owed, [minutes(20, 30)]);
  },

  "an archive that began earlier than desired is kept whole": async ({ database }) => {
    await writePage(database, BTC, page(0, 10));
    await writePage(database, BTC, page(20, 30));
    const owed = await readOwed(database, [{ series: BTC, window: minutes(28, 40) }]);
    assert.deepEqual(owed[0]?.owed, [minutes(10, 20), minutes(30, 40)]);
  },

  "a symbol full of quotes, braces and statements is only a symbol": async ({ database }) => {
    const odd = series(`A"B\\C{D},'; drop table checkpoints; --/USDT:USDT-1.5`);
    await registerSeries(database, [odd], "top");
    await writePage(database, odd, page(0, 2));
    await noteSeriesError(database, odd, "gone\0");
    const [checkpoint] = await readCheckpoints(database);
    assert.equal(checkpoint?.series.symbol, odd.symbol);
    assert.deepEqual([checkpoint?.candles, checkpoint?.chosen, checkpoint?.lastError], [
      2,
      "top",
      "gone",
    ]);
  },

  "a page that is written clears the series' error": async ({ database }) => {
    await registerSeries(database, [BTC], "list");
    await noteSeriesError(database, BTC, "gone");
    await writePage(database, BTC, page(0, 1));
    assert.equal((await readCheckpoints(database))[0]?.lastError, undefined);
  },

  "pages of one series written at once neither lose nor invent a candle": async ({ database }) => {
    // As before every page: what finds no row of its series cannot lock it, and two such pages would wait for each other.
    await registerSeries(database, [BTC], "list");
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => writePage(database, BTC, page(i * 5, i * 5 + 10))),
    );
    const [checkpoint] = await readCheckpoints(database);
    assert.equal(checkpoint?.candles, 105);
    assert.deepEqual(checkpoint?.covered, [minutes(0, 105)]);
    assert.equal((await database.sql`select from ohlcv_1m`).length, 105);
  },

  "the view ohlcv shows every timeframe under its name": async ({ database }) => {
    await writePage(database, BTC, page(0, 2));
    const monthly: Series = { ...BTC, timeframe: parseTimeframe("1M") };
    await writePage(database, monthly, page(0, 1));
    const rows = await database
      .sql`select timeframe, count(*)::int from ohlcv group by 1 order by timeframe collate "C"`;
    assert.deepEqual(rows.map((row) => [row["timeframe"], row["count"]]), [["1M", 1], ["1m", 2]]);
    await database.sql`delete from ohlcv_1mo`;
  },

  "a ban is kept, and a shorter one does not replace it": async ({ database }) => {
    await writeBan(database, { exchange: "binance", egress: "here" }, {
      host: "api.binance.com",
      untilMs: START_MS + 9_000,
      reason: "418",
    });
    await writeBan(database, { exchange: "binance", egress: "here" }, {
      host: "api.binance.com",
      untilMs: START_MS + 4_000,
      reason: "429",
    });
    await writeBreaker(database, { exchange: "binance", egress: "here" }, "open");
    const [state] = await readExchangeStates(database);
    assert.equal(state?.bannedUntilMs, START_MS + 9_000);
    assert.equal(state?.breaker, "open");
  },

  "a job that fails keeps the time of its last success": async ({ database }) => {
    await writeJobStart(database, "poll", START_MS);
    await writeJobEnd(database, "poll", { outcome: "success", nowMs: START_MS + 1 });
    await writeJobStart(database, "poll", START_MS + 2);
    await writeJobEnd(database, "poll", { outcome: "failure", nowMs: START_MS + 3 });
    assert.deepEqual(await readJobs(database), [{
      job: "poll",
      lastStartMs: START_MS + 2,
      lastSuccessMs: START_MS + 1,
      lastOutcome: "failure",
    }]);
  },

  "a database migrated by a newer program is refused": async ({ database }) => {
    await database
      .sql`insert into titan10_migrations (version, name, hash) values (9999, '9999_future.sql', 'x')`;
    await assert.rejects(
      readMigrations().then((migrations) => migrate(database, migrations)),
      /migrated to 9999_future\.sql by a newer titan10/,
    );
    await database.sql`delete from titan10_migrations where version = 9999`;
  },

  "a database with a migration that fills a hole in this program's numbers is refused": async (
    { database },
  ) => {
    const [first, second, ...rest] = await readMigrations();
    assert(first && second && rest.length > 0);
    await assert.rejects(
      migrate(database, [first, ...rest]),
      new RegExp(`migrated to ${second.name} by a newer titan10`),
    );
  },

  "a migration that was changed after it was applied is refused": async ({ database }) => {
    const [first, ...rest] = await readMigrations();
    assert(first);
    await assert.rejects(
      migrate(database, [{ ...first, hash: "0".repeat(64) }, ...rest]),
      /0001_ledger\.sql was applied with another text/,
    );
  },

  "a compression policy is set once, changed and taken away": async ({ database }) => {
    // Only where TimescaleDB is, with its licence.
    if ((await readTimescale(database))?.isLicensed !== true) return;
    const policies = async (): Promise<readonly string[]> =>
      (await database.sql`
        select (config ->> 'compress_after')::interval::text as after from timescaledb_information.jobs
        where hypertable_name = 'ohlcv_1m' and proc_name = 'policy_compression'`)
        .map((row) => row["after"]);
    const day = 86_400_000;
    await Promise.all(
      [7, 7].map((days) => setCompressionPolicy(database, BTC.timeframe, days * day)),
    );
    assert.deepEqual(await policies(), ["168:00:00"]);
    await setCompressionPolicy(database, BTC.timeframe, 3 * day);
    assert.deepEqual(await policies(), ["72:00:00"]);
    await setCompressionPolicy(database, BTC.timeframe, undefined);
    assert.deepEqual(await policies(), []);
  },

  "a page revises and adds candles in a compressed chunk": async ({ database }) => {
    if ((await readTimescale(database))?.isLicensed !== true) return;
    await writePage(database, BTC, page(0, 50));
    await database.sql`select compress_chunk(chunk) from show_chunks('ohlcv_1m') as chunk`;
    const [first] = page(0, 1).candles;
    assert(first);
    const revised = { ...first, high: "500" };
    const written = await writePage(database, BTC, {
      ...page(0, 60),
      candles: [revised, ...page(1, 60).candles],
    });
    assert.deepEqual([written.added, written.revised], [10, 1]);
    const [row] = await database.sql`
      select count(*)::int as candles, max(high)::text as high from ohlcv_1m`;
    assert.deepEqual({ ...row }, { candles: 60, high: "500" });
    assert.equal((await database.sql`select from candle_revisions`).length, 1);
    await database.sql`select drop_chunks('ohlcv_1m', now())`;
  },

  "the sizes of all candle tables are told, with chunks only where TimescaleDB is": async (
    { database },
  ) => {
    await writePage(database, BTC, page(0, 50));
    const tables = await readStorage(database, { nowMs: START_MS });
    assert.deepEqual(
      tables.map(({ table }) => table),
      ["ohlcv_1m", "ohlcv_1d", "ohlcv_1w", "ohlcv_1mo", "ohlcv_3mo"],
    );
    assert.equal(tables[0]?.candles, 50);
    assert((tables[0]?.totalBytes ?? 0) > 0);
    const chunks = await timescaleVersion(database) === null ? undefined : 1;
    assert.equal(tables[0]?.chunks?.count, chunks);
  },

  "a page that was taken for new and is not is written all the same": async ({ database }) => {
    await writePage(database, BTC, page(0, 50));
    const written = await writePage(database, BTC, { ...page(10, 60), isNew: true });
    assert.deepEqual([written.added, written.revised], [10, 0]);
    assert.equal((await readCheckpoints(database))[0]?.candles, 60);
  },

  "a page waits for the compression of its chunk, and no deadlock ends either": async (
    { database },
  ) => {
    // The embedded database has one connection.
    if (database.kind === "embedded" || await timescaleVersion(database) === null) return;
    await database.sql`select drop_chunks('ohlcv_1m', now())`;
    await writePage(database, BTC, page(0, 50));
    const [row] = await database.sql`select show_chunks('ohlcv_1m')::text as chunk`;
    const chunk: string = row?.["chunk"];
    const writing: Promise<{ readonly added: number }>[] = [];
    await database.sql.begin(async (tx) => {
      // What compress_chunk locks first, and at its end.
      await tx.unsafe(`lock table ${chunk} in exclusive mode`);
      writing.push(writePage(database, BTC, page(50, 60)));
      let isWritten = false;
      writing[0]?.then(() => isWritten = true);
      const waiting = () =>
        tx`select from pg_locks where relation = ${chunk}::regclass and not granted`;
      await until("the page to wait for the lock", async () => {
        assert.equal(isWritten, false, "the page did not wait for the lock");
        return (await waiting()).length > 0;
      });
      await tx.unsafe(`lock table ${chunk} in access exclusive mode`);
    });
    assert.deepEqual((await Promise.all(writing)).map(({ added }) => added), [10]);
  },

  "a scan for gaps of new coverage does not read the older candles": async (
    { url, database: opened },
  ) => {
    if (url === undefined || !await hasStatistics(opened)) return;
    // One connection, whose statistics can be had at once.
    const database = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
    const { sql } = database;
    const readInARow = async (): Promise<number> => {
      await sql`select pg_stat_force_next_flush()`;
      const [row] = await sql`
        select sum(seq_tup_read)::int as rows from pg_stat_user_tables
        where relname ~ '^(ohlcv_1m|_hyper_.*_chunk)$'`;
      return row?.["rows"];
    };
    try {
      await sql`
        insert into ohlcv_1m (time, exchange, symbol, open, high, low, close, volume)
        select timestamptz '2024-01-01 00:00+00' + minute * interval '1 minute', 'binance', 'COIN' || coin, 1, 1, 1, 1, 1
        from generate_series(1, 10) as coin, generate_series(0, 19999) as minute where minute <> 19995`;
      await sql`
        insert into checkpoints (exchange, symbol, timeframe, covered, scanned, first)
        select 'binance', 'COIN' || coin, '1m',
               '{[2024-01-01 00:00+00, 2024-01-14 21:20+00)}', '{[2024-01-01 00:00+00, 2024-01-14 21:10+00)}',
               timestamptz '2024-01-01 00:00+00'
        from generate_series(1, 10) as coin`;
      await sql`analyze ohlcv_1m`;
      const before = await readInARow();
      assert.equal(await scanGaps(database, BTC.timeframe, Date.UTC(2024, 0, 15)), 10);
      assert.equal(await readInARow() - before, 0);
    } finally {
      await database.close();
    }
  },

  "a result begins with its first row, also after a statement that failed among rows": async (
    { database, url },
  ) => {
    // One connection.
    const one = url === undefined
      ? database
      : await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
    const ends = url === undefined ? "1 / (9000 - n)" : "pg_terminate_backend(pg_backend_pid())";
    const failing = [
      "select 10 / (5 - n) as x from generate_series(1, 10) as n",
      // More than comes at once.
      `select repeat('x', 1000), case when n = 9000 then (${ends})::text end from generate_series(1, 10000) as n`,
    ];
    try {
      for (const text of failing) {
        for (const isPrepared of [false, true]) {
          await assert.rejects(one.run("fail", (sql) => sql.unsafe(text, [], { prepare: true })));
          const read = () =>
            one.run<readonly unknown[]>(
              "read",
              (sql) => isPrepared ? sql`select 7 as seven` : sql.unsafe("select 7 as seven"),
            );
          // The first one may still be told that the connection ended.
          const rows = await read().catch(read);
          assert.deepEqual([...rows], [{ seven: 7 }], text);
        }
      }
      // As several results in one answer come.
      const both = await one.run<unknown>(
        "read",
        (sql) => sql.unsafe("select 1 as one; select 2 as one"),
      );
      assert.deepEqual(JSON.parse(JSON.stringify(both)), [[{ one: 1 }], [{ one: 2 }]]);
    } finally {
      if (one !== database) await one.close();
    }
  },

  "a second migration of the same database finds nothing to do": async ({ database }) => {
    const migrations = await readMigrations();
    assert.deepEqual((await migrate(database, migrations)).applied, []);
    assert.deepEqual(await pendingMigrations(database, migrations), []);
  },
};

Deno.test("two processes that migrate an empty database at once apply each migration once", async () => {
  const server = await openPostgres();
  if (server === undefined) return;
  const { database, drop } = await openOnServer(server.url);
  try {
    const migrations = await readMigrations();
    const reports = await Promise.all([
      migrate(database, migrations),
      migrate(database, migrations),
    ]);
    const applied = reports.flatMap((report) => report.applied);
    assert.deepEqual(applied.toSorted(), migrations.map(({ name }) => name));
  } finally {
    await drop();
    await server.stop();
  }
});

// Not beside another run of these tests, which has tried it.
if (!isPackageWanted()) {
  Deno.test("a second process on one embedded directory gets a clear error", async () => {
    const dataDir = await Deno.makeTempDir();
    const options = { url: undefined, dataDir, poolMax: 1, clock: systemClock };
    const first = await openDatabase(options);
    try {
      await assert.rejects(
        openDatabase(options),
        (error) =>
          error instanceof DataDirHeldError &&
          error.message.includes(`process ${Deno.pid} holds it`),
      );
    } finally {
      await first.close();
    }
    const again = await openDatabase(options);
    await again.close();
    await Deno.remove(dataDir, { recursive: true });
  });

  Deno.test(
    "an embedded directory that is opened again reads what is compressed, and takes a new timeframe",
    async () => {
      const dataDir = await Deno.makeTempDir();
      const options = { url: undefined, dataDir, poolMax: 1, clock: systemClock };
      const first = await openDatabase(options);
      await migrate(first, await readMigrations());
      await ensureCandleTables(first, [BTC.timeframe]);
      await writePage(first, BTC, page(0, 50));
      await first.sql`select compress_chunk(chunk) from show_chunks('ohlcv_1m') as chunk`;
      await first.close();
      const again = await openDatabase(options);
      try {
        await ensureCandleTables(again, [parseTimeframe("4h")]);
        assert.equal((await writePage(again, BTC, page(0, 60))).added, 10);
        const [row] = await again.sql`select count(*)::int as candles from ohlcv_1m`;
        assert.equal(row?.["candles"], 60);
      } finally {
        await again.close();
        await Deno.remove(dataDir, { recursive: true });
      }
    },
  );
}

Deno.test("a server that is not there is unavailable, not refused", async () => {
  const database = await openDatabase({
    url: "postgres://nobody:secret@127.0.0.1:9/none",
    dataDir: "",
    poolMax: 1,
    clock: systemClock,
  });
  try {
    await assert.rejects(
      readCheckpoints(database),
      (error) =>
        error instanceof StoreError && error.kind === "unavailable" &&
        !error.message.includes("secret"),
    );
  } finally {
    await database.close();
  }
});

function series(symbol: string): Series {
  return { exchange: "binance", symbol, timeframe: parseTimeframe("1m") };
}

function minutes(from: number, to: number): { readonly sinceMs: number; readonly untilMs: number } {
  return { sinceMs: START_MS + from * MINUTE_MS, untilMs: START_MS + to * MINUTE_MS };
}

/** A page that answers for `[from, to)` minutes with one candle each. */
function page(from: number, to: number): Parameters<typeof writePage>[2] {
  const candles: Candle[] = [];
  for (let minute = from; minute < to; minute++) {
    candles.push({
      openTimeMs: START_MS + minute * MINUTE_MS,
      open: "100",
      high: String(110 + minute),
      low: "99",
      close: String(100 + minute),
      volume: "1.5",
    });
  }
  return { candles, rejected: [], answered: minutes(from, to), reachFromMs: undefined };
}
