/** Backfill of coverage that is torn into many pieces: it costs the requests of the time they lie in, not one a piece. @module */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { makePlan } from "../../lib/fetch/plan.ts";
import { market } from "../../lib/local_exchange/local_symbol.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { isCovered } from "../../lib/market/coverage.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { writePage } from "../../lib/store/page_write.ts";
import {
  assertSameCandles,
  binanceAt,
  emptyDatabase,
  HASTY_CLOCK,
  openTestArchive,
} from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { openEmbeddedTest } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const NOW_MS = Date.UTC(2024, 5, 1, 12, 0, 30);

/** The minutes that are wanted: four days. */
const MINUTES = 4 * DAY_MINUTES;

/** Of what is wanted, counted in minutes from its beginning. */
const minutes = (since: number, until: number): Window => {
  const beginMs = NOW_MS - 30_000 - MINUTES * MINUTE_MS;
  return { sinceMs: beginMs + since * MINUTE_MS, untilMs: beginMs + until * MINUTE_MS };
};

const ALL = minutes(0, MINUTES);

/** Of a thousand candles, beginning anew with a chunk: from minute 0, 80, 1080, 2080, 2160, 3160, 4160 and 5160 on. */
const WINDOWS = 8;

const SERIES = { exchange: "binance", symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };

Deno.test("backfill of torn coverage", async (t) => {
  const { database, drop } = await openEmbeddedTest();
  try {
    for (const [name, { holes, test }] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        await emptyDatabase(database);
        const exchange = await startLocalExchange({
          clock: clockFrom(NOW_MS),
          symbols: [btc(holes)],
        });
        try {
          await test({ database, exchange });
        } finally {
          await exchange.close();
        }
      });
    }
  } finally {
    await drop();
  }
});

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
}

interface Test {
  /** When the market is silent. */
  readonly holes?: readonly Window[];
  readonly test: (scene: Scene) => Promise<void>;
}

/** Every second stretch of ten minutes, the first one left out. */
const EVERY_SECOND = Array.from(
  { length: MINUTES / 20 },
  (_, i) => minutes(20 * i + 10, 20 * i + 20),
);

/** Some 1,400 silences of one to three minutes, as many minutes as there are candles. */
const SILENCES = silences();

const TESTS: Readonly<Record<string, Test>> = {
  "every second stretch is fetched with a request a window, as many as were planned": {
    test: async (scene) => {
      await cover(scene, EVERY_SECOND);
      const { report, asked, planned } = await fill(scene);
      assert.equal(EVERY_SECOND.length, 288);
      assert.deepEqual([asked, planned], [WINDOWS, WINDOWS]);
      assert.deepEqual([report.owed, report.answered, report.added, report.revised, report.left], [
        MINUTES / 2,
        MINUTES / 2,
        MINUTES / 2,
        0,
        0,
      ]);
      await assertSameCandles(scene.database, scene.exchange, { ...ofSeries, window: ALL });
    },
  },

  "a market that is silent half the time costs hardly more, and every silence is answered for": {
    holes: SILENCES,
    test: async (scene) => {
      const traded = gapsBetween(SILENCES);
      assert.ok(traded.length > 1_400, String(traded.length));
      await cover(scene, traded);
      const { report, asked } = await fill(scene);
      // Where a page seems to be cut at an end, a request more.
      assert.ok(asked <= 2 * WINDOWS, `${asked} requests`);
      assert.deepEqual([report.added, report.revised, report.left], [0, 0, 0]);
      assert.deepEqual(await covered(scene.database), [ALL]);
    },
  },

  "silence at both ends of a page looks cut off, and is asked for by itself": {
    holes: [minutes(3_200, 3_300), minutes(4_000, MINUTES + 10)],
    test: async (scene) => {
      await cover(scene, [minutes(0, 3_200), minutes(3_300, 4_000), minutes(4_030, MINUTES)]);
      const { report } = await fill(scene);
      assert.equal(report.left, 0);
      assert.deepEqual(await covered(scene.database), [ALL]);
    },
  },

  "what a file said of candles between the owed ones stays": {
    test: async (scene) => {
      const { database } = scene;
      await cover(scene, EVERY_SECOND);
      await database.sql`update ohlcv_1m set volume = 7`;
      await database.sql`truncate candle_revisions`;
      const { report } = await fill(scene);
      assert.deepEqual([report.added, report.revised, report.left], [MINUTES / 2, 0, 0]);
      const [row] = await database.sql`select count(*) filter (where volume = 7)::int as kept,
        (select count(*)::int from candle_revisions) as revised from ohlcv_1m`;
      assert.deepEqual({ ...row }, { kept: MINUTES / 2, revised: 0 });
    },
  },

  "a contradiction about a candle between costs requests, and nothing that is owed": {
    test: async (scene) => {
      await cover(scene, [minutes(0, 5_200), minutes(5_300, 5_400), minutes(5_500, MINUTES)]);
      const openTimeMs = minutes(5_350, 0).sinceMs;
      scene.exchange.faults.add({ fault: { kind: "contradiction", openTimeMs } });
      const { report, asked } = await fill(scene);
      assert.deepEqual([report.answered, report.added, report.left], [200, 200, 0]);
      // The page, its halves, of the newer one the halves, and of the older of these the newer half.
      assert.equal(asked, 6);
    },
  },

  "a contradiction about a candle that is owed costs this candle": {
    test: async (scene) => {
      await cover(scene, [minutes(0, 5_200), minutes(5_300, 5_400), minutes(5_500, MINUTES)]);
      const openTimeMs = minutes(5_450, 0).sinceMs;
      scene.exchange.faults.add({ fault: { kind: "contradiction", openTimeMs } });
      const archive = await openTestArchive(
        scene.database,
        settings(scene.exchange),
        clockFrom(NOW_MS),
      );
      const [report] = await backfill(archive, { patient: false });
      assert.deepEqual([report?.problems, report?.left, report?.rejected], [[], 0, 2]);
      assert.deepEqual(await covered(scene.database), [minutes(0, MINUTES)]);
      const gaps = await scene.database.sql`select since, missing, state from gaps`;
      assert.deepEqual(gaps.map(({ since, missing, state }) => [since.getTime(), missing, state]), [
        [openTimeMs, 1, "rejected"],
      ]);
    },
  },

  "a row that is refused counts where it is owed, and not between": {
    test: async (scene) => {
      const { database, exchange } = scene;
      await cover(scene, [minutes(0, 5_200), minutes(5_300, 5_400), minutes(5_500, MINUTES)]);
      // The page is from 5,200 to 5,500: its first row is owed, and its 151st is not.
      const candles = { symbol: SERIES.symbol, timeframe: "1m" };
      for (const row of [0, 150]) {
        exchange.faults.add({
          when: candles,
          fault: { kind: "bad_value", value: "negative_price", row },
        });
      }
      const { report } = await fill(scene);
      assert.deepEqual([report.added, report.rejected, report.left], [199, 1, 0]);
      const rejected = await database.sql`select time from rejected_candles`;
      assert.deepEqual(rejected.map(({ time }) => time.getTime()), [minutes(5_200, 0).sinceMs]);
    },
  },
};

