/** WebSockets without a network: a test plays the exchange, message by message. @module */
import type { OpenSocket, StreamSocket } from "../../lib/exchange/stream_connection.ts";

export class FakeSocket implements StreamSocket {
  binaryType: BinaryType = "blob";
  bufferedAmount = 0;
  onopen: StreamSocket["onopen"] = null;
  onmessage: StreamSocket["onmessage"] = null;
  onerror: StreamSocket["onerror"] = null;
  onclose: StreamSocket["onclose"] = null;
  /** What was sent to the exchange. */
  readonly sent: string[] = [];
  isClosed = false;

  send(text: string): void {
    this.sent.push(text);
  }

  /** As that of a dead peer: no event follows. */
  close(): void {
    this.isClosed = true;
  }

  open(): void {
    this.onopen?.(new Event("open"));
  }

  /** A message of the exchange: bytes or text as they are, anything else as JSON. */
  say(message: unknown): void {
    const isPlain = typeof message === "string" || message instanceof ArrayBuffer;
    const data = isPlain ? message : JSON.stringify(message);
    this.onmessage?.(new MessageEvent("message", { data }));
  }

  /** The connection is lost. */
  drop(): void {
    this.onclose?.(new CloseEvent("close", { code: 1006 }));
  }

  /** What was sent, as JSON. */
  get asked(): readonly Record<string, unknown>[] {
    return this.sent.map((text) => JSON.parse(text));
  }
}

/** Opens fake sockets, and keeps them in the order of opening. */
export function fakeSockets(): { readonly sockets: FakeSocket[]; readonly openSocket: OpenSocket } {
  const sockets: FakeSocket[] = [];
  return {
    sockets,
    openSocket: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
  };
}
