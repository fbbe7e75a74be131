/** Compression on the embedded database: pages into compressed chunks, backfills, maintenance, sizes. @module */
import assert from "node:assert/strict";
import { renderStorage } from "../../lib/cli/storage_table.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { BackfillCompression } from "../../lib/fetch/backfill_compression.ts";
import { runDuePolicies } from "../../lib/upkeep/policy_runs.ts";
import { measureStorage } from "../../lib/upkeep/storage_gauges.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { readStorageDocument } from "../../lib/serve/storage_report.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { pauseCompression, setCompressionPolicy } from "../../lib/store/compression.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { type PageWrite, writePage } from "../../lib/store/page_write.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { testClock } from "../support/test_clock.ts";
import { openEmbeddedTest } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const MINUTE = parseTimeframe("1m");
const BTC = { exchange: "binance", symbol: "BTC/USDT", timeframe: MINUTE } as const;
/** Where a chunk of `1m` begins. */
const CHUNK_MS = Date.UTC(2024, 0, 4);

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
}

Deno.test("compression keeps its promises on the embedded database", async (t) => {
  const { database, drop } = await openEmbeddedTest();
  const exchange = await startLocalExchange({ clock: testClock });
  try {
    await migrate(database, await readMigrations());
    await ensureCandleTables(database, [MINUTE]);
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        await emptyDatabase(database);
        await database.sql`select drop_chunks('ohlcv_1m', 'infinity'::timestamptz)`;
        await database.sql`delete from policy_runs`;
        await setCompressionPolicy(database, MINUTE, undefined);
        await test({ database, exchange });
      });
    }
  } finally {
    await exchange.close();
    await drop();
  }
});

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a page opens more of a compressed chunk than any other statement may": async ({ database }) => {
    const { sql } = database;
    await writePage(database, BTC, page(0, 50));
    await compressAll(database);
    await sql`set timescaledb.max_tuples_decompressed_per_dml_transaction = 10`;
    try {
      await assert.rejects(
        sql`insert into ohlcv_1m select * from ohlcv_1m on conflict (exchange, symbol, time)
          do update set volume = 7`.execute(),
        /tuple decompression limit exceeded/,
      );
      const written = await writePage(database, BTC, page(0, 60, { volume: "2" }));
      assert.deepEqual([written.added, written.revised], [10, 50]);
      const [limit] = await sql`
        select current_setting('timescaledb.max_tuples_decompressed_per_dml_transaction') as now`;
      assert.equal(limit?.["now"], "10");
    } finally {
      await sql`reset timescaledb.max_tuples_decompressed_per_dml_transaction`;
    }
    assert.equal((await readCheckpoints(database))[0]?.candles, 60);
    assert.equal((await sql`select from ohlcv_1m`).length, 60);
    assert.equal((await sql`select from candle_revisions`).length, 50);
  },

  "a chunk that was written to after it was compressed is compressed again by maintenance": async (
    { database },
  ) => {
    const clock = new ManualClock({ startMs: CHUNK_MS + 20 * DAY_MS });
    const scene = { ...await quietArchive(database), clock };
    await setCompressionPolicy(database, MINUTE, 7 * DAY_MS);
    await writePage(database, BTC, page(0, 50));
    await writePage(database, BTC, pageAt(clock.now() - 10 * MINUTE_MS, 10));
    assert.deepEqual(await runDuePolicies(scene), { policies: 1, failed: 0, compressed: 1 });
    assert.deepEqual(await chunkStates(database), ["compressed", "uncompressed"]);

    await writePage(database, BTC, page(40, 60));
    assert.deepEqual(await chunkStates(database), ["partial", "uncompressed"]);
    const soon = await runDuePolicies(scene);
    assert.deepEqual(soon, { policies: 0, failed: 0, compressed: 0 }, "the policy is not due");

    await clock.advance(13 * 60 * MINUTE_MS);
    assert.deepEqual(await runDuePolicies(scene), { policies: 1, failed: 0, compressed: 1 });
    assert.deepEqual(await chunkStates(database), ["compressed", "uncompressed"]);
    assert.equal((await readCheckpoints(database))[0]?.candles, 70);
    assert.equal((await database.sql`select from ohlcv_1m`).length, 70);
  },

  "a policy that fails stops no other, and is tried again after its retry period": async (
    { database },
  ) => {
    const { sql } = database;
    const clock = new ManualClock();
    const scene = { ...await quietArchive(database), clock };
    await sql`create table ran (job int)`;
    await sql.unsafe(`
      create procedure broken(job int, config jsonb) language plpgsql as
        'begin raise exception ''out of order''; end';
      create procedure sound(job int, config jsonb) language plpgsql as
        'begin insert into ran values (job); commit; end'`);
    const [broken] = await sql`select add_job('broken', interval '1 day') as id`;
    const [sound] = await sql`select add_job('sound', interval '1 day') as id`;
    await sql`select alter_job(${broken?.["id"]}::int, retry_period => interval '1 hour')`;
    try {
      assert.deepEqual(await runDuePolicies(scene), { policies: 1, failed: 1, compressed: 0 });
      assert.equal((await sql`select from ran`).length, 1);
      const [run] = await sql`select last_error from policy_runs where last_error is not null`;
      assert.match(run?.["last_error"], /out of order/);

      await clock.advance(59 * MINUTE_MS);
      assert.deepEqual(await runDuePolicies(scene), { policies: 0, failed: 0, compressed: 0 });
      await clock.advance(MINUTE_MS);
      assert.deepEqual(await runDuePolicies(scene), { policies: 0, failed: 1, compressed: 0 });
      await clock.advance(DAY_MS);
      assert.deepEqual(await runDuePolicies(scene), { policies: 1, failed: 1, compressed: 0 });
      assert.equal((await sql`select from ran`).length, 2);
    } finally {
      await sql`select delete_job(${broken?.["id"]}::int), delete_job(${sound?.["id"]}::int)`;
    }
    await setCompressionPolicy(database, MINUTE, 7 * DAY_MS);
    await runDuePolicies(scene);
    assert.equal((await sql`select from policy_runs`).length, 1, "deleted jobs are forgotten");
  },

  "the policy that has been due for longest runs first": async ({ database }) => {
    const { sql } = database;
    const clock = new ManualClock();
    const scene = { ...await quietArchive(database), clock };
    await sql`create table turns (turn int generated always as identity, job int)`;
    await sql.unsafe(`create procedure turn(job int, config jsonb) language plpgsql as
      'begin insert into turns (job) values (job); end'`);
    const [daily] = await sql`select add_job('turn', interval '1 day') as id`;
    const [hourly] = await sql`select add_job('turn', interval '1 hour') as id`;
    try {
      await runDuePolicies(scene);
      await clock.advance(DAY_MS);
      await runDuePolicies(scene);
      const turns = await sql`select job from turns order by turn`;
      assert.deepEqual(
        turns.map((row) => row["job"]),
        [daily?.["id"], hourly?.["id"], hourly?.["id"], daily?.["id"]],
      );
    } finally {
      await sql`select delete_job(${daily?.["id"]}::int), delete_job(${hourly?.["id"]}::int)`;
    }
  },

  "the policy is paused while a backfill writes old candles, and its chunks are compressed once at the end":
    async ({ database, exchange }) => {
      const archive = await openTestArchive(database, {
        ...settings(exchange),
        BACKFILL: "1m:16d",
        COMPRESS_AFTER: "1d",
      });
      const seen: Promise<boolean | undefined>[] = [];
      await backfill(archive, {
        patient: false,
        onProgress: () => {
          seen.push(isScheduled(database));
        },
      });
      assert.deepEqual(new Set(await Promise.all(seen)), new Set([true, false]));
      assert.equal(await isScheduled(database), true);
      assert.deepEqual(await uncompressedBefore(database, testClock.now() - DAY_MS), []);
      assert((await chunkStates(database)).includes("uncompressed"), "the newest chunk is open");

      const compressions = (): number =>
        archive.lines.filter((line) => line.includes("compressed the chunks written by a backfill"))
          .length;
      assert.equal(compressions(), 1);
      await backfill(archive, { patient: false });
      assert.equal(compressions(), 1, "a backfill that writes nothing has nothing to compress");
    },

  "a backfill that is stopped resumes the policy": async ({ database, exchange }) => {
    const archive = await openTestArchive(database, {
      ...settings(exchange),
      BACKFILL: "1m:16d",
      COMPRESS_AFTER: "1d",
    });
    const stop = new AbortController();
    let stopping: Promise<void> | undefined;
    await backfill(archive, {
      patient: true,
      signal: stop.signal,
      onProgress: ({ pages }) => {
        // Ends it as soon as the pause is seen, whenever that is.
        if (pages > 2) {
          stopping ??= untilPaused(database).finally(() => stop.abort(new Error("enough")));
        }
      },
    });
    await stopping;
    assert(stop.signal.aborted);
    assert.equal(await isScheduled(database), true);
  },

  "a policy that a killed backfill left paused runs again from the next start": async (
    { database, exchange },
  ) => {
    const archive = await openTestArchive(database, settings(exchange));
    await pauseCompression(database, MINUTE);
    assert.equal(await isScheduled(database), false);
    const paused = await runDuePolicies(archive);
    assert.equal(paused.policies, 0, "maintenance leaves a paused policy alone");
    await openTestArchive(database, settings(exchange));
    assert.equal(await isScheduled(database), true);
  },

  "compression waits an hour for an exchange that has gone away, while another is at work": async (
    { database, exchange },
  ) => {
    const clock = new ManualClock({ startMs: CHUNK_MS + 20 * DAY_MS });
    const archive = { ...await openTestArchive(database, settings(exchange)), clock };
    const compression = new BackfillCompression(archive, {});
    const written = { timeframe: MINUTE, window: page(0, 50).answered };
    await writePage(database, BTC, page(0, 50));
    await compression.start();
    await compression.noteWritten("kraken", written);
    await compression.noteWritten("binance", written);
    await compression.end("kraken");
    assert.equal(await isScheduled(database), false, "binance still writes");
    await clock.advance(59 * MINUTE_MS);
    await compression.noteWaiting("binance");
    assert.equal(await isScheduled(database), false);
    await clock.advance(MINUTE_MS);
    await compression.noteWaiting("binance");
    assert.equal(await isScheduled(database), true);
    assert.deepEqual(await chunkStates(database), ["compressed"]);
    await compression.noteWritten("binance", written);
    assert.equal(await isScheduled(database), false, "it is back");
    await compression.end("binance");
    assert.equal(await isScheduled(database), true);
  },

  "a backfill resumes what another left paused, and recent pages do not pause it": async (
    { database, exchange },
  ) => {
    const archive = await openTestArchive(database, settings(exchange));
    const compression = new BackfillCompression(archive, {});
    await pauseCompression(database, MINUTE);
    await compression.start();
    assert.equal(await isScheduled(database), true);
    const untilMs = archive.clock.now();
    const window = { sinceMs: untilMs - DAY_MS, untilMs };
    await compression.noteWritten("binance", { timeframe: MINUTE, window });
    assert.equal(await isScheduled(database), true);
  },

  "the sizes tell of every table what compression has saved, and warn of chunks that stayed small":
    async ({ database }) => {
      await writePage(database, BTC, page(0, 2_000));
      await writePage(database, BTC, pageAt(CHUNK_MS + 7 * DAY_MS, 10));
      await writePage(database, BTC, pageAt(CHUNK_MS + 14 * DAY_MS, 10));
      await database.sql`
        select compress_chunk(chunk) from show_chunks('ohlcv_1m', older_than => to_timestamp(
          ${(CHUNK_MS + 7 * DAY_MS) / 1000}::float8)) as chunk`;
      const nowMs = CHUNK_MS + 15 * DAY_MS;
      const document = await readStorageDocument(database, { nowMs });
      const [entry] = document.storage;
      assert(entry);
      const { table, candles, chunks, compressedChunks, smallChunks, largeChunks } = entry;
      assert.deepEqual(
        { table, candles, chunks, compressedChunks, smallChunks, largeChunks },
        {
          table: "ohlcv_1m",
          candles: 2_020,
          chunks: 3,
          compressedChunks: 1,
          // The one of the present is small too, and will grow.
          smallChunks: 1,
          largeChunks: 0,
        },
      );
      assert((entry.ratio ?? 0) > 1, `ratio ${entry.ratio}`);
      const [truth] = await database.sql`select hypertable_size('ohlcv_1m')::float8 as bytes`;
      const share = entry.totalBytes / truth?.["bytes"];
      assert(share > 0.5 && share < 1.1, `${share} of what the server says`);

      const text = renderStorage(document);
      assert.match(text, /^ohlcv_1m +2,020 +3 +1 +[\d.]+ kB +[\d.]+ kB +[\d.]+ +[\d.]+ kB$/m);
      assert.match(text, /ohlcv_1m: 1 chunk of the past below 1 MB/);
      assert.deepEqual(text.split("\n").filter((line) => line.length > 80), []);

      const metrics = createMetrics();
      await measureStorage({ database, metrics, clock: new ManualClock({ startMs: nowMs }) });
      const exposed = await metrics.text();
      assert.match(exposed, /titan10_chunks\{timeframe="1m",state="compressed"\} 1\n/);
      assert.match(exposed, /titan10_chunks\{timeframe="1m",state="uncompressed"\} 2\n/);
      assert.match(exposed, new RegExp(`titan10_storage_bytes.*1m.* ${entry.totalBytes}\n`));
      assert.match(exposed, new RegExp(`titan10_compression_ratio.*1m.* ${entry.ratio}\n`));
    },
};

