/** A page is of the market that it was asked of: two programs on one database never splice two markets. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { ceilTime, floorTime, parseTimeframe } from "../../lib/market/timeframe.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { isOfOtherMarket } from "../../lib/store/connection/store_error.ts";
import { expireCandles } from "../../lib/store/expiry.ts";
import { prepareImportPage } from "../../lib/store/import_page.ts";
import { beginImport, writeImportPage } from "../../lib/store/import_write.ts";
import { beginListings, replaceListings } from "../../lib/store/listings.ts";
import { type PageWrite, writePage } from "../../lib/store/page_write.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { holdRows, holdTable, untilWaiting } from "../support/row_locks.ts";
import { started } from "../support/started.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openTestDatabase } from "../support/test_database.ts";
import { TWIN_PRICES, type TwinMarkets, withTwinMarkets } from "../support/twin_markets.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const MINUTE = parseTimeframe("1m");
const SERIES = { exchange: "kraken", symbol: "REP/USD", timeframe: MINUTE } as const;

interface Scene {
  /** Each is a program's own. */
  readonly first: Database;
  readonly second: Database;
  readonly clock: TestClock;
  readonly twins: TwinMarkets;
  readonly open: (
    database: Database,
    variables?: Readonly<Record<string, string>>,
    clock?: TestClock,
  ) => ReturnType<typeof openTestArchive>;
}

