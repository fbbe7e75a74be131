import assert from "node:assert/strict";
import { logger } from "../../lib/telemetry/log.ts";
import { NO_NEWS } from "../../lib/serve/news.ts";
import type { Series } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { NodeStatus } from "../../lib/serve/node_status.ts";
import type { ExchangeStatus, Status, StreamStatus } from "../../lib/serve/status.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import { LISTENERS_MAX, ListenerSlots } from "../../lib/serve/listener_slots.ts";
import { StatusFeed } from "../../lib/serve/status_feed.ts";
import { ManualClock } from "../support/manual_clock.ts";

const STATUS: Status = {
  version: "1",
  startedAt: null,
  database: { kind: "embedded", timescaledb: null },
  lastReload: null,
  nodes: [],
  ...NO_NEWS,
  exchanges: [],
  series: [],
  funding: [],
  jobs: [],
};

const NODE: NodeStatus = {
  ...{ node: "", name: "db1:9464", kind: "daemon", version: "1", egress: null },
  ...{ startedAt: "2026-01-31T11:00:00.000Z", seenAt: "2026-01-31T12:00:00.000Z" },
  ...{ isLive: true, isLeader: true, leases: 0, exchanges: [], differs: [] },
};

const EXCHANGE: ExchangeStatus = {
  ...{
    exchange: "binance",
    breaker: "closed",
    breakerOf: [],
    bannedOf: [],
    breakerSince: null,
    trialAt: null,
  },
  ...{ deniedSince: null, bannedUntil: null, paceMs: 50, lastError: null, lastErrorAt: null },
  stream: null,
};

const STREAM: StreamStatus = {
  ...{ state: "up", why: null, since: "2026-01-31T12:00:00.000Z", connections: 1, open: 1 },
  ...{ lastMessageAt: null, lastEnd: null },
};

const BTC: Series = {
  ...{ exchange: "binance", symbol: "BTC/USDT", timeframe: parseTimeframe("1m") },
};

const GONE = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });

interface Scene {
  readonly clock: ManualClock;
  readonly feed: StatusFeed;
  /** What is read next. */
  version: string;
  reads: number;
  isAway: boolean;
  /** Whether reading fails as it does while the server is away. */
  isGone: boolean;
  /** How long a read takes. */
  readMs: number;
  /** What the news say. */
  firing: number;
  isNewsAway: boolean;
  /** When the exchange's stream told something last. */
  lastMessageAt: string;
  seenAt: string;
  /** The price of the candle that forms; undefined when none is known. */
  price: string | undefined;
  /** A listener that keeps what came, without the time. */
  listen(peer?: string, series?: Series): Listener;
}

interface Listener {
  readonly events: unknown[];
  /** What news said of the number of alerts. */
  readonly firing: number[];
  /** The closing prices of the candle that forms. */
  readonly prices: (string | undefined)[];
  isOver: boolean;
  leave(): Promise<void>;
}

async function withFeed(use: (scene: Scene) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const feed = new StatusFeed({
    clock,
    slots: new ListenerSlots(),
    log: logger("test"),
    news: () =>
      scene.isNewsAway
        ? Promise.reject(GONE)
        : Promise.resolve({ ...NO_NEWS, alertsFiring: scene.firing }),
    forming: ({ symbol }) => {
      const { price } = scene;
      if (price === undefined || symbol !== BTC.symbol) return undefined;
      const values = { open: "1", high: "9", low: "1", close: price, volume: "1" };
      return { candle: { openTimeMs: 0, ...values }, toldMs: clock.now() };
    },
    status: async () => {
      scene.reads++;
      if (scene.readMs > 0) await clock.sleep(scene.readMs);
      if (scene.isGone) throw new StoreError("unavailable", "host is away", { cause: GONE });
      return scene.isAway
        ? Promise.reject(new Error("postgres://user:secret@host is away"))
        : Promise.resolve({
          ...STATUS,
          version: scene.version,
          nodes: [{ ...NODE, seenAt: scene.seenAt }],
          exchanges: [{ ...EXCHANGE, stream: { ...STREAM, lastMessageAt: scene.lastMessageAt } }],
        });
    },
  });
  const scene: Scene = {
    clock,
    feed,
    version: "1",
    reads: 0,
    isAway: false,
    isGone: false,
    readMs: 0,
    firing: 0,
    isNewsAway: false,
    lastMessageAt: "2026-01-31T12:00:01.000Z",
    seenAt: "2026-01-31T12:00:01.000Z",
    price: undefined,
    listen(peer = "127.0.0.1", series?: Series): Listener {
      const stream = feed.listen(peer, series);
      assert.ok(stream !== undefined);
      const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
      const listener = {
        events: [] as unknown[],
        firing: [] as number[],
        prices: [] as (string | undefined)[],
        isOver: false,
        leave: () => reader.cancel(),
      };
      const read = async (): Promise<void> => {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          const { now, status, ...rest } = JSON.parse(/^data: (.*)\n\n$/.exec(value)?.[1] ?? "");
          assert.equal(new Date(now).getTime(), clock.now());
          if (rest.forming !== undefined) listener.prices.push(rest.forming?.close);
          else if (rest.news !== undefined) listener.firing.push(rest.news.alertsFiring);
          else listener.events.push(status?.version ?? rest);
        }
        listener.isOver = true;
      };
      void read();
      return listener;
    },
  };
  try {
    await use(scene);
  } finally {
    feed.stop();
    await clock.advance(0);
    assert.equal(clock.sleepers, 0);
  }
}

