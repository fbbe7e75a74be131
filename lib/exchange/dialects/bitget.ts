/** Bitget's stream of spot candles. @module */
import {
  ALIVE,
  candleOf,
  listOf,
  recordOf,
  rowOf,
  type StreamDialect,
  textOf,
  timeOf,
  type Told,
  type Topic,
} from "../stream_dialect.ts";

/**
 * As CCXT's class and Bitget's documentation say: fewer than 50 topics a connection, ten messages a second of 4 KiB at most,
 * a ping of ours every 30 s. After subscribing comes a snapshot. No message says that a candle is closed.
 */
export const bitget: StreamDialect = {
  url: "wss://ws.bitget.com/v2/ws/public",
  urlKeys: ["ws", "public"],
  // Without `utc`, candles of six hours and more open by the time of Hong Kong.
  intervals: {
    ...{ "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m" },
    ...{ "1h": "1H", "4h": "4H", "6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc" },
  },
  flagsClosed: false,
  isAnswering: true,
  topicsMax: 48,
  batchMax: 40,
  sendIntervalMs: 250,
  openIntervalMs: 1_000,
  pingEveryMs: 20_000,
  silenceMs: 45_000,
  ageMsMax: 23 * 3_600_000,
  words: { pong: undefined },
  ping: () => "ping",
  topicName: (market, interval) => `candle${interval}:${market}`,
  subscribe: (topics) => request("subscribe", topics),
  unsubscribe: (topics) => request("unsubscribe", topics),
  read,
};

function request(op: string, topics: readonly Topic[]): string {
  const args = topics.map(({ market, interval }) => ({
    ...{ instType: "SPOT", channel: `candle${interval}`, instId: market },
  }));
  return JSON.stringify({ op, args });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  const arg = recordOf(told?.["arg"]);
  const topic = arg === undefined ? undefined : `${arg["channel"]}:${arg["instId"]}`;
  switch (told?.["event"]) {
    case "subscribe":
      return [{ kind: "agreed", topic }];
    case "error":
      return [{ kind: "refused", topic, why: textOf(told["msg"]) ?? "no reason" }];
    case "unsubscribe":
      return ALIVE;
  }
  if (topic === undefined || !Array.isArray(told?.["data"])) return undefined;
  const isSnapshot = told["action"] === "snapshot";
  return told["data"].flatMap((value): readonly Told[] => {
    const [time, open, high, low, close, volume] = listOf(value);
    const row = rowOf(timeOf(time), [open, high, low, close, volume]);
    return candleOf(topic, row, { isSnapshot, exchangeMs: timeOf(told["ts"]) });
  });
}
