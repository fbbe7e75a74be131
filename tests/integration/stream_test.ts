import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { findStream, STREAM_DIALECTS } from "../../lib/exchange/stream_address.ts";
import { openStreams, type Streams } from "../../lib/exchange/stream.ts";
import { PlatformSockets, SOCKETS_MAX } from "../../lib/exchange/stream_socket.ts";
import type { StreamEvent, WishedSeries } from "../../lib/exchange/stream_event.ts";
import { openExchange } from "../../lib/exchange/client.ts";
import { opensElsewhere } from "../../lib/exchange/limits.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { STILL_CLOCK, withExchange } from "../support/dialects/local_client.ts";
import { withForwardProxy } from "../support/forward_proxy.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { startDeafStream, startRawStream, textFrames } from "../support/raw_stream.ts";
import { startStreamExchange, type StreamExchange } from "../support/stream_exchange.ts";
import { STREAM_VOICES } from "../support/stream_voices.ts";
import { TestClock } from "../support/test_clock.ts";
import { startSocksProxy } from "../support/socks_proxy.ts";
import { startSwallowingProxy } from "../support/swallowing_proxy.ts";
import { startLocalExchange } from "../../lib/local_exchange/server.ts";

const OPEN_MS = Date.UTC(2024, 0, 1);

/** Events, and the wait for one. */
class Events {
  readonly all: StreamEvent[] = [];
  #news = Promise.withResolvers<void>();

  readonly take = (event: StreamEvent): void => {
    this.all.push(event);
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  };

  of<Kind extends StreamEvent["kind"]>(kind: Kind): (StreamEvent & { readonly kind: Kind })[] {
    return this.all.filter((event): event is StreamEvent & { readonly kind: Kind } =>
      event.kind === kind
    );
  }

  /** The events of a kind, once there are so many. */
  async until<Kind extends StreamEvent["kind"]>(
    kind: Kind,
    count: number,
  ): Promise<(StreamEvent & { readonly kind: Kind })[]> {
    while (this.of(kind).length < count) await this.#news.promise;
    return this.of(kind);
  }
}

interface Scene {
  readonly exchange: StreamExchange;
  readonly events: Events;
  readonly clock: ManualClock;
  readonly streams: Streams;
}

interface SceneOptions {
  /** Where waits are those of the exchange's pace. @default one that stands still */
  readonly clock?: Clock;
  readonly id?: string;
  readonly refused?: ReadonlySet<string>;
  readonly isSilent?: boolean;
  readonly options?: Readonly<Record<string, unknown>>;
  /** What the exchange's address calls this machine. @default 127.0.0.1 */
  readonly host?: string;
}

async function withStreams(
  { id = "binance", options = {}, host = "127.0.0.1", clock, ...faults }: SceneOptions,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const exchange = startStreamExchange({ exchange: id, ...faults });
  const ws = exchange.url.replace("127.0.0.1", host);
  const [events, still] = [new Events(), new ManualClock({ startMs: OPEN_MS })];
  const streams = openStreams({
    exchange: { id, config: { urls: { ws }, ...options } },
    ...{ clock: clock ?? still, random: () => 0.5, onEvent: events.take },
  });
  try {
    await use({ exchange, events, clock: still, streams });
  } finally {
    await streams.close();
    await exchange.close();
  }
}

function spot(symbol: string, id: string, timeframe = "1m"): WishedSeries {
  return { symbol, timeframe, market: { id, kind: "spot" } };
}

const BTC = spot("BTC/USDT", "BTCUSDT");

