/** What a reload changes of an archive at work, where the order of its steps or the past of an exchange matters. @module */
import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import type { ArchiveSchedule } from "../../lib/daemon/jobs.ts";
import { Reloads } from "../../lib/daemon/reload.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { backfillJob } from "../../lib/fetch/backfill_job.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { streamSource } from "../../lib/daemon/open_streams.ts";
import { Live } from "../../lib/live/live.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { readExchangeStates } from "../../lib/store/exchange_state.ts";
import { forgetSymbol } from "../../lib/store/forget.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { configOf, openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const HOUR = parseTimeframe("1h");
const DAY_MS = 24 * 3_600_000;
const RANGE = "1h:2022-01-01..2022-02-01";

/** Runs nothing: a test runs what it is about. */
const NO_SCHEDULE = {
  schedule: { retime: () => {}, runNow: () => {}, wake: () => {} },
  startBackfill: () => {},
} as unknown as ArchiveSchedule;

type Variables = Readonly<Record<string, string>>;

interface Scene {
  readonly database: Database;
  readonly clock: TestClock;
  readonly exchange: LocalExchange;
  readonly archive: Archive;
  /** Puts other settings into force; `startBackfill` is called for each exchange that wants another range. */
  readonly reload: (change: Variables, startBackfill?: () => void) => Promise<void>;
  /** Has these streams follow what is reloaded. */
  readonly follow: (streams: Live) => void;
}

async function withScene(
  variables: Variables,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const { database, drop } = await openAnyTest();
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  const usual = {
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT",
    TIMEFRAMES: "1h",
    BACKFILL: "1h:2d",
    EXCHANGE_PROXY_URL: exchange.proxyUrl,
    EXCHANGE_BINANCE: '{"rateLimit":1}',
    ...variables,
  };
  try {
    const archive = await openTestArchive(database, usual, clock);
    let config = archive.config;
    const reloads = new Reloads({
      ...archive,
      reread: () => Promise.resolve({ config, fileHints: [], useLog: () => {} }),
    });
    let started = (): void => {};
    let following = (): void => {};
    reloads.start({
      archive,
      schedule: { ...NO_SCHEDULE, startBackfill: () => started() },
      streams: { follow: () => following() },
    });
    const reload: Scene["reload"] = async (change, startBackfill = () => {}) => {
      config = configOf({ ...usual, ...change });
      started = startBackfill;
      const answer = await reloads.ask();
      assert(answer.ok, JSON.stringify(answer));
    };
    const follow = (streams: Live): void => void (following = () => streams.follow());
    await test({ database, clock, exchange, archive, reload, follow });
  } finally {
    await exchange.close();
    await drop();
  }
}

Deno.test("where the reach gives way to a range, what lies between stays unasked, however long the rest of the reload takes", () =>
  withScene({ EXCHANGES: "binance,kraken" }, async ({ archive, exchange, reload }) => {
    const [binance, kraken] = archive.exchanges;
    await backfill({ ...archive, exchanges: [binance!] }, { patient: false });
    const asked = exchange.requests.length;
    // Of an exchange that goes, a page is still being written.
    const { promise: written, resolve: write } = Promise.withResolvers<void>();
    const writing = kraken!.work.run({}, () => written);
    let filling: Promise<unknown> = Promise.resolve();
    await reload({ EXCHANGES: "binance", BACKFILL: RANGE }, () => {
      filling = backfill(archive, { patient: false }).finally(write);
    });
    await Promise.all([filling, writing]);
    assert.equal((await readCheckpoints(archive.database))[0]?.candles, 48 + 744);
    assert(exchange.requests.length - asked < 10, String(exchange.requests.length - asked));
    // Nor is it owed later.
    const [report] = await backfill(archive, { patient: false });
    assert.equal(report?.owed, 0);
  }));

Deno.test("bans are in force for another client that takes the place, also where they are not stored", () =>
  withScene({}, async ({ archive, reload }) => {
    const [before] = archive.exchanges;
    const untilMs = archive.clock.now() + DAY_MS;
    const ban = { host: "fapi.binance.com", untilMs, reason: "too many requests" };
    before!.client.restoreBan(ban);
    await reload({ EXCHANGE_BINANCE: '{"rateLimit":2}' });
    const [after] = archive.exchanges;
    assert.notEqual(after, before);
    assert.deepEqual(after!.client.bans, [ban]);
  }));

