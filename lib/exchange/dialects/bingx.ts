/** BingX's stream of spot candles. @module */
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
 * As CCXT's class says: messages are packed by gzip, one topic a request, and pings of theirs are to be answered. Its answers
 * call a minute `1min`, its requests `1m`; what they call longer timeframes than 30 minutes is not known. No message says
 * that a candle is closed.
 */
export const bingx: StreamDialect = {
  url: "wss://open-api-ws.bingx.com/market",
  urlKeys: ["ws", "spot"],
  intervals: { "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m" },
  flagsClosed: false,
  isAnswering: true,
  topicsMax: 100,
  batchMax: 1,
  sendIntervalMs: 150,
  openIntervalMs: 1_000,
  pingEveryMs: 0,
  silenceMs: 30_000,
  ageMsMax: 23 * 3_600_000,
  words: { Ping: "Pong" },
  topicName: (market, interval) => `${market}@kline_${interval}`,
  subscribe: (topics, { id }) => JSON.stringify({ id, dataType: topics[0]?.name }),
  unsubscribe: ([topic]: readonly Topic[], { id }) =>
    JSON.stringify({ id, dataType: topic?.name, reqType: "unsub" }),
  read,
};

function read(message: unknown): readonly Told[] | undefined {
  const told = recordOf(message);
  if (told?.["ping"] !== undefined) {
    const { ping, time } = told;
    return [{ kind: "reply", text: JSON.stringify({ pong: ping, time }) }];
  }
  const topic = textOf(told?.["dataType"])?.replace(/min$/, "m");
  const data = recordOf(told?.["data"]);
  const candle = recordOf(data?.["K"]);
  if (topic !== undefined && candle !== undefined) {
    const { t, o, h, l, c, v } = candle;
    return candleOf(topic, rowOf(timeOf(t), [o, h, l, c, v]), { exchangeMs: timeOf(data?.["E"]) });
  }
  const [id, code] = [textOf(told?.["id"]), textOf(told?.["code"])];
  if (code === undefined) return undefined;
  if (code !== "0") return [{ kind: "refused", id, why: textOf(told?.["msg"]) || `code ${code}` }];
  return id === undefined ? ALIVE : [{ kind: "agreed", id }];
}