Deno.test("nothing is read while nobody listens", () =>
  withFeed(async (scene) => {
    await scene.clock.advance(60_000);
    assert.equal(scene.reads, 0);
    const listener = scene.listen();
    await scene.clock.advance(0);
    assert.deepEqual([scene.reads, listener.events], [1, ["1"]]);
    await listener.leave();
    await scene.clock.advance(60_000);
    assert.deepEqual([scene.reads, scene.feed.listeners], [1, 0]);
  }));

Deno.test("a status is read once for all who listen, and sent when it has changed", () =>
  withFeed(async (scene) => {
    const one = scene.listen();
    await scene.clock.advance(3_000);
    const other = scene.listen();
    await scene.clock.advance(0);
    assert.deepEqual([one.events, other.events, scene.reads], [["1"], ["1"], 2]);
    scene.version = "2";
    await scene.clock.advance(3_000);
    assert.deepEqual([one.events, other.events, scene.reads], [["1", "2"], ["1", "2"], 3]);
  }));

Deno.test("news are told within two seconds, once, however rarely the status is read", () =>
  withFeed(async (scene) => {
    // So long that the next read of the status begins twenty seconds later.
    scene.readMs = 3_000;
    const one = scene.listen();
    await scene.clock.advance(3_000);
    assert.deepEqual([one.firing, one.events], [[0], ["1"]]);
    scene.firing = 1;
    await scene.clock.advance(1_000);
    assert.deepEqual([one.firing, one.events, scene.reads], [[0, 1], ["1"], 1]);
    const other = scene.listen();
    await scene.clock.advance(0);
    assert.deepEqual(other.firing, [1]);
    // What cannot be read is told of by the status.
    scene.isNewsAway = true;
    scene.firing = 2;
    await scene.clock.advance(5_000);
    assert.deepEqual(other.firing, [1]);
    scene.isNewsAway = false;
    await scene.clock.advance(1_000);
    assert.deepEqual([one.firing, other.firing], [[0, 1, 2], [1, 2]]);
  }));

Deno.test("a message of a stream is no change until the next minute", () =>
  withFeed(async (scene) => {
    const { events } = scene.listen();
    await scene.clock.advance(3_000);
    scene.lastMessageAt = "2026-01-31T12:00:59.000Z";
    await scene.clock.advance(3_000);
    assert.deepEqual(events, ["1"]);
    scene.lastMessageAt = "2026-01-31T12:01:00.000Z";
    await scene.clock.advance(3_000);
    assert.deepEqual(events, ["1", "1"]);
  }));

Deno.test("that a node lives is no change until the next minute", () =>
  withFeed(async (scene) => {
    const { events } = scene.listen();
    await scene.clock.advance(3_000);
    scene.seenAt = "2026-01-31T12:00:59.000Z";
    await scene.clock.advance(3_000);
    assert.deepEqual(events, ["1"]);
    scene.seenAt = "2026-01-31T12:01:00.000Z";
    await scene.clock.advance(3_000);
    assert.deepEqual(events, ["1", "1"]);
  }));

