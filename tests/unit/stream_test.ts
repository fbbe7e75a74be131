import assert from "node:assert/strict";
import { openStreams, type Streams } from "../../lib/exchange/stream.ts";
import type { StreamEvent, WishedSeries } from "../../lib/exchange/stream_event.ts";
import { type FakeSocket, fakeSockets } from "../support/fake_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { STREAM_VOICES } from "../support/stream_voices.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly streams: Streams;
  readonly sockets: readonly FakeSocket[];
  readonly events: readonly StreamEvent[];
  /** The events of a kind. */
  of<Kind extends StreamEvent["kind"]>(kind: Kind): readonly (StreamEvent & { kind: Kind })[];
}

function setUp(id = "binance", { random = 1 }: { readonly random?: number } = {}): Scene {
  const clock = new ManualClock();
  const { sockets, openSocket } = fakeSockets();
  const events: StreamEvent[] = [];
  const streams = openStreams({
    ...{ exchange: { id }, clock, openSocket, random: () => random },
    onEvent: (event) => void events.push(event),
  });
  return {
    ...{ clock, streams, sockets, events },
    of: (kind) => events.filter((event) => event.kind === kind) as never,
  };
}

/** `BTC/USDT`, whose id is `BTCUSDT`. */
function spot(symbol: string, timeframe = "1m"): WishedSeries {
  return { symbol, timeframe, market: { id: symbol.replace("/", ""), kind: "spot" } };
}

function spots(count: number): readonly WishedSeries[] {
  return Array.from({ length: count }, (_, at) => spot(`A${at}/USDT`));
}

const BTC = spot("BTC/USDT");

function candle(id: string, { timeframe = "1m", isClosed = false } = {}): unknown {
  const k = { t: 1_704_067_200_000, s: id, i: timeframe, o: "1", h: "3", l: "0.5", c: "2" };
  return { e: "kline", E: 1_704_067_201_000, s: id, k: { ...k, v: "7.10", x: isClosed } };
}

async function close({ clock, streams }: Scene): Promise<void> {
  await streams.close();
  assert.equal(clock.sleepers, 0);
}

/** Opens the newest connection, and agrees to its first subscription. */
async function openNewest({ clock, sockets }: Scene): Promise<FakeSocket> {
  await clock.advance(0);
  const socket = sockets.at(-1);
  assert.ok(socket);
  socket.open();
  socket.say({ result: null, id: socket.asked[0]?.["id"] });
  return socket;
}

Deno.test("a candle is told with its series, its connection and the exchange's own texts", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  assert.deepEqual(socket.asked, [{ method: "SUBSCRIBE", params: ["btcusdt@kline_1m"], id: 1 }]);
  socket.say(candle("BTCUSDT", { isClosed: true }));
  const [subscribed, told] = scene.events;
  assert.equal(subscribed?.kind, "subscribed");
  assert.ok(told?.kind === "candle" && subscribed?.kind === "subscribed");
  assert.equal(told.connection, subscribed.connection);
  assert.deepEqual(told, {
    ...{ kind: "candle", connection: told.connection, symbol: "BTC/USDT", timeframe: "1m" },
    row: [1_704_067_200_000, "1", "3", "0.5", "2", "7.10"],
    ...{ isClosed: true, isSnapshot: false },
    ...{ exchangeMs: 1_704_067_201_000, receivedMs: scene.clock.now() },
  });
  await close(scene);
  assert.deepEqual(scene.events.at(-1), {
    ...{ kind: "ended", connection: told.connection, reason: "stopped" },
    why: "it is not wanted any more",
    series: [{ symbol: "BTC/USDT", timeframe: "1m" }],
  });
});

Deno.test("a candle of another market or timeframe than was subscribed is dropped and counted", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  socket.say(candle("ETHUSDT"));
  socket.say(candle("BTCUSDT", { timeframe: "1d" }));
  assert.deepEqual(scene.of("candle"), []);
  assert.equal(scene.streams.counts().unasked, 2);
  await close(scene);
});

Deno.test("a handshake that is never answered ends after ten seconds, and another is begun", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  await scene.clock.advance(9_999);
  assert.deepEqual(scene.of("ended"), []);
  await scene.clock.advance(1);
  assert.equal(scene.of("ended")[0]?.reason, "unopened");
  assert.equal(scene.sockets[0]?.isClosed, true);
  await scene.clock.advance(500);
  assert.equal(scene.sockets.length, 2);
  await close(scene);
});

