/** A SOCKS5 proxy on loopback that demands a user and a password (RFC 1928, RFC 1929). @module */

export interface SocksProxy {
  /** `127.0.0.1:40123` */
  readonly host: string;
  /** What it was asked to connect to, as `name:port`. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** Starts one, which knows hosts by their names alone. */
export function startSocksProxy(user: string, password: string): SocksProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const asked: string[] = [];
  const serve = async (near: Deno.Conn): Promise<void> => {
    // Version 5, with a password among the methods offered.
    if (!(await readSome(near)).includes(2)) return near.close();
    await near.write(new Uint8Array([5, 2]));
    const isWelcome = text(await readSome(near)) ===
      `\x01${lengthOf(user)}${user}${lengthOf(password)}${password}`;
    await near.write(new Uint8Array([1, isWelcome ? 0 : 1]));
    if (!isWelcome) return near.close();
    const request = await readSome(near);
    const hostname = text(request.subarray(5, -2));
    const port = new DataView(request.buffer).getUint16(request.length - 2);
    asked.push(`${hostname}:${port}`);
    const far = await Deno.connect({ hostname, port });
    await near.write(new Uint8Array([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    await Promise.allSettled([
      near.readable.pipeTo(far.writable),
      far.readable.pipeTo(near.writable),
    ]);
  };
  const accepting = (async (): Promise<void> => {
    // A client may go away at any time.
    for await (const near of listener) void serve(near).catch(() => closeOnce(near));
  })();
  return {
    host: `127.0.0.1:${listener.addr.port}`,
    asked,
    close: async () => {
      listener.close();
      await accepting;
    },
  };
}

function closeOnce(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It was closed by then.
  }
}

async function readSome(connection: Deno.Conn): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(600);
  return bytes.slice(0, await connection.read(bytes) ?? 0);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function lengthOf(word: string): string {
  return String.fromCharCode(word.length);
}
