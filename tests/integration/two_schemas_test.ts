/** Archives in schemas of one database, beside each other and beside tables of somebody else. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { readStorageDocument } from "../../lib/serve/storage_report.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { pauseCompression, resumeCompression } from "../../lib/store/compression.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import {
  migrate,
  pendingMigrations,
  readMigrations,
} from "../../lib/store/connection/migrations.ts";
import { readTimescale } from "../../lib/store/connection/timescale.ts";
import { writeStreamed } from "../../lib/store/streamed_write.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import { expire, rollUp } from "../../lib/upkeep/upkeep.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { binanceAt, openTestArchive } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { TestClock } from "../support/test_clock.ts";
import { DATABASE_KINDS, openTestDatabase, type TestDatabase } from "../support/test_database.ts";

const DAY_MS = 86_400_000;
const MINUTE = parseTimeframe("1m");
const OF_MINUTES = {
  EXCHANGES: "binance",
  SYMBOLS: "BTC/USDT",
  TIMEFRAMES: "1m",
  BACKFILL: "1m:1d",
} as const;

interface Scene {
  /** The whole database. */
  readonly database: Database;
  /** Whether TimescaleDB is there, with compression and policies. */
  readonly isLicensed: boolean;
  /** Opens it as an archive in this schema does. */
  readonly within: (searchPath: string) => Promise<Database>;
  readonly url: string | undefined;
}

for (const kind of DATABASE_KINDS) {
  Deno.test(`archives in schemas of one database that is ${kind} leave each other alone`, async (t) => {
    const isShared = kind === "embedded";
    let opened: TestDatabase | undefined;
    for (const [name, test] of Object.entries(isShared ? BESIDE : { ...BESIDE, ...SEARCH_PATHS })) {
      opened ??= await openTestDatabase(kind, { isUnmigrated: true });
      if (opened === undefined) {
        await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
        return;
      }
      const { database } = opened;
      await database.sql.unsafe("drop schema if exists one, two cascade");
      const scene = opened;
      await t.step(name, () => withScene(scene, test));
      if (isShared) continue;
      await opened.drop();
      opened = undefined;
    }
    await opened?.drop();
  });
}