const ofSeries = { symbol: SERIES.symbol, timeframe: "1m" };

function btc(holes: readonly Window[] | undefined): ReturnType<typeof market> {
  return market(SERIES.symbol, { tickDecimals: 2, price: 60_000, quoteVolume24h: 1e9, holes });
}

/** Shows a time of the test's own, which passes; waits a hundredth of what is asked. */
function clockFrom(startMs: number): Clock {
  const beganMs = systemClock.now();
  return { ...HASTY_CLOCK, now: () => startMs + systemClock.now() - beganMs };
}

/** Stores the exchange's candles of these windows, and nothing else, as an import does. */
async function cover({ database, exchange }: Scene, windows: readonly Window[]): Promise<void> {
  await openTestArchive(database, settings(exchange), clockFrom(NOW_MS));
  const candles = exchange.truth(SERIES.symbol, SERIES.timeframe, ALL)
    .filter(({ openTimeMs }) => isCovered(windows, openTimeMs));
  const nothing = { rejected: [], answered: undefined, reachFromMs: undefined };
  await writePage(database, SERIES, { candles, ...nothing });
  const [sinces, untils] = [
    windows.map(({ sinceMs }) => sinceMs),
    windows.map(({ untilMs }) => untilMs),
  ];
  await database.sql`update checkpoints set covered = (
    select range_agg(tstzrange(to_timestamp(since / 1000), to_timestamp(until / 1000)))
    from unnest(${`{${sinces}}`}::float8[], ${`{${untils}}`}::float8[]) as range (since, until))`;
}

/** A backfill, and how many requests for minutes it made and a plan had said. */
async function fill(
  { database, exchange }: Scene,
): Promise<{ readonly report: BackfillReport; readonly asked: number; readonly planned: number }> {
  const archive = await openTestArchive(database, settings(exchange), clockFrom(NOW_MS));
  const { entries } = await makePlan(archive);
  const isOfMinutes = ({ query }: LocalExchange["requests"][number]): boolean =>
    query["interval"] === "1m";
  const before = exchange.requests.filter(isOfMinutes).length;
  const [report] = await backfill(archive, { patient: false });
  assert.ok(report !== undefined);
  assert.deepEqual(report.problems, []);
  return {
    report,
    asked: exchange.requests.filter(isOfMinutes).length - before,
    planned: entries.reduce((sum, { pages }) => sum + pages, 0),
  };
}

function settings(exchange: LocalExchange): Record<string, string> {
  return {
    EXCHANGES: "binance",
    SYMBOLS: SERIES.symbol,
    TIMEFRAMES: "1m",
    BACKFILL: "1m:4d",
    // Passes a hundred times as fast.
    FETCH_TIMEOUT: "10m",
    EXCHANGE_BINANCE: binanceAt(exchange),
  };
}

async function covered({ sql }: Database): Promise<Window[]> {
  const rows = await sql`select lower(range) as since, upper(range) as until
    from checkpoints, unnest(covered) as range order by range`;
  return rows.map(({ since, until }) => ({ sinceMs: since.getTime(), untilMs: until.getTime() }));
}

function silences(): readonly Window[] {
  const found: Window[] = [];
  let state = 1;
  const upTo3 = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 1 + Math.floor(3 * state / 2 ** 32);
  };
  // The newest candles are not believed to be silent for some minutes.
  for (let at = upTo3(); at < MINUTES - 10;) {
    const length = upTo3();
    found.push(minutes(at, at + length));
    at += length + upTo3();
  }
  return found;
}

function gapsBetween(windows: readonly Window[]): readonly Window[] {
  const ends = [ALL.sinceMs, ...windows.map(({ untilMs }) => untilMs)];
  return ends.map((sinceMs, i) => ({ sinceMs, untilMs: windows[i]?.sinceMs ?? ALL.untilMs }));
}
