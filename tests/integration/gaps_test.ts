/** Gaps: found in new coverage, asked for again, filled or given a reason. @module */
import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { readAccounts } from "../../lib/gap/account.ts";
import { CONFIRM_AFTER_MS } from "../../lib/gap/first_candle.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { noteGapsAsked } from "../../lib/store/gap_note.ts";
import { scanGaps } from "../../lib/store/gaps.ts";
import {
  assertSameCandles,
  binanceAt,
  emptyDatabase,
  openTestArchive,
} from "../support/local_archive.ts";
import { TestClock, testClock } from "../support/test_clock.ts";
import { readGaps } from "../support/gap_rows.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const HOUR = parseTimeframe("1h");
const HOUR_MS = 3_600_000;

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  /** `[from, to)` hours before the last closed hour. */
  readonly ago: (from: number, to: number) => Window;
  /** Opens an archive of 60 days of `1h` and backfills it. */
  readonly archived: (
    symbols: string,
    variables?: Readonly<Record<string, string>>,
  ) => Promise<Archive>;
  /** Lets time pass for the archive. */
  readonly pass: (ms: number) => void;
}

for (const kind of DATABASE_KINDS) {
  Deno.test(`every gap gets filled or a reason on a database that is ${kind}`, async (t) => {
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
  "a hole at times when all others trade becomes no_trades by one more ask": async (scene) => {
    const hole = scene.ago(1000, 990);
    scene.exchange.faults.add({ when: { symbol: "BTC/USDT" }, fault: { kind: "holes", ...hole } });
    const archive = await scene.archived("BTC/USDT,ETH/USDT");
    assert.equal((await accountOf(scene, archive))?.missing, 10);
    assert.deepEqual(await repairGaps(archive), { found: 1, asked: 1, filled: 0, concluded: 1 });
    const [gap] = await readGaps(scene.database);
    assert.deepEqual(
      [gap?.window, gap?.missing, gap?.state, gap?.attempts],
      [hole, 10, "no_trades", 1],
    );
    assert.equal((await accountOf(scene, archive))?.explained, 10);
  },

  "a hole that nothing else explains becomes no_trades after three asks": async (scene) => {
    const hole = scene.ago(1000, 990);
    scene.exchange.faults.add({ fault: { kind: "holes", ...hole } });
    const archive = await scene.archived("BTC/USDT");
    assert.deepEqual(await repairGaps(archive), { found: 1, asked: 1, filled: 0, concluded: 0 });
    const [gap] = await readGaps(scene.database);
    assert.deepEqual([gap?.window, gap?.missing, gap?.state], [hole, 10, "suspected"]);

    assert.equal((await repairGaps(archive)).asked, 0, "not before its time");
    scene.pass(6 * 60_000);
    assert.equal((await repairGaps(archive)).concluded, 0);
    scene.pass(6 * 60_000);
    assert.equal((await repairGaps(archive)).concluded, 1);
    const [explained] = await readGaps(scene.database);
    assert.deepEqual([explained?.state, explained?.attempts], ["no_trades", 3]);
    const account = await accountOf(scene, archive);
    assert.deepEqual([account?.missing, account?.explained, account?.owed], [0, 10, 0]);
    scene.pass(24 * HOUR_MS);
    assert.equal((await repairGaps(archive)).asked, 0, "an explained gap is left alone");
  },

  "a hole of several reasons is cut into one gap for each": async (scene) => {
    const { faults, symbols } = scene.exchange;
    faults.add({ when: { symbol: "BTC/USDT" }, fault: { kind: "holes", ...scene.ago(500, 494) } });
    faults.add({ when: { symbol: "BTC/USDT" }, fault: { kind: "holes", ...scene.ago(493, 490) } });
    faults.add({ fault: { kind: "holes", ...scene.ago(498, 496) } });
    symbols.list({
      ...symbols.all().find(({ symbol }) => symbol === "BTC/USDT")!,
      overrides: [
        { timeframe: "1h", openTimeMs: scene.ago(494, 493).sinceMs, values: { low: "-1" } },
      ],
    });
    const archive = await scene.archived("BTC/USDT,ETH/USDT,SOL/USDT");
    await askThreeTimes(scene, archive);
    const gaps = (await readGaps(scene.database)).filter(({ series }) =>
      series.symbol === "BTC/USDT"
    );
    assert.deepEqual(gaps.map(({ window, state, missing }) => ({ ...window, state, missing })), [
      { ...scene.ago(500, 498), state: "no_trades", missing: 2 },
      { ...scene.ago(498, 496), state: "exchange_outage", missing: 2 },
      { ...scene.ago(496, 494), state: "no_trades", missing: 2 },
      { ...scene.ago(494, 493), state: "rejected", missing: 1 },
      { ...scene.ago(493, 490), state: "no_trades", missing: 3 },
    ]);
  },

  "a gap that is being asked for says so": async (scene) => {
    scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(300, 290) } });
    const archive = await scene.archived("BTC/USDT");
    const hang = scene.exchange.faults.add({ times: 1, fault: { kind: "hang" } });
    const repaired = repairGaps(archive);
    await until("the fault to strike", () => hang.struck > 0);
    assert.equal((await readGaps(scene.database))[0]?.state, "refetching");
    await repaired;
    assert.equal((await readGaps(scene.database))[0]?.state, "suspected");
  },

  "time before the listing is a span with that reason, which shrinks as candles turn up": async (
    scene,
  ) => {
    const listedAtMs = scene.ago(1200, 1199).sinceMs;
    const { symbols } = scene.exchange;
    const btc = symbols.all().find(({ symbol }) => symbol === "BTC/USDT")!;
    symbols.list({ ...btc, listedAtMs });
    const archive = await scene.archived("BTC/USDT");
    await repairGaps(archive);
    const [doubted] = await readGaps(scene.database);
    assert.deepEqual([doubted?.state, doubted?.window.untilMs], ["before_listing", listedAtMs]);
    assert.equal((await accountOf(scene, archive))?.explained, doubted?.missing);
    scene.pass(CONFIRM_AFTER_MS);
    await repairGaps(archive);
    const [gap] = await readGaps(scene.database);
    const sinceMs = closedUntil(HOUR, testClock.now() - 60 * 24 * HOUR_MS);
    assert.deepEqual([gap?.state, gap?.window], ["before_listing", {
      sinceMs,
      untilMs: listedAtMs,
    }]);
    assert.equal(gap?.missing, (listedAtMs - sinceMs) / HOUR_MS);
    assert.equal((await accountOf(scene, archive))?.explained, gap?.missing);
    await scene.database.sql`
      update checkpoints set first = first - interval '10 hours' where symbol = 'BTC/USDT'`;
    await repairGaps(archive);
    scene.pass(CONFIRM_AFTER_MS);
    await repairGaps(archive);
    const [shrunk] = await readGaps(scene.database);
    assert.equal(shrunk?.window.untilMs, listedAtMs - 10 * HOUR_MS);
  },

  "an exchange that answers with too little twice in a row does not end its own history": async (
    scene,
  ) => {
    const lie = scene.exchange.faults.add({
      when: { timeframe: "1h" },
      fault: { kind: "holes", ...scene.ago(2000, 700) },
    });
    const archive = await scene.archived("BTC/USDT", { PAGE_LIMIT: "30" });
    await repairGaps(archive);
    await repairGaps(archive);
    lie.remove();
    const states = (await readGaps(scene.database)).map(({ state }) => state);
    assert.deepEqual(states, ["before_listing"]);
    scene.pass(CONFIRM_AFTER_MS);
    await repairGaps(archive);
    // What one run did not get to, the next one does without waiting.
    await repairGaps(archive);
    assert.deepEqual(await readGaps(scene.database), []);
    await assertSameCandles(scene.database, scene.exchange, {
      symbol: "BTC/USDT",
      timeframe: "1h",
      window: scene.ago(60 * 24, 0),
    });
  },

  "a search for the listing that was misled is undone, and what lies before is owed again": async (
    scene,
  ) => {
    const lie = scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(2000, 700) } });
    const archive = await scene.archived("BTC/USDT", { PAGE_LIMIT: "30" });
    lie.remove();
    await repairGaps(archive);
    assert.equal((await readGaps(scene.database))[0]?.state, "before_listing");
    scene.pass(CONFIRM_AFTER_MS);
    await repairGaps(archive);
    await backfill(archive, { patient: false });
    await repairGaps(archive);
    assert.deepEqual(await readGaps(scene.database), []);
    await assertSameCandles(scene.database, scene.exchange, {
      symbol: "BTC/USDT",
      timeframe: "1h",
      // An hour has passed: the first one is not wanted any more.
      window: scene.ago(60 * 24 - 1, 0),
    });
  },

  "an open gap behind the reach of the exchange is gone there: retention": async (scene) => {
    scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(800, 790) } });
    const archive = await scene.archived("BTC/USDT");
    await scanGaps(scene.database, HOUR, testClock.now());
    await scene.database.sql`
      update checkpoints set reach_from = to_timestamp(${scene.ago(790, 0).sinceMs / 1000})`;
    assert.equal((await repairGaps(archive)).asked, 0);
    assert.equal((await readGaps(scene.database))[0]?.state, "retention");
  },

  "every candle of a range is told of in SQL, with its state": async (scene) => {
    const listedAtMs = scene.ago(1200, 1199).sinceMs;
    const { symbols, faults } = scene.exchange;
    symbols.list({ ...symbols.all().find(({ symbol }) => symbol === "BTC/USDT")!, listedAtMs });
    faults.add({ fault: { kind: "holes", ...scene.ago(300, 290) } });
    const archive = await scene.archived("BTC/USDT");
    await repairGaps(archive);
    scene.pass(CONFIRM_AFTER_MS);
    await repairGaps(archive);
    const rows = await scene.database.sql`
      select (extract(epoch from span_since) * 1000)::float8 as since, state, candles::int
      from ohlcv_explained('1h', 'binance', 'BTC/USDT', to_timestamp(${
      scene.ago(1210, 0).sinceMs / 1000
    }), to_timestamp(${scene.ago(0, -1).untilMs / 1000}))`;
    assert.deepEqual(rows.map((row) => ({ ...row })), [
      { since: scene.ago(1210, 0).sinceMs, state: "before_listing", candles: 10 },
      { since: listedAtMs, state: "stored", candles: 900 },
      { since: scene.ago(300, 0).sinceMs, state: "suspected", candles: 10 },
      { since: scene.ago(290, 0).sinceMs, state: "stored", candles: 290 },
      { since: scene.ago(0, 0).sinceMs, state: "owed", candles: 1 },
    ]);
  },

  "a hole that was the exchange's mistake is filled": async (scene) => {
    const hole = scene.ago(700, 650);
    const fault = scene.exchange.faults.add({ fault: { kind: "holes", ...hole } });
    const archive = await scene.archived("BTC/USDT");
    fault.remove();
    const report = await repairGaps(archive);
    assert.deepEqual([report.found, report.filled], [1, 1]);
    assert.deepEqual(await readGaps(scene.database), []);
    await assertSameCandles(scene.database, scene.exchange, {
      symbol: "BTC/USDT",
      timeframe: "1h",
      window: scene.ago(60 * 24, 0),
    });
    assert.equal((await accountOf(scene, archive))?.missing, 0);
  },

  "a hole of all symbols at once is an outage of the exchange": async (scene) => {
    scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(500, 480) } });
    const archive = await scene.archived("BTC/USDT,ETH/USDT,SOL/USDT");
    await askThreeTimes(scene, archive);
    const gaps = await readGaps(scene.database);
    assert.deepEqual(gaps.map(({ state }) => state), Array(3).fill("exchange_outage"));
  },

  "a candle that came and failed the checks is a gap whose reason is rejected": async (scene) => {
    const hour = scene.ago(600, 599);
    scene.exchange.symbols.list({
      ...scene.exchange.symbols.all().find(({ symbol }) => symbol === "BTC/USDT")!,
      overrides: [{ timeframe: "1h", openTimeMs: hour.sinceMs, values: { close: "-1" } }],
    });
    const archive = await scene.archived("BTC/USDT,ETH/USDT");
    await askThreeTimes(scene, archive);
    const states = (await readGaps(scene.database)).map((
      { series, state },
    ) => [series.symbol, state]);
    assert.deepEqual(states, [["BTC/USDT", "rejected"]]);
  },

  "a recent hole stays suspected for a day": async (scene) => {
    scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(10, 8) } });
    const archive = await scene.archived("BTC/USDT");
    await askThreeTimes(scene, archive);
    assert.equal((await readGaps(scene.database))[0]?.state, "suspected");
    scene.pass(7 * HOUR_MS);
    await repairGaps(archive);
    scene.pass(19 * HOUR_MS);
    await repairGaps(archive);
    assert.equal((await readGaps(scene.database))[0]?.state, "no_trades");
  },

  "coverage is looked through once, and time before the listing is no gap": async (scene) => {
    scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(60 * 24, 900) } });
    await scene.archived("BTC/USDT");
    assert.equal(await scanGaps(scene.database, HOUR, testClock.now()), 0);
    const [row] = await scene.database.sql`
      select scanned = covered * tstzmultirange(tstzrange(first, null)) as whole,
             scanned <> covered as less from checkpoints where timeframe = '1h'`;
    assert.deepEqual({ ...row }, { whole: true, less: true });
    // What is already looked through is not read again, whatever became of it.
    await scene.database.sql`
      delete from ohlcv_1h where time > to_timestamp(${scene.ago(120, 0).sinceMs / 1000})`;
    assert.equal(await scanGaps(scene.database, HOUR, testClock.now()), 0);
  },

  "an ask that the exchange did not answer for counts for nothing": async (scene) => {
    scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(800, 790) } });
    await scene.archived("BTC/USDT");
    await scanGaps(scene.database, HOUR, testClock.now());
    const [gap] = await readGaps(scene.database);
    assert(gap !== undefined);
    const note = {
      sinceMs: gap.window.sinceMs,
      nextTryMs: 0,
      isProvable: true,
      isConclusive: true,
    };
    const ask = (isAnswered: boolean): Promise<readonly string[]> =>
      noteGapsAsked(scene.database, gap.series, {
        notes: [{ ...note, isAnswered }],
        nowMs: testClock.now(),
      });
    assert.deepEqual(await ask(false), ["suspected"]);
    assert.equal((await readGaps(scene.database))[0]?.attempts, 0);
    assert.deepEqual(await ask(true), ["no_trades"]);
    assert.equal((await readGaps(scene.database))[0]?.attempts, 1);
  },

  "many small holes of a thin market cost one request": async (scene) => {
    // All on one page: pages begin at fixed times, one of them 380 hours ago.
    const holes = Array.from({ length: 40 }, (_, i) => scene.ago(350 - 5 * i, 348 - 5 * i));
    const [btc] = scene.exchange.symbols.all();
    assert(btc !== undefined);
    scene.exchange.symbols.list({ ...btc, holes });
    const archive = await scene.archived(btc.symbol);
    const before = scene.exchange.requests.length;
    const report = await repairGaps(archive);
    assert.deepEqual([report.found, report.asked], [40, 40]);
    assert.equal(scene.exchange.requests.length - before, 1);
  },

  "gaps at both ends of one request, with a long page between them, get their reasons too": async (
    scene,
  ) => {
    const [btc] = scene.exchange.symbols.all();
    assert(btc !== undefined);
    const holes = [scene.ago(800, 790), scene.ago(500, 497)];
    scene.exchange.symbols.list({ ...btc, holes });
    const archive = await scene.archived(btc.symbol);
    await askThreeTimes(scene, archive);
    const gaps = await readGaps(scene.database);
    assert.deepEqual(gaps.map(({ attempts }) => attempts), [3, 3]);
    assert(gaps.every(({ state }) => state !== "suspected"));
  },

  "gaps of a symbol that is not configured any more keep no other gap waiting": async (scene) => {
    scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(1000, 990) } });
    await scene.archived("BTC/USDT,ETH/USDT");
    const archive = await scene.archived("BTC/USDT", { PAGE_LIMIT: "10" });
    await plantGaps(scene, "ETH/USDT");
    const { asked } = await repairGaps(archive);
    const attempts = (await readGaps(scene.database)).filter(({ attempts }) => attempts > 0);
    assert.deepEqual([asked, attempts.map(({ series }) => series.symbol)], [1, ["BTC/USDT"]]);
  },

  "gaps of a symbol that is refused keep no other gap waiting, and are asked for an hour later":
    async (
      scene,
    ) => {
      const { faults } = scene.exchange;
      faults.add({ fault: { kind: "holes", ...scene.ago(1000, 990) } });
      const archive = await scene.archived("BTC/USDT,ETH/USDT", { PAGE_LIMIT: "10" });
      await plantGaps(scene, "ETH/USDT");
      const refusal = faults.add({
        when: { about: "candles", symbol: "ETH/USDT" },
        fault: { kind: "status", status: 400, body: '{"code":-1121,"msg":"Invalid symbol."}' },
      });
      assert.equal((await repairGaps(archive)).asked, 1);
      assert.equal(refusal.struck, 1);
      scene.pass(59 * 60_000);
      await repairGaps(archive);
      assert.equal(refusal.struck, 1);
      scene.pass(2 * 60_000);
      await repairGaps(archive);
      assert.equal(refusal.struck, 2);
    },

  "a gap whose answer cannot be noted keeps no other gap waiting": async (scene) => {
    scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(1000, 990) } });
    scene.exchange.faults.add({
      when: { symbol: "ETH/USDT" },
      fault: { kind: "holes", ...scene.ago(500, 490) },
    });
    const archive = await scene.archived("BTC/USDT,ETH/USDT");
    await scene.database.sql.unsafe(`
      create function test_refuse() returns trigger language plpgsql as $$
        begin raise exception 'too late' using errcode = '57014'; end $$;
      create trigger test_refuse before update on gaps for each row
        when (new.symbol = 'ETH/USDT' and new.attempts > old.attempts)
        execute function test_refuse()`).simple();
    try {
      assert.equal((await repairGaps(archive)).asked, 0);
      assert.deepEqual((await readGaps(scene.database)).map(({ state }) => state), [
        "suspected",
        "suspected",
        "suspected",
      ]);
      const { asked } = await repairGaps(archive);
      const tried = (await readGaps(scene.database)).filter(({ attempts }) => attempts > 0);
      assert.deepEqual([asked, tried.map(({ series }) => series.symbol)], [1, ["BTC/USDT"]]);
    } finally {
      await scene.database.sql`drop function test_refuse cascade`;
    }
  },

  "an exchange that does not answer leaves a gap as it was": async (scene) => {
    const fault = scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(300, 290) } });
    const archive = await scene.archived("BTC/USDT");
    fault.remove();
    scene.exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "status", status: 500 },
    });
    assert.equal((await repairGaps(archive)).asked, 0);
    const [gap] = await readGaps(scene.database);
    assert.deepEqual([gap?.state, gap?.attempts], ["suspected", 0]);
  },

  "a gap for which nothing came waits before it is asked for again": async (scene) => {
    scene.exchange.faults.add({ fault: { kind: "holes", ...scene.ago(300, 290) } });
    const archive = await scene.archived("BTC/USDT", { RETRY_ATTEMPTS: "1" });
    const down = scene.exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "status", status: 500 },
    });
    await repairGaps(archive);
    assert.equal(down.struck, 1);
    await repairGaps(archive);
    assert.equal(down.struck, 1, "not at once");
    scene.pass(6 * 60_000);
    await repairGaps(archive);
    assert.equal(down.struck, 2);
    const [gap] = await readGaps(scene.database);
    assert.deepEqual([gap?.state, gap?.attempts], ["suspected", 0]);
  },
};