for (const id of Object.keys(STREAM_VOICES)) {
  Deno.test(`candles of ${id} come over a WebSocket digit for digit, and a refused market leaves the others`, async () => {
    const scene = { id, refused: new Set(["NOUSDT"]), clock: new TestClock() };
    await withStreams(scene, async ({ exchange, events, streams }) => {
      const wished = [BTC, spot("NO/USDT", "NOUSDT"), spot("ETH/USDT", "ETHUSDT")];
      streams.subscribe(wished);
      // Binance agrees to whatever it is asked.
      const hasRefusals = id !== "binance";
      const client = await exchange.client(0);
      await events.until("subscribed", hasRefusals ? 2 : 3);
      if (hasRefusals) assert.equal((await events.until("refused", 1))[0]?.symbol, "NO/USDT");
      const [topic] = client.subscribed;
      assert.ok(topic);
      const row = [OPEN_MS, "0.00000712", "0.00000799", "0.0000071", "0.00000713"] as const;
      const exchangeMs = OPEN_MS + 1_500;
      client.candle(topic, [...row, "123456789012345678901.5"], { exchangeMs });
      client.candle(topic, [...row, "123456789012345678902.5"], { exchangeMs, isClosed: true });
      const [forming, closed] = await events.until("candle", 2);
      assert.equal(forming?.symbol, "BTC/USDT");
      const numbers = closed?.row.map(Number);
      assert.deepEqual(numbers?.slice(0, 5), [OPEN_MS, 7.12e-6, 7.99e-6, 7.1e-6, 7.13e-6]);
      assert.equal(closed?.row[5], "123456789012345678902.5");
      const flags = STREAM_DIALECTS[id]?.flagsClosed === true;
      assert.deepEqual(
        [forming?.isClosed, closed?.isClosed],
        flags ? [false, true] : [undefined, undefined],
      );
    });
  });
}

Deno.test("candles of gemini, which answers no subscription, come over a WebSocket digit for digit", async () => {
  await withStreams({ id: "gemini", clock: new TestClock() }, async (scene) => {
    const { exchange, events, streams } = scene;
    streams.subscribe([BTC]);
    const client = await exchange.client(0);
    await client.until(({ subscribed }) => subscribed.length > 0);
    const row = [OPEN_MS, "0.00000712", "0.00000799", "0.0000071", "0.00000713"] as const;
    client.candle(client.subscribed[0]!, [...row, "123456789012345678901.5"], { exchangeMs: 1 });
    const [candle] = await events.until("candle", 1);
    assert.equal(events.of("subscribed").length, 1, "the first candle says that it is in force");
    assert.equal(candle?.symbol, "BTC/USDT");
    assert.deepEqual(candle?.row.map(Number).slice(0, 5), [
      OPEN_MS,
      7.12e-6,
      7.99e-6,
      7.1e-6,
      7.13e-6,
    ]);
    assert.equal(candle?.row[5], "123456789012345678901.5");
    assert.deepEqual([candle?.isClosed, candle?.isSnapshot], [undefined, false]);
  });
});

Deno.test("a connection that was half-open is left, and its series go on over another", async () => {
  const exchange = startStreamExchange();
  const proxy = startSwallowingProxy(exchange.url);
  const [events, clock] = [new Events(), new ManualClock()];
  const streams = openStreams({
    ...{ exchange: { id: "binance", config: { urls: { ws: proxy.url } } }, clock },
    ...{ random: () => 0.5, onEvent: events.take },
  });
  try {
    streams.subscribe([BTC]);
    await events.until("subscribed", 1);
    proxy.swallow(true);
    while (events.of("ended").length === 0) await clock.advance(1_000);
    const [ended] = events.of("ended");
    assert.equal(ended?.reason, "silent");
    proxy.swallow(false);
    await clock.advance(500);
    const again = (await events.until("subscribed", 2))[1];
    assert.ok(again!.connection > ended!.connection);
  } finally {
    await streams.close();
    await proxy.close();
    await exchange.close();
  }
});

Deno.test("a server that takes connections and never answers the handshake is left after the deadline", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const taken: Deno.Conn[] = [];
  const taking = (async () => {
    for await (const connection of listener) taken.push(connection);
  })();
  const [events, clock] = [new Events(), new ManualClock()];
  const ws = `ws://127.0.0.1:${listener.addr.port}/`;
  const streams = openStreams({
    ...{ exchange: { id: "binance", config: { urls: { ws } } }, clock },
    ...{ random: () => 0.5, onEvent: events.take },
  });
  try {
    streams.subscribe([BTC]);
    await clock.advance(10_000);
    assert.equal((await events.until("ended", 1))[0]?.reason, "unopened");
  } finally {
    await streams.close();
    listener.close();
    await taking;
    for (const connection of taken) connection.close();
  }
});

