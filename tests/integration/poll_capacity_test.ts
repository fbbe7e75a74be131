/** What polls are said to take is what they take: real classes, a real poll, and a pace on a clock of the test's own. @module */
import assert from "node:assert/strict";
import { pollCapacity } from "../../lib/fetch/poll_capacity.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { Alerts } from "../../lib/alert/alerting.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import type { PollReport } from "../../lib/fetch/poll_report.ts";
import type { Archive } from "../../lib/archive/archive.ts";
import type { ArchivedExchange } from "../../lib/archive/archived_exchange.ts";
import { besidePolls, type Capacity } from "../../lib/market/capacity.ts";
import { setImmediate as turnOfTheEventLoop } from "node:timers/promises";
import type { Database } from "../../lib/store/connection/database.ts";
import { binance } from "../support/local_exchange/binance.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { manyMarkets } from "../support/many_exchanges.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { started } from "../support/started.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** At a full hour. */
const START_MS = Date.UTC(2024, 2, 15, 12);

/** A request for candles of spot markets costs 0.4 in CCXT's class. So six fit into a minute, and five beside others. */
const REQUEST_MS = 10_000;

interface Scene {
  readonly archive: Archive & { readonly lines: readonly string[] };
  readonly capacity: Capacity;
  /** Polls for so many minutes, beside a backfill without end; resolves to a report a tick, and its number of pages. */
  readonly minutes: (
    count: number,
  ) => Promise<{ readonly reports: readonly PollReport[]; readonly backfilled: number }>;
  /** When each request of a poll was sent. Milliseconds. */
  readonly sentMs: readonly number[];
}

/** An archive of so many symbols, polled every minute of a clock that moves only when nothing is left to do. */
async function withPolls(
  database: Database,
  { symbols, timeframes = "1m" }: { readonly symbols: number; readonly timeframes?: string },
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock({ startMs: START_MS });
  const markets = manyMarkets(symbols);
  const exchange = await startLocalExchange({ clock, symbols: markets });
  try {
    await emptyDatabase(database);
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: markets.map(({ symbol }) => symbol).join(","),
      TIMEFRAMES: timeframes,
      BACKFILL: "off",
      POLL_CRON: "* * * * *",
      // The clock goes on while the list of markets is on its way.
      FETCH_TIMEOUT: "10m",
      EXCHANGE_BINANCE: JSON.stringify({
        urls: { api: { public: `${exchange.url}/api/v3` } },
        rateLimit: REQUEST_MS / 0.4,
      }),
    }, clock);
    await use(await beginPolls(archive, clock));
  } finally {
    await exchange.close();
  }
}

async function beginPolls(archive: Scene["archive"], clock: ManualClock): Promise<Scene> {
  const [exchange = assert.fail()] = archive.exchanges;
  const sentMs: number[] = [];
  let isLoaded = false;
  const loading = started(refreshMarkets(archive, exchange).finally(() => isLoaded = true));
  while (!isLoaded) await clock.advance(1);
  const markets = await loading;
  // For the list of markets the next requests wait. Polls begin at a time that all candles but days begin at.
  // So the ticks are a second ahead of the turns that the first one begins.
  await clock.advance(HOUR_MS / 2 - clock.now() % (HOUR_MS / 2) + 1_000);
  const poll = new Poll(archive);
  const work = new Work(archive, { onSent: () => void sentMs.push(clock.now()) });
  const untilNextMinute = async (): Promise<void> => {
    for (let isNext = false; !isNext; isNext = clock.now() % MINUTE_MS === 0) {
      await clock.advance(1_000);
      await work.done();
    }
  };
  return {
    archive,
    capacity: await pollCapacity(archive, exchange, markets),
    sentMs,
    minutes: async (minutes) => {
      const runs: Promise<PollReport>[] = [];
      const end = new AbortController();
      let backfill: Promise<number> | undefined;
      for (let at = 0; at < minutes; at++) {
        const { ticks } = work;
        runs.push(poll.runOnce());
        while (work.ticks === ticks) await turnOfTheEventLoop();
        await work.done();
        backfill ??= backfillTurns(exchange, end.signal);
        await untilNextMinute();
      }
      end.abort();
      const backfilled = await backfill ?? 0;
      // What waits for its turn gets it, and is not counted.
      const counted = sentMs.length;
      for (let at = 0; at < 2; at++) await untilNextMinute();
      sentMs.length = counted;
      return { reports: await Promise.all(runs), backfilled };
    },
  };
}

/** Asks for as many pages of a backfill as it gets turns for; resolves to their number. */
async function backfillTurns({ client }: ArchivedExchange, signal: AbortSignal): Promise<number> {
  for (let turns = 0;; turns++) {
    try {
      await client.turn("backfill", { signal });
    } catch {
      return turns;
    }
    client.onCost(0.4);
  }
}

/** Knows when nothing but time is waited for: every page that was begun is written, or waits for its turn. */
class Work {
  ticks = 0;
  #begun = 0;
  #waiting = 0;
  #written = 0;
  #statements = 0;

