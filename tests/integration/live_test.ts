/** Streams that a test speaks for, an exchange that answers over HTTP, a real database: what is stored, and what is asked. */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { answersOf } from "../../lib/daemon/answers.ts";
import type { OpenArchive } from "../../lib/daemon/open_archive.ts";
import { Reloads } from "../../lib/daemon/reload.ts";
import { Watchdog } from "../../lib/daemon/watchdog.ts";
import type { Status } from "../../lib/serve/status.ts";
import { streamSource } from "../../lib/daemon/open_streams.ts";
import type { StreamEvent } from "../../lib/exchange/stream_event.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { Live } from "../../lib/live/live.ts";
import type { StreamSource } from "../../lib/live/stream_source.ts";
import type { Candle } from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { holdRows } from "../support/row_locks.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const CLOSE_MS = Date.UTC(2024, 2, 15, 13);
const SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT"];

/** Long enough on a busy machine. */
const STORED_MS_MAX = 30_000;

/** Waits are real, and move nothing: on a slow machine a tick is not later. */
const STILL_CLOCK: Clock = {
  now: () => testClock.now(),
  sleep: (ms, options) => systemClock.sleep(ms, options),
};

interface Scene {
  readonly database: Database;
  readonly poll: Poll;
  readonly live: Live;
  readonly streams: FakeStreams;
  readonly exchange: LocalExchange;
  /** Goes on to a second after the close of that minute, which streams tell of, and returns what the polls asked. */
  tick(minute: number, told: Told): Promise<number>;
  metrics(): Promise<string>;
}

/** What the streams say of the minute that has closed: the truth, nothing, or something else. */
type Told = "truth" | "nothing" | "other";

/** Streams that say what the test has them say. */
class FakeStreams implements StreamSource {
  readonly lackOf = (exchange: string): string | undefined =>
    exchange === "binance" ? undefined : "no dialect";
  readonly isWanted = (): boolean => true;
  wished: readonly string[] = [];
  readonly ended: string[] = [];
  isClosed = false;
  /** How often it was told what to stream. */
  subscribed = 0;
  /** How often what was told has been dealt with. */
  turns = 0;
  tell: (event: StreamEvent) => void = () => assert.fail("no streams are open");

  readonly open: StreamSource["open"] = (_exchange, onNews) => {
    this.tell = onNews;
    return {
      subscribe: (wished) => {
        this.subscribed++;
        this.wished = wished.map(({ symbol, timeframe, market }) =>
          `${symbol} ${timeframe} ${market.id}`
        );
      },
      end: (connection, reason) => void this.ended.push(`${connection} ${reason}`),
      counts: () => {
        this.turns++;
        return { connections: 1, up: 1, messages: 7 };
      },
      close: () => {
        this.isClosed = true;
        return Promise.resolve();
      },
    };
  };

  follow(): void {
    for (const symbol of SYMBOLS) {
      this.tell({ kind: "subscribed", symbol, timeframe: "1m", connection: 1 });
    }
  }

  candle(symbol: string, { openTimeMs, open, high, low, close, volume }: Candle): void {
    this.tell({
      ...{ kind: "candle", symbol, timeframe: "1m", connection: 1 },
      ...{ isClosed: true, isSnapshot: false, exchangeMs: undefined },
      receivedMs: testClock.now(),
      row: [openTimeMs, open, high, low, close, volume],
    });
  }
}

Deno.test("candles of streams", async (t) => {
  const opened = await openAnyTest();
  const { database } = opened;
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        await emptyDatabase(database);
        testClock.restart(CLOSE_MS + 1_000);
        const exchange = await startLocalExchange({ clock: testClock });
        const archive = await openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: SYMBOLS.join(),
          TIMEFRAMES: "1m",
          BACKFILL: "off",
          EXCHANGE_BINANCE: binanceAt(exchange),
        });
        const streams = new FakeStreams();
        const live = new Live({ ...archive, clock: STILL_CLOCK }, streams);
        const poll = new Poll(archive, { streams: live });
        const tick: Scene["tick"] = async (minute, told) => {
          const sinceMs = CLOSE_MS + (minute - 1) * MINUTE_MS;
          testClock.pass(sinceMs + MINUTE_MS + 300 - testClock.now());
          for (const symbol of told === "nothing" ? [] : SYMBOLS) {
            const [truth] = exchange.truth(symbol, archive.exchanges[0]!.series[0]!.timeframe, {
              sinceMs,
              untilMs: sinceMs + MINUTE_MS,
            });
            streams.candle(symbol, told === "other" ? { ...truth!, volume: "0.123" } : truth!);
          }
          if (told !== "nothing") {
            await untilStored(database, sinceMs);
            // Noted, too.
            const { turns } = streams;
            while (streams.turns === turns) await systemClock.sleep(10);
          }
          return (await poll.runOnce()).asked;
        };
        try {
          await poll.runOnce();
          streams.follow();
          const metrics = (): Promise<string> => archive.metrics.text();
          await test({ database, poll, live, streams, exchange, tick, metrics });
        } finally {
          await live.stop();
          assert.ok(streams.isClosed);
          await exchange.close();
        }
      });
    }
  } finally {
    await opened.drop();
  }
});