Deno.test("a port without a server, and an exchange that leaves, are told as what they are", async () => {
  await withStreams({}, async ({ exchange, events, clock, streams }) => {
    streams.subscribe([BTC]);
    await events.until("subscribed", 1);
    (await exchange.client(0)).leave();
    const [killed] = await events.until("ended", 1);
    assert.equal(killed?.reason, "killed");
    assert.match(killed?.why ?? "", /1001 restarting/);
    await exchange.close();
    await clock.advance(1_000);
    assert.equal((await events.until("ended", 2))[1]?.reason, "unopened");
  });
});

Deno.test("binary that is not packed, texts that are not JSON and frames without end are garbage", async () => {
  await withStreams({}, async ({ exchange, events, streams }) => {
    streams.subscribe([BTC]);
    await events.until("subscribed", 1);
    const client = await exchange.client(0);
    client.say(new Uint8Array([1, 2, 3]));
    client.say("x".repeat(2 ** 21));
    for (let at = 0; at < 18; at++) client.say(`{"k":`);
    assert.equal((await events.until("ended", 1))[0]?.reason, "garbage");
    assert.equal(streams.counts().garbage, 20);
  });
});

Deno.test("headers of the configuration go with the handshake, and a stream goes through the proxy", async () => {
  const proxy = startSocksProxy("us", "hunter2");
  const options = {
    socksProxy: `socks5h://us:hunter2@${proxy.host}`,
    headers: { "x-gate": "1" },
  };
  try {
    // The proxy knows hosts by their names alone.
    await withStreams({ options, host: "localhost" }, async ({ exchange, events, streams }) => {
      streams.subscribe([BTC]);
      await events.until("subscribed", 1);
      const { headers } = await exchange.client(0);
      assert.equal(headers.get("x-gate"), "1");
      assert.deepEqual(proxy.asked, [`localhost:${new URL(exchange.url).port}`]);
    });
  } finally {
    await proxy.close();
  }
});

Deno.test("an encrypted stream is tunnelled through an HTTP proxy", async () => {
  await withForwardProxy({ credentials: "us:hunter2" }, async (proxy) => {
    const httpsProxy = proxy.url.replace("//", "//us:hunter2@");
    const options = { httpsProxy, urls: { ws: "wss://127.0.0.1:1/ws" } };
    await withStreams({ options }, async ({ events, streams }) => {
      streams.subscribe([BTC]);
      const [ended] = await events.until("ended", 1);
      assert.equal(ended?.reason, "unopened");
      assert.doesNotMatch(ended?.why ?? "", /hunter2/);
      assert.equal(proxy.asked[0], "CONNECT 127.0.0.1:1 HTTP/1.1");
    });
  });
});

Deno.test("a burst of 100,000 messages loses none, and lets timers have their turns", async () => {
  const server = startRawStream();
  let last: StreamEvent | undefined;
  const [over, isOver] = [Promise.withResolvers<void>(), { value: false }];
  let candles = 0;
  const streams = openStreams({
    exchange: { id: "binance", config: { urls: { ws: server.url } } },
    ...{ clock: systemClock, random: () => 0.5 },
    onEvent: (event) => {
      if (event.kind !== "candle") return;
      last = event;
      if (++candles === 100_000) over.resolve();
    },
  });
  const voice = STREAM_VOICES["binance"]?.();
  assert.ok(voice);
  const topic = { market: "BTCUSDT", interval: "1m" };
  const frames = textFrames(
    Array.from(
      { length: 100_000 },
      (_, at) =>
        String(voice.candle(topic, [OPEN_MS, "1", "1", "1", "1", String(at)], { exchangeMs: 1 })),
    ),
  );
  try {
    streams.subscribe([BTC]);
    const sent = server.send(frames);
    // Counted in messages between two of its turns: how long these take depends on the machine.
    const most = (async (): Promise<number> => {
      let [most, before] = [0, 0];
      while (!isOver.value) {
        await systemClock.sleep(10);
        [most, before] = [Math.max(most, candles - before), candles];
      }
      return most;
    })();
    await Promise.all([over.promise, sent]);
    isOver.value = true;
    assert.equal(last?.kind === "candle" && last.row[5], "99999");
    const messages = await most;
    assert.ok(messages < 10_000, `${messages} messages were taken before a timer's turn`);
  } finally {
    await streams.close();
    await server.close();
  }
});

