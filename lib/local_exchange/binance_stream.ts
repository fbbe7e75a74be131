/** The dialect of Binance's WebSocket of spot candles, `/ws`. @module */
import { addCandles, isTimeframe, parseTimeframe } from "../market/timeframe.ts";
import type { LocalTopic, StreamAsk, StreamFormat } from "./dialect.ts";
import type { LocalSymbol } from "./local_symbol.ts";

/** As in Binance's documentation of spot streams: an unknown stream is subscribed, and has no messages. */
export const binanceStream: StreamFormat = {
  path: "/ws",
  readAsk,
  candleText: ({ name, timeframe }, row, { isClosed, nowMs }) => {
    const [, interval = ""] = name.split("@kline_");
    const symbol = name.split("@")[0]?.toUpperCase();
    const half = (text: string | null | undefined): string => (Number(text) / 2).toFixed(8);
    return JSON.stringify({
      e: "kline",
      E: nowMs,
      s: symbol,
      k: {
        t: row.openTimeMs,
        T: addCandles(timeframe, row.openTimeMs, 1) - 1,
        ...{ s: symbol, i: interval, f: 1, L: row.trades, n: row.trades, x: isClosed },
        ...{ o: row.open, c: row.close, h: row.high, l: row.low, v: row.volume },
        ...{ q: row.quoteVolume, V: half(row.volume), Q: half(row.quoteVolume), B: "0" },
      },
    });
  },
};

function readAsk(text: string, symbols: readonly LocalSymbol[]): StreamAsk {
  const ask = parsed(text);
  const { method, id } = ask;
  const names = Array.isArray(ask["params"]) ? ask["params"].map(String) : [];
  const answer = JSON.stringify({ result: method === "LIST_SUBSCRIPTIONS" ? [] : null, id });
  switch (method) {
    case "SUBSCRIBE":
      return { answer, subscribed: names.flatMap((name) => topicOf(name, symbols) ?? []) };
    case "UNSUBSCRIBE":
      return { answer, unsubscribed: names };
    case "LIST_SUBSCRIPTIONS":
      return { answer };
    default:
      return { answer: JSON.stringify({ error: { code: 2, msg: "Invalid request" }, id }) };
  }
}

function topicOf(name: string, symbols: readonly LocalSymbol[]): LocalTopic | undefined {
  const [market, interval = ""] = name.split("@kline_");
  const symbol = symbols.find(({ id, base, quote, contract }) =>
    contract === undefined && (id ?? base + quote).toLowerCase() === market
  );
  if (symbol === undefined || !isTimeframe(interval)) return undefined;
  return { name, symbol, timeframe: parseTimeframe(interval) };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
