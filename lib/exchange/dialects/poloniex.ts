/** Poloniex's stream of spot candles. @module */
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
 * As CCXT's class and Poloniex's documentation say: a ping of ours every 30 s. `quantity` is the volume in the base currency.
 * No message says that a candle is closed.
 */
export const poloniex: StreamDialect = {
  url: "wss://ws.poloniex.com/ws/public",
  urlKeys: ["ws", "public"],
  intervals: {
    ...{ "1m": "minute_1", "5m": "minute_5", "10m": "minute_10", "15m": "minute_15" },
    ...{ "30m": "minute_30", "1h": "hour_1", "2h": "hour_2", "4h": "hour_4" },
    ...{ "6h": "hour_6", "12h": "hour_12", "1d": "day_1" },
  },
  flagsClosed: false,
  isAnswering: true,
  refusesUnnamed: true,
  topicsMax: 100,
  batchMax: 50,
  sendIntervalMs: 250,
  openIntervalMs: 1_000,
  pingEveryMs: 15_000,
  silenceMs: 40_000,
  ageMsMax: 23 * 3_600_000,
  ping: () => JSON.stringify({ event: "ping" }),
  topicName: (market, interval) => `candles_${interval}:${market}`,
  subscribe: (topics) => request("subscribe", topics),
  unsubscribe: (topics) => request("unsubscribe", topics),
  read,
};

function request(event: string, topics: readonly Topic[]): string {
  const symbols = topics.map(({ market }) => market);
  return JSON.stringify({ event, channel: [`candles_${topics[0]?.interval}`], symbols });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  const channel = textOf(told?.["channel"]);
  switch (told?.["event"]) {
    case "pong":
    case "unsubscribe":
      return ALIVE;
    case "subscribe":
      return listOf(told["symbols"]).map((market): Told => ({
        ...{ kind: "agreed", topic: `${channel}:${textOf(market)}` },
      }));
    case "error":
      return [{ kind: "refused", why: textOf(told["message"]) ?? "no reason" }];
  }
  if (channel === undefined || !Array.isArray(told?.["data"])) return undefined;
  return told["data"].flatMap((value): readonly Told[] => {
    const candle = recordOf(value) ?? {};
    const { symbol, startTime, open, high, low, close, quantity } = candle;
    const row = rowOf(timeOf(startTime), [open, high, low, close, quantity]);
    return candleOf(`${channel}:${textOf(symbol)}`, row, { exchangeMs: timeOf(candle["ts"]) });
  });
}
