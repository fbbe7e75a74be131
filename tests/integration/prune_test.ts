/** Pruning takes what nothing rests on any more, a bounded part at a time, and nothing else. @module */
import assert from "node:assert/strict";
import { Alerts } from "../../lib/alert/alerting.ts";
import type { JobReport } from "../../lib/archive/job.ts";
import { scheduleOf } from "../../lib/daemon/jobs.ts";
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { PRUNED_TABLES, pruneRows } from "../../lib/store/pruning.ts";
import { pruneJob } from "../../lib/upkeep/prune.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { DATABASE_KINDS, hasStatistics, openTestDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const DAY_MS = 24 * 60 * 60_000;
const NOW_MS = Date.UTC(2030, 5, 15);
const { signal: NEVER } = new AbortController();

/** More than one run deletes of a table. */
const BACKLOG = 100_001;

type OpenArchive = Awaited<ReturnType<typeof openTestArchive>>;

interface Scene {
  readonly database: Database;
  /** The same through one connection, which is all that counts what it reads. */
  readonly alone: Database;
  readonly archive: OpenArchive;
  /** One run of the job, with everything older than 90 days. */
  readonly prune: () => Promise<JobReport>;
}

for (const kind of DATABASE_KINDS) {
  Deno.test(`pruning is bounded and careful on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const { database, url } = opened;
    const alone = url === undefined
      ? database
      : await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
    try {
      for (const [name, test] of Object.entries(TESTS)) {
        await t.step(name, () => withScene({ database, alone }, test));
      }
    } finally {
      if (alone !== database) await alone.close();
      await opened.drop();
    }
  });
}

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "of the gaps only filled ones go, 90 days after they were last seen": async (scene) => {
    const { sql } = scene.database;
    const reasons = [
      ...["suspected", "refetching", "no_trades", "exchange_outage"],
      ...["before_listing", "retention", "rejected"],
    ];
    for (const [at, state] of reasons.entries()) await addGap(scene, { at, state, seenDays: 1000 });
    await addGap(scene, { at: 10, state: "filled", seenDays: 91 });
    await addGap(scene, { at: 11, state: "filled", seenDays: 89 });
    // First seen long ago, filled yesterday.
    await addGap(scene, { at: 12, state: "filled", seenDays: 1 });
    await sql`update gaps set first_seen = ${at(NOW_MS - 1000 * DAY_MS)} where last_try > ${
      at(NOW_MS - 2 * DAY_MS)
    }`;
    // Never asked for by itself: filled by what was asked for its neighbour.
    await addGap(scene, { at: 13, state: "filled", seenDays: 91 });
    await sql`update gaps set last_try = null where since = ${at(minute(13))}`;
    assert.equal((await scene.prune())["gaps"], 2);
    const rows = await sql<{ state: string }[]>`select state from gaps order by since`;
    assert.deepEqual(rows.map(({ state }) => state), [...reasons, "filled", "filled"]);
    assert.equal((await scene.prune())["gaps"], 0);
  },

  "gaps and revisions of a time that RETENTION has dropped go, those after it stay": async (
    scene,
  ) => {
    const { sql } = scene.database;
    await addSeries(scene, { symbol: "BTC/USDT", expiredUntilMs: minute(10) });
    await addSeries(scene, { symbol: "ETH/USDT" });
    await addGap(scene, { at: 9, state: "no_trades", seenDays: 91 });
    await addGap(scene, { at: 8, state: "no_trades", seenDays: 89 });
    await addGap(scene, { at: 10, state: "no_trades", seenDays: 91 });
    for (const symbol of ["BTC/USDT", "ETH/USDT"]) {
      await sql`
        insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume)
        select 'binance', ${symbol}, '1m', time, 1, 1, 1, 1, 1
        from unnest(array[${at(minute(9))}, ${at(minute(10))}]::timestamptz[]) as row (time)`;
    }
    const { gaps, candle_revisions } = await scene.prune();
    assert.deepEqual([gaps, candle_revisions], [1, 1]);
    const left = await sql`select symbol, time from candle_revisions order by symbol, time`;
    assert.deepEqual(left.map(({ symbol, time }) => [symbol, time.getTime()]), [
      ["BTC/USDT", minute(10)],
      ["ETH/USDT", minute(9)],
      ["ETH/USDT", minute(10)],
    ]);
    assert.deepEqual(
      (await sql`select since from gaps order by since`).map(({ since }) => since.getTime()),
      [minute(8), minute(10)],
    );
  },

  "rejected rows go 90 days after they last came, alerts 90 days after their end": async (
    scene,
  ) => {
    const { sql } = scene.database;
    await sql`
      insert into rejected_candles (exchange, symbol, timeframe, answered, reason, first_seen, last_seen)
      select 'binance', 'BTC/USDT', '1m', days::text, 'misaligned', ${at(NOW_MS - 500 * DAY_MS)},
             ${at(NOW_MS)}::timestamptz - make_interval(days => days)
      from unnest('{1,89,91,500}'::int[]) as row (days)`;
    const days = (count: number): string => at(NOW_MS - count * DAY_MS);
    for (const [began, ended] of [[500, 91], [500, 89], [500, null]] as const) {
      await sql`
        insert into alerts (alert, exchange, value, threshold, summary, began, ended)
        values ('stale', ${`binance ${ended}`}, 1, 1, 'stale', ${days(began)},
                ${ended === null ? null : days(ended)})`;
    }
    const { rejected_candles, alerts } = await scene.prune();
    assert.deepEqual([rejected_candles, alerts], [2, 1]);
    const rows = await sql<{ answered: string }[]>`
      select answered from rejected_candles order by last_seen desc`;
    assert.deepEqual(rows.map(({ answered }) => answered), ["1", "89"]);
    assert.deepEqual((await sql`select ended from alerts where ended is null`).length, 1);
  },

  "one run takes ten times ten thousand rows of a table at most, the next one the rest": async (
    scene,
  ) => {
    const { sql } = scene.database;
    await sql`
      insert into gaps (exchange, symbol, timeframe, since, until, state, missing, last_try)
      select 'binance', 'BTC/USDT', '1m', ${at(minute(0))}::timestamptz + make_interval(mins => n),
             ${at(minute(1))}::timestamptz + make_interval(mins => n), 'filled', 0,
             ${at(NOW_MS - 100 * DAY_MS)}
      from generate_series(1, ${BACKLOG}::int) as n`;
    assert.equal((await scene.prune())["gaps"], 100_000);
    assert.equal((await scene.prune())["gaps"], 1);
    assert.match(
      await scene.archive.metrics.text(),
      new RegExp(`^titan10_rows_pruned_total\\{table="gaps"\\} ${BACKLOG}$`, "m"),
    );
  },

  "where no background worker makes room of deleted rows, the run does": async (scene) => {
    const { sql, kind } = scene.database;
    if (kind === "server") return;
    const sizes: number[] = [];
    for (let round = 0; round < 4; round++) {
      await sql`
        insert into gaps (exchange, symbol, timeframe, since, until, state, missing, last_try)
        select 'binance', 'BTC/USDT', '1m', ${
        at(minute(0))
      }::timestamptz + make_interval(mins => n),
               ${at(minute(1))}::timestamptz + make_interval(mins => n), 'filled', 0,
               ${at(NOW_MS - 100 * DAY_MS)}
        from generate_series(1, 10000) as n`;
      const [row] = await sql`select pg_relation_size('gaps')::int as size`;
      sizes.push(row?.["size"]);
      assert.equal((await scene.prune())["gaps"], 10_000);
    }
    assert(sizes[3]! <= sizes[0]!, String(sizes));
  },

  "a run that is stopped deletes nothing more": async (scene) => {
    await addGap(scene, { at: 1, state: "filled", seenDays: 91 });
    const report = await pruneJob(scene.archive)
      .runOnce(AbortSignal.abort());
    assert.deepEqual(report, { rejected_candles: 0, gaps: 0, candle_revisions: 0, alerts: 0 });
  },

  "what is due is found by an index, whatever else the tables hold": async (scene) => {
    const { sql, kind } = scene.database;
    // It keeps no statistics, and plans as a server does.
    if (kind === "embedded" || !await hasStatistics(scene.database)) return;
    await addSeries(scene, { symbol: "BTC/USDT", expiredUntilMs: minute(-10) });
    await sql`
      insert into gaps (exchange, symbol, timeframe, since, until, state, missing)
      select 'binance', 'BTC/USDT', '1m', ${at(minute(0))}::timestamptz + make_interval(mins => n),
             ${at(minute(1))}::timestamptz + make_interval(mins => n),
             case when n % 2 = 0 then 'no_trades' else 'filled' end, 1
      from generate_series(1, 20000) as n`;
    await sql`
      insert into rejected_candles (exchange, symbol, timeframe, answered, reason)
      select 'binance', 'BTC/USDT', '1m', n::text, 'misaligned' from generate_series(1, 20000) as n`;
    await sql`
      insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume)
      select 'binance', 'BTC/USDT', '1m', ${at(minute(0))}::timestamptz + make_interval(mins => n),
             1, 1, 1, 1, 1 from generate_series(1, 20000) as n`;
    await sql`
      insert into alerts (alert, exchange, value, threshold, summary, began, ended)
      select 'stale', 'binance', 1, 1, 'stale', now(), now() from generate_series(1, 20000)`;
    await sql`analyze`;
    for (const table of PRUNED_TABLES) {
      const { alone } = scene;
      const prune = (): Promise<unknown> =>
        pruneRows(alone, table, { beforeMs: 0, rowsMax: 10_000 });
      const scan = (): Promise<unknown> =>
        // Of whole rows: one column an index has, too, once the table was vacuumed.
        alone.sql.unsafe(`select sum(length(row::text)) from ${table} as row`);
      assert(await rowsRead(alone, table, prune) < 1_000, `${table} is scanned`);
      assert(await rowsRead(alone, table, scan) >= 20_000, `a scan of ${table} is not noticed`);
    }
  },

  "PRUNE_AFTER=off leaves everything, and the default is 90 days": async (scene) => {
    await addGap(scene, { at: 1, state: "filled", seenDays: 91 });
    const count = async (): Promise<number> => (await scene.database.sql`select from gaps`).length;
    for (const [variables, left] of [[{ PRUNE_AFTER: "off" }, 1], [{}, 0]] as const) {
      const archive = await openTestArchive(
        scene.database,
        { EXCHANGES: "binance", SYMBOLS: "BTC/USDT", TIMEFRAMES: "1m", ...variables },
        scene.archive.clock,
      );
      const { schedule } = await scheduleOf(archive, { alerts: new Alerts(archive) });
      schedule.runNow("prune");
      await until(`${left} gaps`, async () => await count() === left, { instead: count });
      await schedule.stop();
      assert.equal(await count(), left);
    }
  },
};

/** Open time of the n-th minute of the scene. */
function minute(n: number): number {
  return NOW_MS - 400 * DAY_MS + n * 60_000;
}

function at(ms: number): string {
  return new Date(ms).toISOString();
}

async function addGap(
  { database: { sql } }: Scene,
  gap: { readonly at: number; readonly state: string; readonly seenDays: number },
): Promise<void> {
  const seen = at(NOW_MS - gap.seenDays * DAY_MS);
  await sql`
    insert into gaps (exchange, symbol, timeframe, since, until, state, missing, first_seen, last_try)
    values ('binance', 'BTC/USDT', '1m', ${at(minute(gap.at))}, ${at(minute(gap.at + 1))},
            ${gap.state}, 1, ${seen}, ${seen})`;
}

async function addSeries(
  { database: { sql } }: Scene,
  { symbol, expiredUntilMs }: { readonly symbol: string; readonly expiredUntilMs?: number },
): Promise<void> {
  await sql`
    insert into checkpoints (exchange, symbol, timeframe, expired_until)
    values ('binance', ${symbol}, '1m', ${
    expiredUntilMs === undefined ? null : at(expiredUntilMs)
  })`;
}

/** How many rows of a table were read one after the other, without an index, while something ran. */
async function rowsRead(
  { sql }: Database,
  table: string,
  run: () => Promise<unknown>,
): Promise<number> {
  const read = async (): Promise<number> => {
    await sql`select pg_stat_clear_snapshot()`;
    await sql`select pg_stat_force_next_flush()`;
    const [row] = await sql`
      select seq_tup_read::int as read from pg_stat_user_tables where relname = ${table}`;
    return row?.["read"] ?? 0;
  };
  const before = await read();
  await run();
  return await read() - before;
}

async function withScene(
  { database, alone }: Pick<Scene, "database" | "alone">,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const archive = await openTestArchive(database, {
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT",
    TIMEFRAMES: "1m",
  }, new ManualClock({ startMs: NOW_MS }));
  await emptyDatabase(database);
  await test({
    database,
    alone,
    archive,
    prune: () => pruneJob(archive).runOnce(NEVER),
  });
}
