/** Two nodes of one archive: each asks for what it holds, goes on where the other one ended, and ends with its lease. @module */
import assert from "node:assert/strict";
import { Alerts } from "../../lib/alert/alerting.ts";
import type { JobName } from "../../lib/archive/job.ts";
import type { Clock } from "../../lib/clock.ts";
import { endWithLeases } from "../../lib/archive/lease_work.ts";
import { scheduleOf } from "../../lib/daemon/jobs.ts";
import type { OpenArchive } from "../../lib/daemon/open_archive.ts";
import { followShares } from "../../lib/daemon/shares.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { backfillShare } from "../../lib/fetch/backfill_share.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { Live } from "../../lib/live/live.ts";
import type { StreamSource } from "../../lib/live/stream_source.ts";
import { isCovered } from "../../lib/market/coverage.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { JobLog } from "../support/job_log.ts";
import { type GivenLeases, LeaseBoard } from "../support/lease_board.ts";
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
import { started } from "../support/started.ts";
import { START_MS, testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const [BTC, ETH] = ["BTC/USDT", "ETH/USDT"] as const;

/** Long enough that a request is under way when a test acts. */
const ANSWER_MS = 150;

interface Node {
  readonly archive: OpenArchive & { readonly lines: readonly string[] };
  readonly leases: GivenLeases;
}

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  readonly board: LeaseBoard;
  /** How long the longest wait is that any archive is in, or was. Milliseconds. */
  readonly longestWaitMs: () => number;
  /** Opens a node that holds these symbols. Undefined: it may not ask the exchange. */
  readonly open: (
    symbols: readonly string[] | undefined,
    variables?: Readonly<Record<string, string>>,
  ) => Promise<Node>;
}

Deno.test("nodes of one archive ask for what they hold, each alone", async (t) => {
  const { database, drop } = await openAnyTest();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, () => withScene(database, test));
    }
  } finally {
    await drop();
  }
});

async function withScene(database: Database, test: (scene: Scene) => Promise<void>): Promise<void> {
  testClock.restart();
  await emptyDatabase(database);
  const exchange = await startLocalExchange({ clock: testClock });
  const board = new LeaseBoard();
  const ends: (() => void)[] = [];
  let longestMs = 0;
  const clock: Clock = {
    now: () => testClock.now(),
    sleep: (ms, options) => {
      longestMs = Math.max(longestMs, ms);
      return testClock.sleep(ms, options);
    },
  };
  const open: Scene["open"] = async (symbols, variables) => {
    const env = {
      EXCHANGES: "binance",
      SYMBOLS: [BTC, ETH].join(),
      TIMEFRAMES: "1m",
      BACKFILL: "1m:2d",
      PAGE_LIMIT: "200",
      EXCHANGE_BINANCE: binanceAt(exchange),
      ...variables,
    };
    const archive = await openTestArchive(database, env, clock) as Node["archive"];
    const leases = board.node();
    archive.leases = leases;
    if (symbols !== undefined) await leases.gain("binance", symbols);
    ends.push(endWithLeases(archive));
    return { archive, leases };
  };
  try {
    await test({ database, exchange, board, open, longestWaitMs: () => longestMs });
  } finally {
    for (const end of ends) end();
    await exchange.close();
  }
}

