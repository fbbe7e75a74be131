/** Poll and backfill: real CCXT over HTTP from a local exchange into a real database. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { readAccounts } from "../../lib/gap/account.ts";
import { makePlan } from "../../lib/fetch/plan.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import {
  type LocalExchange,
  type LocalExchangeOptions,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { unite } from "../../lib/market/coverage.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { kraken } from "../support/dialects/kraken.ts";
import {
  assertSameCandles,
  binanceAt,
  configOf,
  emptyDatabase,
  HASTY_CLOCK,
  openTestArchive,
} from "../support/local_archive.ts";
import { START_MS, testClock } from "../support/test_clock.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

const MINUTE = parseTimeframe("1m");
const HOUR_MS = 3_600_000;

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
}

for (const kind of DATABASE_KINDS) {
  Deno.test(`ingestion keeps its promises on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    try {
      for (const [name, [options, test]] of Object.entries(TESTS)) {
        await t.step(name, async () => {
          await emptyDatabase(opened.database);
          testClock.restart();
          const exchange = await startLocalExchange({ clock: testClock, ...options });
          try {
            await test({ database: opened.database, exchange });
          } finally {
            await exchange.close();
          }
        });
      }
    } finally {
      await opened.drop();
    }
  });
}

type Test = readonly [Partial<LocalExchangeOptions>, (scene: Scene) => Promise<void>];

const TWO_SYMBOLS = {
  EXCHANGES: "binance",
  SYMBOLS: "BTC/USDT,ETH/USDT",
  TIMEFRAMES: "1m",
} as const;

const TESTS: Readonly<Record<string, Test>> = {
  "a backfill stores exactly the exchange's closed candles": [
    {},
    async ({ database, exchange }) => {
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        BACKFILL: "1m:2d",
        EXCHANGE_BINANCE: binanceAt(exchange),
      });
      const [report] = await backfill(archive, { patient: false });
      assert.deepEqual(report?.problems, []);
      for (const symbol of ["BTC/USDT", "ETH/USDT"]) {
        await assertSameCandles(database, exchange, {
          symbol,
          timeframe: "1m",
          window: await fetched(database, symbol),
        });
      }
      assert.equal(report?.added, 2 * 2 * 24 * 60);
    },
  ],

  "a backfill that is repeated asks for nothing": [{}, async ({ database, exchange }) => {
    const variables = { ...TWO_SYMBOLS, BACKFILL: "1h:30d", EXCHANGE_BINANCE: binanceAt(exchange) };
    await backfill(await openTestArchive(database, variables), { patient: false });
    const before = asksFor(exchange, "klines");
    const [report] = await backfill(await openTestArchive(database, variables), { patient: false });
    assert.equal(asksFor(exchange, "klines") - before, 0);
    assert.equal(report?.pages, 0);
  }],

  "earlier history is fetched without asking for the later again": [
    {},
    async ({ database, exchange }) => {
      const variables = { ...TWO_SYMBOLS, EXCHANGE_BINANCE: binanceAt(exchange) };
      await backfill(await openTestArchive(database, { ...variables, BACKFILL: "1h:30d" }), {
        patient: false,
      });
      const [checkpoint] = await readCheckpoints(database);
      const before = exchange.requests.length;
      await backfill(await openTestArchive(database, { ...variables, BACKFILL: "1h:90d" }), {
        patient: false,
      });
      const asked = exchange.requests.slice(before).filter(({ path }) => path.endsWith("klines"));
      const covered = checkpoint?.covered[0];
      assert(covered && asked.length > 0);
      const again = asked.filter(({ query }) => Number(query["startTime"]) >= covered.sinceMs);
      assert.deepEqual(again, []);
    },
  ],

  "holes at the exchange stay holes and are covered": [{}, async ({ database, exchange }) => {
    const nowMs = closedUntil(MINUTE, testClock.now());
    const hole = {
      sinceMs: addCandles(MINUTE, nowMs, -900),
      untilMs: addCandles(MINUTE, nowMs, -300),
    };
    exchange.faults.add({ fault: { kind: "holes", ...hole } });
    const archive = await openTestArchive(database, {
      ...TWO_SYMBOLS,
      BACKFILL: "1m:1d",
      EXCHANGE_BINANCE: binanceAt(exchange),
    });
    await backfill(archive, { patient: false });
    const [account] = await accountsOf(database, archive.config);
    assert.equal(account?.owed, 0);
    assert.equal(account?.missing, 600);
    assert.equal(account?.candles, 24 * 60 - 600);
  }],

  "time before a listing is covered and explained, not missing": [
    { symbols: listedAgo("NEW/USDT", 60 * 24 * HOUR_MS) },
    async ({ database, exchange }) => {
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        SYMBOLS: "NEW/USDT",
        BACKFILL: "1h:150d",
        EXCHANGE_BINANCE: binanceAt(exchange),
      });
      await backfill(archive, { patient: false });
      const accounts = await accountsOf(database, archive.config);
      const hourly = accounts.find(({ series }) => series.timeframe.text === "1h");
      assert.equal(hourly?.owed, 0);
      assert.equal(hourly?.missing, 0);
      assert((hourly?.explained ?? 0) >= 89 * 24);
      assert((hourly?.candles ?? 0) >= 60 * 24 - 1);
    },
  ],

  "an exchange that gives only its newest candles owes nothing older": [
    { dialect: kraken },
    async ({ database, exchange }) => {
      const archive = await openTestArchive(database, {
        EXCHANGES: "kraken",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1m",
        BACKFILL: "1m:30d",
        EXCHANGE_KRAKEN: JSON.stringify({ urls: { api: { public: exchange.url } }, rateLimit: 1 }),
      });
      const plan = await makePlan(archive);
      assert.equal(plan.entries[0]?.impossible, 30 * 24 * 60 - 719);
      const [report] = await backfill(archive, { patient: false });
      assert.deepEqual(report?.problems, []);
      assert((report?.added ?? 0) >= 718);
      const [account] = await accountsOf(database, archive.config, 719);
      assert.equal(account?.owed, 0);
    },
  ],

  "faults that pass leave no trace in the archive": [{}, async ({ database, exchange }) => {
    const faults = [
      { kind: "status", status: 500 },
      { kind: "status", status: 503 },
      { kind: "truncated" },
      { kind: "html" },
      { kind: "empty_body" },
      { kind: "reset" },
      { kind: "status", status: 429, retryAfterSeconds: 1 },
    ] as const;
    for (const fault of faults) {
      exchange.faults.add({ when: { about: "candles" }, times: 1, fault });
    }
    exchange.faults.add({
      when: { about: "candles" },
      times: 3,
      fault: { kind: "unordered_rows" },
    });
    exchange.faults.add({
      when: { about: "candles" },
      times: 3,
      fault: { kind: "moved_start", rows: 200 },
    });
    exchange.faults.add({ when: { about: "candles" }, fault: { kind: "forming" } });
    const archive = await openTestArchive(database, {
      ...TWO_SYMBOLS,
      BACKFILL: "1m:2d",
      EXCHANGE_BINANCE: binanceAt(exchange),
      RETRY_ATTEMPTS: "10",
      BREAKER_FAILURES: "20",
    });
    const [report] = await backfill(archive, { patient: false });
    assert((report?.left ?? Infinity) <= 4, JSON.stringify(report));
    for (const symbol of ["BTC/USDT", "ETH/USDT"]) {
      await assertSameCandles(database, exchange, {
        symbol,
        timeframe: "1m",
        window: await fetched(database, symbol),
      });
    }
  }],

  "bad values are rejected one by one and the page goes on": [
    {},
    async ({ database, exchange }) => {
      exchange.faults.add({
        when: { about: "candles", symbol: "BTC/USDT" },
        fault: { kind: "bad_value", value: "high_below_low", row: 3 },
      });
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        // One page: they begin at fixed times, the newest of them 380 hours ago.
        BACKFILL: "1h:10d",
        TIMEFRAMES: "1h",
        EXCHANGE_BINANCE: binanceAt(exchange),
      });
      const [report] = await backfill(archive, { patient: false });
      assert.equal(report?.rejected, 1);
      assert.equal(report?.added, 2 * 10 * 24 - 1);
      const rows = await database.sql`select reason, exchange, symbol from rejected_candles`;
      assert.deepEqual(rows.map((row) => ({ ...row })), [
        { reason: "high_below_body", exchange: "binance", symbol: "BTC/USDT" },
      ]);
      assert.match(
        await archive.metrics.text(),
        /titan10_candles_rejected_total\{exchange="binance",reason="high_below_body"\} 1/,
      );
    },
  ],

  "a ban is kept in the database and no request leaves before its end": [
    {},
    async ({ database, exchange }) => {
      exchange.faults.add({
        when: { about: "candles" },
        times: 1,
        fault: { kind: "status", status: 418, retryAfterSeconds: 3600 },
      });
      const variables = { ...TWO_SYMBOLS, EXCHANGE_BINANCE: binanceAt(exchange) };
      await new Poll(await openTestArchive(database, variables)).runOnce();
      const [row] = await database
        .sql`select (extract(epoch from banned_until) * 1000)::float8 as until from exchanges`;
      assert(row?.["until"] >= START_MS + HOUR_MS, String(row?.["until"]));
      const before = exchange.requests.length;
      const restarted = await openTestArchive(database, variables);
      const report = await new Poll(restarted).runOnce();
      assert.equal(exchange.requests.length, before);
      assert.equal(report.added, 0);
      assert.match(
        await restarted.metrics.text(),
        /titan10_exchange_banned_until_timestamp_seconds\{exchange="binance"\} 17\d{8}/,
      );
    },
  ],

  "a poll stores the newest closed candles and never the forming one": [
    {},
    async ({ database, exchange }) => {
      exchange.faults.add({ when: { about: "candles" }, fault: { kind: "forming" } });
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        EXCHANGE_BINANCE: binanceAt(exchange),
      });
      const report = await new Poll(archive).runOnce();
      assert.deepEqual([report.asked, report.failed, report.added], [4 - 2, 0, 10]);
      await assertSameCandles(database, exchange, {
        symbol: "BTC/USDT",
        timeframe: "1m",
        window: await fetched(database, "BTC/USDT"),
      });
    },
  ],

  "a poll after a pause closes it": [{}, async ({ database, exchange }) => {
    const archive = await openTestArchive(database, {
      ...TWO_SYMBOLS,
      EXCHANGE_BINANCE: binanceAt(exchange),
    });
    const untilMs = closedUntil(MINUTE, testClock.now());
    const poll = new Poll(archive);
    poll.resumeFrom(
      { exchange: "binance", symbol: "BTC/USDT", timeframe: MINUTE },
      addCandles(MINUTE, untilMs, -600),
    );
    await poll.runOnce();
    const window = await fetched(database, "BTC/USDT");
    assert.equal(window.sinceMs, addCandles(MINUTE, untilMs, -600));
    await assertSameCandles(database, exchange, { symbol: "BTC/USDT", timeframe: "1m", window });
  }],

  "a later revision of a polled candle is stored and its old value kept": [
    {},
    async ({ database, exchange }) => {
      const untilMs = closedUntil(MINUTE, testClock.now());
      exchange.faults.add({
        when: {
          symbol: "BTC/USDT",
          sinceMs: addCandles(MINUTE, untilMs, -3),
          untilMs: addCandles(MINUTE, untilMs, -2),
        },
        fault: { kind: "revision", asks: 1 },
      });
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        EXCHANGE_BINANCE: binanceAt(exchange),
      });
      await new Poll(archive).runOnce();
      const report = await new Poll(archive).runOnce();
      assert.equal(report.revised, 1);
      assert.equal((await database.sql`select from candle_revisions`).length, 1);
      await assertSameCandles(database, exchange, {
        symbol: "BTC/USDT",
        timeframe: "1m",
        window: await fetched(database, "BTC/USDT"),
      });
    },
  ],

  "a symbol that vanishes costs the others nothing, and status says why": [
    {},
    async ({ database, exchange }) => {
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        EXCHANGE_BINANCE: binanceAt(exchange),
      });
      await new Poll(archive).runOnce();
      await emptyCandles(database);
      exchange.symbols.delist("BTC/USDT", { forget: true });
      const report = await new Poll(archive).runOnce();
      assert.deepEqual([report.failed, report.added], [1, 5]);
      const [gone, alive] = await minuteCheckpoints(database);
      assert.match(
        gone?.lastError ?? "",
        /Cannot fetch candles of binance BTC\/USDT 1m: .*Invalid symbol/,
      );
      assert.equal(alive?.lastError, undefined);
      assert.match(
        await archive.metrics.text(),
        /titan10_fetch_failures_total\{exchange="binance",kind="permanent"\} 1/,
      );
    },
  ],

  "a symbol that the exchange never listed is named, and the others go on": [
    {},
    async ({ database, exchange }) => {
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        SYMBOLS: "BTC/USDT,BTX/USDT",
        EXCHANGE_BINANCE: binanceAt(exchange),
      });
      const report = await new Poll(archive).runOnce();
      assert.deepEqual([report.failed, report.added], [1, 5]);
      const wrong = (await minuteCheckpoints(database)).find(({ series }) =>
        series.symbol === "BTX/USDT"
      );
      assert.match(wrong?.lastError ?? "", /binance does not list BTX\/USDT/);
      assert(
        archive.lines.some((line) =>
          line.includes("symbol not listed") && line.includes("BTC/USDT")
        ),
      );
    },
  ],

  "SYMBOLS=top:N takes the most traded bases against a dollar and keeps them": [
    {},
    async ({ database, exchange }) => {
      const variables = {
        EXCHANGES: "binance",
        TIMEFRAMES: "1m",
        EXCHANGE_BINANCE: binanceAt(exchange),
      };
      await new Poll(await openTestArchive(database, { ...variables, SYMBOLS: "top:3" })).runOnce();
      const first = await symbolsOf(database);
      assert.equal(first.length, 3);
      assert.deepEqual(first.slice(0, 2), ["BTC/USDT", "ETH/USDT"]);
      const third = first[2] ?? "";
      exchange.symbols.delist(third);
      await new Poll(await openTestArchive(database, { ...variables, SYMBOLS: "top:3" })).runOnce();
      const second = await symbolsOf(database);
      assert.equal(second.includes(third), true);
      assert.equal(second.length, 4);
    },
  ],

  "an exchange that answers only 500 opens its breaker and gets few requests": [
    {},
    async ({ database, exchange }) => {
      exchange.faults.add({ when: { about: "candles" }, fault: { kind: "status", status: 500 } });
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        EXCHANGE_BINANCE: binanceAt(exchange),
        BREAKER_COOLDOWN: "10m",
      });
      const poll = new Poll(archive);
      for (let tick = 0; tick < 5; tick++) await poll.runOnce();
      assert.equal(archive.exchanges[0]?.breakers.main.state.kind, "open");
      assert(asksFor(exchange, "klines") <= 6, `${asksFor(exchange, "klines")} requests`);
      assert.match(
        await archive.metrics.text(),
        /titan10_breaker_state\{exchange="binance",state="open"\} 1/,
      );
    },
  ],

  "a one-shot backfill of an exchange whose markets cannot be had is not taken for done": [
    {},
    async ({ database, exchange }) => {
      exchange.faults.add({ when: { about: "markets" }, fault: { kind: "status", status: 500 } });
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        EXCHANGE_BINANCE: binanceAt(exchange),
      });
      const [report] = await backfill(archive, { patient: false });
      assert.equal(report?.left, undefined);
      assert.match(report?.problems.join() ?? "", /Cannot load the markets of binance/);
    },
  ],

  "a patient backfill waits for the markets of an exchange that is down": [
    {},
    async ({ database, exchange }) => {
      const fault = exchange.faults.add({
        when: { about: "markets" },
        fault: { kind: "status", status: 500 },
      });
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        BACKFILL: "1h:2d",
        FETCH_TIMEOUT: "10m",
        EXCHANGE_BINANCE: binanceAt(exchange),
      }, HASTY_CLOCK);
      const [report] = await backfill(archive, {
        patient: true,
        onProgress: ({ pausedUntilMs }) => pausedUntilMs === undefined ? undefined : fault.remove(),
      });
      assert.equal(report?.left, 0);
      assert.equal(report?.added, 2 * 2 * 24);
    },
  ],

  "a one-shot backfill of an exchange that is down ends and says why": [
    {},
    async ({ database, exchange }) => {
      exchange.faults.add({ when: { about: "candles" }, fault: { kind: "status", status: 500 } });
      const archive = await openTestArchive(database, {
        ...TWO_SYMBOLS,
        BACKFILL: "1m:1d",
        EXCHANGE_BINANCE: binanceAt(exchange),
      });
      const [report] = await backfill(archive, { patient: false });
      assert.equal(report?.left, 2 * 24 * 60);
      assert(report?.problems.some((problem) => /Cannot fetch candles of binance/.test(problem)));
    },
  ],
};

/** What is covered, and the newest candles, which are stored and not covered yet. */
async function fetched(database: Database, symbol: string): Promise<Window> {
  const checkpoint = (await readCheckpoints(database)).find(({ series }) =>
    series.symbol === symbol && series.timeframe.text === "1m"
  );
  const { covered = [], unsettled = [] } = checkpoint ?? {};
  const [window, ...others] = unite(covered, unsettled);
  assert(window !== undefined && others.length === 0, "it is one window");
  return window;
}

