/** Binance's stream of spot candles, and that of Binance US, which is the same at another address. @module */
import {
  ALIVE,
  candleOf,
  recordOf,
  rowOf,
  type StreamDialect,
  textOf,
  timeOf,
  type Told,
} from "../stream_dialect.ts";

/**
 * As CCXT's class and Binance's documentation of spot streams say: at most 1,024 streams and 24 hours a connection, five
 * messages of ours a second, 300 connections in five minutes. A candle's last message has `x: true`.
 */
export const binance: StreamDialect = {
  url: "wss://stream.binance.com:9443/ws",
  urlKeys: ["ws", "spot"],
  intervals: own("1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M"),
  flagsClosed: true,
  isAnswering: true,
  topicsMax: 200,
  // A longer message than 4 KiB is refused.
  batchMax: 100,
  sendIntervalMs: 300,
  openIntervalMs: 1_000,
  // Its own pings are answered by the platform, and are not seen here.
  pingEveryMs: 20_000,
  silenceMs: 45_000,
  ageMsMax: 23 * 3_600_000,
  ping: ({ id }) => JSON.stringify({ method: "LIST_SUBSCRIPTIONS", id: Number(id) }),
  topicName: (market, interval) => `${market.toLowerCase()}@kline_${interval}`,
  subscribe: (topics, { id }) => request("SUBSCRIBE", topics, id),
  unsubscribe: (topics, { id }) => request("UNSUBSCRIBE", topics, id),
  read,
};

export const binanceus: StreamDialect = { ...binance, url: "wss://stream.binance.us:9443/ws" };

function own(timeframes: string): Readonly<Record<string, string>> {
  return Object.fromEntries(timeframes.split(" ").map((timeframe) => [timeframe, timeframe]));
}

function request(method: string, topics: readonly { readonly name: string }[], id: string): string {
  return JSON.stringify({ method, params: topics.map(({ name }) => name), id: Number(id) });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  const candle = recordOf(told?.["k"]);
  if (told?.["e"] === "kline" && candle !== undefined) {
    const { t, o, h, l, c, v, x, s, i } = candle;
    const row = rowOf(timeOf(t), [o, h, l, c, v]);
    const topic = `${String(s).toLowerCase()}@kline_${i}`;
    return candleOf(topic, row, { isClosed: x === true, exchangeMs: timeOf(told["E"]) });
  }
  // An error stands under `error`, or on its own.
  const error = recordOf(told?.["error"]) ?? (told?.["code"] === undefined ? undefined : told);
  const id = textOf(told?.["id"]);
  if (error !== undefined) return [{ kind: "refused", id, why: String(error["msg"]) }];
  if (id === undefined) return undefined;
  return Array.isArray(told?.["result"]) ? ALIVE : [{ kind: "agreed", id }];
}