Deno.test("a connection that says nothing is abandoned, although it is open and answers no close", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  await scene.clock.advance(20_000);
  assert.equal(socket.asked.at(-1)?.["method"], "LIST_SUBSCRIPTIONS");
  await scene.clock.advance(26_000);
  assert.equal(scene.of("ended")[0]?.reason, "silent");
  // What it says after all is not heard.
  socket.say(candle("BTCUSDT"));
  assert.deepEqual(scene.of("candle"), []);
  await close(scene);
});

Deno.test("answers to pings keep a quiet connection alive", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  for (let minute = 0; minute < 60; minute++) {
    for (let ping = 0; ping < 3; ping++) {
      await scene.clock.advance(20_000);
      socket.say({ result: ["btcusdt@kline_1m"], id: socket.asked.at(-1)?.["id"] });
    }
  }
  assert.deepEqual(scene.of("ended"), []);
  await close(scene);
});

Deno.test("a clock that is set neither ends a connection nor keeps a dead one", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  scene.clock.set(86_400_000 * 3);
  await scene.clock.advance(5_000);
  assert.deepEqual(scene.of("ended"), []);
  socket.say({ result: [], id: 9 });
  scene.clock.set(-86_400_000 * 30);
  await scene.clock.advance(46_000);
  assert.equal(scene.of("ended")[0]?.reason, "silent");
  await close(scene);
});

Deno.test("what cannot be sent ends the connection", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  socket.bufferedAmount = 64;
  for (let second = 0; second < 15; second++) {
    socket.say({ result: [], id: 9 });
    await scene.clock.advance(1_000);
  }
  assert.equal(scene.of("ended")[0]?.reason, "unwritten");
  await close(scene);
});

Deno.test("a killed connection is opened again, later each time, and soon after one that was steady", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const waits: number[] = [];
  for (let kill = 0; kill < 9; kill++) {
    (await openNewest(scene)).drop();
    const { connections, up } = scene.streams.counts();
    assert.deepEqual([connections, up], [1, 0], "it is to be open, also while none is there");
    const [opened, sinceMs] = [scene.sockets.length, scene.clock.now()];
    while (scene.sockets.length === opened) await scene.clock.advance(250);
    waits.push(scene.clock.now() - sinceMs);
  }
  // The first ones also wait for the pace of openings, a second.
  assert.deepEqual(waits, [1000, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  const socket = await openNewest(scene);
  for (let second = 0; second < 30; second++) {
    await scene.clock.advance(1_000);
    socket.say(candle("BTCUSDT"));
  }
  socket.drop();
  await scene.clock.advance(250);
  assert.equal(scene.sockets.length, 11);
  assert.equal(scene.streams.counts().ends.killed, 10);
  await close(scene);
});

Deno.test("a connection is replaced before the exchange ends it, and every series is subscribed again", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  for (let minute = 0; minute < 23 * 60; minute++) {
    if (scene.of("ended").length > 0) break;
    for (let part = 0; part < 2; part++) {
      await scene.clock.advance(30_000);
      socket.say(candle("BTCUSDT"));
    }
  }
  assert.equal(scene.of("ended")[0]?.reason, "rotated");
  const next = await openNewest(scene);
  assert.notEqual(next, socket);
  assert.deepEqual(next.asked[0]?.["params"], ["btcusdt@kline_1m"]);
  next.say(candle("BTCUSDT"));
  assert.ok(scene.of("candle").at(-1)!.connection > scene.of("ended")[0]!.connection);
  await close(scene);
});

Deno.test("more series than a connection carries are spread over several, in batches at the exchange's pace", async () => {
  const scene = setUp("bitfinex");
  scene.streams.subscribe(spots(60));
  await openNewest(scene);
  for (let at = 1; at < 3; at++) {
    await scene.clock.advance(4_000);
    await openNewest(scene);
  }
  await scene.clock.advance(500);
  assert.equal(scene.sockets.length, 3);
  // One channel a request, four requests a second.
  assert.equal(scene.sockets[2]?.sent.length, 3);
  await scene.clock.advance(6_000);
  assert.deepEqual(scene.sockets.map(({ sent }) => sent.length), [25, 25, 10]);
  await close(scene);
});