Deno.test("two programs on one database", async (t) => {
  const opened = await openTestDatabase("postgres");
  if (opened?.url === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const { database: first, url } = opened;
  const second = await openDatabase({ url, dataDir: "", poolMax: 3, clock: systemClock });
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        await emptyDatabase(first);
        const clock = new TestClock();
        await withTwinMarkets(() => clock.now(), (twins) =>
          test({
            first,
            second,
            clock,
            twins,
            open: (database, variables = {}, machineClock = clock) =>
              openTestArchive(database, {
                EXCHANGES: "kraken",
                SYMBOLS: "REP/USD",
                TIMEFRAMES: "1m,1h",
                BACKFILL: "1m:2h,1h:5h",
                EXCHANGE_PROXY_URL: twins.proxyUrl,
                EXCHANGE_KRAKEN: JSON.stringify({ rateLimit: 1 }),
                ...variables,
              }, machineClock),
          }));
      });
    }
  } finally {
    await second.close();
    await opened.drop();
  }
});

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "polls, backfills and repairs with markets of before go on with the new market, in every timeframe":
    async ({ first, second, clock, twins, open }) => {
      const daemon = await open(first);
      const poll = new Poll(daemon);
      await poll.runOnce();
      await backfill(daemon, { patient: false });
      twins.delisted.add("REPV2USD");
      clock.pass(HOUR_MS);
      // It archives one timeframe of the two.
      const other = await open(second, { TIMEFRAMES: "1m", BACKFILL: "1m:2h" });
      const [report] = await backfill(other, { patient: false });
      assert.equal(report?.replaced.length, 1);
      const since = await beginnings(first);
      assert.equal(since.length, 2);
      assert(since.every((ms) => ms >= clock.now()), "both timeframes begin anew");

      clock.pass(2 * HOUR_MS);
      twins.asked.splice(0);
      await poll.runOnce();
      // In whatever order: the second series may wait for its turn until the first has asked again.
      const asked = ["REPV2USD", "REPV2USD", "XREPZUSD", "XREPZUSD"];
      assert.deepEqual(twins.asked.toSorted(), asked, twins.asked.join());
      // Both log where the one that was opened last does.
      assert.equal(other.lines.filter((line) => line.includes("newer markets")).length, 2);
      const [again] = await backfill(daemon, { patient: false });
      assert.deepEqual([again?.left, again?.problems], [0, []]);
      await repairGaps(daemon);
      twins.asked.splice(0);
      clock.pass(HOUR_MS);
      assert.equal((await poll.runOnce()).failed, 0);
      assert.deepEqual([...new Set(twins.asked)], ["XREPZUSD"]);
      await assertUnmixed(first);
    },

  "a page whose markets cannot be loaded again is refused by name, and nothing of it is stored":
    async ({ first, second, clock, twins, open }) => {
      const daemon = await open(first, { TIMEFRAMES: "1m", BACKFILL: "1m:1h" });
      const poll = new Poll(daemon);
      await poll.runOnce();
      twins.delisted.add("REPV2USD");
      const other = await open(second, { TIMEFRAMES: "1m", BACKFILL: "1m:1h" });
      await backfill(other, { patient: false });
      clock.pass(10 * MINUTE_MS);
      const before = await first.sql`select * from ohlcv_1m order by time`;
      // The list is empty, which no list is.
      twins.delisted.add("XREPZUSD").add("XXBTZUSD");
      assert.equal((await poll.runOnce()).failed, 1);
      // It logs where the one that was opened last does.
      const said = other.lines.find((line) => line.includes("a page of candles was not")) ?? "";
      assert.match(
        said,
        /Cannot write a page of kraken REP\/USD 1m: REP\/USD is the market XREPZUSD now, and this was asked of the market REPV2USD/,
      );
      assert.deepEqual([...await first.sql`select * from ohlcv_1m order by time`], [...before]);
    },

  "whether the page or the new listing waits for the other": async (
    { first, second, clock, open },
  ) => {
    for (const isPageFirst of [true, false]) {
      await emptyDatabase(first);
      await backfill(await open(first), { patient: false });
      const nowMs = clock.now();
      // Closed after the new listing was noticed, and of the former market all the same.
      const openTimeMs = floorTime(MINUTE, nowMs) + 5 * MINUTE_MS;
      const writes = [
        () => writePage(first, SERIES, pageOf(openTimeMs)),
        () => replaceMarket(second, nowMs),
      ];
      const holder = await holdRows(first, "checkpoints");
      const running: Promise<unknown>[] = [];
      for (const write of isPageFirst ? writes : writes.toReversed()) {
        running.push(started(write()));
        await untilWaiting(second, running.length);
      }
      await holder.release();
      const ends = await Promise.allSettled(running);
      const failures = ends.flatMap((end) => end.status === "rejected" ? [end.reason] : []);
      assert(failures.every(isOfOtherMarket), String(failures));
      const [row] = await first.sql<{ stored: boolean; listed: Date }[]>`
        select listed_from as listed, exists (select from ohlcv_1m where time = ${new Date(
        openTimeMs,
      )}) as stored
        from checkpoints where timeframe = '1m'`;
      assert.equal(row?.stored, failures.length === 0);
      const endMs = row.stored ? openTimeMs + MINUTE_MS : nowMs;
      assert(row.listed.getTime() >= endMs, row.listed.toISOString());
    }
  },

  "a page that waits for its series holds none of the candles, be it of the exchange or of a file":
    async ({ first, second, open }) => {
      await backfill(await open(first), { patient: false });
      const [row] = await first.sql<{ time: Date }[]>`select max(time) as time from ohlcv_1m`;
      const { candles, answered, ...page } = pageOf(row!.time.getTime());
      const { id } = await beginImport(first, SERIES, "candles.csv");
      const ofFile = prepareImportPage(SERIES, { candles, rejected: [], replaces: true });
      const writes = [
        () => writePage(first, SERIES, { ...page, candles, answered, marketId: undefined }),
        () => writeImportPage(first, ofFile, { id, isNew: false }),
        () => writeImportPage(first, ofFile, { id, isNew: true }),
      ];
      for (const write of writes) {
        const holder = await holdRows(first, "checkpoints");
        const writing = started(write());
        try {
          await untilWaiting(second, 1);
          // Refused at once if the page had it.
          await second.sql`select from ohlcv_1m where time = ${row!.time} for update nowait`;
        } finally {
          await holder.release();
        }
        assert.equal((await writing).added, 0);
      }
    },

  "RETENTION and a listing that begins do not wait for each other in a circle": async (
    { first, second, clock, open },
  ) => {
    const nowMs = clock.now();
    const listed = {
      symbols: [{ symbol: SERIES.symbol, marketId: "REPV2USD" }],
      series: [{ series: SERIES, fromMs: nowMs }],
      nowMs,
    };
    const entries = [
      () => replaceMarket(second, nowMs),
      () => beginListings(second, SERIES.exchange, listed),
    ];
    for (const enter of entries) {
      await emptyDatabase(first);
      await backfill(await open(first), { patient: false });
      const [young] = await first.sql`select from checkpoints where unsettled <> '{}'`;
      assert(young !== undefined, "a candle that the listing takes back");
      const holder = await holdTable(first, "ohlcv_1m");
      const expiring = started(expireCandles(first, MINUTE, { untilMs: nowMs - HOUR_MS }));
      await untilWaiting(second, 1);
      const entering = started(enter());
      await untilWaiting(second, 2);
      await holder.release();
      const [{ candles }] = await Promise.all([expiring, entering]);
      assert(candles > 0);
      const [row] = await first.sql<{ counted: number; kept: number }[]>`
        select (select count(*) from ohlcv_1m)::int as counted, candles::int as kept
        from checkpoints where timeframe = '1m'`;
      assert.equal(row?.kept, row?.counted);
    }
  },

  "and two that find out at once enter one new listing": async ({ first, second, clock, open }) => {
    await backfill(await open(first), { patient: false });
    const nowMs = clock.now();
    const holder = await holdRows(first, "checkpoints");
    const entering = [first, second].map((database) => started(replaceMarket(database, nowMs)));
    await untilWaiting(second, 2);
    await holder.release();
    const [one, other] = await Promise.all(entering);
    assert.deepEqual(one, other);
    const ids = await first.sql`select market_id from listings order by since`;
    assert.deepEqual(ids.map(({ market_id }) => market_id), ["REPV2USD", "XREPZUSD"]);
  },

  "and every series begins with its listing, though the clock was set back": async (scene) => {
    const { first, clock, open } = scene;
    await backfill(await open(first), { patient: false });
    const nowMs = clock.now() - 5 * HOUR_MS;
    await replaceMarket(first, nowMs);
    // After it was first listed, in the middle of a minute whose candle is of neither.
    const [row] = await first.sql<{ since: Date }[]>`select max(since) as since from listings`;
    const sinceMs = row!.since.getTime();
    assert.deepEqual((await beginnings(first)).toSorted(), [
      ceilTime(MINUTE, sinceMs),
      ceilTime(parseTimeframe("1h"), sinceMs),
    ]);
  },

  "and a program whose clock was set back asks nothing of the new market for the time of the old one":
    async ({ first, second, clock, twins, open }) => {
      await backfill(await open(first), { patient: false });
      clock.pass(3 * HOUR_MS);
      twins.delisted.add("REPV2USD");
      const wrong = new TestClock(clock.now() - 5 * HOUR_MS);
      const [report] = await backfill(await open(second, {}, wrong), { patient: false });
      assert.equal(report?.replaced.length, 1);
      clock.pass(2 * HOUR_MS);
      await backfill(await open(first), { patient: false });
      const since = await beginnings(first);
      assert(since.every((ms) => ms >= START_MS + 3 * HOUR_MS), String(since));
      await assertUnmixed(first);
    },
};