function settings(exchange: LocalExchange): Readonly<Record<string, string>> {
  return {
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT",
    TIMEFRAMES: "1m",
    BACKFILL: "off",
    COMPRESS_AFTER: "7d",
    EXCHANGE_BINANCE: binanceAt(exchange),
  };
}

/** What maintenance needs of an archive, without any exchange. */
async function quietArchive(
  database: Database,
): Promise<Pick<Parameters<typeof runDuePolicies>[0], "database" | "log">> {
  const { log } = await openTestArchive(database, {
    TIMEFRAMES: "1m",
    BACKFILL: "off",
    COMPRESS_AFTER: "off",
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT",
  });
  return { database, log };
}

async function compressAll({ sql }: Database): Promise<void> {
  await sql`select compress_chunk(chunk) from show_chunks('ohlcv_1m') as chunk`;
}

/** Whether the compression policy of `1m` may run; undefined when there is none. */
async function isScheduled({ sql }: Database): Promise<boolean | undefined> {
  const [row] = await sql`
    select scheduled from timescaledb_information.jobs
    where proc_name = 'policy_compression' and hypertable_name = 'ohlcv_1m'`;
  return row?.["scheduled"];
}

async function untilPaused(database: Database): Promise<void> {
  await until("the policy to be paused", async () => !await isScheduled(database));
}

