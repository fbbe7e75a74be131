import assert from "node:assert/strict";
import { STREAM_DIALECTS } from "../../lib/exchange/stream_address.ts";
import type { Asking, StreamDialect, Told, Topic } from "../../lib/exchange/stream_dialect.ts";
import { messageValues } from "../../lib/exchange/stream_message.ts";
import { STREAM_SAMPLES } from "../support/stream_samples.ts";
import { ALL_STREAM_VOICES } from "../support/stream_voices.ts";

const ASKING: Asking = { id: "1", nowMs: 1_704_067_200_500 };

for (const [id, { timeframe, market, subscription, told }] of Object.entries(STREAM_SAMPLES)) {
  Deno.test(`the dialect of ${id} subscribes by the market's own id, and takes every message for what it is`, () => {
    const dialect = dialectOf(id);
    const topic = topicOf(dialect, market, timeframe);
    assert.deepEqual(JSON.parse(dialect.subscribe([topic], ASKING)), subscription);
    for (const [text, expected] of told) {
      assert.deepEqual(plain(dialect.read(messageValues(text))), expected, text);
    }
  });
}

const READABLE = Object.entries(STREAM_DIALECTS).filter(([, dialect]) => dialect !== undefined);

Deno.test("every dialect that is not another's has its sample", () => {
  const known = new Set(Object.keys(STREAM_SAMPLES).map((id) => STREAM_DIALECTS[id]?.read));
  assert.deepEqual(READABLE.filter(([, dialect]) => !known.has(dialect?.read)), []);
});

Deno.test("every dialect speaks with an exchange in the tests, because LIVE=auto streams by all of them", () => {
  const spoken = new Set(Object.keys(ALL_STREAM_VOICES).map((id) => STREAM_DIALECTS[id]?.read));
  assert.deepEqual(READABLE.filter(([, dialect]) => !spoken.has(dialect?.read)), []);
});

Deno.test("no dialect throws at a message, whatever is in it", () => {
  const odd: readonly unknown[] = [
    ...[null, true, 0, "", [], {}, [[]], [1], [1, null], [1, [null]], [1, [[null]]], { k: null }],
    ...[{ e: "kline", k: {} }, { e: "kline", k: [] }, { error: {} }, { error: null, id: {} }],
    ...[{ channel: "ohlc" }, { channel: "ohlc", data: [null, 1, {}] }, { method: "subscribe" }],
    ...[{ arg: null, data: [] }, { arg: {}, data: [null, [], {}] }, { event: "error" }],
    ...[{ topic: "kline.1.X" }, { topic: "kline.1.X", data: [null] }, { event: "subscribed" }],
    ...[{ op: "subscribe" }, { success: false }, { request: [] }, { event: null }],
  ];
  for (const [id, dialect] of READABLE) {
    for (const message of odd) {
      assert.doesNotThrow(() => dialect?.read(message), `${id} ${JSON.stringify(message)}`);
    }
  }
});

Deno.test("a batch names every market, and unsubscribing names them again", () => {
  for (const [id, dialect] of READABLE) {
    assert.ok(dialect);
    const [timeframe = ""] = Object.keys(dialect.intervals);
    const topics = ["AAAUSDT", "BBBUSDT"].slice(0, dialect.batchMax)
      .map((market) => topicOf(dialect, market, timeframe));
    const aliases = new Map(topics.map(({ name }) => [name, "67473"]));
    const on = dialect.subscribe(topics, ASKING);
    const off = dialect.unsubscribe(topics, ASKING, aliases);
    assert.notEqual(on, off);
    for (const { market } of topics) {
      const isNamed = (text: string): boolean => text.toUpperCase().includes(market);
      assert.ok(isNamed(on), `${id} ${on}`);
      assert.ok(isNamed(off) || off.includes("67473"), `${id} ${off}`);
    }
  }
});

function dialectOf(id: string): StreamDialect {
  const dialect = STREAM_DIALECTS[id];
  assert.ok(dialect, id);
  return dialect;
}

function topicOf(dialect: StreamDialect, market: string, timeframe: string): Topic {
  const interval = dialect.intervals[timeframe];
  assert.ok(interval, timeframe);
  return { name: dialect.topicName(market, interval), market, interval };
}

/** Without members that are undefined. */
function plain(told: readonly Told[] | undefined): unknown {
  return told === undefined ? undefined : JSON.parse(JSON.stringify(told));
}
