/** A standby takes over while a backfill runs: what the old primary alone had is owed again and comes again. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import {
  assertOnePrimary,
  readServerState,
  TwoPrimariesError,
} from "../../lib/store/connection/server_choice.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import {
  assertSameCandles,
  binanceAt,
  HASTY_CLOCK,
  openTestArchive,
} from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { STATEMENT_MS_MAX } from "../../lib/store/connection/server_pool.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { type PostgresServer, startPostgres, startPrimary } from "../support/postgres_server.ts";
import { started } from "../support/started.ts";
import { startSwallowingProxy } from "../support/swallowing_proxy.ts";
import { testClock } from "../support/test_clock.ts";

const SYMBOLS = ["BTC/USDT", "ETH/USDT"] as const;

interface Two {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  /** Asks the one that was the primary, or the standby. */
  readonly asks: { readonly primary: postgres.Sql; readonly standby: postgres.Sql };
  /** DATABASE_URL of both, the standby first. */
  readonly url: string;
}

async function withTwo(t: Deno.TestContext, use: (two: Two) => Promise<void>): Promise<void> {
  const primary = await startPrimary();
  if (primary === undefined) {
    await t.step({ name: "needs PostgreSQL and pg_basebackup", ignore: true, fn: () => {} });
    return;
  }
  const standby = await startPostgres({ standbyOf: primary.url });
  assert(standby !== undefined);
  const asks = {
    primary: postgres(primary.url, { max: 1, onnotice: () => {} }),
    standby: postgres(standby.url, { max: 1, onnotice: () => {} }),
  };
  const places = [standby, primary].map(({ url }) => new URL(url).host).join();
  try {
    await use({ primary, standby, asks, url: `postgres://postgres@${places}/postgres` });
  } finally {
    await asks.primary.end({ timeout: 1 });
    await asks.standby.end({ timeout: 1 });
    await standby.stop();
    await primary.stop();
  }
}

Deno.test("a standby that is promoted during a backfill owes what it had not received, and gets it", (t) =>
  withTwo(t, async ({ primary, asks, url }) => {
    const exchange = await startLocalExchange({ clock: testClock });
    exchange.faults.add({ when: { about: "candles" }, fault: { kind: "latency", ms: 20 } });
    const database = await openDatabase({ url, dataDir: "", poolMax: 3, clock: systemClock });
    try {
      const variables = {
        EXCHANGES: "binance",
        SYMBOLS: SYMBOLS.join(","),
        TIMEFRAMES: "1m",
        BACKFILL: "1m:5d",
        PAGE_LIMIT: "100",
        FETCH_TIMEOUT: "200s",
        EXCHANGE_BINANCE: binanceAt(exchange),
      };
      const archive = await openTestArchive(database, variables, HASTY_CLOCK);
      const running = started(backfill(archive, { patient: false }));
      await until(async () => await coveredMinutes(asks.primary) > 1_000);
      await until(async () => await coveredMinutes(asks.standby) > 500);
      // Its WAL receiver ends, so that the primary goes on alone.
      await asks.standby`alter system set primary_conninfo = ''`;
      await asks.standby`select pg_reload_conf()`;
      await until(async () => (await asks.standby`select from pg_stat_wal_receiver`).length === 0);
      // What it had received by then it may still have to replay.
      await until(async () =>
        await coveredMinutes(asks.primary) > await coveredMinutes(asks.standby) + 2_000
      );
      const before = await heldBy(asks.primary);
      await primary.kill9();
      await asks.standby`select pg_promote()`;
      const kept = await heldBy(asks.standby);
      const owed = before.minutes - kept.minutes;
      assert(
        owed >= 1_000,
        `${kept.minutes} minutes of ${before.minutes} were kept: nothing was lost`,
      );
      await running;

      await backfill(archive, { patient: false });
      const [row] = await asks.standby`select count(*)::int as candles from ohlcv_1m`;
      let truth = 0;
      for (const { series, covered, unsettled } of await readCheckpoints(database)) {
        const windows = [...covered, ...unsettled];
        const window = {
          sinceMs: Math.min(...windows.map(({ sinceMs }) => sinceMs)),
          untilMs: Math.max(...windows.map(({ untilMs }) => untilMs)),
        };
        assert.equal(covered.length, 1, `${series.symbol}: a hole is left`);
        truth += exchange.truth(series.symbol, parseTimeframe("1m"), window).length;
        const { symbol } = series;
        await assertSameCandles(database, exchange, { symbol, timeframe: "1m", window });
      }
      assert.equal(row?.["candles"], truth);
      assert(truth >= SYMBOLS.length * 5 * 1_440 - 10, `${truth} candles`);
      console.log(
        `failover: ${before.commits - kept.commits} commits and ${
          before.candles - kept.candles
        } candles lost, ` +
          `${owed} owed again, ${truth - row?.["candles"]} of ${truth} missing at the end`,
      );
    } finally {
      await database.close();
      await exchange.close();
    }
  }));