async function withScene(
  database: Database,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  await emptyDatabase(database);
  testClock.restart();
  const exchange = await startLocalExchange({ clock: testClock });
  const clock = new TestClock();
  const lastMs = closedUntil(HOUR, testClock.now());
  try {
    await test({
      database,
      exchange,
      ago: (from, to) => ({
        sinceMs: addCandles(HOUR, lastMs, -from),
        untilMs: addCandles(HOUR, lastMs, -to),
      }),
      archived: async (symbols, variables = {}) => {
        const archive = await openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: symbols,
          TIMEFRAMES: "1h",
          BACKFILL: "1h:60d",
          EXCHANGE_BINANCE: binanceAt(exchange),
          ...variables,
        }, clock);
        await backfill(archive, { patient: false });
        return archive;
      },
      pass: (ms) => clock.pass(ms),
    });
  } finally {
    await exchange.close();
  }
}

/** More gaps than one run asks for, each in a request of its own, newer than the holes of the tests. */
async function plantGaps({ database, ago }: Scene, symbol: string): Promise<void> {
  await database.sql`
    insert into gaps (exchange, symbol, timeframe, since, until, missing, first_seen, next_try)
    select 'binance', ${symbol}, '1h', since, since + interval '1 hour', 1, since, since
    from generate_series(to_timestamp(${ago(900, 0).sinceMs}::float8 / 1000),
                         to_timestamp(${ago(100, 0).sinceMs}::float8 / 1000),
                         interval '12 hours') as since`;
}

async function askThreeTimes(scene: Scene, archive: Archive): Promise<void> {
  for (let ask = 0; ask < 3; ask++) {
    await repairGaps(archive);
    scene.pass(61 * 60_000);
  }
}

async function accountOf(
  { database }: Scene,
  { config }: Archive,
): Promise<Awaited<ReturnType<typeof readAccounts>>[number] | undefined> {
  const accounts = await readAccounts(database, {
    config,
    // The desire ends where the backfill's did, whatever the archive's clock says now.
    nowMs: testClock.now(),
    newestCandlesMax: () => undefined,
  });
  return accounts.find(({ series }) => series.symbol === "BTC/USDT");
}
