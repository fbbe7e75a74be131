/** A history that ends, `BACKFILL=1h:2022-01-01..2022-02-01`: what is fetched, what is owed, and what every view says. @module */
import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { makePlan } from "../../lib/fetch/plan.ts";
import { Poll, pollJob } from "../../lib/fetch/poll.ts";
import { explainBounds, readAccounts } from "../../lib/gap/account.ts";
import { addCandles, parseTimeframe } from "../../lib/market/timeframe.ts";
import { readExplainedSpans } from "../../lib/store/chart.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const HOUR = parseTimeframe("1h");
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const RANGE = "1h:2022-01-01..2022-02-01";

interface Scene {
  readonly database: Database;
  readonly clock: TestClock;
  readonly exchange: LocalExchange;
  readonly open: (
    backfill: string,
    more?: Readonly<Record<string, string>>,
  ) => Promise<Archive>;
}

async function withScene(test: (scene: Scene) => Promise<void>): Promise<void> {
  const { database, drop } = await openAnyTest();
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  try {
    await test({
      database,
      clock,
      exchange,
      open: (backfill, more = {}) =>
        openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: "BTC/USDT",
          TIMEFRAMES: "1h",
          BACKFILL: backfill,
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          EXCHANGE_BINANCE: '{"rateLimit":1}',
          ...more,
        }, clock),
    });
  } finally {
    await exchange.close();
    await drop();
  }
}

/** How many candles a backfill would ask for. */
async function planned(archive: Archive): Promise<number> {
  const { entries, problems } = await makePlan(archive);
  assert.deepEqual(problems, []);
  return entries.find(({ timeframe }) => timeframe === "1h")?.candles ?? 0;
}

/** Backfills, and returns how many candles came. */
async function fill(archive: Archive): Promise<number> {
  const [report] = await backfill(archive, { patient: false });
  assert.deepEqual(report?.problems, []);
  await explainBounds(archive);
  return report?.added ?? 0;
}

/** The first poll of a daemon. Returns how many candles came. */
async function pollAsDaemon(archive: Archive): Promise<number> {
  let came = 0;
  const job = pollJob(archive, { onEnd: ({ added }) => came += added });
  await job.runOnce(new AbortController().signal);
  return came;
}

/** What `status` counts, and it says nothing of a reason: what nobody wants is in no sum. */
async function owed({ config, database, clock }: Archive): Promise<number> {
  const accounts = await readAccounts(database, {
    config,
    nowMs: clock.now(),
    newestCandlesMax: () => undefined,
  });
  const [account] = accounts.filter(({ series }) => series.timeframe.text === "1h");
  assert.deepEqual([account?.missing, account?.explained, account?.reasons], [0, 0, {}]);
  return account!.owed;
}

async function stored({ database }: Scene): Promise<readonly string[]> {
  const rows = await database.sql<{ time: Date; close: string }[]>`
    select time, trim_scale(close)::text as close from ohlcv_1h where symbol = 'BTC/USDT' order by time`;
  return rows.map(({ time, close }) => `${time.toISOString()} ${Number(close)}`);
}

function truth(
  { exchange, clock }: Scene,
  ...windows: readonly (readonly [string, string?])[]
): readonly string[] {
  return windows.flatMap(([since, until]) =>
    exchange.truth("BTC/USDT", HOUR, {
      sinceMs: Date.parse(since),
      untilMs: until === undefined ? clock.now() : Date.parse(until),
    })
  ).map(({ openTimeMs, close }) => `${new Date(openTimeMs).toISOString()} ${Number(close)}`);
}

/** `2022-01-01T00 stored 744`. */
async function explained(scene: Scene, since: string): Promise<readonly string[]> {
  const series = { exchange: "binance", symbol: "BTC/USDT", timeframe: HOUR };
  const window = {
    sinceMs: Date.parse(since),
    untilMs: Math.floor(scene.clock.now() / HOUR_MS) * HOUR_MS,
  };
  const spans = await readExplainedSpans(scene.database, series, window);
  return spans.map(({ sinceMs, state, candles }) =>
    `${new Date(sinceMs).toISOString().slice(0, 13)} ${state} ${candles}`
  );
}

Deno.test("a history that ends is fetched to its end, polls go on, and between them nothing is owed", () =>
  withScene(async (scene) => {
    const { clock, exchange, open } = scene;
    let archive = await open(RANGE);
    assert.equal(await planned(archive), 744);
    const poll = new Poll(archive);
    assert.equal((await poll.runOnce()).added, 5);
    assert.equal(await owed(archive), 744);
    assert.equal(await fill(archive), 744);
    const history = ["2022-01-01T00:00Z", "2022-02-01T00:00Z"] as const;
    assert.deepEqual(await stored(scene), truth(scene, history, ["2024-03-15T07:00Z"]));
    assert.deepEqual([await planned(archive), await owed(archive)], [0, 0]);
    assert.deepEqual(await explained(scene, "2021-12-31"), [
      "2021-12-31T00 outside_range 24",
      "2022-01-01T00 stored 744",
      "2022-02-01T00 outside_range 18559",
      "2024-03-15T07 stored 5",
    ]);

    // The daemon was away: what it missed is owed, as of any series, and not what lies before the first poll.
    clock.pass(3 * DAY_MS);
    archive = await open(RANGE);
    assert.deepEqual([await owed(archive), await planned(archive)], [72, 72]);
    const from = exchange.requests.length;
    assert.equal(await fill(archive), 72);
    assert(exchange.requests.length - from < 10, "no page between the range and the polls");
    assert.deepEqual(await stored(scene), truth(scene, history, ["2024-03-15T07:00Z"]));
  }));

