/** A WebSocket server on loopback that sends what it is told byte for byte, as fast as the client reads. @module */

export interface RawStream {
  readonly url: string;
  /** Sends messages to the client, once it has sent one. */
  send(frames: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Serves one client. */
export function startRawStream(): RawStream {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = (async (): Promise<Deno.TcpConn> => {
    const connection = await listener.accept();
    await writeAll(connection, await handshakeOf(connection));
    await readSome(connection);
    return connection;
  })();
  return {
    url: `ws://127.0.0.1:${listener.addr.port}/`,
    send: async (frames) => await writeAll(await client, frames),
    close: async () => {
      listener.close();
      (await client).close();
    },
  };
}

/** Serves any number of clients, and tells them nothing after the handshake: not even that it has heard of their end. */
interface DeafStream {
  readonly url: string;
  /** Ends the connections that there are. */
  drop(): void;
  close(): void;
}

export function startDeafStream(): DeafStream {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections = new Set<Deno.TcpConn>();
  const drop = (): void => {
    for (const connection of connections) connection.close();
    connections.clear();
  };
  const serve = async (): Promise<void> => {
    for await (const connection of listener) {
      connections.add(connection);
      // It may be dropped before it has said all.
      await handshakeOf(connection).then((answer) => writeAll(connection, answer)).catch(() => {});
    }
  };
  void serve();
  return {
    url: `ws://127.0.0.1:${listener.addr.port}/`,
    drop,
    close: () => {
      drop();
      listener.close();
    },
  };
}

/** Text messages of 126 to 65,535 ASCII characters each, as a server frames them. */
export function textFrames(messages: readonly string[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const all = new Uint8Array(messages.reduce((total, { length }) => total + length + 4, 0));
  let at = 0;
  for (const message of messages) {
    all.set([0x81, 126, message.length >> 8, message.length & 255], at);
    encoder.encodeInto(message, all.subarray(at + 4));
    at += message.length + 4;
  }
  return all;
}

/** The answer to the handshake that a client asks for. */
async function handshakeOf(connection: Deno.Conn): Promise<Uint8Array<ArrayBuffer>> {
  const key = /^sec-websocket-key: (\S+)/im.exec(await readSome(connection))?.[1] ?? "";
  const bytes = new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  const accept = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).toBase64();
  return new TextEncoder().encode(
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
      `sec-websocket-accept: ${accept}\r\n\r\n`,
  );
}

async function readSome(connection: Deno.Conn): Promise<string> {
  const bytes = new Uint8Array(65_536);
  return new TextDecoder().decode(bytes.subarray(0, await connection.read(bytes) ?? 0));
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}
