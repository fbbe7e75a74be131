/** KuCoin's newer stream of spot candles, which needs no token. @module */
import {
  ALIVE,
  candleOf,
  recordOf,
  rowOf,
  type StreamDialect,
  textOf,
  timeOf,
  type Told,
  type Topic,
} from "../stream_dialect.ts";

/**
 * As CCXT's class says of what it calls `uta`: one market a request, and a ping of ours every 18 s. Its older stream needs a
 * token by REST, which the pace of requests would pay for. No message says, as far as is known, that a candle is closed.
 */
export const kucoin: StreamDialect = {
  url: "wss://x-push-spot.kucoin.com",
  urlKeys: ["ws", "spot"],
  intervals: {
    ...{ "1m": "1min", "3m": "3min", "5m": "5min", "15m": "15min", "30m": "30min" },
    ...{ "1h": "1hour", "2h": "2hour", "4h": "4hour", "6h": "6hour", "8h": "8hour" },
    ...{ "12h": "12hour", "1d": "1day" },
  },
  flagsClosed: false,
  isAnswering: true,
  topicsMax: 100,
  batchMax: 1,
  sendIntervalMs: 200,
  openIntervalMs: 2_000,
  pingEveryMs: 15_000,
  silenceMs: 40_000,
  ageMsMax: 23 * 3_600_000,
  ping: ({ id }) => JSON.stringify({ id, type: "ping" }),
  topicName: (market, interval) => `kline:${interval}:${market}`,
  subscribe: (topics, { id }) => request("subscribe", topics, id),
  unsubscribe: (topics, { id }) => request("unsubscribe", topics, id),
  read,
};

function request(action: string, [topic]: readonly Topic[], id: string): string {
  return JSON.stringify({
    ...{ id, action, channel: "kline", tradeType: "SPOT" },
    ...{ symbol: topic?.market, interval: topic?.interval },
  });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  const candle = recordOf(told?.["d"]);
  if (told?.["T"] === "kline.SPOT" && candle !== undefined) {
    const { O, o, h, l, c, v, s, i } = candle;
    const seconds = timeOf(O);
    const row = rowOf(seconds === undefined ? undefined : seconds * 1_000, [o, h, l, c, v]);
    // In nanoseconds.
    const pushed = timeOf(told["P"]);
    const exchangeMs = pushed === undefined ? undefined : Math.floor(pushed / 1e6);
    return candleOf(`kline:${textOf(i)}:${textOf(s)}`, row, { exchangeMs });
  }
  if (told?.["type"] === "pong" || told?.["message"] === "welcome") return ALIVE;
  const id = textOf(told?.["id"]);
  if (told?.["result"] === true) return [{ kind: "agreed", id }];
  if (told?.["result"] === false) {
    return [{ kind: "refused", id, why: textOf(told["reason"]) ?? "no reason" }];
  }
  if (told?.["type"] !== "error") return undefined;
  return [{ kind: "refused", id, why: textOf(told["data"]) ?? "no reason" }];
}
