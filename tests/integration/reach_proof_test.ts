/** History is written off only when it is proved to be gone: classes of which no table knows anything. @module */
import assert from "node:assert/strict";
import { newestCandlesMax } from "../../lib/exchange/limits.ts";
import { SPOT_LIMITS } from "../../lib/exchange/spot_limits.ts";
import { WINDOW_PARAMS } from "../../lib/exchange/window_params.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { readAccounts, type SeriesAccount } from "../../lib/gap/account.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { readCapabilities } from "../../lib/store/capabilities.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { binance } from "../support/local_exchange/binance.ts";
import { hitbtc } from "../support/dialects/hitbtc.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { readGaps } from "../support/gap_rows.ts";
import { assertSameCandles, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { type CandlesAsk, type Dialect, refused } from "../support/local_exchange/dialect.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE = parseTimeframe("1m");
const HOUR = parseTimeframe("1h");
const HOUR_MS = 60 * 60_000;
const TWO_DAYS = 2 * 24 * 60;

/** CCXT reads the time of day itself: some classes choose an endpoint by it. */
Date.now = () => testClock.now();

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  /** Backfills two days of minutes, unless told, and returns the accounts by symbol. */
  readonly fill: (variables?: Readonly<Record<string, string>>) => Promise<Filled>;
}

interface Filled {
  readonly left: number | undefined;
  readonly accounts: Readonly<Record<string, SeriesAccount | undefined>>;
}

/** HitBTC's class, with another meaning of its bounds: what a request without an end gives, and with one. */
function bounded(
  page: (ask: CandlesAsk["page"], untilMs: number | undefined) => CandlesAsk["page"],
): Dialect {
  return {
    ...hitbtc,
    read: (request) => {
      const ask = hitbtc.read(request);
      if (ask?.about !== "candles") return ask;
      const until = request.query.get("until");
      return { ...ask, page: page(ask.page, until === null ? undefined : Number(until) + 1) };
    },
  };
}

type Test = readonly [Dialect, (scene: Scene) => Promise<void>];

