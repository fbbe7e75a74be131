/** Rollups say what the candles say, and RETENTION drops nothing that they lack. @module */
import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { readAccounts, type SeriesAccount } from "../../lib/gap/account.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { expire, rollUp, upkeepJob } from "../../lib/upkeep/upkeep.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { planRollups } from "../../lib/market/rollup.ts";
import { nominalMs, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readGaps } from "../support/gap_rows.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { readTimescale } from "../../lib/store/connection/timescale.ts";
import { arrangeRollups, readRollups } from "../../lib/store/rollups.ts";
import { writeStreamed } from "../../lib/store/streamed_write.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const ROLLUPS = "5m,1h,1d";

/** A Friday: chunks of `1m` begin on Thursdays, so that ten days of it reach into three. */
const NOW_MS = START_MS;
const THURSDAY_MS = Date.UTC(2024, 2, 14);

/** Candles of both symbols before that Thursday. */
const DROPPED = 2 * (THURSDAY_MS - Date.UTC(2024, 2, 5, 12, 30)) / MINUTE_MS;

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  readonly isTimescale: boolean;
  /** Opens an archive of `1m` with these variables besides, and backfills what is owed. */
  readonly archived: (
    variables?: Readonly<Record<string, string>>,
  ) => ReturnType<typeof openTestArchive>;
  /** Lets time pass for the archive and the exchange. */
  readonly pass: (ms: number) => void;
}