Deno.test("every dialect's address is that of CCXT's own class, and its timeframes are CCXT's", async () => {
  const main = import.meta.resolve("ccxt");
  for (const [id, dialect] of Object.entries(STREAM_DIALECTS)) {
    if (dialect === undefined) continue;
    // The program itself never loads these: the executable leaves them out.
    const module = await import(new URL(`./src/pro/${id}.js`, main).href);
    const { urls, hostname, timeframes } = new module.default({});
    let url = urls.api;
    for (const key of dialect.urlKeys) url = url[key];
    url = url.replace("{hostname}", hostname) + (dialect.urlSuffix ?? "");
    assert.equal(dialect.url, url, id);
    for (const timeframe of Object.keys(dialect.intervals)) {
      assert.ok(Object.hasOwn(timeframes, timeframe), `${id} ${timeframe}`);
      assert.ok(!opensElsewhere(id, "spot", timeframe), `${id} ${timeframe}`);
    }
  }
});

Deno.test("Kraken's stream has its markets by the usual codes, whatever their ids are", async () => {
  await withExchange({ dialect: kraken }, async ({ url }) => {
    const config = { urls: { api: { public: url } } };
    const client = await openExchange("kraken", { clock: STILL_CLOCK, config });
    const list = await client.loadMarkets();
    const [btc, doge] = [list.get("BTC/USDT"), list.get("DOGE/USDT")];
    assert.deepEqual([btc?.id, btc?.streamName], ["XBTUSDT", "BTC/USDT"]);
    assert.deepEqual([doge?.id, doge?.streamName], ["XDGUSDT", "DOGE/USDT"]);
    const kept = await client.keepMarkets(list, new Map([["BTC/USDT", btc?.id]]));
    assert.equal(kept.get("BTC/USDT")?.streamName, "BTC/USDT");
  });
});

Deno.test("the local exchange tells of forming candles, and of each closed one once", async () => {
  const clock = new ManualClock({ startMs: OPEN_MS + 59_500 });
  const exchange = await startLocalExchange({ clock });
  const events = new Events();
  const config = { urls: { api: { public: `${exchange.url}/api/v3` }, ws: exchange.streamUrl } };
  const streams = openStreams({
    ...{ exchange: { id: "binance", config }, clock, random: () => 0.5, onEvent: events.take },
  });
  try {
    assert.ok(!("why" in findStream({ id: "binance", config })));
    streams.subscribe([BTC]);
    await events.until("subscribed", 1);
    for (let second = 0; second < 3; second++) {
      const count = events.of("candle").length;
      await clock.advance(1_000);
      await events.until("candle", count + 1);
    }
    const candles = await events.until("candle", 4);
    const closed = candles.filter(({ isClosed }) => isClosed);
    assert.equal(closed.length, 1);
    const window = { sinceMs: OPEN_MS, untilMs: OPEN_MS + 60_000 };
    const [truth] = exchange.truth("BTC/USDT", { text: "1m", count: 1, unit: "m" }, window);
    assert.ok(truth);
    const { openTimeMs, open, high, low, close, volume } = truth;
    assert.deepEqual(closed[0]?.row, [openTimeMs, open, high, low, close, volume]);
  } finally {
    await streams.close();
    await exchange.close();
  }
});

Deno.test("connections that an exchange never closes are bounded, and opened again when it has", async () => {
  const exchange = startDeafStream();
  const sockets = new PlatformSockets();
  const address = { url: exchange.url, proxy: undefined, headers: {} };
  const ended: Promise<unknown>[] = [];
  const openOne = async (): Promise<void> => {
    const socket = sockets.open(address) as WebSocket;
    ended.push(new Promise((resolve) => socket.addEventListener("close", resolve)));
    socket.onerror = () => {};
    await new Promise((resolve) => socket.onopen = resolve);
    socket.close();
  };
  try {
    for (let at = 0; at < SOCKETS_MAX; at++) await openOne();
    assert.throws(() => sockets.open(address), /64 connections are not closed by the exchange/);
    exchange.drop();
    await Promise.all(ended);
    await openOne();
  } finally {
    exchange.close();
    await Promise.all(ended);
    sockets.close();
  }
});
