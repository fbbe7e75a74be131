/** A candle is not covered before it is final, whoever asks for it: it is stored, and asked for again. */
import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import type { Clock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll, pollJob } from "../../lib/fetch/poll.ts";
import { readAccounts } from "../../lib/gap/account.ts";
import { lookThrough } from "../../lib/gap/look_through.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import type { GapReasons } from "../../lib/market/gap_reasons.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { type Checkpoint, readCheckpoints } from "../../lib/store/ledger.ts";
import {
  assertSameCandles,
  binanceAt,
  emptyDatabase,
  openTestArchive,
} from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { readGaps } from "../support/gap_rows.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const EVER = { sinceMs: 0, untilMs: Date.UTC(2025, 0) };

/** 13:00 of a Friday: a minute and an hour have just closed. */
const CLOSE_MS = Date.UTC(2024, 2, 15, 13);

/** Long waits pass at once; deadlines, which are shorter, do not. */
const WAITLESS_CLOCK: Clock = {
  now: () => testClock.now(),
  async sleep(ms, options): Promise<void> {
    if (ms < 30_000) return await testClock.sleep(ms, options);
    options?.signal?.throwIfAborted();
    testClock.pass(ms);
  },
};

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  /** Opens an archive of one symbol. */
  open(timeframe: string, reach: string, clock?: Clock): Promise<Archive>;
  /** Opens an archive of one symbol that polls `1m` without history, `pollCandles` candles at least. */
  openPolled(pollCandles: number): Promise<Archive>;
}

