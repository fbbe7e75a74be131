/** Kraken's stream of spot candles, version 2. @module */
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
 * As CCXT's class and Kraken's documentation of version 2 say. It calls markets by names with the usual codes, `BTC/USD`,
 * and has a candle only once there was a trade. No message says that a candle is closed. A heartbeat comes every second.
 */
export const kraken: StreamDialect = {
  url: "wss://ws.kraken.com/v2",
  urlKeys: ["ws", "publicV2"],
  // Its weeks open on Thursdays.
  intervals: {
    ...{ "1m": "1", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "4h": "240", "1d": "1440" },
  },
  flagsClosed: false,
  isAnswering: true,
  topicsMax: 200,
  // It refuses a second: "Already subscribed to one ohlc interval on this symbol".
  isOneIntervalEach: true,
  batchMax: 50,
  sendIntervalMs: 250,
  openIntervalMs: 2_000,
  pingEveryMs: 20_000,
  silenceMs: 30_000,
  ageMsMax: 23 * 3_600_000,
  ping: ({ id }) => JSON.stringify({ method: "ping", req_id: Number(id) }),
  topicName: (market, interval) => `ohlc:${interval}:${market}`,
  subscribe: (topics, { id }) => request("subscribe", topics, id),
  unsubscribe: (topics, { id }) => request("unsubscribe", topics, id),
  read,
};

function request(
  method: string,
  topics: readonly { readonly market: string; readonly interval: string }[],
  id: string,
): string {
  return JSON.stringify({
    method,
    params: {
      channel: "ohlc",
      symbol: topics.map(({ market }) => market),
      interval: Number(topics[0]?.interval),
      // Hundreds of old candles of each market, which REST pages answer for.
      ...(method === "subscribe" ? { snapshot: false } : {}),
    },
    req_id: Number(id),
  });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  switch (told?.["channel"]) {
    case "ohlc":
      return candles(told);
    case "heartbeat":
    case "status":
      return ALIVE;
  }
  if (told?.["method"] === "pong" || told?.["method"] === "unsubscribe") return ALIVE;
  if (told?.["method"] !== "subscribe") return undefined;
  if (told["success"] !== true) {
    const [id, market] = [textOf(told["req_id"]), textOf(told["symbol"])];
    return [{ kind: "refused", id, market, why: String(told["error"]) }];
  }
  const { symbol, interval } = recordOf(told["result"]) ?? {};
  return [{ kind: "agreed", topic: `ohlc:${textOf(interval)}:${textOf(symbol)}` }];
}

function candles(told: Readonly<Record<string, unknown>>): readonly Told[] {
  const isSnapshot = told["type"] === "snapshot";
  const exchangeMs = timeOf(told["timestamp"]);
  return listOf(told["data"]).flatMap((value): Told[] => {
    const candle = recordOf(value) ?? {};
    const { symbol, interval, open, high, low, close, volume } = candle;
    const row = rowOf(timeOf(candle["interval_begin"]), [open, high, low, close, volume]);
    const topic = `ohlc:${textOf(interval)}:${textOf(symbol)}`;
    return row === undefined ? [] : [{ kind: "candle", topic, row, isSnapshot, exchangeMs }];
  });
}
