/** Bitvavo's stream of candles. @module */
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
 * As CCXT's class and Bitvavo's documentation say. It has a candle only once there was a trade, and no message says that one
 * is closed. `getTime` is answered, which keeps the connection from being silent.
 */
export const bitvavo: StreamDialect = {
  url: "wss://ws.bitvavo.com/v2",
  urlKeys: ["ws"],
  intervals: {
    ...{ "1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1h", "2h": "2h" },
    ...{ "4h": "4h", "6h": "6h", "8h": "8h", "12h": "12h", "1d": "1d" },
  },
  flagsClosed: false,
  isAnswering: true,
  refusesUnnamed: true,
  topicsMax: 100,
  batchMax: 50,
  sendIntervalMs: 250,
  openIntervalMs: 1_000,
  pingEveryMs: 20_000,
  silenceMs: 45_000,
  ageMsMax: 23 * 3_600_000,
  ping: () => JSON.stringify({ action: "getTime" }),
  topicName: (market, interval) => `candles:${interval}:${market}`,
  subscribe: (topics) => request("subscribe", topics),
  unsubscribe: (topics) => request("unsubscribe", topics),
  read,
};

function request(action: string, topics: readonly Topic[]): string {
  const interval = topics.slice(0, 1).map(({ interval }) => interval);
  const markets = topics.map(({ market }) => market);
  return JSON.stringify({ action, channels: [{ name: "candles", interval, markets }] });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  if (textOf(told?.["action"]) === "getTime" || told?.["event"] === "unsubscribed") return ALIVE;
  if (told?.["error"] !== undefined) {
    return [{ kind: "refused", why: textOf(told["error"]) ?? "no reason" }];
  }
  if (told?.["event"] === "subscribed") {
    const candles = recordOf(recordOf(told["subscriptions"])?.["candles"]) ?? {};
    return Object.entries(candles).flatMap(([interval, markets]): readonly Told[] =>
      listOf(markets).map((market): Told => ({
        ...{ kind: "agreed", topic: `candles:${interval}:${textOf(market)}` },
      }))
    );
  }
  if (told?.["event"] !== "candle") return undefined;
  const topic = `candles:${textOf(told["interval"])}:${textOf(told["market"])}`;
  return listOf(told["candle"]).flatMap((value): readonly Told[] => {
    const [time, open, high, low, close, volume] = listOf(value);
    return candleOf(topic, rowOf(timeOf(time), [open, high, low, close, volume]));
  });
}
