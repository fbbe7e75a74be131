/** A forward proxy on loopback: plain requests whole, encrypted ones by CONNECT, with or without a password. @module */

export interface ForwardProxyOptions {
  /** `user:password` that it demands. @default none */
  readonly credentials?: string | undefined;
  /** What it answers to everything, such as `503 Service Unavailable`. @default it does its work */
  readonly refusal?: string | undefined;
}

export interface ForwardProxy {
  /** Without credentials: `http://127.0.0.1:40123`. */
  readonly url: string;
  /** The request lines that came, such as `GET http://127.0.0.1:1/ HTTP/1.1`, refused ones included. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** Starts one; it serves one request, or one tunnel, a connection. */
export function startForwardProxy(options: ForwardProxyOptions = {}): ForwardProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const asked: string[] = [];
  const open = new Set<Deno.Conn>();
  const serve = async (near: Deno.Conn): Promise<void> => {
    open.add(near);
    try {
      const head = await readHead(near);
      const [line = ""] = head.split("\r\n");
      asked.push(line);
      const [method, target = ""] = line.split(" ");
      const refusal = isWelcome(head, options) ? options.refusal : UNAUTHORIZED;
      if (refusal !== undefined) await write(near, answer(refusal, ""));
      else if (method === "CONNECT") await tunnel(near, target, open);
      else await write(near, await forward(target));
    } catch {
      // Somebody hung up, which the other side sees.
    } finally {
      hangUp(near, open);
    }
  };
  const serving = (async (): Promise<void> => {
    const connections: Promise<void>[] = [];
    for await (const connection of listener) connections.push(serve(connection));
    await Promise.all(connections);
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    asked,
    close: async () => {
      listener.close();
      for (const connection of open) hangUp(connection, open);
      await serving;
    },
  };
}

/** Runs a test beside a proxy. */
export async function withForwardProxy(
  options: ForwardProxyOptions,
  use: (proxy: ForwardProxy) => Promise<void>,
): Promise<void> {
  const proxy = startForwardProxy(options);
  try {
    await use(proxy);
  } finally {
    await proxy.close();
  }
}

const UNAUTHORIZED = '407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="x"';

function isWelcome(head: string, { credentials }: ForwardProxyOptions): boolean {
  if (credentials === undefined) return true;
  const given = /^proxy-authorization: basic (\S+)\r$/im.exec(head)?.[1];
  return given === btoa(credentials);
}

async function forward(target: string): Promise<string> {
  const response = await fetch(target);
  return answer(`${response.status} OK`, await response.text());
}

function answer(status: string, body: string): string {
  const { length } = new TextEncoder().encode(body);
  return `HTTP/1.1 ${status}\r\ncontent-length: ${length}\r\nconnection: close\r\n\r\n${body}`;
}

async function tunnel(near: Deno.Conn, target: string, open: Set<Deno.Conn>): Promise<void> {
  const { hostname, port } = new URL(`tcp://${target}`);
  const far = await Deno.connect({ hostname, port: Number(port) });
  open.add(far);
  await write(near, "HTTP/1.1 200 Connection established\r\n\r\n");
  await Promise.all([carry(near, far, open), carry(far, near, open)]);
}

async function carry(from: Deno.Conn, to: Deno.Conn, open: Set<Deno.Conn>): Promise<void> {
  const bytes = new Uint8Array(65_536);
  try {
    for (let count; (count = await from.read(bytes)) !== null;) {
      await writeAll(to, bytes.subarray(0, count));
    }
  } catch {
    // One of them was closed.
  }
  hangUp(from, open);
  hangUp(to, open);
}

function hangUp(connection: Deno.Conn, open: Set<Deno.Conn>): void {
  if (open.delete(connection)) connection.close();
}

async function write(connection: Deno.Conn, text: string): Promise<void> {
  await writeAll(connection, new TextEncoder().encode(text));
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}

async function readHead(connection: Deno.Conn): Promise<string> {
  let head = "";
  const buffer = new Uint8Array(4_096);
  while (!head.includes("\r\n\r\n")) {
    const bytes = await connection.read(buffer);
    if (bytes === null) break;
    head += new TextDecoder().decode(buffer.subarray(0, bytes));
  }
  return head;
}