Deno.test("what closed only just", async (t) => {
  const opened = await openAnyTest();
  const { database } = opened;
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        await emptyDatabase(database);
        testClock.restart(CLOSE_MS + 1_000);
        const exchange = await startLocalExchange({ clock: testClock });
        const open: Scene["open"] = (timeframe, reach, clock) =>
          openTestArchive(database, {
            EXCHANGES: "binance",
            SYMBOLS: "BTC/USDT",
            TIMEFRAMES: timeframe,
            BACKFILL: `${timeframe}:${reach}`,
            EXCHANGE_BINANCE: binanceAt(exchange),
          }, clock);
        const openPolled: Scene["openPolled"] = (pollCandles) =>
          openTestArchive(database, {
            EXCHANGES: "binance",
            SYMBOLS: "BTC/USDT",
            TIMEFRAMES: "1m",
            BACKFILL: "1h:1d",
            POLL_CANDLES: String(pollCandles),
            EXCHANGE_BINANCE: binanceAt(exchange),
          });
        try {
          await test({ database, exchange, open, openPolled });
        } finally {
          await exchange.close();
        }
      });
    }
  } finally {
    await opened.drop();
  }
});

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "is stored by a backfill and not covered, so that the next one ends equal to the truth": async (
    { database, exchange, open },
  ) => {
    for (const lateMs of [6_000, 20_000, 45_000, 75_000]) {
      await emptyDatabase(database);
      testClock.restart(CLOSE_MS + 1_000);
      const late = exchange.faults.add({ fault: { kind: "late_final", lateMs: lateMs } });
      const archive = await open("1m", "1h");
      const [first] = await backfill(archive, { patient: false });
      assert.deepEqual([first?.added, first?.left, first?.young], [60, 0, 2], `late ${lateMs}`);
      assert.equal(await coveredUntil(database), CLOSE_MS - 2 * MINUTE_MS);
      testClock.pass(75_000);
      await backfill(await open("1m", "1h"), { patient: false });
      const window = { sinceMs: CLOSE_MS - HOUR_MS, untilMs: CLOSE_MS };
      await assertTrue({ database, exchange }, "1m", window, CLOSE_MS);
      late.remove();
    }
  },

  "is waited for by a one-shot backfill, whatever its timeframe": async (
    { database, exchange, open },
  ) => {
    exchange.faults.add({ fault: { kind: "late_final", lateMs: 90_000 } });
    for (
      const [timeframe, reach, ms] of [["1m", "1h", MINUTE_MS], ["1h", "2d", HOUR_MS]] as const
    ) {
      await emptyDatabase(database);
      testClock.restart(CLOSE_MS + 1_000);
      const said: string[] = [];
      const [report] = await backfill(await open(timeframe, reach, WAITLESS_CLOCK), {
        patient: false,
        awaitsFinal: true,
        onProgress: ({ pausedWhy }) => void said.push(pausedWhy ?? ""),
      });
      assert.deepEqual([report?.left, report?.young, report?.finalMs], [0, 0, undefined]);
      assert.ok(said.includes("the newest candles may still change"));
      assert.ok(testClock.now() >= CLOSE_MS + 2 * MINUTE_MS, "waited");
      assert.ok(testClock.now() < CLOSE_MS + 3 * MINUTE_MS, "not longer than needed");
      assert.equal(await coveredUntil(database), CLOSE_MS);
      const window = { sinceMs: CLOSE_MS - 20 * ms, untilMs: CLOSE_MS };
      await assertTrue({ database, exchange }, timeframe, window);
    }
  },

  "is left owed, with the count, where the exchange is known to settle late": async (
    { database, exchange, open },
  ) => {
    exchange.faults.add({ fault: { kind: "late_final", lateMs: 9 * MINUTE_MS } });
    const archive = await open("1m", "1h", WAITLESS_CLOCK);
    const [{ capabilities } = assert.fail()] = archive.exchanges;
    for (const untilMs of [CLOSE_MS - MINUTE_MS, CLOSE_MS]) {
      const change = { sinceMs: untilMs - MINUTE_MS, untilMs, ageMs: 10 * MINUTE_MS };
      capabilities.learnSettling({ symbol: "BTC/USDT", timeframe: parseTimeframe("1m") }, change);
    }
    const ask = { patient: false, awaitsFinal: true } as const;
    const [report] = await backfill(archive, ask);
    assert.deepEqual([report?.young, report?.left, report?.problems], [10, 0, []]);
    assert.equal(report?.finalMs, CLOSE_MS + 10 * MINUTE_MS);
    assert.ok(testClock.now() < CLOSE_MS + MINUTE_MS, "did not wait");
    await capabilities.keep();
    const [account] = await readAccounts(database, {
      config: archive.config,
      nowMs: testClock.now(),
      newestCandlesMax: () => undefined,
    });
    assert.deepEqual([account?.owed, account?.missing], [0, 0], "the status says the same");
    testClock.pass(10 * MINUTE_MS);
    // The next process knows it, too.
    await backfill(await open("1m", "1h", WAITLESS_CLOCK), ask);
    await assertTrue({ database, exchange }, "1m", {
      sinceMs: CLOSE_MS - HOUR_MS,
      untilMs: CLOSE_MS,
    }, CLOSE_MS);
  },

  "is asked for again by polls after it has settled, of 1h and 1d too, and not oftener": async (
    { database, exchange, open },
  ) => {
    const midnightMs = Date.UTC(2024, 2, 16);
    for (
      const [timeframe, closeMs] of [["1h", CLOSE_MS], ["1d", midnightMs], [
        "1m",
        CLOSE_MS,
      ]] as const
    ) {
      await emptyDatabase(database);
      testClock.restart(closeMs + 1_000);
      const late = exchange.faults.add({ fault: { kind: "late_final", lateMs: 70_000 } });
      const poll = new Poll(await open(timeframe, "10d"));
      const asked: number[] = [];
      for (let tick = 0; tick < 6; tick++) {
        testClock.restart(closeMs + tick * MINUTE_MS + 1_000);
        asked.push((await poll.runOnce()).asked);
      }
      assert.deepEqual(
        asked,
        timeframe === "1m" ? [1, 1, 1, 1, 1, 1] : [1, 0, 1, 0, 0, 0],
        timeframe,
      );
      const { text } = parseTimeframe(timeframe);
      const sinceMs = addCandles(parseTimeframe(text), closeMs, -3);
      await assertTrue({ database, exchange }, timeframe, { sinceMs, untilMs: closeMs }, closeMs);
      assert.ok(await coveredUntil(database) >= closeMs);
      late.remove();
    }
  },

  "teaches polls the settling time, and the next process knows it": async (
    { database, exchange, open },
  ) => {
    exchange.faults.add({ fault: { kind: "late_final", lateMs: 200_000 } });
    const archive = await open("1m", "1h");
    const poll = new Poll(archive);
    for (let tick = 0; tick < 7; tick++) {
      testClock.restart(CLOSE_MS + tick * MINUTE_MS + 1_000);
      await poll.runOnce();
    }
    const settleMs = archive.exchanges[0]!.settleMs;
    assert.ok(settleMs > 200_000 && settleMs <= 200_000 + 2 * MINUTE_MS, String(settleMs));
    assert.equal((await open("1m", "1h")).exchanges[0]!.settleMs, settleMs);
    // What was covered before that was learned has been corrected by the polls since.
    const untilMs = await coveredUntil(database);
    await assertTrue({ database, exchange }, "1m", { sinceMs: CLOSE_MS, untilMs }, untilMs);
  },

  "that one candle is corrected late delays no other": async ({ database, exchange, open }) => {
    const corrected = { sinceMs: CLOSE_MS - MINUTE_MS, untilMs: CLOSE_MS };
    exchange.faults.add({ when: corrected, fault: { kind: "revision", asks: 4 } });
    const archive = await open("1m", "1h");
    const poll = new Poll(archive);
    let revised = 0;
    for (let tick = 0; tick < 7; tick++) {
      testClock.restart(CLOSE_MS + tick * MINUTE_MS + 1_000);
      revised += (await poll.runOnce()).revised;
    }
    assert.equal(revised, 1, "it was corrected, four minutes late");
    assert.equal(archive.exchanges[0]!.settleMs, 2 * MINUTE_MS);
    assert.equal(await coveredUntil(database), CLOSE_MS + 4 * MINUTE_MS);
  },

  "is taken back when the answer that would make it final lacks it, and asked for again": async (
    { database, exchange, open },
  ) => {
    const archive = await open("1m", "1h");
    await backfill(archive, { patient: false });
    const gone = exchange.faults.add({ fault: { kind: "holes", ...YOUNG } });
    testClock.pass(3 * MINUTE_MS);
    await backfill(archive, { patient: false });
    assert.ok(await coveredUntil(database) >= CLOSE_MS);
    assert.deepEqual(await storedIn(database, YOUNG), []);
    assert.deepEqual(await gapsOf(archive), ["12:58 suspected 0"]);
    await assertCounts(archive, { missing: 1, reasons: {} });
    // It is a gap like any other one: what the exchange has after all is stored.
    gone.remove();
    testClock.pass(6 * MINUTE_MS);
    await repairGaps(archive);
    await assertCounts(archive, { missing: 0, reasons: {} });
    await assertTrue({ database, exchange }, "1m", YOUNG, YOUNG.untilMs);
  },

  "is taken back when it is rejected by then, and ends as a gap with that reason": async (
    { database, exchange, open },
  ) => {
    const archive = await open("1m", "1h");
    await backfill(archive, { patient: false });
    const { symbols } = exchange;
    const openTimeMs = YOUNG.sinceMs;
    symbols.list({
      ...symbols.all().find(({ symbol }) => symbol === "BTC/USDT")!,
      overrides: [{ timeframe: "1m", openTimeMs, values: { low: "-1" } }],
    });
    testClock.pass(3 * MINUTE_MS);
    await backfill(archive, { patient: false });
    assert.deepEqual(await storedIn(database, YOUNG), []);
    await assertCounts(archive, { missing: 1, reasons: {} });
    for (const asks of [1, 2]) {
      testClock.pass(6 * MINUTE_MS);
      assert.equal((await repairGaps(archive)).asked, 1, `ask ${asks}`);
    }
    assert.deepEqual(await gapsOf(archive), ["12:58 rejected 2"]);
    await assertCounts(archive, { missing: 0, reasons: { rejected: 1 } });
  },

  "stays as it is while answers tell of nothing so new, and is confirmed by the first that does":
    async (
      { database, exchange, open },
    ) => {
      for (const before of [58, 0]) {
        await emptyDatabase(database);
        testClock.restart(CLOSE_MS + 1_000);
        const archive = await open("1m", "1h");
        const untilMs = CLOSE_MS - 2 * MINUTE_MS;
        const silent = { kind: "holes", sinceMs: 0, untilMs } as const;
        if (before === 0) exchange.faults.add({ times: 1, fault: silent });
        await backfill(archive, { patient: false });
        assert.equal((await storedIn(database, EVER)).length, before + 2);
        testClock.restart(CLOSE_MS + 2 * MINUTE_MS + 1_000);
        // An exchange in trouble.
        const empty = exchange.faults.add({
          when: { about: "candles" },
          fault: { kind: "empty_page" },
        });
        for (const left of [2, 4]) {
          const [report] = await backfill(archive, { patient: false });
          assert.deepEqual([report?.left, report?.added, report?.revised], [left, 0, 0]);
          assert.equal((await storedIn(database, EVER)).length, before + 2);
          assert.equal(await coveredUntil(database), untilMs);
          testClock.pass(2 * MINUTE_MS);
        }
        empty.remove();
        assert.equal((await backfill(archive, { patient: false }))[0]?.left, 0);
        const window = { sinceMs: untilMs, untilMs: CLOSE_MS };
        await assertTrue({ database, exchange }, "1m", window, CLOSE_MS);
      }
    },

  "is given up when nothing tells of it for long, and comes back as a gap that is filled": async (
    { database, exchange, open },
  ) => {
    const archive = await open("1m", "6h");
    await backfill(archive, { patient: false });
    const empty = exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "empty_page" },
    });
    testClock.pass(2 * HOUR_MS);
    assert.equal((await backfill(archive, { patient: false }))[0]?.left, 0);
    assert.equal(
      (await storedIn(database, { ...EVER, sinceMs: CLOSE_MS - 2 * MINUTE_MS })).length,
      0,
    );
    empty.remove();
    testClock.pass(10 * MINUTE_MS);
    await repairGaps(archive);
    const window = { sinceMs: CLOSE_MS - HOUR_MS, untilMs: CLOSE_MS + HOUR_MS };
    await assertTrue({ database, exchange }, "1m", window, window.untilMs);
  },

  "is given up as a whole, also by polls, and not before it would be final": async (
    { database, exchange, open },
  ) => {
    const archive = await open("1h", "6h");
    await backfill(archive, { patient: false });
    const poll = new Poll(archive);
    const empty = exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "empty_page" },
    });
    for (let minute = 1; minute < 20; minute++) {
      testClock.restart(CLOSE_MS + minute * MINUTE_MS + 500);
      await poll.runOnce();
      const untilMs = await coveredUntil(database);
      assert.equal(untilMs, minute < 12 ? CLOSE_MS - HOUR_MS : CLOSE_MS, `${minute} min`);
      const hour = await storedIn(database, { ...EVER, sinceMs: CLOSE_MS - HOUR_MS }, "1h");
      assert.equal(hour.length, minute < 12 ? 1 : 0, `${minute} min`);
    }
    empty.remove();
    testClock.restart(CLOSE_MS + HOUR_MS);
    await repairGaps(archive);
    const window = { sinceMs: CLOSE_MS - 2 * HOUR_MS, untilMs: CLOSE_MS };
    await assertTrue({ database, exchange }, "1h", window, CLOSE_MS);
  },

  "leaves bounds that its page widens, when it is taken back": async (
    { database, exchange, open },
  ) => {
    const archive = await open("1m", "1h");
    const youngMs = CLOSE_MS - 2 * MINUTE_MS;
    const silent = exchange.faults.add({ fault: { kind: "holes", sinceMs: 0, untilMs: youngMs } });
    await backfill(archive, { patient: false });
    silent.remove();
    exchange.faults.add({ fault: { kind: "holes", sinceMs: 0, untilMs: CLOSE_MS } });
    testClock.restart(CLOSE_MS + 50 * MINUTE_MS);
    await backfill(archive, { patient: false });
    const stored = await storedIn(database, EVER);
    const [row] = await database.sql`select candles::int, first, last from checkpoints`;
    const ends = [row?.["first"]?.getTime(), row?.["last"]?.getTime()];
    assert.deepEqual([row?.["candles"], ...ends], [stored.length, CLOSE_MS, stored.at(-1)]);
  },

  "is taken back also where it was all that the series had": async (
    { database, exchange, open },
  ) => {
    const archive = await open("1m", "1h");
    const youngMs = CLOSE_MS - 2 * MINUTE_MS;
    const silent = exchange.faults.add({ fault: { kind: "holes", sinceMs: 0, untilMs: youngMs } });
    await backfill(archive, { patient: false });
    silent.remove();
    const taken = await storedIn(database, EVER);
    assert.equal(taken.length, 2);
    exchange.faults.add({ fault: { kind: "holes", sinceMs: 0, untilMs: CLOSE_MS } });
    testClock.restart(CLOSE_MS + 4 * MINUTE_MS + 1_000);
    await backfill(archive, { patient: false });
    const stored = await storedIn(database, EVER);
    assert.ok(stored.length > 0 && stored[0]! >= CLOSE_MS);
    const [row] = await database.sql`select candles::int, first, last from checkpoints`;
    const ends = [row?.["first"]?.getTime(), row?.["last"]?.getTime()];
    assert.deepEqual([row?.["candles"], ...ends], [stored.length, stored[0], stored.at(-1)]);
    // What the exchange had said of them is not lost.
    const kept = await database.sql<
      { time: Date }[]
    >`select time from candle_revisions order by time`;
    assert.deepEqual(kept.map(({ time }) => time.getTime()), taken);
  },

  "is where a series begins that is polled for less than a candle takes to be final": async (
    { database, exchange, openPolled },
  ) => {
    const tick = async (poll: Poll): Promise<void> => {
      testClock.pass(MINUTE_MS);
      assert.equal((await poll.runOnce()).failed, 0);
    };
    const archive = await openPolled(2);
    const sinceMs = CLOSE_MS - MINUTE_MS;
    const poll = new Poll(archive);
    for (let minute = 0; minute < 5; minute++) await tick(poll);
    const untilMs = CLOSE_MS + 3 * MINUTE_MS;
    assert.deepEqual((await minutesOf(database))?.covered, [{ sinceMs, untilMs }]);
    // A pause, and a daemon that begins anew: nothing is left out.
    testClock.pass(20 * MINUTE_MS);
    await tick(poll);
    const job = pollJob(await openPolled(2), { onEnd: () => {} });
    testClock.pass(20 * MINUTE_MS);
    await job.runOnce(new AbortController().signal);
    const covered = {
      sinceMs,
      untilMs: closedUntil(parseTimeframe("1m"), testClock.now() - 2 * MINUTE_MS),
    };
    assert.deepEqual((await minutesOf(database))?.covered, [covered]);
    await assertTrue({ database, exchange }, "1m", covered, covered.untilMs);
  },

  "is where a series begins also when the program ends before it is final": async (
    { database, exchange, openPolled },
  ) => {
    await new Poll(await openPolled(2)).runOnce();
    const first = await minutesOf(database);
    assert.deepEqual([first?.covered, first?.unsettled.length], [[], 1]);
    const archive = await openPolled(2);
    testClock.pass(20 * MINUTE_MS);
    await new Poll(archive).runOnce();
    await backfill(archive, { patient: false });
    const sinceMs = CLOSE_MS - 2 * MINUTE_MS;
    const covered = (await minutesOf(database))?.covered;
    assert.deepEqual(covered?.map(({ sinceMs }) => sinceMs), [sinceMs]);
    await assertTrue({ database, exchange }, "1m", covered![0]!, covered![0]!.untilMs);
  },

  "hides no hole from the counts": async ({ database, exchange, open }) => {
    const hole = { sinceMs: CLOSE_MS - 30 * MINUTE_MS, untilMs: CLOSE_MS - 29 * MINUTE_MS };
    exchange.faults.add({ fault: { kind: "holes", ...hole } });
    const archive = await open("1m", "1h");
    await backfill(archive, { patient: false });
    const accounts = (): ReturnType<typeof readAccounts> =>
      readAccounts(database, {
        config: archive.config,
        nowMs: testClock.now(),
        newestCandlesMax: () => undefined,
      });
    const [before] = await accounts();
    assert.deepEqual([before?.candles, before?.missing, before?.owed], [59, 1, 0]);
    await repairGaps(archive);
    assert.equal(await coveredUntil(database), CLOSE_MS - 2 * MINUTE_MS, "by a repair neither");
    testClock.pass(3 * MINUTE_MS);
    const [later] = await accounts();
    assert.deepEqual([later?.missing, later?.owed], [1, 1], "what is stored is not missing");
    await backfill(await open("1m", "1h"), { patient: false });
    const [after] = await accounts();
    assert.deepEqual([after?.candles, after?.missing, after?.owed], [62, 1, 0]);
  },
};

