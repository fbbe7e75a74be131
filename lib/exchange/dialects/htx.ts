/** HTX's stream of spot candles. @module */
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
 * As CCXT's class and HTX's documentation say: messages are packed by gzip, one topic a request, and pings of theirs every
 * 5 s are to be answered. `amount` is the volume in the base currency. No message says that a candle is closed.
 */
export const htx: StreamDialect = {
  url: "wss://api.huobi.pro/ws",
  urlKeys: ["ws", "api", "spot", "public"],
  // Its days open at 16:00 UTC.
  intervals: {
    ...{ "1m": "1min", "5m": "5min", "15m": "15min", "30m": "30min", "1h": "60min" },
    "4h": "4hour",
  },
  flagsClosed: false,
  isAnswering: true,
  topicsMax: 100,
  batchMax: 1,
  sendIntervalMs: 100,
  openIntervalMs: 1_000,
  pingEveryMs: 0,
  silenceMs: 20_000,
  ageMsMax: 23 * 3_600_000,
  topicName: (market, interval) => `market.${market}.kline.${interval}`,
  subscribe: (topics, { id }) => JSON.stringify({ sub: topics[0]?.name, id }),
  unsubscribe: (topics, { id }) => JSON.stringify({ unsub: topics[0]?.name, id }),
  read,
};

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  if (told?.["ping"] !== undefined) {
    return [{ kind: "reply", text: JSON.stringify({ pong: told["ping"] }) }];
  }
  const tick = recordOf(told?.["tick"]);
  const topic = textOf(told?.["ch"]);
  if (topic !== undefined && tick !== undefined) {
    const { id, open, high, low, close, amount } = tick;
    const seconds = timeOf(id);
    const openMs = seconds === undefined ? undefined : seconds * 1_000;
    const row = rowOf(openMs, [open, high, low, close, amount]);
    return candleOf(topic, row, { exchangeMs: timeOf(told?.["ts"]) });
  }
  if (told?.["unsubbed"] !== undefined) return ALIVE;
  const id = textOf(told?.["id"]);
  if (told?.["status"] === "ok") return [{ kind: "agreed", id, topic: textOf(told["subbed"]) }];
  if (told?.["status"] !== "error") return undefined;
  return [{ kind: "refused", id, why: textOf(told["err-msg"]) ?? "no reason" }];
}