  constructor(archive: Archive, { onSent }: { readonly onSent: () => void }) {
    const { database, metrics, exchanges: [exchange = assert.fail()] } = archive;
    const { client } = exchange;
    const reach = database.reach.bind(database);
    // The first step of a page.
    Object.assign(database, { reach: () => (this.#begun++, reach()) });
    // What a poll writes beside its pages ends it, too.
    const run = database.run.bind(database);
    const counted: typeof run = async (...given) => {
      this.#statements++;
      try {
        return await run(...given);
      } finally {
        this.#statements--;
      }
    };
    Object.assign(database, { run: counted });
    const turn = client.turn.bind(client);
    client.turn = async (priority, options) => {
      if (priority === "backfill") return await turn(priority, options);
      this.#waiting++;
      await turn(priority, options);
      this.#waiting--;
      onSent();
    };
    // The last one, and what is set once in every tick.
    const { observe } = metrics.dbWriteDurationSeconds;
    metrics.dbWriteDurationSeconds.observe = (...given: Parameters<typeof observe>) => {
      this.#written++;
      observe.apply(metrics.dbWriteDurationSeconds, given);
    };
    metrics.settleSeconds.set = () => void this.ticks++;
  }

  async done(): Promise<void> {
    do await turnOfTheEventLoop(); while (
      this.#begun - this.#written !== this.#waiting || this.#statements > 0
    );
    await turnOfTheEventLoop();
  }
}

Deno.test("polls send as many requests, and take as long, as is said", async (t) => {
  const { database, drop } = await openAnyTest();
  const { reach, run } = database;
  const step = (name: string, given: Parameters<typeof withPolls>[1], use: Use): Promise<boolean> =>
    t.step(
      name,
      () => withPolls(database, given, use).finally(() => Object.assign(database, { reach, run })),
    );
  try {
    await step("six that take the whole minute: none is skipped", { symbols: 6 }, async (scene) => {
      const { capacity, sentMs } = scene;
      assert.deepEqual([capacity.pollsAMinute, capacity.secondsAMinute], [6, 60]);
      const { reports, backfilled } = await scene.minutes(5);
      assert.deepEqual(
        reports.map(({ asked, skipped }) => [asked, skipped]),
        Array(5).fill([6, 0]),
      );
      assert.equal(sentMs.length, 5 * capacity.pollsAMinute);
      for (let i = 1; i < sentMs.length; i++) {
        assert.equal(sentMs[i]! - sentMs[i - 1]!, 1000 * capacity.secondsAMinute / 6);
      }
      assert.equal(backfilled, 0);
      assert.equal(besidePolls(1, capacity), Infinity);
      assert.match(
        warningsOf(scene)[0] ?? "",
        /which leaves too little for backfill; at most 5 fit/,
      );
    });
    await step("the five that fit leave time for backfill", { symbols: 5 }, async (scene) => {
      const { capacity } = scene;
      assert.deepEqual([capacity.secondsAMinute, capacity.symbolsMax], [50, 5]);
      const { reports, backfilled } = await scene.minutes(5);
      assert.deepEqual(
        reports.map(({ asked, skipped }) => [asked, skipped]),
        Array(5).fill([5, 0]),
      );
      const seconds = besidePolls(backfilled * REQUEST_MS / 1000, capacity);
      assert.deepEqual([backfilled, seconds], [5, 5 * 60]);
      assert.deepEqual(warningsOf(scene), []);
    });
    await step("what fits is judged anew after a reload", { symbols: 6 }, async (scene) => {
      const { config } = scene.archive;
      const reload = (pollCron: string): unknown =>
        Object.assign(scene.archive, { config: { ...config, pollCron } });
      reload("*/2 * * * *");
      await scene.minutes(1);
      assert.deepEqual(warningsOf(scene), []);
      reload(config.pollCron);
      await scene.minutes(1);
      assert.match(warningsOf(scene)[0] ?? "", /need 60 s of every minute/);
    });
    await step("one more than a minute holds: polls are skipped", { symbols: 7 }, async (scene) => {
      assert.equal(scene.capacity.secondsAMinute, 70);
      const { reports } = await scene.minutes(6);
      const skipped = reports.map((report) => report.skipped);
      assert.deepEqual(skipped.map((count) => count > 0), [false, ...Array(5).fill(true)]);
      const total = skipped.reduce((sum, count) => sum + count, 0);
      assert.match(
        await scene.archive.metrics.text(),
        new RegExp(`titan10_polls_skipped_total\\{exchange="binance"\\} ${total}\n`),
      );
      const told = warningsOf(scene);
      assert.equal(told.length, 2, told.join("\n"));
      assert.match(
        told[0]!,
        /polls of an exchange need more time .* need 70 s of every minute, so polls are skipped/,
      );
      assert.match(
        told[1]!,
        /polls are skipped because .* at most 5 fit. Reduce the symbols/,
      );
      // Nothing waits any more, so the next tick is on time.
      await scene.minutes(1);
      assert.match(scene.archive.lines.join("\n"), /polls are on time again/);
      assert.equal(warningsOf(scene).length, 2);
    });
    const timeframes = "1m,5m,15m";
    await step("longer candles are asked for twice", { symbols: 2, timeframes }, async (scene) => {
      const { capacity, sentMs } = scene;
      const { reports } = await scene.minutes(15);
      assert.equal(sentMs.length, Math.round(15 * capacity.pollsAMinute));
      assert.equal(sentMs.length, 2 * (15 + 2 * 3 + 2));
      assert.deepEqual(reports.map(({ skipped }) => skipped), Array(15).fill(0));
    });
  } finally {
    await drop();
  }
});

Deno.test("an exchange that does not answer is skipped by itself, and holds back no other", async () => {
  const clock = new TestClock();
  const exchange = await startLocalExchange({
    clock,
    dialect: [binance, kraken],
  });
  const { database, drop } = await openAnyTest();
  const end = new AbortController();
  const runs: Promise<PollReport>[] = [];
  try {
    const options = JSON.stringify({ proxyUrl: exchange.proxyUrl, rateLimit: 1 });
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance,kraken",
      SYMBOLS: "BTC/USDT,ETH/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "off",
      FETCH_TIMEOUT: "10m",
      EXCHANGE_BINANCE: options,
      EXCHANGE_KRAKEN: options,
    }, clock);
    const poll = new Poll(archive);
    const polled = polledOf(archive, "binance");
    await poll.runOnce();
    exchange.faults.add({
      when: { exchange: "kraken", about: "candles" },
      fault: { kind: "hang" },
    });
    const skipped = (): readonly string[] =>
      archive.lines.filter((line) => /polls are skipped/.test(line));
    for (let tick = 1; tick <= 5; tick++) {
      clock.pass(MINUTE_MS);
      const before = exchange.requests.length;
      const next = polled.next();
      runs.push(poll.runOnce({ signal: end.signal }));
      await next;
      // The two of binance are answered in every tick; those of kraken are under way since the first one.
      const sent = before + (tick === 1 ? 4 : 2);
      await until(`${sent} requests`, () => exchange.requests.length >= sent);
      assert.equal(await newestOf(database, "binance"), newestAt(clock));
      assert.equal(skipped().length, tick < 4 ? 0 : 1, `tick ${tick}`);
    }
    const text = await archive.metrics.text();
    assert.match(text, /titan10_polls_skipped_total\{exchange="kraken"\} 8\n/);
    assert.doesNotMatch(text, /titan10_polls_skipped_total\{exchange="binance"\}/);
    assert.match(skipped()[0]!, /"exchange":"kraken".*answers too slowly or not at all/);
    const alerts = new Alerts(archive);
    const firing = async (): Promise<readonly string[]> => {
      await alerts.judgePolls();
      const rows = await database.sql<{ name: string }[]>`
        select exchange || ' ' || alert as name from alerts where alert = 'polls_skipped'`;
      return rows.map(({ name }) => name);
    };
    assert.deepEqual(await firing(), [], "not before ten minutes");
    for (let tick = 0; tick < 2; tick++) {
      clock.pass(4 * MINUTE_MS);
      const next = polled.next();
      runs.push(poll.runOnce({ signal: end.signal }));
      await next;
      assert.equal(await newestOf(database, "binance"), newestAt(clock));
    }
    assert.deepEqual(await firing(), ["kraken polls_skipped"]);
    await alerts.stop();
  } finally {
    end.abort();
    await Promise.all(runs);
    await drop();
    await exchange.close();
  }
});

/** Tells when a poll of an exchange has ended. Its candles are in the database before: then it is still under way. */
function polledOf(
  { failures }: Archive,
  exchange: string,
): { readonly next: () => Promise<void> } {
  let ended = Promise.withResolvers<void>();
  const clear = failures.clear.bind(failures);
  // The last step of a poll that nothing failed in.
  failures.clear = (text) => {
    clear(text);
    if (text === `${exchange} pages`) {
      ended.resolve();
      ended = Promise.withResolvers();
    }
  };
  return { next: () => ended.promise };
}

/** When the newest closed candle opens. Milliseconds. */
function newestAt(clock: TestClock): number {
  return clock.now() - clock.now() % MINUTE_MS - MINUTE_MS;
}

/** When the newest candle of every series of an exchange opens, of the one that is the oldest. Milliseconds. */
async function newestOf({ sql }: Database, exchange: string): Promise<number> {
  const rows = await sql`select extract(epoch from max(time)) * 1000 as ms from ohlcv_1m
    where exchange = ${exchange} group by symbol order by 1 limit 1`;
  return Number(rows[0]?.["ms"] ?? 0);
}

/** The warnings about polls. */
function warningsOf({ archive }: Scene): readonly string[] {
  return archive.lines.filter((line) => /"warning".*poll/.test(line));
}

type Use = (scene: Scene) => Promise<void>;
