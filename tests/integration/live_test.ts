/** Streams that a test speaks for, an exchange that answers over HTTP, a real database: what is stored, and what is asked. */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { answersOf } from "../../lib/daemon/answers.ts";
import type { OpenArchive } from "../../lib/daemon/open_archive.ts";
import { Reloads } from "../../lib/daemon/reload.ts";
import { Watchdog } from "../../lib/daemon/watchdog.ts";
import { serveHttp } from "../../lib/serve/http_server.ts";
import type { Answers } from "../../lib/serve/routes.ts";
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
import { EventReader } from "../support/event_reader.ts";
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
import { holdRows, holdTable } from "../support/row_locks.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";
import { until } from "../support/until.ts";

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
  /** The log. */
  readonly lines: readonly string[];
}

/** What the streams say of the minute that has closed: the truth, nothing, or something else. */
type Told = "truth" | "nothing" | "other";

/** Streams that say what the test has them say. */
class FakeStreams implements StreamSource {
  readonly lackOf = (exchange: string): string | undefined =>
    exchange === "binance" ? undefined : "no dialect";
  readonly isWanted = (): boolean => true;
  wished: readonly string[] = [];
  isClosed = false;
  /** All of them are open. */
  connections = 1;
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
      counts: () => {
        this.turns++;
        return { connections: this.connections, up: this.connections, messages: 7 };
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
      row: [openTimeMs, open, high, low, close, volume ?? ""],
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
            await until("a turn of the streams", () => streams.turns > turns);
          }
          return (await poll.runOnce()).asked;
        };
        try {
          await poll.runOnce();
          streams.follow();
          const metrics = (): Promise<string> => archive.metrics.text();
          const { lines } = archive;
          await test({ database, poll, live, streams, exchange, tick, metrics, lines });
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
    const server = serveHttp(answers(archive, live), {
      ...{ hostname: "127.0.0.1", port: 0, page: [], clock: systemClock, log: archive.log },
    });
    const query = "exchange=binance&symbol=BTC/USDT&timeframe=1m";
    const { body } = await fetch(`${server.url}/live?${query}`);
    const followed = new EventReader(body!);
    const first = await followed.one();
    assert.deepEqual([first.kind, first.data["provisional"]], ["candle", true]);
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
    let next = await followed.one();
    // The answer has newer candles, too.
    while (next.kind === "candle") next = await followed.one();
    assert.deepEqual([next.kind, next.data], ["confirmed", { ...first.data, provisional: false }]);
    await followed.leave();
    await server.stop();
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

Deno.test("LIVE=off, and an address of requests alone, ask and store what polls alone do, and open nothing", async () => {
  const opened = await openAnyTest();
  const { database } = opened;
  const addresses: string[] = [];
  const { WebSocket: Platform } = globalThis;
  globalThis.WebSocket = class extends Platform {
    constructor(url: string | URL, options?: string | string[] | WebSocketOptions) {
      addresses.push(String(url));
      super(url, options);
    }
  };
  /** What a day of an archive leaves: what was asked, and the rows. */
  const play = async (
    { live, hasStream, isKnown }: {
      /** `LIVE`. */
      readonly live?: string;
      /** Whether the address of the stream is named, too. */
      readonly hasStream: boolean;
      /** Whether polls know of streams at all. */
      readonly isKnown: boolean;
    },
  ): Promise<unknown> => {
    await emptyDatabase(database);
    testClock.restart(CLOSE_MS + 1_000);
    const exchange = await startLocalExchange({ clock: testClock });
    const { urls, rateLimit } = JSON.parse(binanceAt(exchange));
    const ws = hasStream ? { ws: exchange.streamUrl } : {};
    const archive = await openTestArchive(database, {
      ...{ EXCHANGES: "binance", SYMBOLS: SYMBOLS.join(), TIMEFRAMES: "1m,1h", BACKFILL: "off" },
      ...(live === undefined ? {} : { LIVE: live }),
      EXCHANGE_BINANCE: JSON.stringify({ urls: { ...urls, ...ws }, rateLimit }),
    });
    const streams = new Live(archive, streamSource(archive));
    const poll = new Poll(archive, isKnown ? { streams } : {});
    try {
      const asked: unknown[] = [];
      for (let minute = 1; minute <= 6; minute++) {
        const before = exchange.requests.length;
        await poll.runOnce();
        const made = exchange.requests.slice(before);
        asked.push(made.map(({ path, query }) => `${path} ${JSON.stringify(query)}`).sort());
        testClock.pass(MINUTE_MS);
      }
      const rows = await database.sql`select * from ohlcv order by timeframe, symbol, time`;
      const ledger = await readCheckpoints(database);
      assert.ok(rows.length > 0 && asked.flat().length > 0);
      return { asked, rows: rows.map((row) => ({ ...row })), ledger };
    } finally {
      await streams.stop();
      await exchange.close();
    }
  };
  try {
    const before = await play({ live: "off", hasStream: true, isKnown: false });
    assert.deepEqual(await play({ live: "off", hasStream: true, isKnown: true }), before);
    assert.deepEqual(await play({ hasStream: false, isKnown: true }), before);
    assert.deepEqual(addresses, []);
    await play({ hasStream: true, isKnown: true });
    assert.match(addresses.join(), /^ws:\/\/127\.0\.0\.1:\d+\/ws$/, "the default streams");
  } finally {
    globalThis.WebSocket = Platform;
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
    { database, exchange, tick, metrics },
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
  },

  "leave an exchange without a stream where none of its series can be streamed": async (
    { live, streams, metrics },
  ) => {
    streams.connections = 0;
    const why = "none of its series can be streamed";
    assert.deepEqual(live.state("binance"), { kind: "off", why });
    assert.doesNotMatch(await metrics(), /titan10_stream_up\{/);
    streams.connections = 1;
    assert.equal(live.state("binance").kind, "up");
    assert.match(await metrics(), /titan10_stream_up\{exchange="binance"\} 1\n/);
  },

  "wait within bounds while the database takes none, are dropped beyond them and told of once, and answers bring all":
    async ({ database, exchange, streams, poll, metrics, lines }) => {
      const held = await holdTable(database, "ohlcv_1m", { isAlone: true });
      const minutes = 10;
      for (let at = 0; at < minutes; at++) {
        testClock.pass(MINUTE_MS);
        for (const symbol of SYMBOLS) streams.candle(symbol, truthOf(exchange, symbol, at));
        // Of a candle that waits the newest values do. Long enough for some to be written, and refused.
        streams.candle("BTC/USDT", { ...truthOf(exchange, "BTC/USDT", at), volume: "0.5" });
        await systemClock.sleep(60);
      }
      const dropped = SYMBOLS.length * (minutes - 4) + (minutes - 4);
      assert.match(await metrics(), new RegExp(`outcome="dropped"\\} ${dropped}\\n`));
      await held.release();
      await untilStored(database, CLOSE_MS + 3 * MINUTE_MS);
      const { turns } = streams;
      await until("two turns of the streams", () => streams.turns >= turns + 2);
      const rows = await database.sql`select from ohlcv_1m where time >= to_timestamp(${
        CLOSE_MS / 1000
      })`;
      assert.equal(rows.length, SYMBOLS.length * 4);
      const told = lines.filter((line) => line.includes("does not take") && line.includes("warn"));
      assert.equal(told.length, 1, told.join("\n"));
      testClock.pass(MINUTE_MS);
      await poll.runOnce();
      const untilMs = CLOSE_MS + (minutes + 1) * MINUTE_MS;
      for (const { series: { symbol }, firstMs } of await readCheckpoints(database)) {
        const window = { sinceMs: firstMs!, untilMs };
        await assertSameCandles(database, exchange, { symbol, timeframe: "1m", window });
      }
    },

  "of a series that another statement holds wait, and those of all others are stored": async (
    { database, exchange, streams },
  ) => {
    const held = await holdRows(database, "checkpoints where symbol = 'BTC/USDT'");
    testClock.pass(MINUTE_MS);
    for (const symbol of SYMBOLS) streams.candle(symbol, truthOf(exchange, symbol, 0));
    await untilStored(database, CLOSE_MS, 2);
    await held.release();
    await untilStored(database, CLOSE_MS);
  },
};

/** The candle that opens so many minutes after the first close, as the exchange has it. */
function truthOf(exchange: LocalExchange, symbol: string, minutes: number): Candle {
  const sinceMs = CLOSE_MS + minutes * MINUTE_MS;
  const [truth] = exchange.truth(symbol, minute(), { sinceMs, untilMs: sinceMs + MINUTE_MS });
  assert.ok(truth);
  return truth;
}

/** As the daemon tells it. */
async function statusOf(archive: OpenArchive, live: Live): Promise<Status> {
  return await answers(archive, live).status(new AbortController().signal);
}

function answers(archive: OpenArchive, live: Live): Answers {
  return answersOf({
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
}

function minute(): ReturnType<typeof parseTimeframe> {
  return parseTimeframe("1m");
}

/** Resolves when so many series have the candle. */
async function untilStored(
  { sql }: Database,
  openMs: number,
  series: number = SYMBOLS.length,
): Promise<void> {
  const endMs = systemClock.now() + STORED_MS_MAX;
  for (;;) {
    const rows = await sql`select from ohlcv_1m where time = to_timestamp(${openMs / 1000})`;
    if (rows.length === series) return;
    assert.ok(systemClock.now() < endMs, `${rows.length} candles of ${series} are stored`);
    await systemClock.sleep(20);
  }
}