Deno.test("a primary that falls silent is left for the standby that is promoted, whether or not it was asked meanwhile", (t) =>
  withTwo(t, async ({ primary, standby, asks }) => {
    for (const isOpen of [true, false]) {
      const proxy = startSwallowingProxy(primary.url);
      const clock = new ManualClock();
      const places = [proxy.url, standby.url].map((url) => new URL(url).host).join();
      const database = await openDatabase({
        url: `postgres://postgres@${places}/postgres?connect_timeout=1`,
        dataDir: "",
        poolMax: 1,
        clock,
      });
      const port = (): Promise<number> =>
        database.run("ask", async (sql) => {
          const [row] = await sql`select inet_server_port() as port`;
          return Number(row?.["port"]);
        });
      try {
        if (isOpen) {
          // The newest of two servers: the standby is promoted with the second round.
          assert.equal(await port(), Number(new URL(primary.url).port));
          proxy.swallow(true);
          const lost = assert.rejects(port(), /it took longer/);
          await clock.advance(STATEMENT_MS_MAX);
          await lost;
          await asks.standby`select pg_promote()`;
        } else {
          proxy.swallow(true);
        }
        assert.equal(await port(), Number(new URL(standby.url).port));
      } finally {
        await database.close();
        await proxy.close();
      }
    }
  }));

Deno.test("two hosts that are primaries of different timelines stop all statements, until one is stopped", (t) =>
  withTwo(t, async ({ primary, standby, asks, url }) => {
    let aheadMs = 0;
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
    const said: unknown[] = [];
    const database = await openDatabase({
      url,
      dataDir: "",
      poolMax: 2,
      clock,
      onReach: (away) => void said.push(away?.error),
    });
    const ask = async (): Promise<unknown> => {
      const port = await database.run("ask", (sql) => sql`select inet_server_port() as port`);
      return port[0]?.["port"];
    };
    const own = database.openOwn!({ statementMsMax: 5_000, answerMsMax: 6_000 });
    const askOver = async (): Promise<unknown> => {
      const port = await own.run("ask", (sql) => sql`select inet_server_port() as port`);
      return port[0]?.["port"];
    };
    try {
      const port = Number(new URL(primary.url).port);
      assert.deepEqual([await ask(), await askOver()], [port, port]);
      await database.reach();
      await asks.standby`select pg_promote()`;
      await until(async () => {
        // An earlier look may still be on its way.
        aheadMs += 60_000;
        await database.reach();
        return await ask().then(() => false, () => true);
      });
      await assert.rejects(ask(), (error) => {
        assert(error instanceof StoreError && error.kind === "unavailable");
        assert(error.cause instanceof TwoPrimariesError);
        assert.match(
          error.message,
          /act as primary \(split brain\): 127\.0\.0\.1:\d+ \(timeline 2\), 127\.0\.0\.1:\d+ \(timeline 1\)/,
        );
        return true;
      });
      await assert.rejects(
        askOver(),
        (error) => (error as Error).cause instanceof TwoPrimariesError,
      );
      assert.equal(said.length, 1, "it is told once");
      await primary.kill9();
      assert.equal(await ask(), Number(new URL(standby.url).port));
      assert.equal(await askOver(), Number(new URL(standby.url).port));
      assert.deepEqual(said.slice(1), [undefined]);
    } finally {
      await database.close();
    }
  }));

Deno.test("two primaries of one timeline are two servers, and a server of two names is one", async (t) => {
  const [one, other] = [await startPostgres(), await startPostgres()];
  if (one === undefined || other === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const sql = [one.url, one.url.replace("127.0.0.1", "localhost"), other.url].map((url) =>
    postgres(url, { max: 1 })
  );
  try {
    const ask = (at: number) => readServerState(sql[at]!);
    await assertOnePrimary({ names: ["one", "itself"], ask });
    await assert.rejects(
      assertOnePrimary({ names: ["one", "itself", "other"], ask }),
      /split brain\): one \(timeline 1\), itself \(timeline 1\), other \(timeline 1\)/,
    );
  } finally {
    for (const one of sql) await one.end({ timeout: 1 });
    await one.stop();
    await other.stop();
  }
});

/** How many write transactions a server has seen, and the candles it has and counts as covered. */
async function heldBy(
  sql: postgres.Sql,
): Promise<{ readonly commits: number; readonly candles: number; readonly minutes: number }> {
  const [row] = await sql`
    select pg_snapshot_xmax(pg_current_snapshot())::text as commits,
           (select count(*)::int from ohlcv_1m) as candles`;
  return {
    commits: Number(row?.["commits"]),
    candles: row?.["candles"],
    minutes: await coveredMinutes(sql),
  };
}

/** Of all series together. Zero while the standby has not received the tables. */
async function coveredMinutes(sql: postgres.Sql): Promise<number> {
  const [there] = await sql`select to_regclass('checkpoints') is not null as yes`;
  if (there?.["yes"] !== true) return 0;
  const [row] = await sql`
    select coalesce(sum(extract(epoch from upper(range) - lower(range)) / 60), 0)::int as minutes
    from checkpoints, unnest(covered) as range`;
  return Number(row?.["minutes"]);
}

const WAIT_MS_MAX = 120_000;

async function until(isSo: () => Promise<boolean>): Promise<void> {
  // A test that waits for ever says nothing.
  const endMs = systemClock.now() + WAIT_MS_MAX;
  while (!(await isSo())) {
    assert.ok(systemClock.now() < endMs, `waited for ${WAIT_MS_MAX / 1000} s: ${isSo}`);
    await systemClock.sleep(10);
  }
}