Deno.test("a range that is widened, narrowed or moved owes what is new, and keeps its candles", () =>
  withScene(async (scene) => {
    const { clock, open } = scene;
    const first = await open(RANGE);
    await new Poll(first).runOnce();
    await fill(first);
    clock.pass(DAY_MS);
    await fill(first);
    const steps = [
      ["1h:2021-12-01..2022-03-01", 744 + 672, "widened at both ends"],
      ["1h:2022-01-10..2022-01-20", 0, "narrowed"],
      ["1h:2023-01-01..2023-01-03", 48, "moved"],
      ["1h:2021-12-01..2022-03-01", 0, "moved back"],
      ["1h:2d", 24 - 5, "the last two days"],
      ["1h:2021-12-01..2022-03-02", 24, "a day more"],
    ] as const;
    let candles = (await stored(scene)).length;
    for (const [range, count, name] of steps) {
      const archive = await open(range);
      assert.equal(await planned(archive), count, name);
      assert.equal(await fill(archive), count, name);
      candles += count;
      assert.equal((await stored(scene)).length, candles, name);
      assert.deepEqual([await planned(archive), await owed(archive)], [0, 0], name);
    }
    // The whole time since is wanted: all but what is stored already and what lies between.
    const whole = await open("1h:2021-12-01..");
    const present = Math.floor(clock.now() / HOUR_MS) * HOUR_MS;
    const all = (present - Date.UTC(2021, 11, 1)) / HOUR_MS;
    assert.equal(await planned(whole), all - candles);
  }));

Deno.test("a timeframe that is not polled has the range alone, and one that was unbounded goes on", () =>
  withScene(async (scene) => {
    const { clock, open } = scene;
    const history = await open(RANGE, { TIMEFRAMES: "1d" });
    assert.equal(await fill(history), 744);
    clock.pass(30 * DAY_MS);
    assert.deepEqual([await owed(history), await planned(history)], [0, 0]);
    const later = await open("1h:2022-01-01..2022-02-02", { TIMEFRAMES: "1d" });
    assert.equal(await fill(later), 24);
    assert.deepEqual([await owed(later), await planned(later)], [0, 0]);
    const hours = Math.floor((clock.now() - Date.UTC(2022, 1, 2)) / HOUR_MS);
    assert.deepEqual(await explained(scene, "2022-02-01"), [
      "2022-02-01T00 stored 24",
      `2022-02-02T00 outside_range ${hours}`,
    ]);
    const ether = { SYMBOLS: "ETH/USDT" };
    const unbounded = await open("1h:10h", ether);
    assert.equal(await fill(unbounded), 10);
    clock.pass(DAY_MS);
    const ranged = await open("1h:2022-01-01..2022-01-02", ether);
    assert.equal(await planned(ranged), 24 + 24);
    assert.equal(await fill(ranged), 24 + 24);
  }));

Deno.test("the first poll of a daemon begins with the newest candles, not with a page behind the range", () =>
  withScene(async ({ database, clock, open }) => {
    const archive = await open(RANGE);
    await fill(archive);
    assert.equal(await pollAsDaemon(archive), 5);
    const [row] = await database.sql<{ followed: Date }[]>`
      select followed_from as followed from checkpoints`;
    const present = Math.floor(clock.now() / HOUR_MS) * HOUR_MS;
    assert.equal(row?.followed.getTime(), addCandles(HOUR, present, -5));
  }));

Deno.test("polls of a timeframe without history are caught up with, though a range was asked for once before them", () =>
  withScene(async (scene) => {
    const { clock, open } = scene;
    const asked = { sinceMs: Date.UTC(2022, 0, 1), untilMs: Date.UTC(2022, 0, 3) };
    const first = await open("1d:2d");
    const [report] = await backfill(first, { patient: false, asked });
    await explainBounds(first);
    assert.deepEqual([report?.problems, report?.added], [[], 48 + 2]);
    assert.equal(await pollAsDaemon(first), 5, "not a page behind the range");
    // The daemon is ended before it looks for gaps, and is away for a month.
    clock.pass(30 * DAY_MS);
    const later = await open("1d:2d");
    assert.equal(await owed(later), 30 * 24);
    await fill(later);
    const range = ["2022-01-01T00:00Z", "2022-01-03T00:00Z"] as const;
    assert.deepEqual(await stored(scene), truth(scene, range, ["2024-03-15T07:00Z"]));
    assert.deepEqual(await explained(scene, "2021-12-31"), [
      "2021-12-31T00 outside_range 24",
      "2022-01-01T00 stored 48",
      "2022-01-03T00 outside_range 19255",
      "2024-03-15T07 stored 725",
    ]);
    assert.deepEqual([await planned(later), await owed(later)], [0, 0]);
  }));

Deno.test("where the first polls fail, all since the first of them is owed, a month later, too", () =>
  withScene(async (scene) => {
    const { clock, exchange, open } = scene;
    const archive = await open(RANGE);
    await fill(archive);
    const fault = exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "status", status: 500 },
    });
    assert.equal(await pollAsDaemon(archive), 0);
    clock.pass(30 * DAY_MS);
    const later = await open(RANGE);
    assert.equal(await pollAsDaemon(later), 0);
    fault.remove();
    assert.equal(await owed(later), 5 + 30 * 24);
    assert.equal(await fill(later), 5 + 30 * 24);
    const history = ["2022-01-01T00:00Z", "2022-02-01T00:00Z"] as const;
    assert.deepEqual(await stored(scene), truth(scene, history, ["2024-03-15T07:00Z"]));
  }));
