/** A TCP relay in front of an exchange that can spoil what no HTTP server would send. @module */
import { systemClock } from "../../lib/clock.ts";

export type WireFault =
  /** The answer comes in small pieces. */
  | "slow drip"
  /** The body is shorter than its length says. */
  | "wrong content length"
  | "gzip garbage"
  /** 100 MB of a JSON list. */
  | "huge body"
  | "redirect loop"
  /** Whatever is asked, TLS handshakes with nobody's certificate included, is answered by noise. */
  | "noise";

export interface Wire {
  readonly url: string;
  /** Bytes of huge bodies that were taken so far. */
  readonly hugeBytesTaken: number;
  /** From now on, and on open connections, too; undefined for a faithful relay. */
  set(fault: WireFault | undefined): void;
  close(): Promise<void>;
}

const HOSTNAME = "127.0.0.1";
const HUGE_BYTES = 100_000_000;
const PIECE_BYTES = 64;
const PIECE_MS = 20;
const encoder = new TextEncoder();

/** Starts a relay to a port of this machine. */
export function startWire(port: number): Wire {
  const listener = Deno.listen({ hostname: HOSTNAME, port: 0 });
  const url = `http://${HOSTNAME}:${(listener.addr as Deno.NetAddr).port}`;
  const open = new Set<Deno.Conn>();
  const state = { fault: undefined as WireFault | undefined, taken: 0 };
  const closeAll = (): void => {
    for (const conn of open) closeQuietly(conn);
    open.clear();
  };
  const serve = async (client: Deno.Conn): Promise<void> => {
    open.add(client);
    try {
      const { fault } = state;
      if (fault === undefined || fault === "slow drip") await relay(client, port, { open, fault });
      else await spoil(client, { fault, url, onTaken: (bytes) => state.taken += bytes });
    } catch {
      // Either side went away.
    } finally {
      open.delete(client);
      closeQuietly(client);
    }
  };
  const accepting = (async () => {
    for await (const client of listener) void serve(client);
  })();
  return {
    url,
    get hugeBytesTaken() {
      return state.taken;
    },
    set(fault): void {
      if (fault === state.fault) return;
      state.fault = fault;
      closeAll();
    },
    async close(): Promise<void> {
      listener.close();
      closeAll();
      await accepting;
    },
  };
}

async function relay(
  client: Deno.Conn,
  port: number,
  { open, fault }: { readonly open: Set<Deno.Conn>; readonly fault: WireFault | undefined },
): Promise<void> {
  const exchange = await Deno.connect({ hostname: HOSTNAME, port });
  open.add(exchange);
  try {
    await Promise.all([
      copy(client, exchange, false).finally(() => closeQuietly(exchange)),
      copy(exchange, client, fault === "slow drip").finally(() => closeQuietly(client)),
    ]);
  } finally {
    open.delete(exchange);
  }
}

async function copy(from: Deno.Conn, to: Deno.Conn, isSlow: boolean): Promise<void> {
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const read = await from.read(buffer);
    if (read === null) return;
    const step = isSlow ? PIECE_BYTES : read;
    for (let at = 0; at < read; at += step) {
      await writeAll(to, buffer.subarray(at, Math.min(read, at + step)));
      if (isSlow) await systemClock.sleep(PIECE_MS);
    }
  }
}

async function spoil(
  client: Deno.Conn,
  { fault, url, onTaken }: {
    readonly fault: Exclude<WireFault, "slow drip">;
    readonly url: string;
    readonly onTaken: (bytes: number) => void;
  },
): Promise<void> {
  await client.read(new Uint8Array(65_536));
  switch (fault) {
    case "wrong content length":
      return await writeAll(client, answer("content-length: 5000", "[[1,2"));
    case "gzip garbage":
      return await writeAll(
        client,
        answer("content-encoding: gzip\r\ncontent-length: 20", "this is no gzip data"),
      );
    case "redirect loop":
      return await writeAll(
        client,
        encoder.encode(
          `HTTP/1.1 302 Found\r\nlocation: ${url}/again\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
        ),
      );
    case "noise":
      return await writeAll(client, crypto.getRandomValues(new Uint8Array(1_000)));
    case "huge body": {
      await writeAll(client, answer(`content-length: ${HUGE_BYTES}`, "["));
      const piece = encoder.encode("0,".repeat(32_768));
      for (let sent = 1; sent < HUGE_BYTES; sent += piece.length) {
        await writeAll(client, piece);
        onTaken(piece.length);
      }
    }
  }
}

function answer(headers: string, body: string): Uint8Array {
  return encoder.encode(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${headers}\r\nconnection: close\r\n\r\n${body}`,
  );
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It is closed already.
  }
}