for (const kind of DATABASE_KINDS) {
  Deno.test(`rollups and retention agree on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    try {
      for (const [name, test] of Object.entries(TESTS)) {
        await t.step(name, () => withScene(opened.database, test));
      }
    } finally {
      await opened.drop();
    }
  });
}

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a rollup is what its candles add up to, and says how many there are": async (scene) => {
    const hole = { sinceMs: THURSDAY_MS + 2 * MINUTE_MS, untilMs: THURSDAY_MS + 9 * MINUTE_MS };
    scene.exchange.faults.add({ when: { symbol: "BTC/USDT" }, fault: { kind: "holes", ...hole } });
    const archive = await scene.archived({ ROLLUPS });
    await rollUp(archive);
    await assertRollups(scene);
    const rows = await scene.database.sql`
      select candles::int, complete from ohlcv_rollup_5m
      where exchange = 'binance' and symbol = 'BTC/USDT' and time >= ${new Date(THURSDAY_MS)}
      order by time limit 3`;
    assert.deepEqual(rows.map((row) => ({ ...row })), [
      { candles: 2, complete: false },
      { candles: 1, complete: false },
      { candles: 5, complete: true },
    ]);
  },

  "what is filled in or revised later is in the rollups after the next refresh": async (scene) => {
    const hole = { sinceMs: NOW_MS - 3 * DAY_MS, untilMs: NOW_MS - 3 * DAY_MS + 90 * MINUTE_MS };
    const fault = scene.exchange.faults.add({ fault: { kind: "holes", ...hole } });
    const archive = await scene.archived({ ROLLUPS });
    await rollUp(archive);
    const before = await readRows(scene, "ohlcv_rollup_1d");
    fault.remove();
    assert.equal((await repairGaps(archive)).filled, 2);
    await revise(scene, THURSDAY_MS);
    await rollUp(archive);
    await assertRollups(scene);
    assert.notDeepEqual(await readRows(scene, "ohlcv_rollup_1d"), before);
  },

  "candles that came after the last refresh show at once": async (scene) => {
    await rollUp(await scene.archived({ ROLLUPS }));
    scene.pass(2 * 60 * MINUTE_MS);
    await scene.archived({ ROLLUPS });
    await assertRollups(scene);
  },

  "a candle of a rollup is provisional while one of its candles is": async (scene) => {
    const archive = await scene.archived({ ROLLUPS, BACKFILL: "1m:3d" });
    await rollUp(archive);
    scene.pass(10 * MINUTE_MS);
    // Minutes of the two candles of five minutes that have begun since.
    const sinceMs = NOW_MS - NOW_MS % (5 * MINUTE_MS);
    const minutes = [3, 4, 6].map((minute) => sinceMs + minute * MINUTE_MS);
    const streamed = minutes.map(streamedAt);
    assert.deepEqual(await writeStreamed(scene.database, streamed), ["stored", "stored", "stored"]);
    const marked = async (): Promise<readonly string[]> => {
      const found: string[] = [];
      for (const text of ROLLUPS.split(",")) {
        const rows = await scene.database.sql.unsafe<{ symbol: string; ms: number }[]>(
          `select symbol, (extract(epoch from time) * 1000)::float8 as ms from ohlcv_rollup_${text}
           where provisional order by time`,
        );
        for (const { symbol, ms } of rows) {
          found.push(`${text} ${symbol} ${(ms - sinceMs) / MINUTE_MS}`);
        }
      }
      return found;
    };
    const [hour, day] = [HOUR_MS, DAY_MS].map((ms) => -(sinceMs % ms) / MINUTE_MS);
    assert.deepEqual(await marked(), [
      ...["5m BTC/USDT 0", "5m BTC/USDT 5", `1h BTC/USDT ${hour}`, `1d BTC/USDT ${day}`],
    ]);
    await rollUp(archive);
    assert.equal((await marked()).length, 4, "whether what a rollup holds was refreshed or not");
    await scene.archived({ ROLLUPS, BACKFILL: "1m:3d" });
    assert.deepEqual(await marked(), []);
    await rollUp(archive);
    await assertRollups(scene);
  },

  "a rollup that is named later is built of what is there, one that is not named any more is dropped":
    async (scene) => {
      await rollUp(await scene.archived());
      assert.deepEqual(await rollupViews(scene), []);
      await rollUp(await scene.archived({ ROLLUPS: "5m,1d" }));
      await assertRollups(scene, ["5m", "1d"]);
      await rollUp(await scene.archived({ ROLLUPS: "1h,1d" }));
      await assertRollups(scene, ["1h", "1d"]);
      await rollUp(await scene.archived());
      assert.deepEqual(await rollupViews(scene), []);
    },

  "a rollup that a view of the user's reads stays, and so does what it is built from": async (
    scene,
  ) => {
    await rollUp(await scene.archived({ ROLLUPS }));
    await scene.database.sql`create view report as select * from ohlcv_rollup_1h`;
    try {
      const { lines, ...archive } = await scene.archived({ ROLLUPS: "5m" });
      await rollUp(archive);
      await rollUp(archive);
      await assertRollups(scene, ["5m", "1h"]);
      const told = lines.filter((line) => line.includes("a rollup is kept because"));
      assert.equal(told.length, 1, told.join("\n"));
      assert.match(
        told[0]!,
        /"rollup":"ohlcv_rollup_1h","readBy":\["view report depends on view ohlcv_rollup_1h"\],"readers":1/,
      );
      await rollUp(await scene.archived());
      assert.deepEqual(await rollupViews(scene), ["ohlcv_rollup_5m", "ohlcv_rollup_1h"]);
    } finally {
      await scene.database.sql`drop view report`;
    }
    await rollUp(await scene.archived());
    assert.deepEqual(await rollupViews(scene), []);
  },

  "TimescaleDB keeps each rollup fresh by a policy of its own": async (scene) => {
    const archive = await scene.archived({ ROLLUPS });
    await rollUp(archive);
    await rollUp(archive);
    if (!scene.isTimescale) return;
    const [row] = await scene.database.sql`
      select count(*)::int as policies from timescaledb_information.jobs
      where proc_name = 'policy_refresh_continuous_aggregate'`;
    assert.equal(row?.["policies"], 3);
  },

  "upkeep rolls up, then drops, and counts both": async (scene) => {
    await scene.archived();
    scene.pass(9 * DAY_MS);
    const archive = await scene.archived({
      RETENTION: "1m:10d",
      ...(scene.isTimescale ? { ROLLUPS } : {}),
    });
    const { signal } = new AbortController();
    const { refreshed, dropped } = await upkeepJob(archive).runOnce(signal);
    assert.deepEqual([refreshed! > 0, dropped], [scene.isTimescale, DROPPED]);
    assert.equal((await rollupViews(scene)).length, scene.isTimescale ? 3 : 0);
    assert.equal((await accountsOf(scene, archive))[0]?.firstMs, THURSDAY_MS);
  },

  "a rollup that cannot be built is refused with the rest of the configuration": async (scene) => {
    await assert.rejects(scene.archived({ ROLLUPS: "5m,3d" }), /ROLLUPS="3d": expected timeframes/);
  },

  "dropped candles are counted no more, explained, neither owed nor missing nor asked for again":
    async (scene) => {
      const variables = { RETENTION: "1m:10d" };
      scene.exchange.faults.add({
        fault: { kind: "holes", sinceMs: NOW_MS - 9 * DAY_MS, untilMs: NOW_MS - 8 * DAY_MS },
      });
      await repairGaps(await scene.archived(variables));
      scene.pass(9 * DAY_MS);
      const archive = await scene.archived(variables);
      assert.equal(await expire(archive), DROPPED - 2 * DAY_MS / MINUTE_MS);
      assert.equal(await expire(archive), 0);
      await assertCounted(scene);
      for (const account of await accountsOf(scene, archive)) {
        const { owed, missing, explained, coveredSinceMs, firstMs } = account;
        assert.deepEqual(
          { owed, missing, explained, coveredSinceMs, firstMs },
          { owed: 0, missing: 0, explained: 0, coveredSinceMs: THURSDAY_MS, firstMs: THURSDAY_MS },
        );
      }
      assert.deepEqual(await readGaps(scene.database), []);
      const [span] = await scene.database.sql`
        select state, candles::int from ohlcv_explained('1m', 'binance', 'BTC/USDT',
          ${new Date(THURSDAY_MS - DAY_MS)}, ${new Date(THURSDAY_MS)})`;
      assert.deepEqual({ ...span }, { state: "expired", candles: 1440 });
      const [report] = await backfill(archive, { patient: false });
      assert.deepEqual([report?.owed, report?.added, report?.left], [0, 0, 0]);
      assert.deepEqual((await repairGaps(archive)).found, 0);
    },

  "a streamed candle that RETENTION drops is named no more": async (scene) => {
    const archive = await scene.archived({ RETENTION: "1m:2d", BACKFILL: "1m:1d" });
    const openTimeMs = NOW_MS - NOW_MS % MINUTE_MS;
    assert.deepEqual(await writeStreamed(scene.database, [streamedAt(openTimeMs)]), ["stored"]);
    scene.pass(20 * DAY_MS);
    assert.equal(await expire(archive), 2 * 1440 + 1);
    await assertCounted(scene);
    const rows = await scene.database.sql`
      select (select count(*)::int from streamed_candles) as streamed, bool_and(isempty(unsettled)) as settled
      from checkpoints`;
    assert.deepEqual(rows.map((row) => ({ ...row })), [{ streamed: 0, settled: true }]);
    assert.deepEqual(await writeStreamed(scene.database, [streamedAt(openTimeMs)]), ["left"]);
  },

  "a gap across the boundary is cut there, and stays a gap though no candle lies before it": async (
    scene,
  ) => {
    const variables = { RETENTION: "1m:10d", ROLLUPS: scene.isTimescale ? "5m" : "" };
    scene.exchange.faults.add({
      fault: {
        kind: "holes",
        sinceMs: THURSDAY_MS - 5 * MINUTE_MS,
        untilMs: THURSDAY_MS + 5 * MINUTE_MS,
      },
    });
    await repairGaps(await scene.archived(variables));
    scene.pass(9 * DAY_MS);
    const archive = await scene.archived(variables);
    await rollUp(archive);
    assert.notEqual(await expire(archive), 0);
    await repairGaps(archive);
    const [gap] = await readGaps(scene.database);
    assert.deepEqual([gap?.window.sinceMs, gap?.missing, gap?.state], [
      THURSDAY_MS,
      5,
      "suspected",
    ]);
    const [account] = await accountsOf(scene, archive);
    assert.deepEqual([account?.owed, account?.missing, account?.explained], [0, 5, 0]);
    // A neighbour of the gap that is asked for with it comes again, and goes again.
    await scene.database.sql`
      insert into ohlcv_1m select time - interval '1 hour', exchange, symbol, open, high, low, close, volume
      from ohlcv_1m where time = ${new Date(THURSDAY_MS + 5 * MINUTE_MS)}`;
    await scene.database.sql`
      update checkpoints set candles = candles + 1, first = first - interval '1 hour',
        covered = covered + tstzmultirange(tstzrange(first - interval '1 hour', lower(covered)))`;
    assert.equal(await expire(archive), 2);
    await assertCounted(scene);
  },

  "what is compressed is rolled up and dropped like the rest": async (scene) => {
    if (!scene.isTimescale) return;
    const variables = { RETENTION: "1m:10d", ROLLUPS };
    await scene.archived(variables);
    await scene.database.sql`select compress_chunk(chunk) from show_chunks('ohlcv_1m') as chunk`;
    scene.pass(9 * DAY_MS);
    const archive = await scene.archived(variables);
    await rollUp(archive);
    await assertRollups(scene);
    assert.equal(await expire(archive), DROPPED);
    await assertCounted(scene);
    const [row] = await scene.database.sql`
      select count(*)::int as chunks from show_chunks('ohlcv_1m', older_than => ${new Date(
      THURSDAY_MS,
    )}::timestamptz)`;
    assert.equal(row?.["chunks"], 0);
  },

  "a rollup that is a view for lack of a licence is made anew with one, and holds up RETENTION no longer":
    async (scene) => {
      if (!scene.isTimescale) return;
      const variables = { RETENTION: "1m:10d", ROLLUPS };
      const mayCompress = (says: string) =>
        scene.database.sql.unsafe(
          `create or replace function titan10_may_compress() returns boolean language sql stable as $$ ${says} $$`,
        );
      const [may] = await scene.database.sql`
        select prosrc from pg_proc where proname = 'titan10_may_compress'`;
      const kinds = async () =>
        (await readRollups(scene.database)).map(({ isMaterialized }) => isMaterialized);
      try {
        await mayCompress("select false");
        await rollUp(await scene.archived(variables));
        assert.deepEqual(await kinds(), [false, false, false]);
      } finally {
        await mayCompress(may?.["prosrc"]);
      }
      scene.pass(9 * DAY_MS);
      const archive = await scene.archived(variables);
      assert.equal(await expire(archive), 0, "a view holds nothing");
      await rollUp(archive);
      assert.deepEqual(await kinds(), [true, true, true]);
      await assertRollups(scene);
      assert.equal(await expire(archive), DROPPED);
      await rollUp(archive);
      assert.deepEqual(await kinds(), [true, true, true]);
    },

  "nothing is dropped that a rollup lacks, and rollups keep what was dropped": async (scene) => {
    const variables = { RETENTION: "1m:10d", ROLLUPS };
    const unrolled = await scene.archived(variables);
    scene.pass(9 * DAY_MS);
    const archive = await scene.archived(variables);
    await arrangeRollups(
      scene.database,
      planRollups(ROLLUPS.split(",").map(parseTimeframe), [parseTimeframe("1m")]).rollups,
    );
    assert.equal(await expire(archive), 0, "a rollup that is not materialized holds nothing");
    await rollUp(archive);
    await revise(scene, THURSDAY_MS - 8 * DAY_MS);
    assert.equal(await expire(archive), 0, "a rollup that lacks a revision");
    await rollUp(archive);
    const before = await readAllRollups(scene);
    const dropped = await expire(archive);
    if (!scene.isTimescale) {
      assert.equal(dropped, 0, "a view holds nothing");
      return;
    }
    assert.equal(dropped, DROPPED);
    assert.deepEqual(await readAllRollups(scene), before);
    await rollUp(archive);
    assert.deepEqual(await readAllRollups(scene), before);
    await rollUp(await scene.archived({ ...variables, ROLLUPS: "" }));
    assert.deepEqual(await readAllRollups(scene), before, "they hold what is had nowhere else");
    assert.equal(unrolled.config.rollups.length, 3);
  },
};

async function withScene(
  database: Database,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  await emptyDatabase(database);
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  const archived: Scene["archived"] = async (variables = {}) => {
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: "BTC/USDT,ETH/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "1m:10d",
      // A server's workers compress by the time of day, while a test changes what they compress.
      COMPRESS_AFTER: "off",
      EXCHANGE_BINANCE: binanceAt(exchange),
      ...variables,
    }, clock);
    await backfill(archive, { patient: false });
    return archive;
  };
  try {
    await migrate(database, await readMigrations());
    const isTimescale = (await readTimescale(database))?.isLicensed === true;
    await test({ database, exchange, isTimescale, archived, pass: (ms) => clock.pass(ms) });
  } finally {
    await exchange.close();
  }
}

function streamedAt(openTimeMs: number): Parameters<typeof writeStreamed>[1][number] {
  return {
    series: { exchange: "binance", symbol: "BTC/USDT", timeframe: parseTimeframe("1m") },
    candle: { openTimeMs, open: "1", high: "1", low: "1", close: "1", volume: "1" },
    marketId: undefined,
  };
}

interface Row {
  readonly time: number;
  readonly symbol: string;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  readonly candles: number;
  readonly complete: boolean;
}

/**
 * Revises the candles of a time as a page does. TimescaleDB 2.13 fails at times at an update of a table whose trigger
 * writes.
 */
async function revise({ database }: Scene, openTimeMs: number): Promise<void> {
  const { count } = await database.sql`
    insert into ohlcv_1m select time, exchange, symbol, open, high, low, close, volume + 1000
    from ohlcv_1m where time = ${new Date(openTimeMs)}
    on conflict (exchange, symbol, time) do update set volume = excluded.volume`;
  assert(count > 0);
}

async function readRows({ database }: Scene, relation: string): Promise<readonly Row[]> {
  const counts = relation === "ohlcv_1m"
    ? "1 as candles, true as complete"
    : "candles::int, complete";
  const rows = await database.sql.unsafe<Row[]>(
    `select (extract(epoch from time) * 1000)::float8 as time, symbol, trim_scale(open)::text as open,
            trim_scale(high)::text as high, trim_scale(low)::text as low, trim_scale(close)::text as close,
            trim_scale(volume)::text as volume, ${counts}
     from ${relation} order by symbol, time`,
  );
  return rows.map((row) => ({ ...row }));
}

async function readAllRollups(scene: Scene): Promise<readonly (readonly Row[])[]> {
  const rows: (readonly Row[])[] = [];
  for (const text of ROLLUPS.split(",")) rows.push(await readRows(scene, `ohlcv_rollup_${text}`));
  return rows;
}

/** The rollups must be what their candles add up to, worked out here digit by digit; there must be no others. */
async function assertRollups(scene: Scene, texts = ROLLUPS.split(",")): Promise<void> {
  const candles = await readRows(scene, "ohlcv_1m");
  assert.notEqual(candles.length, 0);
  assert.deepEqual(await rollupViews(scene), texts.map((text) => `ohlcv_rollup_${text}`));
  for (const text of texts) {
    const stepMs = nominalMs(parseTimeframe(text));
    const expected = [
      ...Map.groupBy(
        candles,
        ({ symbol, time }) => `${symbol} ${Math.floor(time / stepMs)}`,
      ).values(),
    ].map((group): Row => ({
      time: Math.floor(group[0]!.time / stepMs) * stepMs,
      symbol: group[0]!.symbol,
      open: group[0]!.open,
      high: decimalText(group.map(({ high }) => decimal(high)).reduce((a, b) => a > b ? a : b)),
      low: decimalText(group.map(({ low }) => decimal(low)).reduce((a, b) => a < b ? a : b)),
      close: group.at(-1)!.close,
      volume: decimalText(group.map(({ volume }) => decimal(volume)).reduce((a, b) => a + b)),
      candles: group.length,
      complete: group.length === stepMs / MINUTE_MS,
    }));
    assert.deepEqual(await readRows(scene, `ohlcv_rollup_${text}`), expected, text);
  }
}

/** Names of the views there are, whoever made them, by length of their candles. */
async function rollupViews({ database }: Scene): Promise<readonly string[]> {
  const rows = await database.sql<{ relname: string }[]>`
    select relname from pg_class
    where relname like 'ohlcv\\_rollup\\_%' and relkind = 'v' and relnamespace = 'public'::regnamespace
    order by titan10_step(replace(relname, 'ohlcv_rollup_', ''))`;
  return rows.map(({ relname }) => relname);
}

/** What the ledger keeps count of must be what a scan of the candles finds. */
async function assertCounted({ database }: Scene): Promise<void> {
  const rows = await database.sql<{ kept: string; counted: string }[]>`
    select (candles, first, last)::text as kept,
           (select (count(*), min(time), max(time))::text from ohlcv_1m as candle
            where (candle.exchange, candle.symbol) = (series.exchange, series.symbol)) as counted
    from checkpoints as series`;
  assert.equal(rows.length, 2);
  assert.deepEqual(rows.map(({ kept }) => kept), rows.map(({ counted }) => counted));
}

async function accountsOf(
  { database }: Scene,
  { config, clock }: Archive,
): Promise<readonly SeriesAccount[]> {
  return await readAccounts(database, {
    config,
    nowMs: clock.now(),
    newestCandlesMax: () => undefined,
  });
}

/** Decimal text as a whole number of 1e-12, and back. */
function decimal(text: string): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(12, "0"));
}

function decimalText(value: bigint): string {
  const digits = String(value).padStart(13, "0");
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`.replace(/\.?0+$/, "");
}