Deno.test("where a connection takes one timeframe of each market, another takes the second", async () => {
  const scene = setUp("kraken");
  scene.streams.subscribe([BTC, spot("BTC/USDT", "1h"), spot("ETH/USDT", "1h")]);
  await openNewest(scene);
  await scene.clock.advance(2_000);
  await openNewest(scene);
  await scene.clock.advance(1_000);
  const asked = scene.sockets.map(({ asked }) =>
    asked.map(({ params }) => params as { interval: number; symbol: string[] })
      .map(({ interval, symbol }) => [interval, ...symbol])
  );
  assert.deepEqual(asked, [[[1, "BTCUSDT"], [60, "ETHUSDT"]], [[60, "BTCUSDT"]]]);
  await close(scene);
});

Deno.test("a change subscribes and unsubscribes the difference alone", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC, spot("ETH/USDT")]);
  const socket = await openNewest(scene);
  await scene.clock.advance(1_000);
  scene.streams.subscribe([BTC, spot("SOL/USDT")]);
  await scene.clock.advance(1_000);
  assert.deepEqual(socket.asked.map(({ method, params }) => [method, params]), [
    ["SUBSCRIBE", ["btcusdt@kline_1m", "ethusdt@kline_1m"]],
    ["UNSUBSCRIBE", ["ethusdt@kline_1m"]],
    ["SUBSCRIBE", ["solusdt@kline_1m"]],
  ]);
  socket.say(candle("ETHUSDT"));
  assert.deepEqual(scene.of("candle"), []);
  scene.streams.subscribe([]);
  assert.equal(scene.of("ended")[0]?.reason, "stopped");
  await scene.clock.advance(60_000);
  assert.equal(scene.sockets.length, 1);
  scene.streams.subscribe([BTC]);
  await openNewest(scene);
  assert.equal(scene.sockets.length, 2);
  await close(scene);
});

Deno.test("a market that goes on under another symbol is told under the new one", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  scene.streams.subscribe([{ ...BTC, symbol: "XBT/USDT" }]);
  await scene.clock.advance(1_000);
  socket.say({ result: null, id: socket.asked.at(-1)?.["id"] });
  socket.say(candle("BTCUSDT"));
  assert.equal(scene.of("subscribed").at(-1)?.symbol, "XBT/USDT");
  assert.deepEqual(scene.of("candle").map(({ symbol }) => symbol), ["XBT/USDT"]);
  await close(scene);
});

Deno.test("of a refused batch each series is asked for alone, and only what is refused then is told", async () => {
  const scene = setUp("bybit");
  scene.streams.subscribe([BTC, spot("NO/USDT")]);
  await scene.clock.advance(0);
  const [socket] = scene.sockets;
  socket?.open();
  const answer = (isRefused: boolean): void => {
    const { req_id, op } = socket?.asked.at(-1) ?? {};
    socket?.say({ req_id, op, success: !isRefused, ret_msg: isRefused ? "handler not found" : "" });
  };
  answer(true);
  await scene.clock.advance(250);
  // The second is asked for once the first is answered.
  await scene.clock.advance(5_000);
  assert.equal(socket?.asked.length, 2);
  answer(false);
  await scene.clock.advance(250);
  answer(true);
  assert.deepEqual(socket?.asked.map(({ args }) => args), [
    ["kline.1.BTCUSDT", "kline.1.NOUSDT"],
    ["kline.1.BTCUSDT"],
    ["kline.1.NOUSDT"],
  ]);
  assert.deepEqual(scene.of("subscribed").map(({ symbol }) => symbol), ["BTC/USDT"]);
  assert.deepEqual(scene.of("refused"), [
    { kind: "refused", symbol: "NO/USDT", timeframe: "1m", why: "handler not found" },
  ]);
  await close(scene);
});