function asksFor(exchange: LocalExchange, path: string): number {
  return exchange.requests.filter((request) => request.path.endsWith(path)).length;
}

function accountsOf(
  database: Database,
  config: ReturnType<typeof configOf>,
  newest?: number,
): ReturnType<typeof readAccounts> {
  return readAccounts(database, {
    config,
    nowMs: testClock.now(),
    newestCandlesMax: () => newest,
  });
}

async function minuteCheckpoints(database: Database): ReturnType<typeof readCheckpoints> {
  return (await readCheckpoints(database)).filter(({ series }) => series.timeframe.text === "1m");
}

async function symbolsOf(database: Database): Promise<readonly string[]> {
  return [
    ...new Set(
      (await readCheckpoints(database)).filter(({ series }) => series.timeframe.text === "1m").map((
        { series },
      ) => series.symbol),
    ),
  ];
}

async function emptyCandles({ sql }: Database): Promise<void> {
  await sql.unsafe("delete from ohlcv_1m");
  await sql`update checkpoints set covered = '{}', unsettled = '{}', candles = 0`;
}

function listedAgo(symbol: string, ms: number): LocalExchangeOptions["symbols"] {
  const [btc] = LOCAL_SYMBOLS;
  assert(btc !== undefined);
  return [{ ...btc, symbol, base: symbol.split("/")[0] ?? "", listedAtMs: testClock.now() - ms }];
}