Deno.test("a breaker that was open is closed when another client takes the place, and the old one's last requests do not open it", () =>
  withScene({ RETRY_ATTEMPTS: "1" }, async ({ archive, database, exchange, reload }) => {
    const stored = async (): Promise<string | undefined> =>
      (await readExchangeStates(database))[0]?.breaker;
    const shown = async (): Promise<string> => {
      const text = await archive.metrics.text();
      return /^titan10_breaker_state\{exchange="binance".*$/m.exec(text)?.[0] ??
        text.split("\n").filter((line) => line.includes("breaker")).join("\n");
    };
    const [before] = archive.exchanges;
    await new Poll(archive).runOnce();
    const closed = await shown();
    exchange.faults.add({ fault: { kind: "status", status: 503 } });
    const fail = async (): Promise<void> => {
      const untilMs = archive.clock.now();
      const window = { sinceMs: untilMs - DAY_MS, untilMs };
      const series = { exchange: "binance", symbol: "BTC/USDT", timeframe: HOUR };
      for (let time = 0; time < 5; time++) {
        await assert.rejects(before!.askPage(series, window, { priority: "live" }));
      }
    };
    await fail();
    await until("the breaker to be stored", async () => await stored() !== "closed");
    await reload({ EXCHANGE_BINANCE: '{"rateLimit":2}' });
    assert.notEqual(archive.exchanges[0], before);
    assert.deepEqual([await stored(), await shown()], ["closed", closed]);
    await fail();
    await archive.clock.sleep(100);
    assert.deepEqual([await stored(), await shown()], ["closed", closed]);
  }));

Deno.test("a ban that a replaced client's last request meets keeps the client in its place away, too", () =>
  withScene({ RETRY_ATTEMPTS: "1" }, async ({ archive, clock, exchange, reload }) => {
    const [before] = archive.exchanges;
    await new Poll(archive).runOnce();
    await reload({ EXCHANGE_BINANCE: '{"rateLimit":2}' });
    assert.notEqual(archive.exchanges[0], before);
    exchange.faults.add({ fault: { kind: "status", status: 429, retryAfterSeconds: 600 } });
    const series = { exchange: "binance", symbol: "BTC/USDT", timeframe: HOUR };
    const untilMs = clock.now();
    const window = { sinceMs: untilMs - DAY_MS, untilMs };
    await assert.rejects(before!.askPage(series, window, { priority: "live" }), /429|banned/);
    const asked = exchange.requests.length;
    await new Poll(archive).runOnce();
    assert.equal(exchange.requests.length, asked, "nothing is asked during the ban");
  }));

Deno.test("a series that was refused is polled at once when another client takes the place", () =>
  withScene({}, async ({ archive, exchange, reload }) => {
    const poll = new Poll(archive);
    const fault = exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "status", status: 400, body: '{"code":-1100,"msg":"Illegal characters"}' },
    });
    for (let tick = 0; tick < 4; tick++) await poll.runOnce();
    const { asked } = await poll.runOnce();
    assert.equal(asked, 0, "it is left alone");
    fault.remove();
    await reload({ EXCHANGE_BINANCE: '{"rateLimit":2}' });
    const { added, failed } = await poll.runOnce();
    assert.deepEqual([added, failed], [5, 0]);
  }));

Deno.test("a series that was deleted and is archived anew is followed from its first poll on", () =>
  withScene({ SYMBOLS: "BTC/USDT,ETH/USDT", BACKFILL: RANGE }, async (scene) => {
    const { archive, clock, database, reload } = scene;
    const poll = new Poll(archive);
    await poll.runOnce();
    await reload({ SYMBOLS: "ETH/USDT", BACKFILL: RANGE });
    await poll.runOnce();
    await forgetSymbol(database, { exchange: "binance", symbol: "BTC/USDT" });
    clock.pass(DAY_MS);
    await reload({ BACKFILL: RANGE });
    await poll.runOnce();
    const [btc] = (await readCheckpoints(database)).filter(({ series }) =>
      series.symbol === "BTC/USDT"
    );
    assert.notEqual(btc?.followedFromMs, undefined);
  }));

Deno.test("settings that change while the markets are loaded count for that load, also where an older backfill has begun it", () =>
  withScene({}, async ({ archive, database, exchange, reload }) => {
    const { promise: loading, resolve: begun } = Promise.withResolvers<void>();
    const slow = exchange.faults.add({
      when: { about: "markets" },
      fault: { kind: "latency", ms: 300 },
    });
    const job = backfillJob(archive, { onWritten: () => {}, onDue: () => {} });
    const reach = database.reach.bind(database);
    Object.assign(archive, {
      database: Object.assign(Object.create(database), {
        reach: async () => {
          await reach();
          begun();
        },
      }),
    });
    const running = job.runOnce(new AbortController().signal);
    await loading;
    await reload({ SYMBOLS: "ETH/USDT" });
    await running;
    slow.remove();
    const symbols = archive.exchanges[0]!.series.map(({ symbol }) => symbol);
    assert.deepEqual(symbols, ["ETH/USDT"]);
  }));

Deno.test("who asks for a reload while the daemon is starting is told that it comes, and it does", () =>
  withScene({}, async ({ archive }) => {
    const { promise: reread, resolve } = Promise.withResolvers<void>();
    const reloads = new Reloads({
      ...archive,
      reread: () => {
        resolve();
        return Promise.resolve({ config: archive.config, fileHints: [], useLog: () => {} });
      },
    });
    const answer = await reloads.ask();
    assert.match(JSON.stringify(answer), /"ok":false.*starting: it reads them again when it has/);
    reloads.start({ archive, schedule: NO_SCHEDULE });
    await reread;
    assert((await reloads.ask()).ok);
  }));

Deno.test("streams that other settings want are opened, and those that they do not want are closed, before the next poll", () =>
  withScene({ LIVE: "off" }, async ({ archive, exchange, follow, reload }) => {
    const live = new Live(archive, streamSource(archive));
    follow(live);
    try {
      const urls = JSON.stringify({ urls: { ws: exchange.streamUrl } });
      await reload({ LIVE: "off", EXCHANGE_BINANCE: urls });
      await new Poll(archive, { streams: live }).runOnce();
      assert.equal(live.state("binance").kind, "off");
      await reload({ LIVE: "binance", EXCHANGE_BINANCE: urls });
      await until("a stream that is up", () => live.state("binance").kind === "up");
      const state = async (): Promise<string> =>
        /^titan10_stream_up.*$/m.exec(await archive.metrics.text())?.[0] ?? "none";
      assert.equal(await state(), 'titan10_stream_up{exchange="binance"} 1');
      await reload({ LIVE: "off", EXCHANGE_BINANCE: urls });
      assert.equal(await state(), "none");
      assert.match(
        await archive.metrics.text(),
        /titan10_stream_ends_total\{exchange="binance",reason="stopped"\} 1\n/,
      );
    } finally {
      await live.stop();
    }
  }));
