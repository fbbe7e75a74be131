/** The daemon's jobs beside each other: none waits for another, and a pause is caught up with soon. @module */
import assert from "node:assert/strict";
import { Cron } from "croner";
import { Alerts } from "../../lib/alert/alerting.ts";
import type { Archive } from "../../lib/archive/archive.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { type JobsOptions, scheduleOf } from "../../lib/daemon/jobs.ts";
import type { Schedule } from "../../lib/daemon/schedule.ts";
import { CatchUp } from "../../lib/fetch/catch_up.ts";
import { readAccounts } from "../../lib/gap/account.ts";
import { binance } from "../support/local_exchange/binance.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { JobLog } from "../support/job_log.ts";
import { assertSameCandles, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const MINUTE = parseTimeframe("1m");
const SYMBOLS = ["BTC/USDT", "ETH/USDT"] as const;

/** In the future, because gaps are due by the database's clock. No test takes the fifty seconds to the next minute. */
const NOW_MS = Date.UTC(2040, 2, 16, 12, 30, 10);

/** Options of a local exchange that need not be spared. */
const UNSPARED = JSON.stringify({ rateLimit: 1 });

interface Start {
  readonly archive: Archive;
  readonly schedule: Schedule;
  readonly log: JobLog;
}

interface Scene {
  readonly database: Database;
  /** Undefined of the embedded database. */
  readonly url: string | undefined;
  readonly exchange: LocalExchange;
  readonly clock: Clock;
  /** Opens an archive with its jobs, as a start of the daemon does. Only what a test asks for runs. */
  readonly start: (
    variables?: Readonly<Record<string, string>>,
    options?: Partial<JobsOptions>,
  ) => Promise<Start>;
  /** Lets time pass for archive and exchange. */
  readonly pass: (ms: number) => void;
}

for (const kind of DATABASE_KINDS) {
  Deno.test(`jobs go their own ways on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    try {
      for (const [name, test] of Object.entries(TESTS)) {
        const isHere = opened.url !== undefined || !NEEDS_A_SERVER.has(name);
        await t.step({ name, ignore: !isHere, fn: () => withScene(opened, test) });
      }
    } finally {
      await opened.drop();
    }
  });
}

const TOO_OLD = JSON.stringify({ code: -1, msg: "Candlestick too long ago. Maximum 60 points" });

const LOCKED = "gaps are repaired and judged while upkeep waits for a lock on the rollups";

/** A second connection holds what the program waits for; the embedded database has one. */
const NEEDS_A_SERVER: ReadonlySet<string> = new Set([LOCKED]);

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  [LOCKED]: async (scene) => {
    const lastMs = closedUntil(MINUTE, NOW_MS);
    const fault = scene.exchange.faults.add({
      when: { symbol: "BTC/USDT" },
      fault: { kind: "holes", sinceMs: lastMs - 2 * HOUR_MS, untilMs: lastMs - HOUR_MS },
    });
    const { schedule, log } = await scene.start({ ROLLUPS: "5m" });
    const other = await openDatabase({
      url: scene.url,
      dataDir: "",
      poolMax: 1,
      clock: systemClock,
    });
    try {
      await other.sql`select pg_advisory_lock(hashtextextended('titan10_rollups', 0))`;
      await log.run(schedule, "poll");
      await log.run(schedule, "backfill");
      await waiting(other, log);

      for (let run = 0; run < 3; run++) await log.run(schedule, "gap_alerts");
      assert.deepEqual(await alertsOf(scene), [{ alert: "gap_percent", ended: false }]);
      fault.remove();
      const { found, filled } = await log.run(schedule, "gaps");
      assert.deepEqual([found, filled], [1, 1]);
      await log.run(schedule, "gap_alerts");
      assert.deepEqual(await alertsOf(scene), [{ alert: "gap_percent", ended: true }]);
      await log.run(schedule, "storage");
      await log.run(schedule, "poll");
      assert.equal(log.count("upkeep"), 0);

      // The filled gap has asked for one more.
      await other.sql`select pg_advisory_unlock_all()`;
      assert.equal((await log.reached("upkeep", 1)).message, "job done");
      assert.equal((await log.reached("upkeep", 2)).message, "job done");
    } finally {
      await other.close();
    }
  },

  "what a pause of more than a page leaves is caught up with, without the scheduled backfill":
    async (scene) => {
      const start = await scene.start();
      await start.log.run(start.schedule, "poll");
      await start.log.run(start.schedule, "backfill");
      assert.equal(await owedOf(scene, start), 0);
      await breakDown(scene, start);
      await start.log.run(start.schedule, "poll");
      await start.log.run(start.schedule, "poll");
      assert.notEqual(await owedOf(scene, start), 0, "more is owed than polls ask for");
      await start.log.run(start.schedule, "catch_up");
      assert.equal(await owedOf(scene, start), 0);
      await assertComplete(scene, 5 * HOUR_MS);
      assert.equal(start.log.count("backfill"), 1);
      // Both have written what rollups do not hold.
      await start.log.reached("upkeep", 2);

      const { asked } = await start.log.run(start.schedule, "poll");
      const { pages } = await start.log.run(start.schedule, "catch_up");
      assert.deepEqual([asked, pages], [0, 0]);
    },

  "it is begun within five minutes": async (scene) => {
    const { archive } = await scene.start();
    const { cron } = new CatchUp(archive, { onWritten: () => {} }).job;
    const begins = new Cron(cron ?? "", { paused: true, timezone: "UTC" });
    const [first, second] = begins.nextRuns(2, new Date(NOW_MS));
    assert(second!.getTime() - first!.getTime() <= 5 * MINUTE_MS);
  },

  "what an exchange in trouble seemed not to have is asked for again a minute later, and comes":
    async (scene) => {
      const fault = scene.exchange.faults.add({
        when: { about: "candles", untilMs: closedUntil(MINUTE, NOW_MS) - HOUR_MS },
        fault: { kind: "status", status: 400, body: TOO_OLD },
      });
      const start = await scene.start();
      await start.log.run(start.schedule, "poll");
      await start.log.run(start.schedule, "backfill");
      assert.equal(await owedOf(scene, start), 0, "it is written off");
      fault.remove();
      const doubt = async (): Promise<unknown> =>
        (await start.log.run(start.schedule, "doubt"))["owing"];
      assert.equal(await doubt(), 0, "it is too early");
      scene.pass(MINUTE_MS);
      assert.equal(await doubt(), 1);
      await start.log.reached("backfill", 2);
      await start.log.run(start.schedule, "poll");
      await assertComplete(scene, 5 * HOUR_MS);
    },

  "a pause of the daemon itself is caught up with, and nothing older": async (scene) => {
    const first = await scene.start();
    await first.log.run(first.schedule, "poll");
    const oldMs = await owedOf(scene, first);
    assert.notEqual(oldMs, 0, "history was never asked for");
    await first.schedule.stop();
    scene.pass(3 * HOUR_MS);
    const second = await scene.start();
    await second.log.run(second.schedule, "poll");
    const { pages, added } = await second.log.run(second.schedule, "catch_up");
    // The last two minutes before the pause were stored, and not covered yet.
    assert.deepEqual([pages, added], [2 * 18, 2 * 170]);
    await assertComplete(scene, 3 * HOUR_MS);
  },

  "an exchange is caught up with while the backfill waits for another one": async (scene) => {
    scene.exchange.faults.add({
      when: { exchange: "kraken" },
      fault: { kind: "status", status: 500 },
    });
    const done = Promise.withResolvers<void>();
    const start = await scene.start({
      EXCHANGES: "binance,kraken",
      EXCHANGE_KRAKEN: UNSPARED,
    }, {
      onBackfillProgress: ({ exchange, owed, answered }) => {
        if (exchange === "binance" && owed > 0 && answered === owed) done.resolve();
      },
    });
    await start.log.run(start.schedule, "poll");
    start.schedule.runNow("backfill");
    await done.promise;
    await breakDown(scene, start);
    await start.log.run(start.schedule, "poll");
    await start.log.run(start.schedule, "poll");
    await start.log.run(start.schedule, "catch_up");
    await assertComplete(scene, 5 * HOUR_MS);
    assert.equal(start.log.count("backfill"), 0, "it waits still");
  },

  "an exchange that is waited for keeps the next backfill from no other": async (scene) => {
    scene.exchange.faults.add({
      when: { exchange: "kraken" },
      fault: { kind: "status", status: 500 },
    });
    let done = Promise.withResolvers<void>();
    const start = await scene.start({
      EXCHANGES: "binance,kraken",
      EXCHANGE_KRAKEN: UNSPARED,
    }, {
      onBackfillProgress: ({ exchange, owed, answered }) => {
        if (exchange === "binance" && owed > 0 && answered === owed) done.resolve();
      },
    });
    start.schedule.runNow("backfill");
    await done.promise;
    scene.pass(3 * HOUR_MS);
    done = Promise.withResolvers<void>();
    // The first one waits for the other exchange, and its part of this one may be about to end.
    while (await owedOf(scene, start, "binance") > 0) start.schedule.runNow("backfill");
    await done.promise;
    // What is too young for a backfill is brought by polls.
    await start.log.run(start.schedule, "poll");
    await assertComplete(scene, 3 * HOUR_MS);
  },

  "a second pause is caught up with while the catching up of the first one waits": async (
    scene,
  ) => {
    const start = await scene.start();
    await start.log.run(start.schedule, "poll");
    await start.log.run(start.schedule, "backfill");
    await breakDown(scene, start);
    await pollAll(scene, start);
    // Of the first pause one symbol cannot be had, for as long as the exchange answers for the newest time only.
    const untilMs = closedUntil(MINUTE, scene.clock.now());
    const stuck = scene.exchange.faults.add({
      when: { symbol: "ETH/USDT", untilMs: untilMs - HOUR_MS },
      fault: { kind: "status", status: 500 },
    });
    start.schedule.runNow("catch_up");
    await stuckOnce(stuck, start);
    await breakDown(scene, start);
    await pollAll(scene, start);
    stuck.remove();
    assert.equal(start.log.count("catch_up"), 0);
    start.schedule.runNow("catch_up");
    await start.log.reached("catch_up", 2);
    assert.equal(await owedOf(scene, start), 0);
    await assertComplete(scene, 8 * HOUR_MS);
  },
};

/** Three hours in which the exchange answers nothing, while polls go on. */
async function breakDown(scene: Scene, { schedule, log }: Start): Promise<void> {
  const fault = scene.exchange.faults.add({
    when: { exchange: "binance" },
    fault: { kind: "status", status: 500 },
  });
  for (let hour = 0; hour < 3; hour++) {
    scene.pass(HOUR_MS);
    await log.run(schedule, "poll");
  }
  fault.remove();
  scene.pass(MINUTE_MS);
}

/** Polls until every series is answered for: a breaker that other requests have opened closes again. */
async function pollAll(scene: Scene, { schedule, log }: Start): Promise<void> {
  // Polls that the breaker holds back wait for nothing: without a pause the trial's answer would never be read.
  await until("polls that have nothing left to ask", async () => {
    const { asked, failed, skipped } = await log.run(schedule, "poll");
    const isAnswered = asked === 0 && failed === 0 && skipped === 0;
    if (!isAnswered) scene.pass(SECOND_MS);
    return isAnswered;
  });
}

/** Resolves when the fault has struck the catching up. */
async function stuckOnce(fault: { readonly struck: number }, { log }: Start): Promise<void> {
  await until("the fault to strike", () => {
    assert.equal(log.count("catch_up"), 0, "it has ended without an ask");
    return fault.struck > 0;
  });
}

/** Resolves when upkeep waits for the lock. */
async function waiting({ sql }: Database, log: JobLog): Promise<void> {
  await until("upkeep to wait for the lock", async () => {
    const rows = await sql`
      select from pg_locks join pg_stat_activity using (pid)
      where locktype = 'advisory' and not granted and datname = current_database()`;
    assert.equal(log.count("upkeep"), 0, "it has ended without the lock");
    return rows.length > 0;
  });
}

async function alertsOf({ database }: Scene): Promise<readonly unknown[]> {
  const rows = await database.sql`select alert, ended is not null as ended from alerts`;
  return rows.map((row) => ({ ...row }));
}

async function owedOf(scene: Scene, { archive }: Start, exchange?: string): Promise<number> {
  const accounts = await readAccounts(scene.database, {
    config: archive.config,
    nowMs: scene.clock.now(),
    newestCandlesMax: () => undefined,
  });
  return accounts
    .filter(({ series }) => exchange === undefined || series.exchange === exchange)
    .reduce((sum, { owed }) => sum + owed, 0);
}

/** The candles of the last so many milliseconds are those of the exchange, without a hole. */
async function assertComplete({ database, exchange, clock }: Scene, ms: number): Promise<void> {
  const untilMs = closedUntil(MINUTE, clock.now());
  const window = { sinceMs: untilMs - ms, untilMs };
  await database.sql`delete from ohlcv_1m where time < ${new Date(window.sinceMs)}`;
  for (const symbol of SYMBOLS) {
    await assertSameCandles(database, exchange, { symbol, timeframe: "1m", window });
  }
}

async function withScene(
  { database, url }: { readonly database: Database; readonly url: string | undefined },
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  await emptyDatabase(database);
  let passedMs = 0;
  const begunMs = performance.now();
  const clock: Clock = {
    ...systemClock,
    now: () => NOW_MS + passedMs + Math.floor(performance.now() - begunMs),
  };
  const exchange = await startLocalExchange({ clock, dialect: [binance, kraken] });
  const starts: Start[] = [];
  try {
    await test({
      database,
      url,
      exchange,
      clock,
      start: async (variables = {}, options = {}) => {
        const archive = await openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: SYMBOLS.join(","),
          TIMEFRAMES: "1m",
          BACKFILL: "1m:6h",
          PAGE_LIMIT: "10",
          EXCHANGE_BINANCE: UNSPARED,
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          ...variables,
        }, clock);
        const log = new JobLog();
        const { schedule } = await scheduleOf(archive, { alerts: new Alerts(archive), ...options });
        starts.push({ archive, schedule, log });
        return { archive, schedule, log };
      },
      pass: (ms) => passedMs += ms,
    });
  } finally {
    for (const { schedule } of starts) await schedule.stop();
    await exchange.close();
  }
}
