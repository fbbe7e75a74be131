/** Bitfinex's stream of candles, version 2. @module */
import {
  ALIVE,
  listOf,
  recordOf,
  rowOf,
  type StreamDialect,
  textOf,
  timeOf,
  type Told,
} from "../stream_dialect.ts";

/**
 * As CCXT's class and Bitfinex's documentation say: 25 channels a connection, 20 connections a minute, one channel a
 * request. A channel's messages name it by a number. After subscribing comes a snapshot. Values come as open, close, high,
 * low. No message says that a candle is closed. A heartbeat comes every 15 s on each channel.
 */
export const bitfinex: StreamDialect = {
  url: "wss://api-pub.bitfinex.com/ws/2",
  urlKeys: ["ws", "public"],
  intervals: {
    ...{ "1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1h", "3h": "3h" },
    ...{ "6h": "6h", "12h": "12h", "1d": "1D", "1M": "1M" },
  },
  flagsClosed: false,
  isAnswering: true,
  topicsMax: 25,
  batchMax: 1,
  sendIntervalMs: 250,
  openIntervalMs: 4_000,
  pingEveryMs: 20_000,
  silenceMs: 40_000,
  ageMsMax: 23 * 3_600_000,
  ping: ({ id }) => JSON.stringify({ event: "ping", cid: Number(id) }),
  topicName: (market, interval) => `trade:${interval}:${market}`,
  subscribe: (topics) =>
    JSON.stringify({ event: "subscribe", channel: "candles", key: topics[0]?.name }),
  unsubscribe: (topics, _asking, aliases) => {
    const chanId = Number(aliases.get(topics[0]?.name ?? ""));
    return JSON.stringify({ event: "unsubscribe", chanId });
  },
  read,
};

/** It will restart, or has ended its maintenance: subscriptions are lost. */
const RECONNECT_CODES: ReadonlySet<unknown> = new Set([20051, 20060, 20061]);

function read(message: unknown): readonly Told[] | undefined {
  if (Array.isArray(message)) return values(message);
  const told = recordOf(message);
  switch (told?.["event"]) {
    case "subscribed": {
      return [{ kind: "agreed", topic: textOf(told["key"]), alias: textOf(told["chanId"]) }];
    }
    case "error": {
      return [{ kind: "refused", topic: textOf(told["key"]), why: String(told["msg"]) }];
    }
    case "info": {
      if (!RECONNECT_CODES.has(told["code"])) return ALIVE;
      return [{ kind: "closing", why: String(told["msg"]) }];
    }
    case "pong":
    case "conf":
    case "unsubscribed":
      return ALIVE;
  }
  return undefined;
}

function values([channel, data]: readonly unknown[]): readonly Told[] | undefined {
  if (data === "hb") return ALIVE;
  const topic = textOf(channel);
  if (topic === undefined || !Array.isArray(data)) return undefined;
  const isSnapshot = data.length === 0 || Array.isArray(data[0]);
  return (isSnapshot ? data : [data]).flatMap((value): Told[] => {
    const [time, open, close, high, low, volume] = listOf(value);
    const row = rowOf(timeOf(time), [open, high, low, close, volume]);
    return row === undefined ? [] : [{ kind: "candle", topic, row, isSnapshot }];
  });
}
