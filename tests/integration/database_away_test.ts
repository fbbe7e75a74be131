/** A server that is killed, or falls silent: what is asked, what is held meanwhile, and how it is made up for. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { openDatabase, serverVersion } from "../../lib/store/connection/database.ts";
import { unite } from "../../lib/market/coverage.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { STATEMENT_MS_MAX } from "../../lib/store/connection/server_pool.ts";
import { isServerAway, StoreError } from "../../lib/store/connection/store_error.ts";
import { assertSameCandles, binanceAt, openTestArchive } from "../support/local_archive.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { type PostgresServer, startPostgres } from "../support/postgres_server.ts";
import { startSwallowingProxy } from "../support/swallowing_proxy.ts";

const MINUTE_MS = 60_000;
const SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT"] as const;

const isAway = (error: unknown): boolean =>
  error instanceof StoreError && error.kind === "unavailable";

async function withServer(
  t: Deno.TestContext,
  use: (server: PostgresServer) => Promise<void>,
): Promise<void> {
  const server = await startPostgres({ hasRealTime: true });
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

/** Goes like the machine's, and can be set forward; waits a hundredth of the time. */
class SetClock implements Clock {
  #aheadMs = Date.UTC(2024, 0, 1) - systemClock.now();
  now(): number {
    return systemClock.now() + this.#aheadMs;
  }
  sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    return systemClock.sleep(ms / 100, options);
  }
  pass(ms: number): void {
    this.#aheadMs += ms;
  }
}

Deno.test("while the server is away polls are skipped, nothing is asked or held, and then all is made up for", (t) =>
  withServer(t, async (server) => {
    const clock = new SetClock();
    const exchange = await startLocalExchange({ clock });
    const database = await openDatabase({
      url: server.url,
      dataDir: "",
      poolMax: 5,
      clock: systemClock,
    });
    try {
      const archive = await openTestArchive(database, {
        EXCHANGES: "binance",
        SYMBOLS: SYMBOLS.join(","),
        TIMEFRAMES: "1m",
        BACKFILL: "off",
        FETCH_TIMEOUT: "200s",
        EXCHANGE_BINANCE: binanceAt(exchange),
      }, clock);
      const asks = (): number =>
        exchange.requests.filter(({ path }) => path.endsWith("klines")).length;
      const poll = new Poll(archive);
      assert.deepEqual((await poll.runOnce()).failed, 0);
      await server.kill9();

      // The first tick may have asked before it finds out.
      clock.pass(MINUTE_MS);
      assert.equal((await poll.runOnce()).failed, SYMBOLS.length);
      const before = asks();
      for (let minute = 0; minute < 12; minute++) {
        clock.pass(MINUTE_MS);
        const { failed, skipped } = await poll.runOnce();
        assert.deepEqual([failed, skipped], [SYMBOLS.length, 0], "a tick's asks end with it");
      }
      assert.equal(asks(), before, "an exchange is asked for what nobody can store");
      const failures = archive.lines.filter((line) =>
        line.includes('"message":"a page of candles was not fetched or not stored"')
      );
      assert(failures.length <= SYMBOLS.length, failures.join("\n"));

      await server.restart();
      clock.pass(MINUTE_MS);
      assert.equal((await poll.runOnce()).failed, 0);
      await backfill(archive, { patient: false });
      for (const { series, covered, unsettled } of await readCheckpoints(database)) {
        const [window, ...others] = unite(covered, unsettled);
        assert.equal(others.length, 0, `${series.symbol}: a hole is left`);
        assert(window !== undefined && window.untilMs - window.sinceMs >= 14 * MINUTE_MS);
        await assertSameCandles(database, exchange, {
          symbol: series.symbol,
          timeframe: "1m",
          window,
        });
      }
    } finally {
      await database.close();
      await exchange.close();
    }
  }));

Deno.test("a statement that nobody answers ends in time, and what follows goes over new connections", (t) =>
  withServer(t, async (server) => {
    const proxy = startSwallowingProxy(server.url);
    const clock = new ManualClock();
    const database = await openDatabase({ url: proxy.url, dataDir: "", poolMax: 2, clock });
    try {
      assert.match(await serverVersion(database), /^\d+/);
      assert.equal(clock.sleepers, 0, "an answered statement leaves no timer");
      proxy.swallow(true);
      const waiting = Array.from(
        { length: 20 },
        () => serverVersion(database).catch((error: unknown) => error),
      );
      const long = database.runLong("sleep", (sql) => sql`select pg_sleep(0)`).catch((error) =>
        error
      );
      await clock.advance(STATEMENT_MS_MAX - 1);
      assert.equal(clock.sleepers, waiting.length + 1, "one gave up too early");
      await clock.advance(1);
      // Those behind it on the same connections, and the long one, do not wait for times of their own.
      assert((await Promise.all(waiting)).every(isAway));
      assert.equal((await long).cause.code, "CONNECTION_DESTROYED");
      assert.equal(clock.sleepers, 0);
      proxy.swallow(false);
      await database.reach();
      assert.match(await serverVersion(database), /^\d+/);
      // No more than the pool may have, the ones given up included, which end with the network.
      assert(proxy.connections <= 4, `${proxy.connections} connections`);
    } finally {
      await database.close();
      await proxy.close();
    }
  }));

