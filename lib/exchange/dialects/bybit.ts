/** Bybit's stream of spot candles, and those of its European and Indonesian companies. @module */
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
 * As CCXT's class and Bybit's documentation say: ten topics a request, a ping of ours every 20 s. Every message of candles
 * has the type `snapshot`, whatever it is sent for; `confirm` says whether the candle is closed.
 */
export const bybit: StreamDialect = {
  url: "wss://stream.bybit.com/v5/public/spot",
  urlKeys: ["ws", "public", "spot"],
  intervals: {
    ...{ "1m": "1", "3m": "3", "5m": "5", "15m": "15", "30m": "30" },
    ...{ "1h": "60", "2h": "120", "4h": "240", "6h": "360", "12h": "720" },
    ...{ "1d": "D", "1w": "W", "1M": "M" },
  },
  flagsClosed: true,
  isAnswering: true,
  topicsMax: 200,
  batchMax: 10,
  sendIntervalMs: 250,
  openIntervalMs: 1_000,
  pingEveryMs: 20_000,
  silenceMs: 45_000,
  ageMsMax: 23 * 3_600_000,
  ping: ({ id }) => JSON.stringify({ req_id: id, op: "ping" }),
  topicName: (market, interval) => `kline.${interval}.${market}`,
  subscribe: (topics, { id }) => request("subscribe", topics, id),
  unsubscribe: (topics, { id }) => request("unsubscribe", topics, id),
  read,
};

export const bybiteu: StreamDialect = { ...bybit, url: "wss://stream.bybit.eu/v5/public/spot" };

export const bybitid: StreamDialect = { ...bybit, url: "wss://stream.bybit.id/v5/public/spot" };

function request(op: string, topics: readonly { readonly name: string }[], id: string): string {
  return JSON.stringify({ req_id: id, op, args: topics.map(({ name }) => name) });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  const topic = textOf(told?.["topic"]);
  if (topic?.startsWith("kline.")) {
    const exchangeMs = timeOf(told?.["ts"]);
    return listOf(told?.["data"]).flatMap((value): Told[] => {
      const { start, open, high, low, close, volume, confirm } = recordOf(value) ?? {};
      const row = rowOf(timeOf(start), [open, high, low, close, volume]);
      const isClosed = confirm === true;
      return row === undefined ? [] : [{ kind: "candle", topic, row, isClosed, exchangeMs }];
    });
  }
  const id = textOf(told?.["req_id"] ?? recordOf(told?.["request"])?.["req_id"]);
  if (told?.["success"] === false) return [{ kind: "refused", id, why: String(told["ret_msg"]) }];
  switch (told?.["op"]) {
    case "ping":
    case "pong":
    case "unsubscribe":
      return ALIVE;
    case "subscribe":
      return [{ kind: "agreed", id }];
  }
  return undefined;
}