const TESTS: Readonly<Record<string, Test>> = {
  "where the newest rows come, as many as were asked for, older ones stay owed": [
    hitbtc,
    assertOwed,
  ],

  "where the newest rows and the forming one come, older ones stay owed": [
    bounded((page) => ({ ...page, rowsMax: page.rowsMax + 1 })),
    assertOwed,
  ],

  "where fewer of the newest rows come than CCXT announces, older ones stay owed": [
    bounded((page) => ({ ...page, rowsMax: Math.min(300, page.rowsMax) })),
    assertOwed,
  ],

  "where the newest rows come, and a named end is refused, older ones stay owed": [
    {
      ...hitbtc,
      read: (request) =>
        request.query.has("until")
          ? refused("candles", 400, { error: { code: 10001, message: "Validation error" } })
          : hitbtc.read(request),
    },
    assertOwed,
  ],

  "where the newest sixty come, whatever is asked for, older ones are gone": [
    bounded((page) => ({ ...page, sinceMs: undefined, rowsMax: 60 })),
    ({ fill }) => assertGone(fill, 59),
  ],

  "where the newest 720 are all there is, and none come before a named end, older ones are gone": [
    bounded((page, untilMs) => ({
      ...page,
      sinceMs: Math.max(page.sinceMs ?? 0, testClock.now() - 720 * 60_000),
      rowsMax: 5_000,
      untilMs,
    })),
    ({ fill }) => assertGone(fill, 719),
  ],

  "where the newest rows come, as many as were asked for, but up to a named end, all come": [
    bounded((page, untilMs) => ({ ...page, untilMs })),
    ({ fill, ...scene }) => assertComplete(scene, fill),
  ],

  "where since is honoured only with an end, all come, and the next process knows": [
    bounded((page, untilMs) =>
      untilMs === undefined ? { ...page, sinceMs: undefined } : { ...page, untilMs }
    ),
    async ({ database, exchange, fill }) => {
      await assertComplete({ database, exchange }, fill);
      const [row] = await readCapabilities(database);
      assert.deepEqual([row?.isUntilNeeded, row?.isSinceHonoured], [true, undefined]);
      const before = exchange.requests.length;
      assert.equal((await fill({ BACKFILL: "1m:4d" })).left, 0);
      const asked = exchange.requests.slice(before).filter(({ path }) => path.includes("candles"));
      assert.ok(asked.length > 0 && asked.every(({ query }) => query["until"] !== undefined));
    },
  ],

  "where only the newest rows come, however many are asked for, older ones are gone: retention": [
    kraken,
    async ({ database, fill }) => {
      await assertGone(fill, 719);
      const [row] = await readCapabilities(database);
      assert.deepEqual([row?.newestCandles, row?.isUntilNeeded], [719, false]);
    },
  ],

  "what the exchange calls too old is gone": [binance, async ({ exchange, fill }) => {
    refuseOld(exchange, [undefined]);
    const { left, accounts } = await fill();
    assert.equal(left, 0);
    for (const account of Object.values(accounts)) {
      assert.equal(account?.reasons["retention"], TWO_DAYS - 900);
    }
  }],

  "what was gone is asked for again after minutes, a day, a week and a month, and owed again when it comes":
    [
      binance,
      async ({ database, exchange, fill }) => {
        const [fault] = refuseOld(exchange, [undefined], HOUR);
        const hours = { TIMEFRAMES: "1h", BACKFILL: "1h:120d" };
        await fill(hours);
        const refusedAfter = async (hoursMore: number): Promise<number> => {
          testClock.pass(hoursMore * HOUR_MS);
          const before = exchange.requests.length;
          assert.equal((await fill(hours)).left, 0);
          return exchange.requests.slice(before).filter(({ status }) => status === 400).length;
        };
        // Each time of two symbols, with and without an end.
        assert.deepEqual([await refusedAfter(0), await refusedAfter(1 / 60)], [0, 4]);
        assert.deepEqual([await refusedAfter(14 / 60), await refusedAfter(1 / 60)], [0, 4]);
        assert.deepEqual([await refusedAfter(22), await refusedAfter(2)], [0, 4]);
        assert.deepEqual([await refusedAfter(6 * 24), await refusedAfter(24)], [0, 4]);
        fault?.remove();
        const rows = await readCheckpoints(database);
        assert.ok(rows.every(({ reachFromMs }) => reachFromMs !== undefined));
        const stillGone = (await fill(hours)).accounts["BTC/USDT"]?.reasons["retention"];
        assert.ok((stillGone ?? 0) > 0);

        await database.sql`
        insert into gaps (exchange, symbol, timeframe, since, until, state, missing)
        select exchange, symbol, timeframe, reach_from - interval '2 hours', reach_from - interval '1 hour',
               'retention', 1
        from checkpoints where symbol = 'BTC/USDT'`;
        testClock.pass(30 * 24 * HOUR_MS);
        const { left, accounts } = await fill(hours);
        assert.equal(left, 0);
        for (const account of Object.values(accounts)) {
          assert.deepEqual([account?.owed, account?.explained], [0, 0]);
        }
        for (const row of await readCheckpoints(database)) assert.equal(row.reachFromMs, undefined);
        assert.equal((await readCapabilities(database))[0]?.newestCandles, undefined);
        // Its candle came: it is filled.
        assert.deepEqual(await readGaps(database), []);
      },
    ],

  "what the exchange calls too old of one symbol, but has of another, stays owed": [
    binance,
    async ({ database, exchange, fill }) => {
      refuseOld(exchange, ["BTC/USDT"]);
      const { left, accounts } = await fill();
      assert.equal(left, TWO_DAYS - 900);
      assert.equal(accounts["BTC/USDT"]?.owed, TWO_DAYS - 900);
      assert.equal(accounts["BTC/USDT"]?.explained, 0);
      assert.equal(accounts["ETH/USDT"]?.candles, TWO_DAYS);
      for (const row of await readCheckpoints(database)) assert.equal(row.reachFromMs, undefined);
    },
  ],
};

const TOO_OLD = JSON.stringify({ code: -1, msg: "Candlestick too long ago. Maximum 900 points" });