Deno.test("how a candle forms is told to who asks for its series, each change once, and read from no database", () =>
  withFeed(async (scene) => {
    scene.readMs = 3_000;
    const [all, one] = [scene.listen(), scene.listen("127.0.0.1", BTC)];
    const other = scene.listen("127.0.0.1", { ...BTC, symbol: "ETH/USDT" });
    for (const price of ["5", "6", "6", undefined]) {
      scene.price = price;
      await scene.clock.advance(1_000);
    }
    assert.deepEqual(one.prices, [undefined, "5", "6", undefined]);
    assert.deepEqual([all.prices, other.prices, scene.reads], [[], [undefined], 1]);
    await one.leave();
    await other.leave();
    await scene.clock.advance(40_000);
    const again = scene.listen("127.0.0.1", BTC);
    scene.price = "7";
    await scene.clock.advance(1_000);
    assert.deepEqual(again.prices.at(-1), "7");
  }));

Deno.test("without a change the time is told every fifteen seconds", () =>
  withFeed(async (scene) => {
    const { events } = scene.listen();
    await scene.clock.advance(30_000);
    assert.deepEqual(events, ["1", {}, {}]);
    scene.clock.set(-3_600_000);
    await scene.clock.advance(20_000);
    assert.equal(events.length, 4, "the clock was set back");
  }));

Deno.test("a status that takes long to read is read seldom, and a listener never waits half a minute", () =>
  withFeed(async (scene) => {
    scene.readMs = 500;
    const { events } = scene.listen();
    await scene.clock.advance(500);
    scene.version = "2";
    await scene.clock.advance(10_000);
    assert.deepEqual(
      [events, scene.reads],
      [["1"], 2],
      "one twentieth of the time is spent reading",
    );
    scene.readMs = 8_000;
    for (let round = 0; round < 4; round++) {
      const before = events.length;
      await scene.clock.advance(28_500);
      assert.ok(events.length > before, "nothing was sent");
    }
    scene.readMs = 0;
    await scene.clock.advance(28_500);
  }));

Deno.test("a status that cannot be read is told once, without the reason, and what follows is told again", () =>
  withFeed(async (scene) => {
    const { events } = scene.listen();
    await scene.clock.advance(0);
    scene.isAway = true;
    await scene.clock.advance(9_000);
    scene.isAway = false;
    await scene.clock.advance(3_000);
    assert.deepEqual(events, ["1", { error: "Cannot read the status: see the log" }, "1"]);
  }));

Deno.test("who begins to listen while the database does not answer is told so before it does", () =>
  withFeed(async (scene) => {
    scene.readMs = 60_000;
    const { events } = scene.listen();
    await scene.clock.advance(4_000);
    assert.deepEqual(events, [{ error: "The database has not answered yet" }]);
    await scene.clock.advance(56_000);
    assert.deepEqual(events.slice(1), ["1"]);
    scene.readMs = 0;
    await scene.clock.advance(28_500);
  }));

Deno.test("that the database is away is said, without its name", () =>
  withFeed(async (scene) => {
    scene.isGone = true;
    const { events } = scene.listen();
    await scene.clock.advance(0);
    assert.deepEqual(events, [{ error: "The database cannot be reached. Trying again" }]);
  }));

Deno.test("no more listen than a bound, half of them from one address, and a place that is left is free again", () =>
  withFeed(async (scene) => {
    const [here, there] = ["192.0.2.1", "192.0.2.2"];
    const listeners = Array.from({ length: LISTENERS_MAX / 2 }, () => scene.listen(here));
    assert.equal(scene.feed.listen(here), undefined, "one address keeps out the others");
    for (let at = 0; at < LISTENERS_MAX / 2; at++) scene.listen(there);
    assert.equal(scene.feed.listen("192.0.2.3"), undefined);
    await listeners[0]!.leave();
    assert.notEqual(scene.feed.listen("192.0.2.3"), undefined);
  }));

Deno.test("events do not pile up for a listener that does not read, and it loses its place after a minute", () =>
  withFeed(async (scene) => {
    const stream = scene.feed.listen("127.0.0.1");
    assert.ok(stream !== undefined);
    const reading = scene.listen();
    for (let round = 0; round < 30; round++) {
      scene.version = String(round);
      await scene.clock.advance(3_000);
    }
    assert.equal(reading.events.length, 31);
    assert.equal(scene.feed.listeners, 1);
    await assert.rejects(() => new Response(stream).text(), /the listener is too slow/);
  }));

Deno.test("a feed that stops ends its streams and takes no more", () =>
  withFeed(async (scene) => {
    const listener = scene.listen();
    await scene.clock.advance(0);
    scene.feed.stop();
    await scene.clock.advance(0);
    assert.deepEqual([listener.isOver, scene.feed.listeners, scene.feed.listen("127.0.0.1")], [
      true,
      0,
      undefined,
    ]);
  }));