/** The jobs of a daemon. One that is added to the type is missed here. */
const JOBS: Readonly<Record<JobName, true>> = {
  ...{
    poll: true,
    gaps: true,
    backfill: true,
    catch_up: true,
    funding: true,
    funding_history: true,
  },
  ...{
    doubt: true,
    alerts: true,
    gap_alerts: true,
    upkeep: true,
    maintenance: true,
    storage: true,
  },
  ...{ prune: true, dataset: true },
};

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "backfills and polls of two nodes ask for no window twice, and all is there": async (scene) => {
    const [one, other] = [await scene.open([BTC]), await scene.open([ETH])];
    const reports = await Promise.all(
      [one, other].map(({ archive }) => backfill(archive, { patient: false })),
    );
    for (const node of [one, other]) await new Poll(node.archive).runOnce();
    assertAskedOnce(scene);
    assert.deepEqual(reports.flat().map(({ left, problems }) => [left, problems]), [[0, []], [
      0,
      [],
    ]]);
    await assertWhole(scene);
    assert.deepEqual(one.leases.wanted.get("binance"), [BTC, ETH]);
  },

  "no job of a node that may not ask an exchange sends a request, whatever is owed": async (
    scene,
  ) => {
    const before = await scene.open([BTC, ETH]);
    await backfill(before.archive, { patient: false, asked: { sinceMs: START_MS - HOUR_MS } });
    const asked = scene.exchange.requests.length;
    const { archive, leases } = await scene.open(undefined);
    // Also what is done once for all nodes.
    leases.isLeader = true;
    await runAllJobs(archive);
    assert.equal(scene.exchange.requests.length, asked);

    // It may ask, and holds nothing: only the markets are loaded.
    await leases.gain("binance", []);
    await runAllJobs(archive);
    const endpoints = new Set(scene.exchange.requests.slice(asked).map(({ endpoint }) => endpoint));
    assert.deepEqual([...endpoints].filter((one) => /kline|time/i.test(one ?? "")), []);
    assert(endpoints.size > 0, "the markets were loaded");
  },

  "a page under way is stored when its symbol moves, and no window is asked for twice": async (
    scene,
  ) => {
    const { exchange, board } = scene;
    exchange.faults.add({ when: { about: "candles" }, fault: { kind: "latency", ms: ANSWER_MS } });
    const [one, other] = [await scene.open([BTC, ETH]), await scene.open([])];
    const first = started(backfill(one.archive, { patient: true }));
    await until("pages to be under way", () => candleAsks(scene).length >= 8);
    await board.move([BTC], { from: one.leases, to: other.leases });
    const asked = candleAsks(scene).filter((ask) => ask.startsWith("BTC"));
    const second = started(backfill(other.archive, { patient: true }));
    await Promise.all([first, second]);
    assert(candleAsks(scene).filter((ask) => ask.startsWith("BTC")).length > asked.length);
    assertAskedOnce(scene);
    await assertWhole(scene);
  },

  "a command whose database was away for longer than a lease fetches all once it is back": async (
    scene,
  ) => {
    const { exchange } = scene;
    exchange.faults.add({ when: { about: "candles" }, fault: { kind: "latency", ms: ANSWER_MS } });
    const { archive, leases } = await scene.open([BTC, ETH]);
    // At once in one case, and in the other one only when the run has ended.
    for (const isBackAtOnce of [true, false]) {
      const hours = isBackAtOnce ? 48 : 96;
      const asked = { sinceMs: START_MS - hours * HOUR_MS };
      const before = candleAsks(scene).length;
      const back = (): Promise<void> => leases.gain("binance", [BTC, ETH]);
      const running = started(
        backfillShare(archive, {
          patient: false,
          asked,
          handedOver: () => isBackAtOnce ? Promise.resolve() : back(),
        }),
      );
      await until("pages to be under way", () => candleAsks(scene).length >= before + 4);
      const moves = [leases.leave("binance", "away"), isBackAtOnce ? back() : undefined];
      const [[report]] = await Promise.all([running, ...moves]);
      assert.deepEqual([report?.left, report?.problems], [0, []]);
      await assertWhole(scene, hours);
    }
  },

  "what has waited for its turn in a process that stood still is not asked for": async (scene) => {
    const { archive, leases } = await scene.open([BTC, ETH]);
    await new Poll(archive).runOnce();
    const asked = scene.exchange.requests.length;
    const { client } = archive.exchanges[0]!;
    const turn = client.turn.bind(client);
    Object.assign(client, {
      async turn(...of: Parameters<typeof turn>): Promise<void> {
        await turn(...of);
        leases.expire();
      },
    });
    const [report] = await backfill(archive, { patient: false });
    assert.deepEqual([scene.exchange.requests.length - asked, report?.problems], [0, []]);
  },

  "what waits for the end of a ban ends when its symbol moves": async (scene) => {
    const { exchange, board } = scene;
    const [one, other] = [await scene.open([BTC, ETH]), await scene.open([])];
    const rule = exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "status", status: 429, retryAfterSeconds: 3_600 },
    });
    const first = started(backfill(one.archive, { patient: true }));
    await until("the wait for its end", () => scene.longestWaitMs() > HOUR_MS / 2);
    // It would last an hour: nothing but the move ends the wait.
    let hasMoved = false;
    const moving = started(
      board.move([BTC, ETH], { from: one.leases, to: other.leases }).then(() => hasMoved = true),
    );
    await until("the end of all waits", () => hasMoved);
    const [[report]] = await Promise.all([first, moving]);
    assert.equal(report?.added, 0);
    rule.remove();
    await backfill(other.archive, { patient: true });
    await assertWhole(scene);
  },

  "all work for an exchange ends when another node of the same address is to ask it": async (
    scene,
  ) => {
    const { exchange } = scene;
    exchange.faults.add({ when: { about: "candles" }, fault: { kind: "latency", ms: ANSWER_MS } });
    const { archive, leases } = await scene.open([BTC, ETH]);
    const running = started(backfill(archive, { patient: true }));
    await until("pages to be under way", () => candleAsks(scene).length >= 4);
    await leases.leave("binance");
    const asked = exchange.requests.length;
    const [report] = await running;
    assert.equal(report?.left, 0);
    await new Poll(archive).runOnce();
    assert.equal(exchange.requests.length, asked);
    // What had been asked for was stored.
    const covered = new Map(
      (await readCheckpoints(scene.database)).map(({ series, covered }) => [
        series.symbol.replace("/", ""),
        covered,
      ]),
    );
    for (const [symbol = "", since] of candleAsks(scene).map((ask) => ask.split(" "))) {
      assert(
        isCovered(covered.get(symbol) ?? [], Number(since)),
        `${symbol} ${since} was not stored`,
      );
    }
  },

  "polls go on where the ledger ends when a symbol comes back": async (scene) => {
    const { board } = scene;
    const [one, other] = [await scene.open([BTC]), await scene.open([])];
    const owing: number[] = [];
    const poll = new Poll(one.archive, { onOwing: (_, sinceMs) => owing.push(sinceMs) });
    const second = new Poll(other.archive, { onOwing: (_, sinceMs) => owing.push(sinceMs) });
    const ask = async (poll: Poll): Promise<readonly string[]> => {
      const before = candleAsks(scene).length;
      await poll.runOnce();
      return candleAsks(scene).slice(before);
    };
    await ask(poll);
    testClock.pass(2 * MINUTE_MS);
    await board.move([BTC], { from: one.leases, to: other.leases });
    assert.deepEqual(await ask(poll), []);
    assert.equal((await ask(second)).length, 1);
    testClock.pass(300 * MINUTE_MS);
    await ask(second);
    await backfill(other.archive, { patient: true });
    await board.move([BTC], { from: other.leases, to: one.leases });
    testClock.pass(30 * MINUTE_MS);
    // Its own memory is of five hours ago, and without any it would ask for five candles.
    owing.length = 0;
    const [again] = await ask(poll);
    const minutes = (testClock.now() - Number(again?.split(" ")[1])) / MINUTE_MS;
    assert(minutes > 28 && minutes < 45, `asked for ${minutes} minutes`);
    assert.deepEqual(owing, []);
  },

  "repairs are those of the symbols that a node holds": async (scene) => {
    const { exchange } = scene;
    const [sinceMs, untilMs] = [START_MS - 40 * MINUTE_MS, START_MS - 30 * MINUTE_MS];
    const rule = exchange.faults.add({ fault: { kind: "holes", sinceMs, untilMs } });
    const all = await scene.open([BTC, ETH], { BACKFILL: "1m:2h" });
    await backfill(all.archive, { patient: false });
    await all.leases.leave("binance");
    rule.remove();
    const { archive, leases } = await scene.open([BTC], { BACKFILL: "1m:2h" });
    await new Poll(archive).runOnce();
    const before = candleAsks(scene).length;
    // It finds the gaps of both.
    leases.isLeader = true;
    const { found, filled } = await repairGaps(archive);
    const asked = candleAsks(scene).slice(before).map((ask) => ask.split(" ")[0]);
    assert.deepEqual([[...new Set(asked)], found, filled], [["BTCUSDT"], 2, 1]);
  },

  "streams and gauges follow the symbols": async (scene) => {
    const { board } = scene;
    const [one, other] = [await scene.open([BTC, ETH]), await scene.open([])];
    const nodes = await Promise.all([one, other].map(async ({ archive }) => {
      const streams = new WishedStreams();
      const live = new Live(archive, streams);
      const jobs = await scheduleOf(archive, { alerts: new Alerts(archive, live), streams: live });
      const stop = followShares(archive, { jobs, streams: live });
      return { archive, streams, live, jobs, stop, poll: new Poll(archive, { streams: live }) };
    }));
    try {
      for (const { poll } of nodes) await poll.runOnce();
      const wished = (): readonly (readonly string[])[] =>
        nodes.map(({ streams }) => streams.wished);
      const told = async (): Promise<readonly (readonly string[])[]> =>
        await Promise.all(nodes.map(async ({ archive }) => {
          const text = await archive.metrics.text();
          const lines = text.matchAll(
            /^titan10_last_closed_candle_timestamp_seconds\{.*symbol="([^"]+)"/gm,
          );
          return [...lines].map(([, symbol]) => symbol!).sort();
        }));
      assert.deepEqual(wished(), [[BTC, ETH], []]);
      assert.deepEqual(await told(), [[BTC, ETH], []]);
      await board.move([BTC], { from: one.leases, to: other.leases });
      assert.deepEqual(wished(), [[ETH], [BTC]]);
      // What is gained is polled at once.
      await until("the poll of what was gained", async () => (await told())[1]?.length === 1);
      assert.deepEqual(await told(), [[ETH], [BTC]]);
      await one.leases.leave("binance");
      assert.equal(nodes[0]?.streams.isClosed, true);
    } finally {
      for (const { live, jobs, stop } of nodes) {
        await stop();
        await jobs.schedule.stop();
        await live.stop();
      }
    }
  },

  "several exchanges that are gained at once are polled by one poll": async (scene) => {
    const ids = ["binance", "binanceus"];
    const { archive, leases } = await scene.open(undefined, {
      EXCHANGES: ids.join(),
      ...Object.fromEntries(
        ids.map((id) => [`EXCHANGE_${id.toUpperCase()}`, binanceAt(scene.exchange)]),
      ),
    });
    const live = new Live(archive, new WishedStreams());
    const runs: string[] = [];
    const jobs = await scheduleOf(archive, {
      alerts: new Alerts(archive, live),
      onPoll: () => void runs.push("poll"),
    });
    const stop = followShares(archive, { jobs, streams: live });
    try {
      await Promise.all(ids.map((id) => leases.gain(id, [BTC, ETH])));
      await until("the poll of what was gained", () => runs.length > 0);
      assert.equal(runs.length, 1);
      assert.doesNotMatch(await archive.metrics.text(), /^titan10_polls_skipped_total.*[1-9]/m);
      assert.doesNotMatch(archive.lines.join("\n"), /polls are skipped/);
    } finally {
      await stop();
      await jobs.schedule.stop();
      await live.stop();
    }
  },
};

