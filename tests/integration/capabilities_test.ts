/** Capabilities: learned from real answers of a local exchange, kept in a real database. @module */
import assert from "node:assert/strict";
import { openCcxt } from "../../lib/exchange/ccxt.ts";
import { SPOT_LIMITS } from "../../lib/exchange/spot_limits.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { type Coverage, unite } from "../../lib/market/coverage.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { readCapabilities } from "../../lib/store/capabilities.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { type Checkpoint, readCheckpoints } from "../../lib/store/ledger.ts";
import { coinex } from "../support/dialects/coinex.ts";
import {
  assertSameCandles,
  binanceAt,
  emptyDatabase,
  openTestArchive,
} from "../support/local_archive.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE = parseTimeframe("1m");

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  /** An archive of three days of minutes of one symbol. */
  readonly variables: Readonly<Record<string, string>>;
  /** `[from, to)` minutes before the last closed minute. */
  readonly ago: (from: number, to: number) => Window;
}

const SERIES = { symbol: "BTC/USDT", timeframe: MINUTE } as const;

Deno.test("what answers teach is kept", async (t) => {
  const opened = await openAnyTest();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, () => withScene(opened.database, test));
    }
  } finally {
    await opened.drop();
  }
});
const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "pages of old candles that are cut shorter than recent ones leave no hole, and teach the page limit":
    async ({ database, exchange, variables, ago }) => {
      // As bitget does: 1000 recent candles, 200 old ones, and the start moves.
      const fault = exchange.faults.add({
        when: { about: "candles", untilMs: ago(2_000, 0).sinceMs },
        fault: { kind: "moved_start", rows: 200 },
      });
      const archive = await openTestArchive(database, variables);
      const [report] = await backfill(archive, { patient: false });
      assert.deepEqual([report?.problems, report?.left], [[], 0]);
      assert(fault.struck > 0);
      const longest = exchange.requests.filter(({ query }) => query["limit"] === "1000");
      assert(longest.length > 0 && longest.length <= 6, `${longest.length} pages of 1000`);
      const [checkpoint] = await readCheckpoints(database);
      const [window, ...others] = fetched(checkpoint);
      assert(window !== undefined && others.length === 0);
      assert.equal(window.untilMs - window.sinceMs, 3 * 24 * 60 * 60_000);
      await assertSameCandles(database, exchange, {
        symbol: "BTC/USDT",
        timeframe: "1m",
        window,
      });
      const [row] = await readCapabilities(database);
      assert.deepEqual(
        [row?.pageRows, row?.pageRowsSource, row?.rowsSeen, row?.isSinceHonoured],
        [200, "answers", 1_000, true],
      );
    },

  "what one process has learned is known to the next": async (
    { database, exchange, variables },
  ) => {
    exchange.faults.add({ when: { about: "candles" }, fault: { kind: "moved_start", rows: 300 } });
    const archive = await openTestArchive(database, variables);
    await backfill(archive, { patient: false });
    const before = exchange.requests.length;

    const reopened = await openTestArchive(database, { ...variables, BACKFILL: "1m:6d" });
    const capability = reopened.exchanges[0]?.capabilities.of(SERIES);
    assert.deepEqual(capability, archive.exchanges[0]?.capabilities.of(SERIES));
    assert.deepEqual(capability?.pageRowsMax, { value: 300, source: "answers" });
    await backfill(reopened, { patient: false });
    const limits = exchange.requests.slice(before).map(({ query }) => Number(query["limit"] ?? 0));
    assert(Math.max(...limits) === 300, String(limits));
  },

  "candles without volume show that silence is not left out": async (scene) => {
    const { database, variables } = scene;
    await backfill(await openTestArchive(database, variables), { patient: false });
    assert.equal((await readCapabilities(database))[0]?.omitsSilent, false);
  },

  "the end of what an exchange keeps is learned when it says that older candles are too old":
    async (
      { database, exchange, variables, ago },
    ) => {
      exchange.faults.add({
        when: { about: "candles", untilMs: ago(900, 0).sinceMs },
        fault: {
          kind: "status",
          status: 400,
          body: JSON.stringify({ code: -1, msg: "Candlestick too long ago. Maximum 900 points" }),
        },
      });
      const archive = await openTestArchive(database, variables);
      await backfill(archive, { patient: false });
      const learned = archive.exchanges[0]?.capabilities.of(SERIES).newestCandles;
      assert.equal(learned?.value, 900);
      assert.equal(learned.source, "answers");
      assert.equal((await readCapabilities(database))[0]?.newestCandles, learned.value);
    },

  "an exchange that takes no since is asked for as many of its newest candles as reach back":
    async (
      { database, variables },
    ) => {
      const exchange = await startLocalExchange({ clock: testClock, dialect: coinex });
      const { EXCHANGE_BINANCE: _, ...others } = variables;
      try {
        const archive = await openTestArchive(database, {
          ...others,
          EXCHANGES: "coinex",
          EXCHANGE_COINEX: JSON.stringify({
            urls: { api: { public: exchange.url } },
            rateLimit: 1,
          }),
        });
        const [poll, fill] = [new Poll(archive), () => backfill(archive, { patient: false })];
        assert.equal((await poll.runOnce()).added, 5);
        const [report] = await fill();
        assert.deepEqual([report?.problems, report?.left], [[], 0]);
        const asked = exchange.requests.filter(({ path }) => path.endsWith("kline"))
          .map(({ query }) => Number(query["limit"]));
        // The forming candle comes as well.
        assert.equal(asked[0], 6);
        assert.equal(Math.max(...asked), 1_000);
        const [checkpoint] = await readCheckpoints(database);
        const [window, ...more] = fetched(checkpoint);
        assert(window !== undefined && more.length === 0);
        assert((checkpoint?.candles ?? 0) >= 998, String(checkpoint?.candles));
        const series = { exchange: "coinex", symbol: "BTC/USDT", timeframe: "1m" };
        await assertSameCandles(database, exchange, { ...series, window });
      } finally {
        await exchange.close();
      }
    },

  "a database that does not keep a capability costs no page": async ({ database, variables }) => {
    const archive = await openTestArchive(database, variables);
    await database.sql`alter table capabilities rename to capabilities_away`;
    try {
      const [report] = await backfill(archive, { patient: false });
      assert.deepEqual([report?.problems, report?.left], [[], 0]);
      assert(
        archive.lines.some((line) => line.includes("a learned limit was not stored")),
      );
    } finally {
      await database.sql`alter table capabilities_away rename to capabilities`;
    }
  },
};

