/** Who follows a series over `/live` has what the archive has, whatever is written, and however often it goes away. */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { answersOf } from "../../lib/daemon/answers.ts";
import { Reloads } from "../../lib/daemon/reload.ts";
import { Watchdog } from "../../lib/daemon/watchdog.ts";
import type { Candle } from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { type Change, followedFrom, FollowedSeries } from "../../lib/serve/followed_series.ts";
import { type HttpServer, serveHttp } from "../../lib/serve/http_server.ts";
import { ListenerSlots } from "../../lib/serve/listener_slots.ts";
import { followedArchive } from "../../lib/serve/live_answer.ts";
import { LiveFeed } from "../../lib/serve/live_feed.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { scanGaps } from "../../lib/store/gaps.ts";
import { writePage } from "../../lib/store/page_write.ts";
import {
  readPresentCandles,
  readSeriesChanges,
  readSeriesState,
} from "../../lib/store/series_changes.ts";
import { writeStreamed } from "../../lib/store/streamed_write.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { EventReader } from "../support/event_reader.ts";
import { configOf, emptyDatabase } from "../support/local_archive.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { fc } from "../support/property.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 2, 15, 12);
const MINUTES = 14;
const TIMEFRAME = parseTimeframe("1m");
const BTC = { exchange: "binance", symbol: "BTC/USDT", timeframe: TIMEFRAME } as const;
/** More by `-- --runs=1000`. */
const RUNS = Number(Deno.args.find((text) => text.startsWith("--runs="))?.slice(7) ?? 25);

Deno.test("who follows a series", async (t) => {
  const opened = await openAnyTest();
  const { database, url } = opened;
  try {
    await migrate(database, await readMigrations());
    await ensureCandleTables(database, [TIMEFRAME]);
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        await emptyDatabase(database);
        await test(database, url);
      });
    }
  } finally {
    await opened.drop();
  }
});

/** A page of random candles, that covers its window up to `covered`. */
const pages = fc.record({
  kind: fc.constant("page" as const),
  since: fc.integer({ min: 0, max: MINUTES - 1 }),
  /** Of each minute the price; 0 where the answer has no candle. */
  prices: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 }),
  covered: fc.integer({ min: 0, max: 6 }),
  isGivenUp: fc.boolean(),
});

const streams = fc.record({
  kind: fc.constant("stream" as const),
  at: fc.integer({ min: 0, max: MINUTES - 1 }),
  price: fc.integer({ min: 1, max: 3 }),
});

const scans = fc.record({ kind: fc.constant("scan" as const) });

const writes = fc.oneof(
  { weight: 3, arbitrary: pages },
  { weight: 3, arbitrary: streams },
  { weight: 1, arbitrary: scans },
);

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: writes },
    // What is written between the two statements of one read.
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("read" as const),
        between: fc.option(writes, { nil: undefined, freq: 2 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("return" as const) }) },
  ),
  { minLength: 4, maxLength: 24 },
);

type Write = { kind: "scan" } | { kind: "stream"; at: number; price: number } | {
  kind: "page";
  since: number;
  prices: readonly number[];
  covered: number;
  isGivenUp: boolean;
};

/** What a bot keeps: the candles by their times. */
class Bot {
  readonly candles = new Map<number, { readonly close: string; readonly isProvisional: boolean }>();
  /** Told on the connection that is open. */
  #told = new Set<number>();

  connect(): void {
    this.#told = new Set();
  }

