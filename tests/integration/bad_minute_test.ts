/** One bad minute costs one minute: real CCXT over HTTP, into a real database, told by the gaps. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { withFront } from "../support/fronted_exchange.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { START_MS, testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;

/** The minute that is bad: 5 h ago. */
const BAD_MS = START_MS - 30_000 - 300 * MINUTE_MS;

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  /** Backfills a day through a server that changes the row of each minute. */
  readonly fill: (change: RowChange) => Promise<Filled>;
}

interface Filled {
  readonly report: BackfillReport;
  /** Requests for candles. */
  readonly asked: number;
}

/** A row of Binance's as text, and what stands in its place. */
type RowChange = (row: string, openTimeMs: number) => string;

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a bare NaN in one row is a rejected gap, and the answer is kept": async (scene) => {
    const nan: RowChange = (row, timeMs) =>
      timeMs === BAD_MS ? row.replace(/"\d+\.\d+"/, "NaN") : row;
    await costsOneMinute(scene, nan, ["unreadable"]);
    const [row] = await scene.database.sql`select answered from rejected_candles`;
    assert.match(row?.["answered"], /\[NaN,|,NaN,/);
  },

  "JSON that is broken inside one row is a rejected gap": (scene) =>
    costsOneMinute(
      scene,
      (row, timeMs) => timeMs === BAD_MS ? row.replace(/"(\d+\.\d+)"/, "$1.2.3") : row,
      ["unreadable"],
    ),

  "two rows of one minute that differ in their volume only are a rejected gap": (scene) =>
    costsOneMinute(scene, twice, ["contradictory", "contradictory"]),

  "bad minutes at both ends of a page and beside each other cost what they are": async (scene) => {
    const bad = [0, 1, 400, 401, 402].map((n) => BAD_MS - n * MINUTE_MS);
    const { report } = await scene.fill((row, timeMs) =>
      bad.includes(timeMs) ? twice(row, BAD_MS) : row
    );
    assert.deepEqual([report.problems, report.left], [[], 0]);
    assert.equal(await stored(scene.database), DAY_MINUTES - bad.length);
    const gaps = await scene.database.sql`select since, state from gaps order by since desc`;
    assert.deepEqual(
      gaps.map(({ since, state }) => [since.getTime(), state]),
      bad.map((timeMs) => [timeMs, "rejected"]),
    );
  },

  "more bad minutes than a page may have end in several passes": async (scene) => {
    const bad = Array.from({ length: 25 }, (_, n) => BAD_MS - 3 * n * MINUTE_MS);
    const { report } = await scene.fill((row, timeMs) =>
      bad.includes(timeMs) ? twice(row, BAD_MS) : row
    );
    assert.deepEqual([report.problems, report.left], [[], 0]);
    assert.equal(await stored(scene.database), DAY_MINUTES - bad.length);
  },

  "a value that is the text null rejects its row, and not its page": async (scene) => {
    const { report } = await scene.fill((row, timeMs) =>
      timeMs === BAD_MS ? row.replace(/"\d+\.\d+"/, '"null"') : row
    );
    assert.deepEqual([report.problems, report.left, report.rejected], [[], 0, 1]);
    assert.equal(await stored(scene.database), DAY_MINUTES - 1);
  },

  "where every minute is bad nothing is covered and nothing is rejected": async (scene) => {
    const { report, asked } = await scene.fill((row) => row.replace(/"\d+\.\d+"/, "NaN"));
    assert.equal(report.left, DAY_MINUTES);
    assert.match(report.problems.join(), /Cannot use the answer of binance BTC\/USDT 1m/);
    assert.ok(asked < 300, `${asked} requests`);
    const [counts] = await scene.database.sql`select
      (select count(*)::int from rejected_candles) as rejected,
      (select count(*)::int from checkpoints where not isempty(covered)) as covered`;
    assert.deepEqual({ ...counts }, { rejected: 0, covered: 0 });
  },

  "a bad minute that has only just closed is asked for again, not given up": async (scene) => {
    const youngMs = START_MS - 30_000 - 4 * MINUTE_MS;
    const { report } = await scene.fill((row, timeMs) =>
      timeMs === youngMs ? twice(row, BAD_MS) : row
    );
    assert.deepEqual([report.left, report.problems.length], [1, 1]);
    // The rest of its page is stored and counted.
    const rest = DAY_MINUTES - 1;
    assert.deepEqual([await stored(scene.database), report.added], [rest, rest]);
    // The newest two may still change: they are stored, but no answer covers them yet.
    assert.equal(report.answered, rest - 2);
    const next = await scene.fill((row) => row);
    assert.deepEqual([next.report.left, next.report.added], [0, 1]);
    assert.equal(await stored(scene.database), DAY_MINUTES);
  },

  "a gap that is filled is closed, although the rest of its page fails": async (scene) => {
    const [oldMs, youngMs] = [100, 4].map((n) => START_MS - 30_000 - n * MINUTE_MS);
    await scene.fill((row) => row);
    await scene.database.sql.unsafe(
      `delete from ohlcv_1m where time in (to_timestamp($1::float8 / 1000), to_timestamp($2::float8 / 1000))`,
      [oldMs!, youngMs!],
    );
    await withRows(scene.exchange, (row, timeMs) => timeMs === youngMs ? twice(row, BAD_MS) : row, {
      use: async ({ proxyUrl }) => {
        const archive = await openTestArchive(scene.database, variables(proxyUrl));
        await refreshMarkets(archive, archive.exchanges[0]!);
        const { found, asked, filled } = await repairGaps(archive);
        assert.deepEqual([found, asked, filled], [2, 1, 1]);
      },
    });
    const gaps = await scene.database.sql`select since, state, attempts from gaps order by since`;
    assert.deepEqual(gaps.map(({ since, state, attempts }) => [+since, state, attempts]), [
      [oldMs, "filled", 1],
      [youngMs, "suspected", 0],
    ]);
  },

  "a poll that fails in part counts what it stored, and later polls go on from there": async (
    scene,
  ) => {
    await scene.fill((row) => row);
    const youngMs = START_MS - 30_000 - 4 * MINUTE_MS;
    await withRows(scene.exchange, (row, timeMs) => timeMs === youngMs ? twice(row, BAD_MS) : row, {
      use: async ({ proxyUrl }) => {
        const archive = await openTestArchive(scene.database, variables(proxyUrl));
        await scene.database.sql`delete from ohlcv_1m where time >= ${new Date(START_MS - 6e5)}`;
        const owing: number[] = [];
        const poll = new Poll(archive, { onOwing: (_, sinceMs) => owing.push(sinceMs) });
        const [series] = await readCheckpoints(scene.database);
        poll.resumeFrom(series!.series, START_MS - 30_000 - 7 * MINUTE_MS);
        const { added, failed } = await poll.runOnce();
        assert.deepEqual([added, failed, owing], [6, 1, [youngMs]]);
      },
    });
  },
};

