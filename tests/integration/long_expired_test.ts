/** Futures that had expired before the archive began, and are named all the same: CCXT's class over HTTP, a real database. @module */
import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { makePlan } from "../../lib/fetch/plan.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { readAccounts } from "../../lib/gap/account.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { contract } from "../../lib/local_exchange/contract.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { assertSameCandles, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Where the day begins in which the clock does. */
const MIDNIGHT_MS = Math.floor(START_MS / DAY_MS) * DAY_MS;

const FACTS = { size: 0.001, tickDecimals: 1, price: 65_000, quoteVolume24h: 2e9 } as const;
const PERPETUAL = "BTC/USDT:USDT";

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  readonly clock: TestClock;
  readonly open: (symbol: string) => Promise<Archive>;
  /** The requests for candles of a future. */
  readonly asks: () => number;
}

Deno.test("a future that had expired before the archive began", async (t) => {
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
  "is planned and fetched up to its end, where its exchange still lists it": async (scene) => {
    const { exchange, database } = scene;
    const symbol = dated(-3);
    exchange.symbols.list(contract(symbol, { ...FACTS, listedAtMs: START_MS - 60 * DAY_MS }));
    const archive = await scene.open(symbol);
    const expiresMs = MIDNIGHT_MS - 3 * DAY_MS + 8 * HOUR_MS;
    const window = {
      sinceMs: Math.floor(START_MS / HOUR_MS) * HOUR_MS - 30 * DAY_MS,
      untilMs: expiresMs,
    };
    const candles = (expiresMs - window.sinceMs) / HOUR_MS;
    const { entries: [planned] } = await makePlan(archive);
    assert.equal(planned?.candles, candles);
    await runAll(archive);
    await assertSameCandles(database, exchange, { symbol, timeframe: "1h", window });
    await assertEnded(scene, archive, { symbol, candles, expiresMs });
  },

  "is wanted for nothing and asked for nothing, where it ended before what is wanted begins":
    async (scene) => {
      const { exchange, asks } = scene;
      const symbol = dated(-77);
      exchange.symbols.list(contract(symbol, { ...FACTS, listedAtMs: START_MS - 200 * DAY_MS }));
      const archive = await scene.open(symbol);
      const { entries: [planned], lost } = await makePlan(archive);
      assert.deepEqual([planned?.candles, planned?.pages, planned?.impossible, lost], [
        0,
        0,
        0,
        [],
      ]);
      await runAll(archive);
      assert.equal(asks(), 0);
      const expiresMs = MIDNIGHT_MS - 77 * DAY_MS + 8 * HOUR_MS;
      await assertEnded(scene, archive, { symbol, candles: 0, expiresMs });
    },

  "is named as not listed, and wanted for nothing, where its exchange lists it no more": async (
    scene,
  ) => {
    const { asks, database } = scene;
    const symbol = dated(-77);
    const archive = await scene.open(symbol);
    const { entries, lost } = await makePlan(archive);
    assert.deepEqual(entries, []);
    assert.match(lost[0] ?? "", new RegExp(`^${symbol} is not listed by binance`));
    await runAll(archive);
    assert.deepEqual([asks(), await readCheckpoints(database)], [0, []]);
  },
};

/** Of the day so many days from when the clock begins. */
function dated(days: number): string {
  const day = new Date(START_MS + days * DAY_MS).toISOString();
  return `${PERPETUAL}-${day.slice(2, 10).replaceAll("-", "")}`;
}

/** All jobs, for as long as it takes to load the markets again. */
async function runAll(archive: Archive): Promise<void> {
  const poll = new Poll(archive);
  for (let times = 0; times < 3; times++) {
    await poll.runOnce();
    const [report] = await backfill(archive, { patient: false });
    assert.deepEqual([report?.problems, report?.left], [[], 0]);
    await repairGaps(archive);
    (archive.clock as TestClock).pass(15 * 60_000);
  }
}

async function assertEnded(
  { database, clock }: Scene,
  archive: Archive,
  { symbol, candles, expiresMs }: {
    readonly symbol: string;
    readonly candles: number;
    readonly expiresMs: number;
  },
): Promise<void> {
  const accounts = await readAccounts(database, {
    config: archive.config,
    nowMs: clock.now(),
    newestCandlesMax: () => undefined,
  });
  assert.deepEqual(
    accounts.map((one) => [one.series.symbol, one.candles, one.owed, one.missing, one.endedWhy]),
    [[symbol, candles, 0, 0, "expired"]],
  );
  const [account] = accounts;
  assert.equal(account?.endedMs, expiresMs);
  assert.deepEqual(
    Object.entries(account?.reasons ?? {}).filter(([, count]) => (count ?? 0) > 0),
    [],
  );
}

async function withScene(database: Database, test: (scene: Scene) => Promise<void>): Promise<void> {
  await emptyDatabase(database);
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock, symbols: [] });
  exchange.symbols.list(contract(PERPETUAL, { ...FACTS, listedAtMs: START_MS - 5 * DAY_MS }));
  try {
    await test({
      ...{ database, exchange, clock },
      asks: () =>
        exchange.requests.filter(({ endpoint }) => endpoint?.endsWith("klines") === true).length,
      open: (SYMBOLS) =>
        openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS,
          TIMEFRAMES: "1h",
          BACKFILL: "1h:30d",
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
        }, clock),
    });
  } finally {
    await exchange.close();
  }
}
