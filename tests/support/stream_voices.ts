/** How exchanges answer over their streams: to subscriptions, to pings, and with candles. Apart from the program's own dialects. @module */

import { geminiVoice } from "./gemini_voice.ts";
import { UNFLAGGED_STREAM_VOICES } from "./unflagged_stream_voices.ts";
import { type Heard, json, NOTHING, type StreamVoice } from "./stream_voice.ts";

/** Those that answer subscriptions. */
export const STREAM_VOICES: Readonly<Record<string, () => StreamVoice>> = {
  ...UNFLAGGED_STREAM_VOICES,
  binance: () => ({
    hear(text): Heard {
      const { method, params = [], id } = JSON.parse(text);
      if (method !== "SUBSCRIBE") return { ...NOTHING, answers: [json({ result: [], id })] };
      const subscribed = (params as string[]).map((name) => {
        const [market = "", interval = ""] = name.split("@kline_");
        return { market: market.toUpperCase(), interval };
      });
      return { answers: [json({ result: null, id })], subscribed };
    },
    candle: ({ market, interval }, [t, o, h, l, c, v], { isClosed = false, exchangeMs }) =>
      json({
        ...{ e: "kline", E: exchangeMs, s: market },
        k: { t, s: market, i: interval, o, c, h, l, v, n: 1, x: isClosed },
      }),
  }),
  bitfinex: () => {
    const channels = new Map<string, number>();
    return {
      hear(text, refused): Heard {
        const { event, channel, key = "", cid } = JSON.parse(text);
        if (event === "ping") return { ...NOTHING, answers: [json({ event: "pong", ts: 1, cid })] };
        const [, interval = "", market = ""] = key.split(":");
        if (event !== "subscribe") return NOTHING;
        if (refused.has(market)) {
          const msg = "symbol: invalid";
          return {
            ...NOTHING,
            answers: [json({ event: "error", msg, code: 10300, channel, key })],
          };
        }
        const chanId = 1_000 + channels.size;
        channels.set(`${market} ${interval}`, chanId);
        return {
          answers: [json({ event: "subscribed", channel, chanId, key })],
          subscribed: [{ market, interval }],
        };
      },
      candle: ({ market, interval }, [t, o, h, l, c, v], { isSnapshot = false }) => {
        const row = `[${t},${o},${c},${h},${l},${v}]`;
        const chanId = channels.get(`${market} ${interval}`) ?? 1;
        return `[${chanId},${isSnapshot ? `[${row}]` : row}]`;
      },
    };
  },
  bybit: () => ({
    hear(text, refused): Heard {
      const { req_id, op, args = [] } = JSON.parse(text);
      if (op !== "subscribe") {
        return { ...NOTHING, answers: [json({ success: true, ret_msg: "pong", req_id, op })] };
      }
      const topics = (args as string[]).map((name) => {
        const [, interval = "", market = ""] = name.split(".");
        return { market, interval };
      });
      // One bad topic, and the whole request is refused.
      const success = !topics.some(({ market }) => refused.has(market));
      const ret_msg = success ? "subscribe" : "error:handler not found";
      return {
        answers: [json({ success, ret_msg, req_id, op })],
        subscribed: success ? topics : [],
      };
    },
    candle: ({ market, interval }, [start, open, high, low, close, volume], manner) => {
      const { isClosed: confirm = false, exchangeMs: ts } = manner;
      const data = [{ start, interval, open, close, high, low, volume, confirm, timestamp: ts }];
      return json({ topic: `kline.${interval}.${market}`, data, ts, type: "snapshot" });
    },
  }),
  gate: () => ({
    hear(text, refused): Heard {
      const { id, time, channel, event, payload = [] } = JSON.parse(text);
      if (channel === "spot.ping") {
        return { ...NOTHING, answers: [json({ time, channel: "spot.pong", event: "" })] };
      }
      const [interval = "", market = ""] = payload as string[];
      const isRefused = refused.has(market);
      const error = isRefused ? { code: 2, message: `unknown currency pair: ${market}` } : null;
      const result = { status: isRefused ? "fail" : "success" };
      return {
        answers: [json({ time, id, channel, event, payload, error, result })],
        subscribed: event === "subscribe" && !isRefused ? [{ market, interval }] : [],
      };
    },
    candle: ({ market, interval }, [openMs, o, h, l, c, a], { isClosed: w = false, exchangeMs }) =>
      json({
        ...{ time: Math.floor(exchangeMs / 1_000), time_ms: exchangeMs },
        ...{ channel: "spot.candlesticks", event: "update" },
        result: { t: String(openMs / 1_000), v: "1", o, h, l, c, a, n: `${interval}_${market}`, w },
      }),
  }),
  kraken: () => ({
    hear(text, refused): Heard {
      const { method, params = {}, req_id } = JSON.parse(text);
      if (method === "ping") return { ...NOTHING, answers: [json({ method: "pong", req_id })] };
      if (method !== "subscribe") return NOTHING;
      const { symbol: markets = [], interval } = params as { symbol?: string[]; interval: number };
      const isRefused = (market: string): boolean => refused.has(market);
      return {
        answers: markets.map((symbol) =>
          isRefused(symbol)
            ? json({ error: "Currency pair not supported", method, req_id, success: false, symbol })
            : json({
              ...{ method, req_id, success: true },
              result: { channel: "ohlc", interval, snapshot: false, symbol },
            })
        ),
        subscribed: markets.filter((market) => !isRefused(market))
          .map((market) => ({ market, interval: String(interval) })),
      };
    },
    candle: ({ market, interval }, [openMs, open, high, low, close, volume], manner) =>
      `{"channel":"ohlc","type":"${manner.isSnapshot ? "snapshot" : "update"}","timestamp":"${
        new Date(manner.exchangeMs).toISOString()
      }","data":[{"symbol":"${market}","open":${open},"high":${high},"low":${low},"close":${close},` +
      `"trades":1,"volume":${volume},"vwap":${close},"interval_begin":"${
        new Date(openMs).toISOString()
      }","interval":${interval}}]}`,
  }),
  okx: () => ({
    hear(text, refused): Heard {
      if (text === "ping") return { ...NOTHING, answers: ["pong"] };
      const { op, args = [] } = JSON.parse(text);
      if (op !== "subscribe") return NOTHING;
      const topics = (args as { channel: string; instId: string }[]).map((arg) => ({
        ...{ market: arg.instId, interval: arg.channel.replace("candle", ""), arg },
      }));
      return {
        answers: topics.map(({ market, arg }) =>
          refused.has(market)
            ? json({
              ...{ event: "error", code: "60018" },
              msg: `Wrong URL or channel:${arg.channel},instId:${market} doesn't exist.`,
            })
            : json({ event: "subscribe", arg, connId: "a4d3ae55" })
        ),
        subscribed: topics.filter(({ market }) => !refused.has(market)),
      };
    },
    candle: ({ market, interval }, row, { isClosed = false }) =>
      json({
        arg: { channel: `candle${interval}`, instId: market },
        data: [[String(row[0]), ...row.slice(1), "1", "1", isClosed ? "1" : "0"]],
      }),
  }),
};

export const ALL_STREAM_VOICES: Readonly<Record<string, () => StreamVoice>> = {
  gemini: () => geminiVoice,
  ...STREAM_VOICES,
};
