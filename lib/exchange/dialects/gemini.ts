/** Gemini's stream of candles. @module */
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
 * As CCXT's class and Gemini's documentation say: after subscribing come many candles, later one or two at a time, the newest
 * first. Subscriptions are not answered. CCXT and the documentation differ in the names of longer timeframes than 30
 * minutes. No message says that a candle is closed, and nothing is known that Gemini would answer: a quiet connection is
 * replaced.
 */
export const gemini: StreamDialect = {
  url: "wss://api.gemini.com/v2/marketdata",
  urlKeys: ["ws"],
  urlSuffix: "/v2/marketdata",
  intervals: { "1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m" },
  flagsClosed: false,
  isAnswering: false,
  topicsMax: 100,
  batchMax: 30,
  sendIntervalMs: 500,
  openIntervalMs: 2_000,
  pingEveryMs: 0,
  silenceMs: 120_000,
  ageMsMax: 23 * 3_600_000,
  topicName: (market, interval) => `candles_${interval}:${market.toUpperCase()}`,
  subscribe: (topics) => request("subscribe", topics),
  unsubscribe: (topics) => request("unsubscribe", topics),
  read,
};

/** More candles in one message are those that subscribing brings. */
const UPDATED_MAX = 2;

function request(type: string, topics: readonly Topic[]): string {
  const name = `candles_${topics[0]?.interval}`;
  const symbols = topics.map(({ market }) => market.toUpperCase());
  return JSON.stringify({ type, subscriptions: [{ name, symbols }] });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  const type = textOf(told?.["type"]) ?? "";
  const interval = /^candles_(\w+)_updates$/.exec(type)?.[1];
  if (interval !== undefined) {
    const topic = `candles_${interval}:${textOf(told?.["symbol"])}`;
    const changes = listOf(told?.["changes"]);
    const isSnapshot = changes.length > UPDATED_MAX;
    return changes.toReversed().flatMap((value): readonly Told[] => {
      const [time, open, high, low, close, volume] = listOf(value);
      return candleOf(topic, rowOf(timeOf(time), [open, high, low, close, volume]), { isSnapshot });
    });
  }
  if (type === "heartbeat" || type === "subscription_ack") return ALIVE;
  if (told?.["result"] !== "error" && told?.["reason"] !== "error") return undefined;
  return [{ kind: "refused", why: textOf(told["message"]) ?? textOf(told["reason"]) ?? "error" }];
}