Deno.test("a statement that takes too long is named when the server counts as away, and in its own error", (t) =>
  withServer(t, async (server) => {
    const clock = new ManualClock();
    const said: unknown[] = [];
    const database = await openDatabase({
      url: server.url,
      dataDir: "",
      poolMax: 2,
      clock,
      onReach: (away) => void said.push(away?.action),
    });
    try {
      await serverVersion(database);
      const late = database.run("count the stars", (sql) => sql`select pg_sleep(600)`).catch((
        error: unknown,
      ) => error);
      await serverVersion(database);
      await clock.advance(STATEMENT_MS_MAX);
      const error = await late;
      assert(isAway(error) && error instanceof StoreError);
      assert.match(error.message, /^Cannot count the stars: .*it took longer than/);
      assert(!isServerAway(error), "nobody would be told which statement it was");
      await database.reach();
      assert.deepEqual(said, ["count the stars", undefined]);
    } finally {
      await database.close();
    }
  }));

Deno.test("a long statement has longer than the others before it counts as unanswered", (t) =>
  withServer(t, async (server) => {
    const proxy = startSwallowingProxy(server.url);
    const clock = new ManualClock();
    const database = await openDatabase({ url: proxy.url, dataDir: "", poolMax: 1, clock });
    try {
      await serverVersion(database);
      proxy.swallow(true);
      let hasEnded = false;
      const long = database.runLong("ask", (sql) => sql`select 1`).finally(() => hasEnded = true);
      const ended = assert.rejects(long);
      await clock.advance(10 * STATEMENT_MS_MAX);
      assert.equal(hasEnded, false);
      await clock.advance(6 * 60 * MINUTE_MS);
      await ended;
    } finally {
      await database.close();
      await proxy.close();
    }
  }));

Deno.test("all who wait for a server that is away ask it once", (t) =>
  withServer(t, async (server) => {
    const database = await openDatabase({
      url: server.url,
      dataDir: "",
      poolMax: 5,
      clock: systemClock,
    });
    try {
      await serverVersion(database);
      await database.reach();
      await server.kill9();
      await assert.rejects(serverVersion(database), isAway);
      const waiting = Array.from({ length: 100 }, () => database.reach());
      const outcomes = await Promise.allSettled(waiting);
      const errors = new Set(
        outcomes.map((outcome) => outcome.status === "rejected" ? outcome.reason : undefined),
      );
      assert.equal(errors.size, 1, "one question, one error");
      assert(isAway([...errors][0]));
      await server.restart();
      await database.reach();
      assert.match(await serverVersion(database), /^\d+/);
    } finally {
      await database.close();
    }
  }));

Deno.test("a page that waits too long for a lock is ended by the server, and can be written afterwards", (t) =>
  withServer(t, async (server) => {
    const database = await openDatabase({
      url: server.url,
      dataDir: "",
      poolMax: 3,
      clock: systemClock,
    });
    try {
      await openTestArchive(database, { EXCHANGES: "binance", TIMEFRAMES: "1m", BACKFILL: "off" });
      const series = {
        exchange: "binance",
        symbol: "BTC/USDT",
        timeframe: parseTimeframe("1m"),
      };
      const values = { open: "1", high: "1", low: "1", close: "1", volume: "1" };
      const page = {
        candles: [{ openTimeMs: 0, ...values }],
        rejected: [],
        answered: { sinceMs: 0, untilMs: MINUTE_MS },
        reachFromMs: undefined,
      };
      await database.sql.begin(async (tx) => {
        await tx`insert into ohlcv_1m (time, exchange, symbol, open, high, low, close, volume)
          values ('epoch', 'binance', 'BTC/USDT', 2, 2, 2, 2, 2)`;
        const waiting = writePage(database, series, { ...page, lockWaitMs: 50 });
        await assert.rejects(waiting, (error) => isAway(error) && /55P03/.test(String(error)));
        await database.reach();
      });
      assert.equal((await writePage(database, series, page)).revised, 1);
      const [row] = await database.sql`select current_setting('lock_timeout') as now`;
      assert.equal(row?.["now"], "0", "the wait is bounded for the page's statement alone");
    } finally {
      await database.close();
    }
  }));

Deno.test("connections that end while something is being written are followed by ones that work", (t) =>
  withServer(t, async ({ url }) => {
    const admin = postgres(url, { max: 1, onnotice: () => {} });
    const database = await openDatabase({ url, dataDir: "", poolMax: 2, clock: systemClock });
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await serverVersion(database).catch(() => {});
        const ended = admin`select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'titan10'`;
        // Spread over the moment at which the connections end.
        const writing = Array.from({ length: 6 }, async (_, i) => {
          await systemClock.sleep(i * 0.2 + (round % 5) * 0.4);
          await database.run("ask", (sql) => sql`select ${round}::int`).catch(() => {});
        });
        await Promise.all([ended, ...writing]);
        let failures = 0;
        while (!await serverVersion(database).then(() => true, () => false)) {
          assert(++failures < 4, `round ${round}: no connection works any more`);
        }
      }
    } finally {
      await database.close();
      await admin.end();
    }
  }));

const ROUNDS = 10;

Deno.test("connections that a network has forgotten are replaced when nothing comes over any of them", (t) =>
  withServer(t, async (server) => {
    const proxy = startSwallowingProxy(server.url);
    const database = await openDatabase({
      url: proxy.url,
      dataDir: "",
      poolMax: 2,
      clock: systemClock,
    });
    try {
      const beforeMs = systemClock.now();
      await serverVersion(database);
      const slow = database.run("take a moment", (sql) => sql`select pg_sleep(0.2)`);
      database.renewIfSilent?.(beforeMs);
      await slow;

      proxy.swallow(true);
      const lost = [0, 1, 2].map(() => assert.rejects(serverVersion(database), isAway));
      database.renewIfSilent?.(systemClock.now() + 1);
      await Promise.all(lost);
      proxy.swallow(false);
      await serverVersion(database);
    } finally {
      await database.close();
      await proxy.close();
    }
  }));