/** Streams that tell nothing. */
class WishedStreams implements StreamSource {
  wished: readonly string[] = [];
  isClosed = false;
  readonly isWanted = (): boolean => true;
  readonly lackOf = (): undefined => undefined;
  readonly open: StreamSource["open"] = () => ({
    subscribe: (wished) => void (this.wished = wished.map(({ symbol }) => symbol)),
    counts: () => ({ connections: 1, up: 1, messages: 0 }),
    close: () => {
      this.isClosed = true;
      return Promise.resolve();
    },
  });
}

async function runAllJobs(archive: OpenArchive): Promise<void> {
  const log = new JobLog();
  const live = new Live(archive, new WishedStreams());
  const { schedule } = await scheduleOf(archive, {
    alerts: new Alerts(archive, live),
    streams: live,
  });
  try {
    for (const job of Object.keys(JOBS) as JobName[]) {
      // Only the embedded database needs it.
      if (job === "maintenance") continue;
      await log.run(schedule, job);
    }
  } finally {
    await schedule.stop();
    await live.stop();
  }
}

/** The windows that candles were asked of: the exchange's name, the first one and how many, `BTCUSDT 1710000000000 200`. */
function candleAsks({ exchange }: Scene): readonly string[] {
  return exchange.requests.map(({ query }) => query)
    .filter(({ interval }) => interval === "1m")
    .map(({ symbol, startTime, limit }) => `${symbol} ${startTime} ${limit}`);
}

function assertAskedOnce(scene: Scene): void {
  const asks = candleAsks(scene);
  const twice = asks.filter((ask, at) => asks.indexOf(ask) !== at);
  assert.deepEqual(twice, []);
}

/** Two days of both symbols are there, as the exchange has them. */
async function assertWhole({ database, exchange }: Scene, hours = 48): Promise<void> {
  for (const { series, firstMs = 0, lastMs = 0 } of await readCheckpoints(database)) {
    assert(lastMs - firstMs > (hours - 1) * HOUR_MS, series.symbol);
    const window = { sinceMs: firstMs, untilMs: lastMs + MINUTE_MS };
    await assertSameCandles(database, exchange, { symbol: series.symbol, timeframe: "1m", window });
  }
}