/** What TimescaleDB has a part in. */
const BESIDE: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a compression policy is one archive's own, whatever another sets, pauses or resumes": async (
    { database, within, isLicensed },
  ) => {
    if (!isLicensed) return;
    await database.sql.unsafe("create schema one; create schema two");
    const set = async (schema: string, after: string): Promise<readonly string[]> => {
      await openTestArchive(await within(`${schema}, public`), {
        ...OF_MINUTES,
        COMPRESS_AFTER: after,
      });
      return await compressionPolicies(database);
    };
    assert.deepEqual(await set("one", "7d"), ["one.ohlcv_1m 7 days"]);
    assert.deepEqual(await set("two", "off"), ["one.ohlcv_1m 7 days"]);
    const both = ["one.ohlcv_1m 7 days", "two.ohlcv_1m 30 days"];
    assert.deepEqual(await set("two", "30d"), both);
    await pauseCompression(await within("two, public"), MINUTE);
    assert.deepEqual(await compressionPolicies(database), both.slice(0, 1));
    await resumeCompression(await within("one, public"));
    assert.deepEqual(await compressionPolicies(database), both.slice(0, 1));
    assert.deepEqual(await set("one", "off"), []);
    await resumeCompression(await within("two, public"));
    assert.deepEqual(await compressionPolicies(database), both.slice(1));
  },

  "candles, rollups, sizes and RETENTION are one archive's own": async (scene) => {
    const { database, within, isLicensed } = scene;
    await database.sql.unsafe("create schema one; create schema two");
    const clock = new TestClock();
    const exchange = await startLocalExchange({ clock });
    const archived = async (
      schema: string,
      variables: Readonly<Record<string, string>>,
    ): ReturnType<typeof openTestArchive> => {
      const archive = await openTestArchive(await within(`${schema}, public`), {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1m",
        EXCHANGE_BINANCE: binanceAt(exchange),
        ...variables,
      }, clock);
      await backfill(archive, { patient: false });
      return archive;
    };
    try {
      const one = { BACKFILL: "1m:20d", ROLLUPS: "5m,1h", COMPRESS_AFTER: "1d" };
      const two = { BACKFILL: "1m:2d", ROLLUPS: "5m", COMPRESS_AFTER: "off" };
      await rollUp(await archived("one", one));
      await rollUp(await archived("two", two));
      const counts = async (): Promise<readonly number[]> => {
        const found: number[] = [];
        for (const schema of ["one", "two"]) {
          const [row] = await database.sql.unsafe(
            `select (select count(*) from ${schema}.ohlcv_1m)::int as candles,
                    (select sum(candles) from ${schema}.ohlcv_rollup_5m)::int as rolled_up`,
          );
          assert.equal(row?.["rolled_up"], row?.["candles"], schema);
          found.push(row?.["candles"]);
        }
        return found;
      };
      const before = await counts();
      assert.deepEqual(before, [20 * 1440, 2 * 1440]);
      for (const schema of ["one", "two"]) {
        const here = await within(`${schema}, public`);
        const { storage } = await readStorageDocument(here, { nowMs: clock.now() });
        const [entry] = storage;
        assert.equal(entry?.candles, before[schema === "one" ? 0 : 1]);
        if (!isLicensed) continue;
        const [row] = await database.sql.unsafe(
          `select count(*)::int as chunks, count(*) filter (where is_compressed)::int as compressed
           from timescaledb_information.chunks
           where hypertable_schema = '${schema}' and hypertable_name = 'ohlcv_1m'`,
        );
        assert.deepEqual([entry?.chunks, entry?.compressedChunks], [
          row?.["chunks"],
          row?.["compressed"],
        ]);
        assert.equal(row?.["compressed"] > 0, schema === "one");
      }
      if (isLicensed) {
        assert.deepEqual(await refreshPolicies(database), [
          "one.titan10_rollup_1h",
          "one.titan10_rollup_5m",
          "two.titan10_rollup_5m",
        ]);
      }
      clock.pass(9 * DAY_MS);
      const later = { ...two, RETENTION: "1m:1d", ROLLUPS: "", BACKFILL: "1m:1d" };
      const archive = await archived("two", later);
      await rollUp(archive);
      assert.equal(await expire(archive) > 0, true);
      const [row] = await database.sql.unsafe(
        `select (select count(*) from one.ohlcv_1m)::int as candles,
                (select sum(candles) from one.ohlcv_rollup_1h)::int as rolled_up`,
      );
      assert.deepEqual({ ...row }, { candles: before[0], rolled_up: before[0] });
      const streamed = {
        series: { exchange: "binance", symbol: "BTC/USDT", timeframe: MINUTE },
        candle: { open: "1", high: "1", low: "1", close: "1", volume: "1" },
        marketId: undefined,
      };
      const openTimeMs = clock.now() - clock.now() % 60_000;
      const told = [{ ...streamed, candle: { ...streamed.candle, openTimeMs } }];
      assert.deepEqual(await writeStreamed(await within("one, public"), told), ["stored"]);
      const [marks] = await database.sql`
        select (select count(*)::int from one.streamed_candles) as one, (select count(*)::int from two.streamed_candles) as two,
               (select count(*)::int from one.ohlcv_rollup_1h where provisional) as rolled_up`;
      assert.deepEqual({ ...marks }, { one: 1, two: 0, rolled_up: 1 });
    } finally {
      await exchange.close();
    }
  },

  "tables of the same names in another schema, and their policies, stay as they are": async (
    { database, within, isLicensed },
  ) => {
    await database.sql.unsafe(`
      create schema archive;
      create table public.ohlcv_1m (time timestamptz not null, instrument text, price float);
      create table public.titan10_migrations (version int);
      create table public.timeframes (id int)`);
    if (isLicensed) {
      await database.sql.unsafe(`
        select create_hypertable('public.ohlcv_1m', 'time');
        alter table public.ohlcv_1m
          set (timescaledb.compress, timescaledb.compress_segmentby = 'instrument');
        select add_compression_policy('public.ohlcv_1m', interval '3 days')`);
    }
    await database.sql.unsafe("insert into public.ohlcv_1m values (now(), 'gold', 1)");
    const archive = await within("archive, public");
    for (const after of ["7d", "off", "30d"]) {
      await openTestArchive(archive, { ...OF_MINUTES, COMPRESS_AFTER: after });
      if (!isLicensed) continue;
      const own = after === "off" ? [] : [`archive.ohlcv_1m ${parseInt(after)} days`];
      assert.deepEqual(await compressionPolicies(database), [...own, "public.ohlcv_1m 3 days"]);
    }
    const { storage } = await readStorageDocument(archive, { nowMs: 0 });
    assert.equal(storage.find(({ table }) => table === "ohlcv_1m")?.candles, 0);
    const [row] = await database.sql`select count(*)::int as rows from public.ohlcv_1m`;
    assert.equal(row?.["rows"], 1);
  },
};