/** "Too long ago" is the answer to what begins before the newest 900 candles of these symbols. */
function refuseOld(
  exchange: LocalExchange,
  symbols: readonly (string | undefined)[],
  timeframe = MINUTE,
): FaultRemover[] {
  const untilMs = addCandles(timeframe, closedUntil(timeframe, testClock.now()), -900);
  return symbols.map((symbol) =>
    exchange.faults.add({
      when: { about: "candles", symbol, untilMs },
      fault: { kind: "status", status: 400, body: TOO_OLD },
    })
  );
}

type FaultRemover = Pick<ReturnType<LocalExchange["faults"]["add"]>, "remove">;

Deno.test("what no table knows is not written off on one inference", async (t) => {
  const opened = await openAnyTest();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, () => withoutTables(() => withScene(opened.database, test)));
    }
  } finally {
    await opened.drop();
  }
});

/** Nothing is written off: what did not come is owed. */
async function assertOwed({ database, fill }: Scene): Promise<void> {
  const { left, accounts } = await fill();
  assert.ok((left ?? 0) > 0);
  for (const account of Object.values(accounts)) {
    assert.deepEqual([account?.owed, account?.explained], [(left ?? 0) / 2, 0]);
  }
  for (const row of await readCheckpoints(database)) assert.equal(row.reachFromMs, undefined);
}

/** The exchange keeps this many candles, and all others are explained by that. */
async function assertGone(fill: Scene["fill"], kept: number): Promise<void> {
  const { left, accounts } = await fill();
  assert.equal(left, 0);
  for (const account of Object.values(accounts)) {
    assert.deepEqual([account?.owed, account?.missing], [0, 0]);
    assert.deepEqual(account?.reasons, { retention: TWO_DAYS - kept });
  }
}

async function assertComplete(
  { database, exchange }: Pick<Scene, "database" | "exchange">,
  fill: Scene["fill"],
): Promise<void> {
  const { left, accounts } = await fill();
  assert.equal(left, 0);
  const untilMs = closedUntil(MINUTE, testClock.now());
  for (const [symbol, account] of Object.entries(accounts)) {
    assert.deepEqual([account?.owed, account?.explained], [0, 0]);
    const window = { sinceMs: addCandles(MINUTE, untilMs, -TWO_DAYS), untilMs };
    await assertSameCandles(database, exchange, {
      exchange: "hitbtc",
      symbol,
      timeframe: "1m",
      window,
    });
  }
}

/** Runs a test as if the classes of the dialects were in no table. */
async function withoutTables(test: () => Promise<void>): Promise<void> {
  const tables = [SPOT_LIMITS, WINDOW_PARAMS] as Record<string, unknown>[];
  const rows = tables.map((table) => ({ ...table }));
  for (const table of tables) for (const id of ["hitbtc", "kraken"]) delete table[id];
  try {
    await test();
  } finally {
    tables.forEach((table, index) => Object.assign(table, rows[index]));
  }
}

async function withScene(database: Database, [dialect, test]: Test): Promise<void> {
  await emptyDatabase(database);
  testClock.restart();
  const exchange = await startLocalExchange({ clock: testClock, dialect });
  const id = dialect.exchange;
  const variables = {
    EXCHANGES: id,
    SYMBOLS: "BTC/USDT,ETH/USDT",
    TIMEFRAMES: "1m",
    BACKFILL: "1m:2d",
    EXCHANGE_PROXY_URL: exchange.proxyUrl,
    [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify({ rateLimit: 1 }),
  };
  try {
    await test({
      database,
      exchange,
      fill: async (others = {}) => {
        const archive = await openTestArchive(database, { ...variables, ...others });
        const [report] = await backfill(archive, { patient: false });
        const accounts = await readAccounts(database, {
          config: archive.config,
          nowMs: testClock.now(),
          newestCandlesMax,
        });
        assert.deepEqual(report?.problems, []);
        return {
          left: report?.left,
          accounts: Object.fromEntries(accounts.map((one) => [one.series.symbol, one])),
        };
      },
    });
  } finally {
    await exchange.close();
  }
}
