/** The stream of a local exchange in the exchange's own words: what forms each second, and what has closed. @module */
import type { Clock } from "../../lib/clock.ts";
import { formingCandle } from "../../lib/local_exchange/history.ts";
import type { LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import type { LocalCandle } from "../../lib/local_exchange/price_walk.ts";
import type { LocalExchange } from "../../lib/local_exchange/server.ts";
import { closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Dialect } from "./local_exchange/dialect.ts";
import type { StreamVoice, VoiceRow, VoiceTopic } from "./stream_voice.ts";
import { ALL_STREAM_VOICES } from "./stream_voices.ts";

interface CandleStreamOptions {
  readonly dialect: Dialect;
  /** Whose candles are told, all of them of `1m`. */
  readonly local: LocalExchange;
  readonly clock: Clock;
  /** How long a message is under way. @default 0 */
  readonly latencyMs?: number | undefined;
}

export interface CandleStream {
  readonly url: string;
  /** Says nothing from now on, or again, on all connections. They stay open. */
  silence(isSilent: boolean): void;
  close(): Promise<void>;
}

const MINUTE = parseTimeframe("1m");
const SECOND_MS = 1_000;

/** Whether the test's exchanges know how this one speaks. */
export function hasVoice({ exchange }: Dialect): boolean {
  return Object.hasOwn(ALL_STREAM_VOICES, exchange);
}

/** Starts the stream of an exchange that has a voice. */
export function startCandleStream(options: CandleStreamOptions): CandleStream {
  const { dialect: { exchange } } = options;
  const voiceOf = ALL_STREAM_VOICES[exchange];
  if (voiceOf === undefined) throw new RangeError(`No voice of ${exchange}`);
  const state = { isSilent: false };
  const sockets = new Set<WebSocket>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    sockets.add(socket);
    serve(socket, voiceOf(), { ...options, state });
    socket.addEventListener("close", () => void sockets.delete(socket));
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/`,
    silence: (isSilent) => {
      state.isSilent = isSilent;
    },
    async close(): Promise<void> {
      for (const socket of sockets) socket.close();
      await server.shutdown();
    },
  };
}

interface Told {
  readonly topic: VoiceTopic;
  readonly symbol: LocalSymbol;
  /** Candles before this time have been told as closed. */
  untilMs: number;
}

interface Served extends CandleStreamOptions {
  readonly state: { readonly isSilent: boolean };
}

function serve(socket: WebSocket, voice: StreamVoice, options: Served): void {
  const { local, clock, state } = options;
  const told = new Map<string, Told>();
  const over = new AbortController();
  socket.addEventListener("close", () => over.abort());
  socket.addEventListener("error", () => over.abort());
  socket.onmessage = ({ data }) => {
    if (state.isSilent) return;
    const { answers, subscribed } = voice.hear(String(data), new Set());
    for (const topic of subscribed) {
      const symbol = symbolOf(local, topic);
      told.set(topic.market, { topic, symbol, untilMs: closedUntil(MINUTE, clock.now()) });
    }
    for (const answer of answers) socket.send(answer);
  };
  socket.onopen = async () => {
    while (!over.signal.aborted) {
      if (!state.isSilent) sayAll(socket, { voice, told: told.values(), options });
      const { latencyMs = 0 } = options;
      const msToNext = SECOND_MS - (clock.now() - latencyMs) % SECOND_MS;
      await clock.sleep(msToNext, { signal: over.signal }).catch(() => {});
    }
  };
}

/** Tells of each topic what has closed since the last time, and what forms. */
function sayAll(
  socket: WebSocket,
  { voice, told, options: { dialect, local, clock, latencyMs = 0 } }: {
    readonly voice: StreamVoice;
    readonly told: Iterable<Told>;
    readonly options: CandleStreamOptions;
  },
): void {
  const nowMs = clock.now() - latencyMs;
  const closedMs = closedUntil(MINUTE, nowMs);
  for (const one of told) {
    const { topic, symbol } = one;
    const window = { sinceMs: one.untilMs, untilMs: closedMs };
    const closed = window.sinceMs < window.untilMs
      ? local.truth(symbol.symbol, MINUTE, window, nowMs)
      : [];
    one.untilMs = closedMs;
    const forming = formingCandle({
      ...{ symbol, timeframe: MINUTE, silence: dialect.silence, nowMs },
    });
    for (const candle of [...closed, forming]) {
      if (socket.readyState !== WebSocket.OPEN) return;
      const manner = { isClosed: candle !== forming, exchangeMs: nowMs };
      socket.send(voice.candle(topic, rowOf(candle), manner));
    }
  }
}

/** Exchanges spell markets in many ways, all of them with the letters of the base. */
export function symbolOf({ symbols }: LocalExchange, { market }: VoiceTopic): LocalSymbol {
  const symbol = symbols.all().find(({ symbol }) =>
    market.toUpperCase().includes(symbol.slice(0, symbol.indexOf("/")))
  );
  if (symbol === undefined) throw new RangeError(`No market ${market}`);
  return symbol;
}

export function rowOf({ openTimeMs, open, high, low, close, volume }: LocalCandle): VoiceRow {
  return [openTimeMs, open, high, low, close, volume];
}
