/** Listeners to `/live`: who is slow, who is silent, who is too many, and a database that is away. */
import assert from "node:assert/strict";
import type { Candle } from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { LISTENERS_MAX, ListenerSlots } from "../../lib/serve/listener_slots.ts";
import { LiveFeed } from "../../lib/serve/live_feed.ts";
import { StatusFeed } from "../../lib/serve/status_feed.ts";
import type { Series } from "../../lib/market/series.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { EventReader } from "../support/event_reader.ts";
import { ManualClock } from "../support/manual_clock.ts";

const MINUTE_MS = 60_000;
const BTC: Series = { exchange: "binance", symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };

interface Scene {
  readonly clock: ManualClock;
  readonly feed: LiveFeed;
  readonly slots: ListenerSlots;
  /** How many candles are stored, one each minute from 0 on, all covered. */
  stored: number;
  /** How often it was read what has changed. */
  reads: number;
  isAway: boolean;
  /** What the candle of that minute looks like that forms. */
  forming: readonly [minute: number, close: string] | undefined;
  written(series?: Series): void;
  listen(
    options?: { readonly peer?: string; readonly isForming?: boolean },
  ): ReadableStream<Uint8Array>;
}

async function withFeed(use: (scene: Scene) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const slots = new ListenerSlots();
  const followers = new Set<(series: Series) => void>();
  const candle = (minute: number, close: string): Candle => ({
    ...{ openTimeMs: minute * MINUTE_MS, open: "1", high: "9", low: "1", close, volume: "1" },
  });
  const feed = new LiveFeed({
    ...{ clock, slots, log: logger("test") },
    forming: () => scene.forming && { candle: candle(...scene.forming), toldMs: scene.clock.now() },
    archive: {
      find: () => assert.fail("the routes ask for this"),
      present: () => assert.fail("nothing is revised"),
      changes: (_series, { windows, rowsMax }) => {
        scene.reads++;
        if (scene.isAway) return Promise.reject(new Error("away"));
        const sinceMs = windows[0]!.sinceMs;
        const candles = Array.from({ length: scene.stored }, (_, minute) => candle(minute, "1"))
          .filter(({ openTimeMs }) => openTimeMs >= sinceMs).slice(0, rowsMax);
        const settled = [{ sinceMs: 0, untilMs: scene.stored * MINUTE_MS }];
        return Promise.resolve({
          ...{ mark: String(scene.stored), settled, provisional: [], candles, revisions: [] },
        });
      },
      marks: () => Promise.resolve(new Map([["binance BTC/USDT 1m", String(scene.stored)]])),
      onWritten: (written) => {
        followers.add(written);
        return () => void followers.delete(written);
      },
    },
  });
  const scene: Scene = {
    ...{ clock, feed, slots, stored: 0, reads: 0, isAway: false, forming: undefined },
    written: (series = BTC) => followers.forEach((follower) => follower(series)),
    listen({ peer = "127.0.0.1", isForming = false } = {}): ReadableStream<Uint8Array> {
      const from = { sinceMs: 0, revision: 7 };
      const stream = feed.listen(peer, { series: BTC, from, isForming });
      assert.ok(stream !== undefined);
      return stream;
    },
  };
  try {
    await use(scene);
  } finally {
    feed.stop();
    await clock.advance(0);
    assert.equal(clock.sleepers, 0);
    assert.equal(followers.size, 0);
  }
}

/** Collects what comes. */
function collect(stream: ReadableStream<Uint8Array>): {
  readonly reader: EventReader;
  readonly told: string[];
} {
  const reader = new EventReader(stream);
  const told: string[] = [];
  const read = async (): Promise<void> => {
    for (let event = await reader.next(); event !== undefined; event = await reader.next()) {
      const { kind, data } = event;
      told.push(
        kind === "end" ? `end: ${data["why"]}` : `${kind} ${data["time"]} ${data["close"]}`,
      );
    }
    told.push("over");
  };
  void read();
  return { reader, told };
}

Deno.test("a listener has an id before any candle, and is told of candles when they are written", () =>
  withFeed(async (scene) => {
    const { reader, told } = collect(scene.listen());
    await scene.clock.advance(0);
    assert.deepEqual([reader.id, told], ["1970-01-01T00:00:00.000Z/7", []]);
    scene.stored = 2;
    scene.written({ ...BTC, symbol: "ETH/USDT" });
    await scene.clock.advance(0);
    assert.deepEqual([told, scene.reads], [[], 1], "another series was written");
    scene.written();
    await scene.clock.advance(0);
    assert.deepEqual(told, [
      "candle 1970-01-01T00:00:00.000Z 1",
      "candle 1970-01-01T00:01:00.000Z 1",
    ]);
    assert.equal(reader.id, "1970-01-01T00:02:00.000Z/7");
    assert.equal(scene.reads, 2);
    await reader.leave();
  }));