/** What it has none in, each in a database of its own. */
const SEARCH_PATHS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "an archive behind another schema of the search path is not taken for one's own": async (
    { database, within },
  ) => {
    const migrations = await readMigrations();
    await migrate(await within("public"), migrations);
    await database.sql.unsafe("create schema two");
    const two = await within("two, public");
    assert.equal((await pendingMigrations(two, migrations)).length, migrations.length);
    assert.equal((await migrate(two, migrations)).applied.length, migrations.length);
    await ensureCandleTables(two, [MINUTE]);
    const rows = await database.sql`
      select schemaname as schema from pg_tables where tablename = 'ohlcv_1m'`;
    assert.deepEqual(rows.map((row) => row["schema"]), ["two"]);
  },

  "a schema that came to bear the user's name does not begin the archive anew": async (
    { database, within },
  ) => {
    const migrations = await readMigrations();
    await migrate(await within(`"$user", public`), migrations);
    const [row] = await database.sql`select current_user::text as name`;
    const user: string = row?.["name"];
    await database.sql.unsafe(`create schema ${user}`);
    await assert.rejects(migrate(await within(`"$user", public`), migrations), (error) => {
      assert(error instanceof StoreError && error.kind === "refused");
      assert.equal(
        error.message,
        `Cannot migrate the database: its archive is in schema public, but schema ${user} comes first. ` +
          `Drop schema ${user}, or say which one is meant: alter role ${user} set search_path = public`,
      );
      return true;
    });
  },

  "without any schema on the search path it is said what to do": async ({ within }) => {
    for (
      const [path, says] of [
        [
          "nowhere",
          /no schema of its search_path \(nowhere\) exists\. Run: create schema nowhere$/,
        ],
        [
          '""',
          /path \(""\) exists\. Run: create schema titan10; alter role \S+ set search_path = titan/,
        ],
      ] as const
    ) await assert.rejects(migrate(await within(path), await readMigrations()), says);
  },

  "two users with a schema each": async ({ database, url, isLicensed }) => {
    if (url === undefined) return;
    const suffix = crypto.randomUUID().slice(0, 8);
    const users = [`one_${suffix}`, `two_${suffix}`];
    for (const user of users) {
      await database.sql.unsafe(
        `create role ${user} login; create schema ${user} authorization ${user};
        alter role ${user} set search_path = ${user}, public`,
      );
    }
    const opened: Database[] = [];
    try {
      for (const [at, user] of users.entries()) {
        const theirs = new URL(url);
        theirs.username = user;
        const own = await openDatabase({ url: theirs.href, ...OPTIONS });
        opened.push(own);
        await openTestArchive(own, { ...OF_MINUTES, COMPRESS_AFTER: at === 0 ? "7d" : "off" });
        const [row] = await own.sql`select count(*)::int as tables from timeframes`;
        assert.equal(row?.["tables"], 1);
      }
      if (isLicensed) {
        assert.deepEqual(await compressionPolicies(database), [
          `${users[0]}.ohlcv_1m 7 days`,
        ]);
      }
    } finally {
      for (const own of opened) await own.close();
      for (const user of users) {
        await database.sql.unsafe(`drop owned by ${user} cascade; drop role ${user}`);
      }
    }
  },
};

const OPTIONS = { dataDir: "", poolMax: 2, clock: systemClock };

async function withScene(
  { database, url }: TestDatabase,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const [offered] = await database.sql`
    select from pg_available_extensions
    where name = 'timescaledb'
      and (current_setting('shared_preload_libraries') ~ 'timescaledb' or ${database.kind} = 'embedded')`;
  if (offered !== undefined) {
    await database.sql.unsafe("create extension if not exists timescaledb schema public");
  }
  const opened: Database[] = [];
  const within: Scene["within"] = async (searchPath) => {
    if (url === undefined) {
      // The embedded database has one connection, so this holds until the next one.
      await database.sql.unsafe(`set search_path = ${searchPath}`);
      return database;
    }
    const own = new URL(url);
    own.search = `search_path=${encodeURIComponent(searchPath)}`;
    const one = await openDatabase({ url: own.href, ...OPTIONS });
    opened.push(one);
    return one;
  };
  try {
    const isLicensed = (await readTimescale(database))?.isLicensed === true;
    await test({ database, url, within, isLicensed });
  } finally {
    for (const one of opened) await one.close();
  }
}

/** The policies that run, `schema.table after`. */
async function compressionPolicies({ sql }: Database): Promise<readonly string[]> {
  const rows = await sql`
    select hypertable_schema || '.' || hypertable_name || ' ' ||
           extract(day from justify_hours((config ->> 'compress_after')::interval)) || ' days' as policy
    from timescaledb_information.jobs
    where proc_name in ('policy_compression', 'policy_columnstore') and scheduled
    order by policy`;
  return rows.map((row) => row["policy"]);
}

async function refreshPolicies({ sql }: Database): Promise<readonly string[]> {
  const rows = await sql`
    select rollup.view_schema || '.' || rollup.view_name as policy
    from timescaledb_information.jobs as job join timescaledb_information.continuous_aggregates as rollup
      on (job.hypertable_schema, job.hypertable_name) in (
        (rollup.view_schema, rollup.view_name),
        (rollup.materialization_hypertable_schema, rollup.materialization_hypertable_name))
    where job.proc_name = 'policy_refresh_continuous_aggregate'
    order by policy`;
  return rows.map((row) => row["policy"]);
}
