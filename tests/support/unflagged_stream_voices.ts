/** How exchanges answer over their streams whose messages do not say that a candle is closed. @module */
import { gzipSync } from "node:zlib";
import { type Heard, json, NOTHING, type StreamVoice, type VoiceTopic } from "./stream_voice.ts";

export const UNFLAGGED_STREAM_VOICES: Readonly<Record<string, () => StreamVoice>> = {
  bingx: () => ({
    hear(text, refused): Heard {
      const { id, dataType = "", reqType } = JSON.parse(text);
      const [market = "", interval = ""] = dataType.split("@kline_");
      const isRefused = refused.has(market);
      const answer = { code: isRefused ? 100500 : 0, id, msg: isRefused ? "" : "SUCCESS" };
      const isSubscribed = reqType === undefined && !isRefused;
      return { answers: [packed(answer)], subscribed: isSubscribed ? [{ market, interval }] : [] };
    },
    candle: ({ market, interval }, [t, o, h, l, c, v], { exchangeMs: E }) =>
      packed({
        ...{ code: 0, dataType: `${market}@kline_${interval.replace(/m$/, "min")}`, success: true },
        data: { E, K: { t, o, h, l, c, v, s: market, n: 1 }, e: "kline", s: market },
      }),
  }),
  bitget: () => ({
    hear(text, refused): Heard {
      if (text === "ping") return { ...NOTHING, answers: ["pong"] };
      const { op, args = [] } = JSON.parse(text);
      const all = (args as { channel: string; instId: string }[]).map((arg) => ({
        ...{ market: arg.instId, interval: arg.channel.replace("candle", ""), arg },
      }));
      if (op !== "subscribe") {
        return { ...NOTHING, answers: all.map(({ arg }) => json({ event: op, arg })) };
      }
      return {
        answers: all.map(({ market, arg }) =>
          refused.has(market)
            ? json({ event: "error", arg, code: 30001, msg: `instId:${market} doesn't exist` })
            : json({ event: "subscribe", arg })
        ),
        subscribed: all.filter(({ market }) => !refused.has(market)),
      };
    },
    candle: ({ market, interval }, [time, ...values], { isSnapshot = false, exchangeMs: ts }) =>
      json({
        action: isSnapshot ? "snapshot" : "update",
        arg: { instType: "SPOT", channel: `candle${interval}`, instId: market },
        ...{ data: [[String(time), ...values, "1", "1"]], ts },
      }),
  }),
  bitvavo: () => ({
    hear(text, refused): Heard {
      const { action, channels = [] } = JSON.parse(text);
      if (action === "getTime") return { ...NOTHING, answers: [json({ action, response: {} })] };
      const [{ interval: [interval = ""], markets }] = channels as [
        { interval: string[]; markets: string[] },
      ];
      if (action !== "subscribe") {
        return { ...NOTHING, answers: [json({ event: "unsubscribed", subscriptions: {} })] };
      }
      // One bad market, and the whole request is refused.
      if (markets.some((market) => refused.has(market))) {
        const error = "market parameter is invalid.";
        return { ...NOTHING, answers: [json({ action, errorCode: 205, error })] };
      }
      const subscriptions = { candles: { [interval]: markets } };
      return {
        answers: [json({ event: "subscribed", subscriptions })],
        subscribed: markets.map((market) => ({ market, interval })),
      };
    },
    candle: ({ market, interval }, row) =>
      json({ event: "candle", market, interval, candle: [row] }),
  }),
  cryptocom: () => ({
    hear(text, refused): Heard {
      const { id, method, params } = JSON.parse(text);
      if (method !== "subscribe") return { ...NOTHING, answers: [json({ id, method, code: 0 })] };
      const topics = (params.channels as string[]).map((name): VoiceTopic => {
        const [, interval = "", market = ""] = name.split(".");
        return { market, interval };
      });
      if (topics.some(({ market }) => refused.has(market))) {
        const message = "invalid channel";
        return { ...NOTHING, answers: [json({ id, code: 10004, method, message })] };
      }
      return { answers: [json({ id, code: 0, method })], subscribed: topics };
    },
    candle: ({ market, interval }, [openMs, o, h, l, c, v], { isSnapshot = false }) => {
      // Subscribing brings many candles at once.
      const times = isSnapshot ? [openMs - 120_000, openMs - 60_000, openMs] : [openMs];
      const subscription = `candlestick.${interval}.${market}`;
      const data = times.map((t) => ({ t, o, h, l, c, v }));
      return json({
        id: -1,
        code: 0,
        method: "subscribe",
        result: { subscription, interval, data },
      });
    },
  }),
  hitbtc: () => ({
    hear(text, refused): Heard {
      const { id, method, ch, params } = JSON.parse(text);
      const symbols: readonly string[] = params?.symbols ?? [];
      if (method === "subscribe" && symbols.some((market) => refused.has(market))) {
        const error = { code: 2001, message: "Symbol not found" };
        return { ...NOTHING, answers: [json({ jsonrpc: "2.0", error, id })] };
      }
      const interval = String(ch).replace("candles/", "");
      return {
        answers: [json({ result: { ch, subscriptions: symbols }, id })],
        subscribed: method === "subscribe" ? symbols.map((market) => ({ market, interval })) : [],
      };
    },
    candle: ({ market, interval }, [t, o, h, l, c, v], { isSnapshot = false }) =>
      json({
        ch: `candles/${interval}`,
        [isSnapshot ? "snapshot" : "update"]: { [market]: [{ t, o, h, l, c, v, q: "1" }] },
      }),
  }),
  htx: () => ({
    hear(text, refused): Heard {
      const { sub, unsub, id } = JSON.parse(text);
      if (sub === undefined) {
        return { ...NOTHING, answers: [packed({ id, status: "ok", unsubbed: unsub })] };
      }
      const [, market = "", , interval = ""] = String(sub).split(".");
      if (refused.has(market)) {
        const why = { "err-code": "bad-request", "err-msg": `invalid symbol ${market}` };
        return { ...NOTHING, answers: [packed({ status: "error", ...why, id })] };
      }
      return {
        answers: [packed({ id, status: "ok", subbed: sub })],
        subscribed: [{ market, interval }],
      };
    },
    candle: ({ market, interval }, [openMs, open, high, low, close, amount], { exchangeMs }) =>
      pack(
        `{"ch":"market.${market}.kline.${interval}","ts":${exchangeMs},"tick":{"id":${
          openMs / 1_000
        },"open":${open},"close":${close},"low":${low},"high":${high},"amount":${amount},"count":1}}`,
      ),
  }),
  kucoin: () => ({
    hear(text, refused): Heard {
      const { id, type, action, symbol: market, interval } = JSON.parse(text);
      if (type === "ping") return { ...NOTHING, answers: [json({ id, type: "pong" })] };
      if (action !== "subscribe") return { ...NOTHING, answers: [json({ id, result: true })] };
      return refused.has(market)
        ? { ...NOTHING, answers: [json({ id, result: false, reason: "symbol not found" })] }
        : { answers: [json({ id, result: true })], subscribed: [{ market, interval }] };
    },
    candle: ({ market: s, interval: i }, [openMs, o, h, l, c, v], { exchangeMs }) =>
      json({
        ...{ T: "kline.SPOT", P: `${exchangeMs}000000` },
        d: { s, i, O: openMs / 1_000, o, h, l, c, v, S: false, a: "1" },
      }),
  }),
  poloniex: () => ({
    hear(text, refused): Heard {
      const { event, channel: [channel = ""] = [], symbols = [] } = JSON.parse(text);
      if (event === "ping") return { ...NOTHING, answers: [json({ event: "pong" })] };
      if (event !== "subscribe") {
        return { ...NOTHING, answers: [json({ event, channel, symbols })] };
      }
      const markets = symbols as string[];
      if (markets.some((market) => refused.has(market))) {
        return { ...NOTHING, answers: [json({ event: "error", message: "Invalid symbol" })] };
      }
      const interval = channel.replace("candles_", "");
      return {
        answers: [json({ channel, event, symbols })],
        subscribed: markets.map((market) => ({ market, interval })),
      };
    },
    candle: ({ market: symbol, interval }, row, { exchangeMs: ts }) => {
      const [startTime, open, high, low, close, quantity] = row;
      const candle = { symbol, startTime, open, high, low, close, quantity, amount: "1", ts };
      return json({ channel: `candles_${interval}`, data: [candle] });
    },
  }),
};

function packed(value: unknown): ArrayBuffer {
  return pack(json(value));
}

/** As an exchange packs its texts. */
function pack(text: string): ArrayBuffer {
  return new Uint8Array(gzipSync(text)).buffer;
}