/** Enters that the symbol is noticed to mean the other market. */
function replaceMarket(database: Database, nowMs: number): Promise<ReadonlyMap<string, number>> {
  const terms = {
    kind: "spot",
    settle: undefined,
    contractSize: undefined,
    volumeUnit: "base",
  } as const;
  const change = { symbol: "REP/USD", marketId: "XREPZUSD", terms, successor: undefined };
  return replaceListings(database, "kraken", {
    replacements: [{ ...change, fromMs: nowMs }],
    nowMs,
  });
}

/** A candle of the former market. */
function pageOf(openTimeMs: number): PageWrite {
  const price = String(TWIN_PRICES.REPV2USD);
  const candle = { openTimeMs, open: price, high: price, low: price, close: price, volume: "1" };
  return {
    candles: [candle],
    rejected: [],
    answered: { sinceMs: openTimeMs, untilMs: openTimeMs + MINUTE_MS },
    reachFromMs: undefined,
    marketId: "REPV2USD",
  };
}

/** From when on each series is of the newest listing. Milliseconds. */
async function beginnings({ sql }: Database): Promise<readonly number[]> {
  const rows = await sql<{ listed_from: Date }[]>`
    select listed_from from checkpoints where listed_from is not null`;
  return rows.map(({ listed_from }) => listed_from.getTime());
}

/** No candle is of the market in whose time it does not lie, and there are candles of both. */
async function assertUnmixed({ sql }: Database): Promise<void> {
  for (const table of ["ohlcv_1m", "ohlcv_1h"]) {
    const timeframe = table.replace("ohlcv_", "");
    const rows = await sql.unsafe<{ is_later: boolean; prices: string }[]>(
      `select time >= listed_from as is_later, string_agg(distinct trim_scale(close)::text, ',') as prices
       from ${table} join checkpoints using (exchange, symbol) where timeframe = $1
       group by 1 order by 1`,
      [timeframe],
    );
    assert.deepEqual(
      rows.map(({ is_later, prices }) => [is_later, ...prices.split(",").map(Number)]),
      [[false, TWIN_PRICES.REPV2USD], [true, TWIN_PRICES.XREPZUSD]],
      table,
    );
  }
}
