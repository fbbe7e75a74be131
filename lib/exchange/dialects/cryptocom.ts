/** Crypto.com's stream of spot candles. @module */
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
 * As CCXT's class and the exchange's documentation say: a heartbeat every 30 s is to be answered. After subscribing come the
 * newest 300 candles, later one or two at a time. No message says that a candle is closed.
 */
export const cryptocom: StreamDialect = {
  url: "wss://stream.crypto.com/exchange/v1/market",
  urlKeys: ["ws", "public"],
  intervals: {
    ...{ "1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1h" },
    ...{ "4h": "4h", "6h": "6h", "12h": "12h", "1d": "1D" },
  },
  flagsClosed: false,
  isAnswering: true,
  topicsMax: 100,
  batchMax: 30,
  sendIntervalMs: 250,
  openIntervalMs: 1_000,
  pingEveryMs: 0,
  silenceMs: 75_000,
  ageMsMax: 23 * 3_600_000,
  topicName: (market, interval) => `candlestick.${interval}.${market}`,
  subscribe: (topics, asking) => request("subscribe", topics, asking),
  unsubscribe: (topics, asking) => request("unsubscribe", topics, asking),
  read,
};

/** More candles in one message are those that subscribing brings. */
const UPDATED_MAX = 2;

function request(
  method: string,
  topics: readonly Topic[],
  { id, nowMs }: { readonly id: string; readonly nowMs: number },
): string {
  const channels = topics.map(({ name }) => name);
  return JSON.stringify({ id: Number(id), method, params: { channels }, nonce: nowMs });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  const id = textOf(told?.["id"]);
  switch (told?.["method"]) {
    case "public/heartbeat": {
      const text = JSON.stringify({ id: told["id"], method: "public/respond-heartbeat" });
      return [{ kind: "reply", text }];
    }
    case "unsubscribe":
      return ALIVE;
    case "subscribe":
      break;
    default:
      return undefined;
  }
  const code = textOf(told["code"]) ?? "0";
  if (code !== "0") {
    return [{ kind: "refused", id, why: textOf(told["message"]) ?? `code ${code}` }];
  }
  const result = recordOf(told["result"]);
  const topic = textOf(result?.["subscription"]);
  if (topic === undefined) return [{ kind: "agreed", id }];
  const data = listOf(result?.["data"]);
  const isSnapshot = data.length > UPDATED_MAX;
  return data.flatMap((value): readonly Told[] => {
    const { t, o, h, l, c, v } = recordOf(value) ?? {};
    return candleOf(topic, rowOf(timeOf(t), [o, h, l, c, v]), { isSnapshot });
  });
}
