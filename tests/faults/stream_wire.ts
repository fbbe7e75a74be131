/** A WebSocket in front of Binance's stream that passes messages on, and can spoil them. @module */
import { systemClock } from "../../lib/clock.ts";

export type StreamWireFault =
  /** Connections are closed as soon as they are open. */
  | "killed"
  /** Nothing comes through any more on the connections of this time, nor ever again. */
  | "half-open"
  /** No connection is opened while it lasts. */
  | "unopened"
  /** Bytes and texts that are no message of this exchange. */
  | "garbage"
  /** Messages come two seconds late. */
  | "late"
  /** Every candle is told as closed, with other values, before it is told as it is; or after that. */
  | "two finals"
  /** Closed candles are told as candles without trades. */
  | "flat"
  /** Candles are those of another timeframe, or of another market. */
  | "mistaken"
  /** Only every other message comes. */
  | "missing"
  /** Every message comes a hundred times. */
  | "burst";

export interface StreamWire {
  readonly url: string;
  /** From now on, and on open connections, too; undefined for a faithful relay. */
  set(fault: StreamWireFault | undefined): void;
  close(): Promise<void>;
}

const LATE_MS = 2_000;
const BURST = 100;
/** Garbage ends a connection soon; now and then a message comes through. */
const GARBAGE: readonly (string | Uint8Array<ArrayBuffer>)[] = [
  new Uint8Array([1, 2, 3]),
  "<html>502 Bad Gateway</html>",
  '{"e":"kline","k":',
];

interface State {
  fault: StreamWireFault | undefined;
  readonly sockets: Set<WebSocket>;
  readonly closing: AbortController;
}

/** Starts a relay to a stream. */
export function startStreamWire(upstreamUrl: string): StreamWire {
  const state: State = { fault: undefined, sockets: new Set(), closing: new AbortController() };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    if (state.fault === "unopened") return new Response("Not now\n", { status: 503 });
    const { socket, response } = Deno.upgradeWebSocket(request);
    relay(socket, upstreamUrl, state);
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/`,
    set: (fault) => {
      state.fault = fault;
      if (fault === "killed" || fault === "unopened") closeAll(state);
    },
    async close(): Promise<void> {
      state.closing.abort();
      closeAll(state);
      await server.shutdown();
    },
  };
}

function closeAll({ sockets }: State): void {
  for (const socket of sockets) socket.close();
}

function relay(client: WebSocket, upstreamUrl: string, state: State): void {
  const exchange = new WebSocket(upstreamUrl);
  const asked: string[] = [];
  let [isDeaf, count] = [false, 0];
  for (const [one, other] of [[client, exchange], [exchange, client]] as const) {
    state.sockets.add(one);
    one.onerror = () => {};
    one.onclose = () => {
      state.sockets.delete(one);
      other.close();
    };
  }
  client.onopen = () => {
    if (state.fault === "killed" || state.closing.signal.aborted) client.close();
  };
  client.onmessage = ({ data }) => {
    if (exchange.readyState === WebSocket.OPEN) exchange.send(data);
    else asked.push(data);
  };
  exchange.onopen = () => {
    for (const text of asked) exchange.send(text);
  };
  exchange.onmessage = async ({ data }) => {
    const { fault } = state;
    if (fault === "half-open") isDeaf = true;
    if (fault === "late") {
      await systemClock.sleep(LATE_MS, { signal: state.closing.signal }).catch(() => {});
    }
    for (const message of spoiled(String(data), fault, count++)) {
      if (!isDeaf && client.readyState === WebSocket.OPEN) client.send(message);
    }
  };
}

/** What a fault makes of a message. */
function spoiled(
  text: string,
  fault: StreamWireFault | undefined,
  count: number,
): readonly (string | Uint8Array<ArrayBuffer>)[] {
  const message = JSON.parse(text);
  const candle = message["k"];
  switch (fault) {
    case "garbage":
      return [GARBAGE[count % GARBAGE.length] ?? ""];
    case "missing":
      return count % 2 === 0 ? [text] : [];
    case "burst":
      return Array.from({ length: BURST }, () => text);
  }
  if (candle === undefined) return [text];
  const withCandle = (change: Readonly<Record<string, unknown>>): string =>
    JSON.stringify({ ...message, k: { ...candle, ...change } });
  switch (fault) {
    case "two finals": {
      const other = withCandle({ v: "0.123", x: true });
      return count % 2 === 0 ? [other, text] : [text, other];
    }
    case "flat": {
      const { c } = candle;
      return [withCandle({ o: c, h: c, l: c, v: "0" })];
    }
    case "mistaken":
      return [withCandle(count % 2 === 0 ? { i: "1m", x: true } : { s: "NOUSDT", x: true })];
    default:
      return [text];
  }
}