/** The states of the chunks of `1m`, oldest first. */
async function chunkStates({ sql }: Database): Promise<readonly string[]> {
  const rows = await sql`
    select case when status & 8 <> 0 then 'partial' when status & 1 <> 0 then 'compressed'
           else 'uncompressed' end as state
    from timescaledb_information.chunks
    join _timescaledb_catalog.chunk on schema_name = chunk_schema and table_name = chunk_name
    where hypertable_name = 'ohlcv_1m' order by range_start`;
  return rows.map((row) => row["state"]);
}

async function uncompressedBefore(
  { sql }: Database,
  timeMs: number,
): Promise<readonly string[]> {
  const rows = await sql`
    select chunk_name from timescaledb_information.chunks
    where hypertable_name = 'ohlcv_1m' and range_end <= to_timestamp(${timeMs / 1000}::float8)
      and not is_compressed`;
  return rows.map((row) => row["chunk_name"]);
}

type AnsweredPage = PageWrite & { readonly answered: NonNullable<PageWrite["answered"]> };

/** A page that answers for minutes `[from, to)` after the chunk's beginning with one candle each. */
function page(from: number, to: number, { volume = "1.5" } = {}): AnsweredPage {
  return pageAt(CHUNK_MS + from * MINUTE_MS, to - from, { volume });
}

function pageAt(sinceMs: number, candles: number, { volume = "1.5" } = {}): AnsweredPage {
  return {
    candles: Array.from({ length: candles }, (_, i) => ({
      openTimeMs: sinceMs + i * MINUTE_MS,
      open: "100",
      high: "110",
      low: "99",
      close: "101.25",
      volume,
    })),
    rejected: [],
    answered: { sinceMs, untilMs: sinceMs + candles * MINUTE_MS },
    reachFromMs: undefined,
  };
}