Deno.test("a listener who reads nothing keeps one part waiting, and is sent away with an event after ten seconds", () =>
  withFeed(async (scene) => {
    scene.stored = 10_000;
    const stream = scene.listen();
    await scene.clock.advance(0);
    assert.equal(scene.reads, 1);
    await scene.clock.advance(9_000);
    assert.equal(scene.reads, 1);
    await scene.clock.advance(2_000);
    const { told } = collect(stream);
    await scene.clock.advance(0);
    assert.equal(told.length, 202);
    assert.match(told[200] ?? "", /^end: Read events as they come: nothing was read for 10 s/);
    assert.equal(told[201], "over");
  }));

Deno.test("a listener who reads gets all parts, one after the other", () =>
  withFeed(async (scene) => {
    scene.stored = 1_001;
    const { reader, told } = collect(scene.listen());
    await scene.clock.advance(0);
    assert.equal(told.length, 1_001);
    assert.equal(scene.reads, 6);
    await reader.leave();
  }));

Deno.test("who hears nothing else for fifteen seconds gets a comment", () =>
  withFeed(async (scene) => {
    const { reader, told } = collect(scene.listen());
    await scene.clock.advance(14_000);
    assert.equal(reader.comments, 0);
    await scene.clock.advance(32_000);
    assert.equal(reader.comments, 3);
    assert.deepEqual(told, []);
    await reader.leave();
  }));

Deno.test("the candle that forms is told of to who asks for it, once a second, until it is stored", () =>
  withFeed(async (scene) => {
    const asking = collect(scene.listen({ isForming: true }));
    const other = collect(scene.listen());
    for (const close of ["2", "2", "3", "4"]) {
      scene.forming = [1, close];
      await scene.clock.advance(1_000);
    }
    const forming = (close: string): string => `forming 1970-01-01T00:01:00.000Z ${close}`;
    assert.deepEqual(asking.told, ["2", "3", "4"].map(forming));
    scene.stored = 2;
    scene.forming = [1, "5"];
    scene.written();
    await scene.clock.advance(3_000);
    assert.deepEqual(asking.told.slice(3), [
      "candle 1970-01-01T00:00:00.000Z 1",
      "candle 1970-01-01T00:01:00.000Z 1",
    ]);
    assert.equal(other.told.length, 2);
    await Promise.all([asking.reader.leave(), other.reader.leave()]);
  }));

Deno.test("a database that is away is asked again every five seconds, and nothing is missed", () =>
  withFeed(async (scene) => {
    scene.isAway = true;
    const { reader, told } = collect(scene.listen());
    scene.stored = 1;
    await scene.clock.advance(21_000);
    assert.ok(scene.reads >= 4 && scene.reads <= 6, `${scene.reads} reads`);
    scene.isAway = false;
    await scene.clock.advance(5_000);
    assert.deepEqual(told, ["candle 1970-01-01T00:00:00.000Z 1"]);
    await reader.leave();
  }));

Deno.test("a clock that is set back silences no listener, and sends none away", () =>
  withFeed(async (scene) => {
    const asking = collect(scene.listen({ isForming: true }));
    scene.forming = [1, "2"];
    await scene.clock.advance(1_000);
    scene.clock.set(-3_600_000);
    scene.forming = [1, "3"];
    await scene.clock.advance(2_000);
    assert.deepEqual(asking.told.map((text) => text.at(-1)), ["2", "3"]);
    await scene.clock.advance(16_000);
    assert.equal(asking.reader.comments, 1);
    // Another process has written it.
    scene.stored = 1;
    await scene.clock.advance(6_000);
    assert.equal(asking.told.length, 3);
    scene.isAway = true;
    scene.written();
    await scene.clock.advance(0);
    scene.isAway = false;
    scene.stored = 2;
    scene.clock.set(-3_600_000);
    await scene.clock.advance(6_000);
    assert.equal(asking.told.length, 4);
    await asking.reader.leave();
  }));

Deno.test("listeners of both feeds share the slots, half of them for one address", () =>
  withFeed(async (scene) => {
    const { slots, clock } = scene;
    const status = new StatusFeed({
      ...{ slots, clock, log: logger("test"), forming: () => undefined },
      ...{ status: () => new Promise(() => {}), news: () => new Promise(() => {}) },
    });
    const half = LISTENERS_MAX / 2;
    const asked = { series: BTC, from: { sinceMs: 0, revision: 0 }, isForming: false };
    for (let at = 1; at < half; at++) assert.ok(status.listen("a"));
    const stream = scene.listen({ peer: "a" });
    assert.equal(scene.feed.listen("a", asked), undefined);
    assert.equal(status.listen("a"), undefined);
    for (let at = 0; at < half; at++) scene.listen({ peer: "b" });
    assert.equal(scene.feed.listen("c", asked), undefined);
    await stream.cancel();
    assert.ok(status.listen("c"));
    assert.equal(scene.feed.listen("c", asked), undefined);
    status.stop();
    assert.ok(scene.feed.listen("c", asked), "all slots of the other feed are free again");
  }));