for (const id of ["bitvavo", "poloniex"]) {
  Deno.test(`a refusal of ${id}, which names nothing, takes no other timeframe's series along`, async () => {
    const scene = setUp(id);
    const voice = STREAM_VOICES[id]?.();
    assert.ok(voice);
    scene.streams.subscribe([spot("NO/USDT"), BTC, spot("BTC/USDT", "1h")]);
    await scene.clock.advance(0);
    const [socket] = scene.sockets;
    socket?.open();
    // Without the wait for the answer both timeframes would be asked for by now.
    await scene.clock.advance(2_000);
    assert.equal(socket?.sent.length, 1);
    for (let heard = 0; heard < (socket?.sent.length ?? 0); heard++) {
      const { answers } = voice.hear(socket?.sent[heard] ?? "", new Set(["NOUSDT"]));
      for (const answer of answers) socket?.say(answer);
      await scene.clock.advance(1_000);
    }
    const inForce = scene.of("subscribed").map(({ symbol, timeframe }) => [symbol, timeframe]);
    assert.deepEqual(inForce.toSorted(), [["BTC/USDT", "1h"], ["BTC/USDT", "1m"]]);
    assert.deepEqual(scene.of("refused").map(({ symbol }) => symbol), ["NO/USDT"]);
    await close(scene);
  });
}

for (const id of ["bitvavo", "poloniex"]) {
  Deno.test(`a refusal of ${id} that comes late is about its own request, and not about the one that waits`, async () => {
    const scene = setUp(id);
    const voice = STREAM_VOICES[id]?.();
    assert.ok(voice);
    scene.streams.subscribe([spot("NO/USDT"), spot("BTC/USDT", "1h")]);
    await scene.clock.advance(0);
    const [socket] = scene.sockets;
    socket?.open();
    await scene.clock.advance(16_000);
    // The second one is sent when the first is given up, maybe beside a ping.
    const asked = socket?.sent.filter((text) => text.includes("subscribe")) ?? [];
    assert.equal(asked.length, 2);
    const whyOf = (): readonly string[] => scene.of("refused").map(({ why }) => why);
    assert.deepEqual(whyOf(), ["no answer within 15 s"]);
    // Both answers come now, in order.
    for (const text of asked) {
      for (const answer of voice.hear(text, new Set(["NOUSDT"])).answers) socket?.say(answer);
    }
    assert.deepEqual(scene.of("subscribed").map(({ timeframe }) => timeframe), ["1h"]);
    assert.equal(whyOf().length, 1, "it is told once");
    await close(scene);
  });
}

Deno.test("a subscription without an answer is told as refused, and a connection with no other ends", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  await scene.clock.advance(0);
  scene.sockets[0]?.open();
  await scene.clock.advance(15_000);
  assert.match(scene.of("refused")[0]?.why ?? "", /no answer within 15 s/);
  assert.equal(scene.of("ended")[0]?.reason, "refused");
  await close(scene);
});

Deno.test("a refused series is asked for again after ten minutes, and told only when it comes", async () => {
  const scene = setUp("kraken");
  scene.streams.subscribe([BTC, spot("NO/USDT")]);
  await scene.clock.advance(0);
  const [socket] = scene.sockets;
  socket?.open();
  const answer = (symbol: string, success: boolean): void => {
    const req_id = socket?.asked.findLast(({ method }) => method === "subscribe")?.["req_id"];
    const result = { channel: "ohlc", interval: 1, symbol };
    socket?.say({ method: "subscribe", req_id, success, symbol, error: "too many", result });
  };
  answer("BTCUSDT", true);
  const pass = async (seconds: number): Promise<void> => {
    for (let at = 0; at < seconds; at += 10) {
      await scene.clock.advance(10_000);
      socket?.say({ channel: "heartbeat" });
    }
  };
  answer("NOUSDT", false);
  await pass(600);
  answer("NOUSDT", false);
  assert.equal(scene.of("refused").length, 1);
  await pass(600);
  answer("NOUSDT", true);
  assert.equal(scene.of("subscribed").at(-1)?.symbol, "NO/USDT");
  await close(scene);
});

Deno.test("what has no stream is told once, and the rest is streamed", async () => {
  const scene = setUp();
  const perpetual: WishedSeries = {
    ...{ symbol: "BTC/USDT:USDT", timeframe: "1m", market: { id: "BTCUSDT", kind: "linear" } },
  };
  scene.streams.subscribe([perpetual]);
  assert.equal(scene.streams.counts().connections, 0, "nothing is to be open");
  const wished = [perpetual, spot("BTC/USDT", "9m"), BTC, { ...BTC, symbol: "XBT/USDT" }];
  scene.streams.subscribe(wished);
  scene.streams.subscribe(wished);
  assert.deepEqual(scene.of("refused").map(({ why }) => why), [
    "only spot markets are streamed",
    "9m is not streamed",
    "its market is streamed as BTC/USDT",
  ]);
  const socket = await openNewest(scene);
  assert.deepEqual(socket.asked[0]?.["params"], ["btcusdt@kline_1m"]);
  await close(scene);
});