  take({ kind, openTimeMs, candle, isProvisional }: Change): void {
    if (kind === "candle") {
      assert.ok(!this.#told.has(openTimeMs), `${openTimeMs} comes twice on one connection`);
      this.#told.add(openTimeMs);
    }
    if (kind === "withdrawn") {
      this.#told.delete(openTimeMs);
      this.candles.delete(openTimeMs);
    } else this.candles.set(openTimeMs, { close: candle!.close, isProvisional });
  }
}

const TESTS: Readonly<Record<string, (database: Database, url?: string) => Promise<void>>> = {
  "has its candles in the end, each with its last values, whatever is written and when it was away":
    async (database) => {
      await fc.assert(
        fc.asyncProperty(steps, fc.integer({ min: 1, max: 4 }), async (schedule, rowsMax) => {
          await emptyDatabase(database);
          await write(database, {
            kind: "page",
            since: 0,
            prices: [1, 1],
            covered: 2,
            isGivenUp: true,
          });
          const bot = new Bot();
          let followed = await follow(database, undefined, rowsMax);
          for (const step of schedule) {
            if (step.kind === "read") {
              await readOnce(database, followed, { bot, between: step.between });
            } else if (step.kind === "return") {
              followed = await follow(database, followed.id, rowsMax);
              bot.connect();
            } else await write(database, step);
          }
          while (!await readOnce(database, followed, { bot })) { /* more */ }
          assert.deepEqual(sorted(bot.candles), await stored(database));
        }),
        { numRuns: RUNS },
      );
    },

  "is told over HTTP of all that came while it was away, a part at a time, and of what comes meanwhile":
    async (
      database,
    ) => {
      await write(database, {
        kind: "page",
        since: 0,
        prices: [1, 1],
        covered: 2,
        isGivenUp: true,
      });
      const id = await withServer(database, async (server) => {
        const { events, kinds } = await listen(server);
        assert.deepEqual(await kinds(1), ["candle 1 1"], "the newest one");
        await write(database, { kind: "stream", at: 2, price: 1 });
        assert.deepEqual(await kinds(1), ["candle 2 1 provisional"]);
        await write(database, {
          kind: "page",
          since: 1,
          prices: [2, 1],
          covered: 2,
          isGivenUp: true,
        });
        assert.deepEqual(await kinds(2), ["revised 1 2", "confirmed 2 1"]);
        await write(database, { kind: "stream", at: 3, price: 1 });
        assert.deepEqual(await kinds(1), ["candle 3 1 provisional"]);
        await events.leave();
        return events.id;
      });
      // Another daemon, after a long time with a hole in it: what was told is revised, and taken back.
      const answer = { kind: "page", since: 1, prices: [5, 5, 0], covered: 3 } as const;
      await write(database, { ...answer, isGivenUp: true });
      await writeMinutes(database, 4, 600);
      await writeMinutes(database, 800, 1_000);
      await withServer(database, async (server) => {
        for (const bad of ["17", "2024-03-15T12:00:30.000Z/1", "2024-03-15T12:00:00.000Z/-1"]) {
          const response = await ask(server, bad);
          assert.equal(response.status, 400, bad);
          assert.match((await response.json()).error, /^Cannot resume from Last-Event-ID "/);
        }
        const { events, kinds } = await listen(server, { id });
        const first = await kinds(203);
        assert.deepEqual(first.slice(0, 2), ["candle 4 5", "candle 5 5"]);
        assert.deepEqual(first.slice(200), ["revised 1 5", "revised 2 5", "withdrawn 3"]);
        await Promise.all([
          writeMinutes(database, 600, 800),
          writeMinutes(database, 1_000, 1_001),
        ]);
        const all = [...first.slice(0, 200), ...await kinds(997 - 200)];
        assert.ok(all.every((text) => /^candle \d+ 5$/.test(text)));
        const minutes = all.map((text) => Number(text.split(" ")[1]));
        assert.equal(new Set(minutes).size, minutes.length, "none comes twice");
        const wanted = Array.from({ length: 997 }, (_, at) => at + 4);
        assert.deepEqual(minutes.toSorted((a, b) => a - b), wanted);
        await write(database, { kind: "stream", at: 1_001, price: 1 });
        assert.deepEqual(await kinds(1), ["candle 1001 1 provisional"]);
        const lacking = { kind: "page", since: 1_001, prices: [0], covered: 1 } as const;
        await write(database, { ...lacking, isGivenUp: true });
        assert.deepEqual(await kinds(1), ["withdrawn 1001"]);
        await writeMinutes(database, 1_001, 1_002);
        assert.deepEqual(await kinds(1), ["candle 1001 5"], "it comes again");
        await events.leave();
      });
    },

  "is told within five seconds of what another process has written": async (database, url) => {
    // No other process writes to the embedded database.
    if (url === undefined) return;
    await write(database, { kind: "page", since: 0, prices: [1], covered: 1, isGivenUp: true });
    const clock = new ManualClock();
    const other = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
    const feed = new LiveFeed({
      archive: followedArchive(database, { visitors: () => database, clock }),
      forming: () => undefined,
      slots: new ListenerSlots(),
      ...{ clock, log: logger("test") },
    });
    try {
      const from = { sinceMs: timeOf(0), revision: 0 };
      const stream = feed.listen("127.0.0.1", { series: BTC, from, isForming: false });
      const events = new EventReader(stream!);
      assert.equal((await events.one()).data["time"], new Date(timeOf(0)).toISOString());
      await write(other, { kind: "page", since: 1, prices: [1], covered: 1, isGivenUp: true });
      const next = events.one();
      await clock.advance(5_000);
      assert.equal((await next).data["time"], new Date(timeOf(1)).toISOString());
      await other.sql`delete from checkpoints`;
      const end = events.one();
      await clock.advance(5_000);
      assert.deepEqual(await end, {
        ...{ kind: "end", id: undefined },
        data: { why: "The series is not in the archive any more" },
      });
      assert.equal(await events.next(), undefined);
    } finally {
      feed.stop();
      await other.close();
    }
  },
};

/** Serves as a daemon does that has just started. */
async function withServer<T>(
  database: Database,
  use: (server: HttpServer) => Promise<T>,
): Promise<T> {
  const config = configOf({ EXCHANGES: "binance", SYMBOLS: "BTC/USDT", TIMEFRAMES: "1m" });
  const [clock, log] = [systemClock, logger("test")];
  const ground = { ...{ config, clock, log, metrics: createMetrics() }, random: Math.random };
  const answers = answersOf({
    ...{ ground, database, migrations: [], startedAtMs: 0, state: {} },
    readiness: { reasons: [] },
    reloads: new Reloads(ground),
    watchdog: new Watchdog({ job: "poll", cron: config.pollCron, clock, log }),
  });
  const server = serveHttp(answers, { hostname: "127.0.0.1", port: 0, clock, log, page: [] });
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

async function ask(server: HttpServer, id: string | undefined): Promise<Response> {
  const query = new URLSearchParams({ exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" });
  const headers: HeadersInit = id === undefined ? {} : { "last-event-id": id };
  return await fetch(`${server.url}/live?${query}`, { headers });
}

async function listen(
  server: HttpServer,
  { id }: { readonly id?: string | undefined } = {},
): Promise<{
  readonly events: EventReader;
  /** The next ones in short: what, minute, price. */
  readonly kinds: (count: number) => Promise<readonly string[]>;
}> {
  const response = await ask(server, id);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const events = new EventReader(response.body!);
  const kinds = async (count: number): Promise<readonly string[]> => {
    const texts: string[] = [];
    while (texts.length < count) {
      const { kind, data } = await events.one();
      const minute = (Date.parse(String(data["time"])) - START_MS) / MINUTE_MS;
      const provisional = data["provisional"] === true ? ["provisional"] : [];
      texts.push([kind, minute, ...[data["close"] ?? []].flat(), ...provisional].join(" "));
    }
    return texts;
  };
  return { events, kinds };
}

/** An answer with a candle of each minute, all of which it covers. */
async function writeMinutes(
  database: Database,
  since: number,
  until: number,
): Promise<void> {
  await writePage(database, BTC, {
    candles: Array.from({ length: until - since }, (_, at) => candleAt(since + at, 5)),
    ...{ rejected: [], reachFromMs: undefined },
    answered: { sinceMs: timeOf(since), untilMs: timeOf(until) },
    givenUpUntilMs: timeOf(until),
  });
}

async function follow(
  database: Database,
  id: string | undefined,
  rowsMax: number,
): Promise<FollowedSeries> {
  const state = await readSeriesState(database, BTC);
  const from = followedFrom(BTC, id, { ...state!, nowMs: timeOf(MINUTES) });
  return new FollowedSeries(TIMEFRAME, from, { rowsMax });
}

/** Whether there was nothing more to read. */
async function readOnce(
  database: Database,
  followed: FollowedSeries,
  { bot, between }: { readonly bot: Bot; readonly between?: Write | undefined },
): Promise<boolean> {
  const changes = await readSeriesChanges(database, BTC, followed.asked);
  assert.ok(changes);
  if (between !== undefined) await write(database, between);
  const times = followed.changed(changes);
  const present = times.length === 0 ? new Map() : await readPresentCandles(database, BTC, times);
  const { told, isOver } = followed.take(changes, present);
  for (const change of told) bot.take(change);
  return isOver;
}

async function write(database: Database, one: Write): Promise<void> {
  if (one.kind === "scan") await scanGaps(database, TIMEFRAME, timeOf(MINUTES));
  else if (one.kind === "stream") {
    const candle = candleAt(one.at, one.price);
    await writeStreamed(database, [{ series: BTC, candle, marketId: undefined }]);
  } else {
    const { since, prices, covered, isGivenUp } = one;
    const candles = prices.flatMap((price, at) => price === 0 ? [] : [candleAt(since + at, price)]);
    const untilMs = timeOf(since + Math.min(covered, prices.length));
    await writePage(database, BTC, {
      ...{ candles, rejected: [], reachFromMs: undefined },
      answered: covered === 0 ? undefined : { sinceMs: timeOf(since), untilMs },
      ...(isGivenUp ? { givenUpUntilMs: timeOf(since + prices.length) } : {}),
    });
  }
}

async function stored(database: Database): Promise<readonly unknown[]> {
  const rows = await database.sql<{ ms: number; close: string; provisional: boolean }[]>`
    select (extract(epoch from candle.time) * 1000)::float8 as ms, close::text,
           named.time is not null as provisional
    from ohlcv_1m as candle left join streamed_candles as named using (exchange, symbol, time)
    where candle.time >= to_timestamp(${timeOf(1) / 1000}) order by candle.time`;
  return rows.map(({ ms, close, provisional }) => [ms, { close, isProvisional: provisional }]);
}

function sorted(candles: Bot["candles"]): readonly unknown[] {
  return [...candles].filter(([ms]) => ms >= timeOf(1)).toSorted(([a], [b]) => a - b);
}

function timeOf(minute: number): number {
  return START_MS + minute * MINUTE_MS;
}

function candleAt(minute: number, value: number): Candle {
  const price = String(value);
  return {
    openTimeMs: timeOf(minute),
    open: price,
    high: price,
    low: price,
    close: price,
    volume: "1",
  };
}
