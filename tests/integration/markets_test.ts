/** The markets in force: what a plan and a checkup leave alone, and what callers share who wait for them. @module */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Archive } from "../../lib/archive/archive.ts";
import type { ArchivedExchange } from "../../lib/archive/archived_exchange.ts";
import { examine } from "../../lib/doctor/checkup.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { makePlan } from "../../lib/fetch/plan.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readMigrations } from "../../lib/store/connection/migrations.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { openEmbeddedTest } from "../support/test_database.ts";

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  /** Resolves when the exchange is asked for what a fault of kind latency holds back. */
  readonly held: Promise<void>;
  /** Lets the exchange answer. */
  readonly release: () => void;
  readonly open: (variables?: Readonly<Record<string, string>>) => Promise<Archive>;
}

/** Tables that a reader must leave as they are. */
const LEDGER = ["checkpoints", "listings", "gaps"] as const;

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a plan and a checkup before the first poll choose nothing, the poll then does": async (
    scene,
  ) => {
    const archive = await scene.open({ SYMBOLS: "top:3" });
    const poll = new Poll(archive);
    const down = scene.exchange.faults.add({ fault: { kind: "status", status: 503 } });
    assert.deepEqual((await poll.runOnce()).asked, 0);
    down.remove();
    const { entries, problems } = await makePlan(archive);
    assert.deepEqual([entries.map(({ series }) => series), problems], [[3], []]);
    const { ok } = await examine(archive, { migrations: await readMigrations() });
    assert(ok);
    assert.equal(theExchange(archive).markets.value, undefined);
    for (const table of LEDGER) assert.equal(await rowsIn(scene.database, table), 0, table);
    assert.deepEqual((await poll.runOnce()).failed, 0);
    const chosen = (await readCheckpoints(scene.database)).map(({ chosen }) => chosen);
    assert.deepEqual(chosen, ["top", "top", "top"]);
    assert.equal(await rowsIn(scene.database, "listings"), 3);
  },

  "a plan and a checkup see what changed since, what polls and backfills go by stays": async (
    scene,
  ) => {
    const archive = await scene.open();
    const poll = new Poll(archive);
    await poll.runOnce();
    const { markets } = theExchange(archive);
    const before = markets.value;
    assert.equal(before?.series.length, 2);
    for (const { symbol } of before.series) {
      scene.exchange.symbols.delist(symbol, { forget: true });
    }
    const { problems: [problem] } = await makePlan(archive);
    assert.match(problem?.problem ?? "", /none of 2 archived symbols is listed/);
    const { ok } = await examine(archive, { migrations: await readMigrations() });
    assert.equal(ok, false);
    assert.equal(markets.value, before);
    const ends = (await readCheckpoints(scene.database)).map(({ endedWhy }) => endedWhy);
    assert.deepEqual(ends, [undefined, undefined]);
  },

  "candles are asked for while a plan loads markets": async (scene) => {
    const archive = await scene.open();
    const exchange = theExchange(archive);
    const { series: [series] } = await refreshMarkets(archive, exchange);
    assert(series !== undefined);
    holdMarkets(scene);
    const planned = makePlan(archive);
    await scene.held;
    const untilMs = Math.floor(systemClock.now() / 3_600_000) * 3_600_000;
    const window = { sinceMs: untilMs - 3_600_000, untilMs };
    const { candles } = await exchange.askPage(series, window, { priority: "live" });
    assert.equal(candles.length, 1);
    scene.release();
    assert.deepEqual((await planned).problems, []);
  },

  "a poll that is aborted while it waits for the markets leaves the backfill its own": async (
    scene,
  ) => {
    const archive = await scene.open();
    const exchange = theExchange(archive);
    holdMarkets(scene);
    const filled = backfill(archive, { patient: false });
    await scene.held;
    const abort = new AbortController();
    const polled = new Poll(archive).runOnce({ signal: abort.signal });
    abort.abort(new Error("stopping"));
    assert.equal((await polled).asked, 0);
    scene.release();
    const [report] = await filled;
    assert.deepEqual([report?.left, report?.problems], [0, []]);
    assert.equal(marketRequests(scene), 1);
    assert.equal(exchange.markets.value?.series.length, 2);
  },

  "markets that a poll began to load are there for another caller when the poll is aborted": async (
    scene,
  ) => {
    const archive = await scene.open();
    const exchange = theExchange(archive);
    holdMarkets(scene);
    const abort = new AbortController();
    const polled = new Poll(archive).runOnce({ signal: abort.signal });
    await scene.held;
    const refreshed = refreshMarkets(archive, exchange);
    abort.abort(new Error("stopping"));
    assert.equal((await polled).asked, 0);
    scene.release();
    assert.equal((await refreshed).series.length, 2);
    assert.equal(marketRequests(scene), 1);
    assert.equal(await rowsIn(scene.database, "checkpoints"), 2);
  },

  "when all who wait have aborted nothing is entered, and the next caller loads anew": async (
    scene,
  ) => {
    const archive = await scene.open();
    const exchange = theExchange(archive);
    const rule = holdMarkets(scene);
    const abort = new AbortController();
    const polled = new Poll(archive).runOnce({ signal: abort.signal });
    await scene.held;
    const refreshed = assert.rejects(
      refreshMarkets(archive, exchange, { signal: abort.signal }),
      /stopping/,
    );
    abort.abort(new Error("stopping"));
    assert.equal((await polled).asked, 0);
    await refreshed;
    rule.remove();
    scene.release();
    assert.equal(exchange.markets.value, undefined);
    assert.equal(await rowsIn(scene.database, "checkpoints"), 0);
    assert.equal((await refreshMarkets(archive, exchange)).series.length, 2);
  },
};

Deno.test("the markets of an exchange are one value, and a reader has its own", async (t) => {
  const { database, drop } = await openEmbeddedTest();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, () => withScene(database, test));
    }
  } finally {
    await drop();
  }
});

async function withScene(database: Database, test: (scene: Scene) => Promise<void>): Promise<void> {
  await emptyDatabase(database);
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const clock: Clock = {
    ...systemClock,
    sleep: () => {
      held.resolve();
      return released.promise;
    },
  };
  const exchange = await startLocalExchange({ clock });
  try {
    await test({
      database,
      exchange,
      held: held.promise,
      release: released.resolve,
      open: (variables = {}) =>
        openTestArchive(database, {
          // Only to see its disk: the database is open already.
          DATA_DIR: ".",
          EXCHANGES: "binance",
          SYMBOLS: "BTC/USDT,ETH/USDT",
          TIMEFRAMES: "1h",
          BACKFILL: "1h:2d",
          EXCHANGE_BINANCE: binanceAt(exchange),
          FETCH_TIMEOUT: "60s",
          ...variables,
          // A checkup compares it with the database's clock.
        }, systemClock),
    });
  } finally {
    released.resolve();
    await exchange.close();
  }
}

function theExchange({ exchanges: [exchange] }: Archive): ArchivedExchange {
  assert(exchange !== undefined);
  return exchange;
}

/** Has the exchange keep its list of markets back until it is released. */
function holdMarkets({ exchange }: Scene): { remove(): void } {
  return exchange.faults.add({ when: { about: "markets" }, fault: { kind: "latency", ms: 1 } });
}

function marketRequests({ exchange }: Scene): number {
  return exchange.requests.filter(({ path }) => path.endsWith("exchangeInfo")).length;
}

async function rowsIn({ sql }: Database, table: (typeof LEDGER)[number]): Promise<number> {
  const [row] = await sql<{ rows: number }[]>`select count(*)::int as rows from ${sql(table)}`;
  return row?.rows ?? 0;
}
