/** The WebSocket of the local exchange: forming candles every second, and each closed candle once. @module */
import type { Clock } from "../clock.ts";
import { closedUntil } from "../market/timeframe.ts";
import type { Dialect, LocalTopic, PageRow, StreamFormat } from "./dialect.ts";
import { formingCandle, type History, page } from "./history.ts";
import { isTrading, type LocalSymbol } from "./local_symbol.ts";

interface StreamOptions {
  readonly dialect: Dialect;
  readonly format: StreamFormat;
  readonly clock: Clock;
  readonly symbols: () => readonly LocalSymbol[];
  readonly closing: AbortSignal;
}

interface Subscribed {
  readonly topic: LocalTopic;
  /** Candles before this time have been told as closed. */
  toldUntilMs: number;
}

const TICK_MS = 1_000;

/** A client behind in reading is told no more than this after a pause. */
const CLOSED_MAX = 10;

/** Accepts a WebSocket and serves it until one side closes it. */
export function acceptStream(request: Request, options: StreamOptions): Response {
  const { socket, response } = Deno.upgradeWebSocket(request);
  const { clock, format, symbols, closing } = options;
  const topics = new Map<string, Subscribed>();
  const over = new AbortController();
  const end = (): void => over.abort();
  closing.addEventListener("abort", () => socket.close(), { once: true, signal: over.signal });
  socket.onclose = end;
  socket.onerror = end;
  socket.onopen = () => void tick(socket, topics, { ...options, signal: over.signal });
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return;
    const ask = format.readAsk(data, symbols());
    for (const name of ask.unsubscribed ?? []) topics.delete(name);
    for (const topic of ask.subscribed ?? []) {
      const toldUntilMs = closedUntil(topic.timeframe, clock.now());
      topics.set(topic.name, { topic, toldUntilMs });
    }
    socket.send(ask.answer);
  };
  return response;
}

async function tick(
  socket: WebSocket,
  topics: ReadonlyMap<string, Subscribed>,
  { clock, dialect, format, signal }: StreamOptions & { readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    const nowMs = clock.now();
    for (const subscribed of topics.values()) {
      const { symbol, timeframe } = subscribed.topic;
      const history = { symbol, timeframe, silence: dialect.silence, nowMs };
      for (const { row, isClosed } of newRows(history, subscribed)) {
        if (socket.readyState !== WebSocket.OPEN) return;
        socket.send(format.candleText(subscribed.topic, row, { isClosed, nowMs }));
      }
    }
    // Just after each second, so that a candle is told as soon as it is closed.
    await clock.sleep(TICK_MS - nowMs % TICK_MS, { signal }).catch(() => {});
  }
}

/** The candles that closed since the last time, and the one that forms. */
function newRows(
  history: History,
  subscribed: Subscribed,
): readonly { readonly row: PageRow; readonly isClosed: boolean }[] {
  const { symbol, timeframe, nowMs } = history;
  const untilMs = closedUntil(timeframe, nowMs);
  const closed = page(history, {
    ...{ sinceMs: subscribed.toldUntilMs, untilMs, rowsMax: CLOSED_MAX },
    ...{ keep: "newest", order: "ascending" },
  });
  subscribed.toldUntilMs = untilMs;
  const rows = closed.map((row) => ({ row, isClosed: true }));
  return isTrading(symbol, nowMs)
    ? [...rows, { row: formingCandle(history), isClosed: false }]
    : rows;
}
