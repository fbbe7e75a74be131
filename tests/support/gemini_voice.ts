/** How Gemini speaks over its stream: it answers no subscription, and refuses none. @module */
import type { Heard, StreamVoice } from "./stream_voice.ts";

export const geminiVoice: StreamVoice = {
  hear(text): Heard {
    const { type, subscriptions = [] } = JSON.parse(text);
    if (type !== "subscribe") return { answers: [], subscribed: [] };
    return {
      answers: [],
      subscribed: (subscriptions as { name: string; symbols: string[] }[]).flatMap((
        { name, symbols },
      ) => symbols.map((market) => ({ market, interval: name.replace("candles_", "") }))),
    };
  },
  candle: ({ market: symbol, interval }, [t, o, h, l, c, v]) =>
    `{"type":"candles_${interval}_updates","symbol":"${symbol}","changes":[[${t},${o},${h},${l},${c},${v}]]}`,
};