const twice: RowChange = (row, timeMs) =>
  timeMs === BAD_MS ? `${row},${row.replace(/,"[^"]*"(?=,\d{13},)/, ',"0.75"')}` : row;

/** All other candles are stored, the gap says why, and a second backfill asks for nothing. */
async function costsOneMinute(
  { database, exchange, fill }: Scene,
  change: RowChange,
  reasons: readonly string[],
): Promise<void> {
  const { report, asked } = await fill(change);
  assert.deepEqual([report.problems, report.left], [[], 0]);
  assert.equal(report.added, DAY_MINUTES - 1);
  // Two pages, and twice as many as a page can be halved.
  assert.ok(asked <= 2 + 2 * 11 + 2, `${asked} requests`);
  const gaps = await database.sql`select since, until, state, missing from gaps`;
  assert.deepEqual(
    gaps.map(({ since, until, state, missing }) => [+since, +until, state, missing]),
    [[BAD_MS, BAD_MS + MINUTE_MS, "rejected", 1]],
  );
  const rejected = await database.sql`select reason, time from rejected_candles`;
  assert.deepEqual(rejected.map(({ reason }) => reason), reasons);
  for (const { time } of rejected) assert.equal(+time, BAD_MS);
  // For the newest candles alone, which may still change.
  const again = await fill(change);
  assert.deepEqual([again.asked, again.report.added, again.report.rejected], [1, 0, 0]);
  // The gap job finds nothing more to ask for.
  const archive = await openTestArchive(database, variables(exchange.proxyUrl));
  const { found, asked: repairs } = await repairGaps(archive);
  assert.deepEqual([found, repairs], [0, 0]);
}

Deno.test("one bad minute costs one minute", async (t) => {
  const { database, drop } = await openAnyTest();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        testClock.restart();
        await emptyDatabase(database);
        const exchange = await startLocalExchange({ clock: testClock });
        try {
          await test({
            database,
            exchange,
            fill: (change) => fill(database, exchange, change),
          });
        } finally {
          await exchange.close();
        }
      });
    }
  } finally {
    await drop();
  }
});

async function fill(
  database: Database,
  exchange: LocalExchange,
  change: RowChange,
): Promise<Filled> {
  let filled: Filled | undefined;
  await withRows(exchange, change, {
    use: async ({ proxyUrl, asked }) => {
      const archive = await openTestArchive(database, variables(proxyUrl));
      const [report] = await backfill(archive, { patient: false });
      assert.ok(report);
      filled = { report, asked: asked.filter((path) => path.includes("/klines")).length };
    },
  });
  assert.ok(filled);
  return filled;
}

/** A server in front of the exchange that changes the row of each minute. */
async function withRows(
  exchange: LocalExchange,
  change: RowChange,
  { use }: { readonly use: Parameters<typeof withFront>[2] },
): Promise<void> {
  const onAnswer = (body: string, path: string): string | undefined =>
    path.includes("/klines")
      ? body.replace(/\[(\d{13}),[^\]]*\]/g, (row, timeMs) => change(row, Number(timeMs)))
      : undefined;
  await withFront(exchange, onAnswer, use);
}

function variables(proxyUrl: string): Readonly<Record<string, string>> {
  return {
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT",
    TIMEFRAMES: "1m",
    BACKFILL: "1m:1d",
    EXCHANGE_PROXY_URL: proxyUrl,
    EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
  };
}

async function stored({ sql }: Database): Promise<number> {
  const [row] = await sql`select count(*)::int as candles from ohlcv_1m`;
  return row?.["candles"];
}