Deno.test("the table names no page limit that CCXT's features say right, and only exchanges CCXT has", async () => {
  for (const [id, { pageRowsMax }] of Object.entries(SPOT_LIMITS)) {
    const ccxt = await openCcxt(id, { config: {}, spotOnly: true, onCost: () => {} });
    const announced = ccxt.features?.spot?.fetchOHLCV?.limit;
    if (pageRowsMax === undefined) assert.notEqual(announced, undefined, id);
    else assert.notEqual(announced, pageRowsMax, id);
  }
});

async function withScene(
  database: Database,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  await emptyDatabase(database);
  testClock.restart();
  const exchange = await startLocalExchange({ clock: testClock });
  const closedMs = closedUntil(MINUTE, testClock.now());
  try {
    await test({
      database,
      exchange,
      variables: {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1m",
        BACKFILL: "1m:3d",
        EXCHANGE_BINANCE: binanceAt(exchange),
      },
      ago: (from, to) => ({
        sinceMs: addCandles(MINUTE, closedMs, -from),
        untilMs: addCandles(MINUTE, closedMs, -to),
      }),
    });
  } finally {
    await exchange.close();
  }
}

/** What is covered, and the newest candles, which are stored and not covered yet. */
function fetched(checkpoint: Checkpoint | undefined): Coverage {
  return unite(checkpoint?.covered ?? [], checkpoint?.unsettled ?? []);
}
