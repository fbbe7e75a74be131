/** HitBTC's stream of spot candles, and that of Bequant, which runs on the same system. @module */
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
 * As CCXT's class and HitBTC's documentation say: messages hold candles by market, after subscribing a snapshot, of which one
 * candle is enough. No message says that a candle is closed.
 */
export const hitbtc: StreamDialect = {
  url: "wss://api.hitbtc.com/api/3/ws/public",
  urlKeys: ["ws", "public"],
  intervals: {
    ...{ "1m": "M1", "3m": "M3", "5m": "M5", "15m": "M15", "30m": "M30" },
    ...{ "1h": "H1", "4h": "H4", "1d": "D1" },
  },
  flagsClosed: false,
  isAnswering: true,
  topicsMax: 100,
  batchMax: 50,
  sendIntervalMs: 250,
  openIntervalMs: 1_000,
  pingEveryMs: 20_000,
  silenceMs: 45_000,
  ageMsMax: 23 * 3_600_000,
  // Its own pings are those of the protocol. Whatever it thinks of this, it answers.
  ping: ({ id }) => JSON.stringify({ method: "subscriptions", ch: "candles/M1", id: Number(id) }),
  topicName: (market, interval) => `candles/${interval}:${market}`,
  subscribe: (topics, { id }) => request("subscribe", topics, { id, limit: 1 }),
  unsubscribe: (topics, { id }) => request("unsubscribe", topics, { id }),
  read,
};

export const bequant: StreamDialect = { ...hitbtc, url: "wss://api.bequant.io/api/3/ws/public" };

function request(
  method: string,
  topics: readonly Topic[],
  { id, ...rest }: { readonly id: string; readonly limit?: number },
): string {
  const symbols = topics.map(({ market }) => market);
  const ch = `candles/${topics[0]?.interval}`;
  return JSON.stringify({ method, ch, params: { symbols, ...rest }, id: Number(id) });
}

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  const channel = textOf(told?.["ch"]);
  const snapshot = recordOf(told?.["snapshot"]);
  const markets = snapshot ?? recordOf(told?.["update"]);
  if (channel !== undefined && markets !== undefined) {
    return Object.entries(markets).flatMap(([market, values]): readonly Told[] =>
      listOf(values).flatMap((value): readonly Told[] => {
        const { t, o, h, l, c, v } = recordOf(value) ?? {};
        const row = rowOf(timeOf(t), [o, h, l, c, v]);
        return candleOf(`${channel}:${market}`, row, { isSnapshot: snapshot !== undefined });
      })
    );
  }
  const id = textOf(told?.["id"]);
  const error = recordOf(told?.["error"]);
  if (error !== undefined) {
    // Without an id it is about nothing that was subscribed.
    const why = textOf(error["description"]) ?? textOf(error["message"]) ?? "no reason";
    return id === undefined ? ALIVE : [{ kind: "refused", id, why }];
  }
  return told?.["result"] === undefined ? undefined : [{ kind: "agreed", id: id ?? "" }];
}