Deno.test("a candle of a real WebSocket is stored before it is asked for, and confirmed by an answer", async () => {
  const opened = await openAnyTest();
  const { database } = opened;
  await emptyDatabase(database);
  // The next minute closes in two seconds.
  testClock.restart(CLOSE_MS + MINUTE_MS - 2_000);
  const exchange = await startLocalExchange({ clock: testClock });
  const { urls } = JSON.parse(binanceAt(exchange));
  const archive = await openTestArchive(database, {
    EXCHANGES: "binance",
    SYMBOLS: SYMBOLS.join(),
    TIMEFRAMES: "1m",
    BACKFILL: "off",
    LIVE: "binance",
    EXCHANGE_BINANCE: JSON.stringify({ urls: { ...urls, ws: exchange.streamUrl } }),
  });
  const live = new Live(archive, streamSource(archive));
  try {
    const poll = new Poll(archive, { streams: live });
    await poll.runOnce();
    await untilStored(database, CLOSE_MS);
    const streamed = await database.sql`select from streamed_candles`;
    assert.equal(streamed.length, SYMBOLS.length);
    const told = await statusOf(archive, live);
    const { state, why, connections, open, lastEnd } = told.exchanges[0]!.stream!;
    assert.deepEqual({ state, why, connections, open, lastEnd }, {
      ...{ state: "up", why: null, connections: 1, open: 1, lastEnd: null },
    });
    const { since, lastMessageAt } = told.exchanges[0]!.stream!;
    assert.ok(since !== null && lastMessageAt !== null && since <= lastMessageAt);
    const closedAt = new Date(CLOSE_MS + MINUTE_MS).toISOString();
    for (const { lastClosedAt, lastSource } of told.series) {
      assert.deepEqual([lastClosedAt, lastSource], [closedAt, "stream"]);
    }
    testClock.pass(5 * MINUTE_MS);
    await poll.runOnce();
    const confirmed = await statusOf(archive, live);
    assert.ok(confirmed.series.every(({ lastSource }) => lastSource === "answer"));
    assert.equal((await database.sql`select from streamed_candles`).length, 0);
    const window = { sinceMs: CLOSE_MS, untilMs: CLOSE_MS + MINUTE_MS };
    const [truth] = exchange.truth("BTC/USDT", parseTimeframe("1m"), window);
    const [row] = await database.sql`select close::text, volume::text from ohlcv_1m
      where symbol = 'BTC/USDT' and time = to_timestamp(${CLOSE_MS / 1000})`;
    assert.deepEqual([Number(row?.["close"]), Number(row?.["volume"])], [
      Number(truth?.close),
      Number(truth?.volume),
    ]);
    const text = await archive.metrics.text();
    assert.match(
      text,
      /titan10_stream_candles_total\{exchange="binance",outcome="confirmed"\} 3\n/,
    );
  } finally {
    await live.stop();
    await exchange.close();
    await opened.drop();
  }
});

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "are stored at once, cover nothing, and series that they keep fresh are asked for every third tick":
    async ({ database, streams, tick, metrics }) => {
      assert.deepEqual(
        streams.wished,
        SYMBOLS.map((symbol) => `${symbol} 1m ${symbol.replace("/", "")}`),
      );
      const asked: number[] = [];
      for (let minute = 1; minute <= 7; minute++) asked.push(await tick(minute, "truth"));
      assert.deepEqual(asked.slice(1), [1, 1, 1, 1, 1, 1], "one series of three at a tick");
      assert.equal(streams.subscribed, 1, "the markets are the same at every tick");
      for (const { covered, unsettled, lastMs } of await readCheckpoints(database)) {
        assert.equal(lastMs, CLOSE_MS + 6 * MINUTE_MS);
        assert.ok(covered.at(-1)!.untilMs <= CLOSE_MS + 7 * MINUTE_MS - 10_000);
        assert.ok(unsettled.length > 0);
      }
      const text = await metrics();
      assert.match(
        text,
        /titan10_stream_candles_total\{exchange="binance",outcome="stored"\} 21\n/,
      );
      assert.match(
        text,
        /titan10_stream_candles_total\{exchange="binance",outcome="confirmed"\} \d/,
      );
      assert.doesNotMatch(text, /outcome="(?:missed|revised|withdrawn)"/);
      assert.match(text, /titan10_stream_up\{exchange="binance"\} 1\n/);
    },

  "are asked for at every tick where a stream is silent, and what it lacked is counted as missed":
    async (
      { tick, metrics },
    ) => {
      for (let minute = 1; minute <= 3; minute++) await tick(minute, "truth");
      assert.equal(await tick(4, "nothing"), 1, "a stream may tell of the newest candle late");
      assert.equal(await tick(5, "nothing"), 3);
      assert.match(
        await metrics(),
        /titan10_stream_candles_total\{exchange="binance",outcome="missed"\}/,
      );
      assert.equal(await tick(6, "truth"), 2, "of two series a candle was missed");
    },

  "are revised and withdrawn by what the exchange answers": async (
    { database, exchange, streams, tick, metrics },
  ) => {
    await tick(1, "truth");
    await tick(2, "other");
    const revised = exchange.truth("BTC/USDT", minute(), {
      sinceMs: CLOSE_MS + MINUTE_MS,
      untilMs: CLOSE_MS + 2 * MINUTE_MS,
    });
    for (let at = 3; at <= 6; at++) await tick(at, "truth");
    const [row] = await database.sql`select volume::text from ohlcv_1m
      where symbol = 'BTC/USDT' and time = to_timestamp(${(CLOSE_MS + MINUTE_MS) / 1000})`;
    assert.equal(Number(row!["volume"]), Number(revised[0]!.volume));
    assert.match(
      await metrics(),
      /titan10_stream_candles_total\{exchange="binance",outcome="revised"\} 3\n/,
    );
    assert.ok(streams.ended.length === 0);
  },

  "end a connection that brings more than the database takes": async ({ database, streams }) => {
    const held = await holdRows(database, "checkpoints");
    try {
      for (let at = 0; at < 40 && streams.ended.length === 0; at++) {
        testClock.pass(MINUTE_MS);
        for (const symbol of SYMBOLS) {
          streams.candle(symbol, {
            openTimeMs: CLOSE_MS + at * MINUTE_MS,
            ...{ open: "1", high: "1", low: "1", close: "1", volume: String(at) },
          });
        }
        await systemClock.sleep(5);
      }
      assert.match(streams.ended[0] ?? "", /^1 backpressure$/);
    } finally {
      await held.release();
    }
  },
};

/** As the daemon tells it. */
async function statusOf(archive: OpenArchive, live: Live): Promise<Status> {
  const answers = answersOf({
    ground: archive,
    readiness: { reasons: [] },
    database: archive.database,
    migrations: [],
    startedAtMs: testClock.now(),
    state: { archive, live },
    reloads: new Reloads(archive),
    watchdog: new Watchdog({
      ...{ job: "poll", cron: archive.config.pollCron, clock: testClock, log: archive.log },
    }),
  });
  return await answers.status(new AbortController().signal);
}

function minute(): ReturnType<typeof parseTimeframe> {
  return parseTimeframe("1m");
}

/** Resolves when all series have the candle. */
async function untilStored({ sql }: Database, openMs: number): Promise<void> {
  const endMs = systemClock.now() + STORED_MS_MAX;
  for (;;) {
    const rows = await sql`select from ohlcv_1m where time = to_timestamp(${openMs / 1000})`;
    if (rows.length === SYMBOLS.length) return;
    assert.ok(systemClock.now() < endMs, `${rows.length} candles of ${SYMBOLS.length} are stored`);
    await systemClock.sleep(20);
  }
}
