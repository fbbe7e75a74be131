/** OKX's stream of spot candles, and those of its European and American companies. @module */
import {
  ALIVE,
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
 * As CCXT's class and OKX's documentation say: three connections a second, 480 requests an hour, and a connection without
 * messages ends after 30 s. The ninth value of a row says whether the candle is closed.
 */
export const okx: StreamDialect = {
  url: "wss://ws.okx.com:8443/ws/v5/business",
  urlKeys: ["ws"],
  urlSuffix: "/business",
  // Without `utc`, candles of six hours and more open by the time of Hong Kong.
  intervals: {
    ...{ "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m" },
    ...{ "1h": "1H", "2h": "2H", "4h": "4H", "6h": "6Hutc", "12h": "12Hutc" },
    ...{ "1d": "1Dutc", "1w": "1Wutc", "1M": "1Mutc" },
  },
  flagsClosed: true,
  isAnswering: true,
  topicsMax: 200,
  batchMax: 50,
  sendIntervalMs: 500,
  openIntervalMs: 1_000,
  pingEveryMs: 15_000,
  silenceMs: 40_000,
  ageMsMax: 23 * 3_600_000,
  words: { pong: undefined },
  ping: () => "ping",
  topicName: (market, interval) => `candle${interval}:${market}`,
  subscribe: (topics, { id }) => request("subscribe", topics, id),
  unsubscribe: (topics, { id }) => request("unsubscribe", topics, id),
  read,
};

export const myokx: StreamDialect = { ...okx, url: "wss://wseea.okx.com:8443/ws/v5/business" };

export const okxus: StreamDialect = { ...okx, url: "wss://wsus.okx.com:8443/ws/v5/business" };

function request(op: string, topics: readonly Topic[], id: string): string {
  const args = topics.map(({ market, interval }) => ({
    channel: `candle${interval}`,
    instId: market,
  }));
  return JSON.stringify({ id, op, args });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  const arg = recordOf(told?.["arg"]);
  const topic = arg === undefined ? undefined : `${arg["channel"]}:${arg["instId"]}`;
  switch (told?.["event"]) {
    case "subscribe":
      return [{ kind: "agreed", topic }];
    case "error":
      return [refusal(told, topic)];
    case "notice":
      return [{ kind: "closing", why: String(told["msg"]) }];
    case "unsubscribe":
    case "channel-conn-count":
      return ALIVE;
  }
  if (topic === undefined || !Array.isArray(told?.["data"])) return undefined;
  return told["data"].flatMap((value): Told[] => {
    const [time, open, high, low, close, volume, , , confirm] = listOf(value);
    const row = rowOf(timeOf(time), [open, high, low, close, volume]);
    return row === undefined ? [] : [{ kind: "candle", topic, row, isClosed: confirm === "1" }];
  });
}

/** A refusal names the topic in its words, if at all: `Wrong URL or channel:candle1m,instId:XYZ-USDT doesn't exist.` */
function refusal(told: Readonly<Record<string, unknown>>, topic: string | undefined): Told {
  const why = String(told["msg"]);
  const [, channel, market] = /channel:(\w+),\s*instId:([\w-]+)/.exec(why) ?? [];
  const named = channel === undefined ? topic : `${channel}:${market}`;
  return { kind: "refused", id: textOf(told["id"]), topic: named, why };
}