Deno.test("garbage is counted, and ends the connection only after twenty messages in a row", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  const garbage: readonly unknown[] = [
    ...["<html>", "", "{", "null", `{"e":"trade"}`, "[".repeat(100), " ".repeat(2 ** 21)],
    ...[new ArrayBuffer(8), `{"result":${"9".repeat(70_000)}}`],
    `[${"1,".repeat(20_000)}1]`,
  ];
  for (const one of garbage) socket.say(one);
  assert.equal(scene.streams.counts().garbage, garbage.length);
  socket.say(candle("BTCUSDT"));
  for (let at = 0; at < 19; at++) socket.say("<html>");
  assert.deepEqual(scene.of("ended"), []);
  socket.say("<html>");
  assert.equal(scene.of("ended")[0]?.reason, "garbage");
  assert.equal(scene.of("candle").length, 1);
  await close(scene);
});

Deno.test("an exchange that sends more than can be read is left, and told so", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  const long = " ".repeat(2 ** 18 - 200) + JSON.stringify(candle("BTCUSDT"));
  for (let at = 0; at < 127; at++) socket.say(long);
  await scene.clock.advance(1_000);
  for (let at = 0; at < 127; at++) socket.say(long);
  assert.deepEqual(scene.of("ended"), []);
  socket.say(long);
  socket.say(long);
  assert.equal(scene.of("ended")[0]?.reason, "backpressure");
  await close(scene);
});

Deno.test("a packed message that would unpack to more than a message may be is garbage", async () => {
  const scene = setUp();
  scene.streams.subscribe([BTC]);
  const socket = await openNewest(scene);
  const pack = async (text: string): Promise<ArrayBuffer> => {
    const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
    return await new Response(packed).arrayBuffer();
  };
  socket.say(await pack(JSON.stringify(candle("BTCUSDT"))));
  assert.equal(scene.of("candle").length, 1);
  const bomb = await pack(" ".repeat(2 ** 24));
  assert.ok(bomb.byteLength < 2 ** 15);
  socket.say(bomb);
  assert.equal(scene.streams.counts().garbage, 1);
  await close(scene);
});

Deno.test("an alias that the exchange has given anew names nothing any more", async () => {
  const scene = setUp("bitfinex");
  scene.streams.subscribe([BTC]);
  await scene.clock.advance(0);
  const [socket] = scene.sockets;
  socket?.open();
  const key = "trade:1m:BTCUSDT";
  for (const chanId of [1, 2]) {
    socket?.say({ event: "subscribed", channel: "candles", chanId, key });
  }
  for (const chanId of [1, 2]) socket?.say([chanId, [1_704_067_200_000, 1, 1, 1, 1, chanId]]);
  assert.deepEqual(scene.of("candle").map(({ row }) => row.at(-1)), ["2"]);
  assert.equal(scene.streams.counts().unasked, 1);
  await close(scene);
});

Deno.test("a socket that cannot even be made is tried again", async () => {
  const clock = new ManualClock();
  const events: StreamEvent[] = [];
  let tries = 0;
  const streams = openStreams({
    ...{ exchange: { id: "binance" }, clock, random: () => 0.5 },
    openSocket: () => {
      tries++;
      throw new TypeError("no permission");
    },
    onEvent: (event) => void events.push(event),
  });
  streams.subscribe([BTC]);
  await clock.advance(5_000);
  assert.ok(tries > 2, String(tries));
  assert.equal(events[0]?.kind === "ended" && events[0].why, "no permission");
  await streams.close();
  assert.equal(clock.sleepers, 0);
});

Deno.test("a connection that has no series any more when its turn comes is not opened", async () => {
  const scene = setUp();
  const many = spots(201);
  scene.streams.subscribe(many);
  await scene.clock.advance(0);
  scene.streams.subscribe(many.slice(0, 200));
  await scene.clock.advance(5_000);
  assert.equal(scene.sockets.length, 1);
  scene.streams.subscribe(many);
  await scene.clock.advance(5_000);
  assert.equal(scene.sockets.length, 2);
  await close(scene);
});