/** A minute that is stored before it is final. */
const YOUNG = { sinceMs: CLOSE_MS - 2 * MINUTE_MS, untilMs: CLOSE_MS - MINUTE_MS };

/** Open times of the candles that are stored in a window. */
async function storedIn(
  database: Database,
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number },
  timeframe = "1m",
): Promise<readonly number[]> {
  const rows = await database.sql.unsafe<{ time: Date }[]>(
    `select time from ohlcv_${timeframe} where time >= $1 and time < $2 order by time`,
    [new Date(sinceMs), new Date(untilMs)],
  );
  return rows.map(({ time }) => time.getTime());
}

/** Looks for gaps, and lists them: when they begin, their state, and how often they were asked for. */
async function gapsOf(archive: Archive): Promise<readonly string[]> {
  await lookThrough(archive);
  return (await readGaps(archive.database)).filter(({ state }) => state !== "before_listing")
    .map(({ window, state, attempts }) =>
      `${new Date(window.sinceMs).toISOString().slice(11, 16)} ${state} ${attempts}`
    );
}

/** Asserts what the account says, and that it counts the candles that are stored. */
async function assertCounts(
  archive: Archive,
  expected: Readonly<Record<"missing", number> & { readonly reasons: GapReasons }>,
): Promise<void> {
  const { config, database } = archive;
  const [account] = await readAccounts(database, {
    config,
    nowMs: testClock.now(),
    newestCandlesMax: () => undefined,
  });
  assert.deepEqual([account?.missing, account?.reasons], [expected.missing, expected.reasons]);
  const [{ stored } = assert.fail()] = await database
    .sql`select count(*)::int as stored from ohlcv_1m`;
  assert.equal(account?.candles, stored);
}

async function coveredUntil(database: Database): Promise<number> {
  const [{ covered } = assert.fail()] = await readCheckpoints(database);
  return covered.at(-1)?.untilMs ?? -Infinity;
}

async function minutesOf(database: Database): Promise<Checkpoint | undefined> {
  return (await readCheckpoints(database)).find(({ series }) => series.timeframe.text === "1m");
}

/** Compares all stored candles of a window with what the exchange says in the end. */
async function assertTrue(
  { database, exchange }: Pick<Scene, "database" | "exchange">,
  timeframe: string,
  window: { readonly sinceMs: number; readonly untilMs: number },
  storedUntilMs = closedUntil(parseTimeframe(timeframe), testClock.now()),
): Promise<void> {
  await database.sql.unsafe(
    `delete from ohlcv_${timeframe} where time < $1 or time >= $2`,
    [new Date(window.sinceMs), new Date(storedUntilMs)],
  );
  await assertSameCandles(database, exchange, { symbol: "BTC/USDT", timeframe, window });
}
