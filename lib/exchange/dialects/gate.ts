/** Gate's stream of spot candles, and that of its European company. @module */
import {
  ALIVE,
  type Asking,
  candleOf,
  listOf,
  recordOf,
  rowOf,
  type StreamDialect,
  textOf,
  timeOf,
  type Told,
} from "../stream_dialect.ts";

/**
 * As CCXT's class and Gate's documentation say: one market a request, `a` is the volume in the base currency (`v` is in the
 * quote currency), and `w` says whether the candle is closed. Its own pings are those of the protocol.
 */
export const gate: StreamDialect = {
  url: "wss://api.gateio.ws/ws/v4/",
  // Here its class has it apart from others.
  urlKeys: ["spot"],
  intervals: {
    ...{ "10s": "10s", "1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m" },
    ...{ "1h": "1h", "4h": "4h", "8h": "8h", "1d": "1d" },
  },
  flagsClosed: true,
  isAnswering: true,
  topicsMax: 100,
  batchMax: 1,
  sendIntervalMs: 150,
  openIntervalMs: 1_000,
  pingEveryMs: 15_000,
  silenceMs: 40_000,
  ageMsMax: 23 * 3_600_000,
  ping: ({ nowMs }) => JSON.stringify({ time: Math.floor(nowMs / 1_000), channel: "spot.ping" }),
  topicName: (market, interval) => `${interval}_${market}`,
  subscribe: (topics, asking) => request("subscribe", topics, asking),
  unsubscribe: (topics, asking) => request("unsubscribe", topics, asking),
  read,
};

export const gateeu: StreamDialect = { ...gate, url: "wss://api.gateeu.com/ws/v4/" };

function request(
  event: string,
  topics: readonly { readonly market: string; readonly interval: string }[],
  { id, nowMs }: Asking,
): string {
  const [topic] = topics;
  return JSON.stringify({
    ...{ id: Number(id), time: Math.floor(nowMs / 1_000), channel: "spot.candlesticks", event },
    payload: [topic?.interval, topic?.market],
  });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  if (told?.["channel"] === "spot.pong") return ALIVE;
  if (told?.["channel"] !== "spot.candlesticks") return undefined;
  const id = textOf(told["id"]);
  switch (told["event"]) {
    case "subscribe": {
      const error = recordOf(told["error"]);
      if (error === undefined) return [{ kind: "agreed", id }];
      return [{ kind: "refused", id, why: String(error["message"]) }];
    }
    case "unsubscribe":
      return ALIVE;
    case "update":
      break;
    default:
      return undefined;
  }
  const result = told["result"];
  return (Array.isArray(result) ? listOf(result) : [result]).flatMap((value): readonly Told[] => {
    const { t, o, h, l, c, a, n, w } = recordOf(value) ?? {};
    const seconds = timeOf(t);
    const row = rowOf(seconds === undefined ? undefined : seconds * 1_000, [o, h, l, c, a]);
    const exchangeMs = timeOf(told["time_ms"]);
    return candleOf(String(n), row, { isClosed: w === true, exchangeMs });
  });
}
