/** A TCP server that answers HTTP requests byte for byte as it is told, also against the rules of HTTP. @module */

export interface RawServer {
  /** Without a trailing slash. */
  readonly url: string;
  /** Paths and queries that were asked for, in order. */
  readonly asked: readonly string[];
}

/** The bytes of an answer, headers and all; the connection is closed after them. */
export type RawAnswer = (path: string) => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Starts it for the length of `use`. */
export async function withRawServer<T>(
  answer: RawAnswer,
  use: (server: RawServer) => Promise<T>,
): Promise<T> {
  const asked: string[] = [];
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const serving = (async () => {
    for await (const conn of listener) {
      open.add(conn);
      serve(conn, answer, asked).catch(() => {}).finally(() => {
        open.delete(conn);
        close(conn);
      });
    }
  })();
  try {
    return await use({ url: `http://127.0.0.1:${listener.addr.port}`, asked });
  } finally {
    listener.close();
    for (const conn of open) close(conn);
    await serving.catch(() => {});
  }
}

/** An answer with these headers, and a `Content-Length` unless they name how long it is. */
export function rawAnswer(
  body: Uint8Array,
  { status = 200, headers = [] }: {
    readonly status?: number;
    readonly headers?: readonly string[];
  } = {},
): Uint8Array[] {
  const hasLength = headers.some((header) =>
    /^(?:content-length|transfer-encoding):/i.test(header)
  );
  const lines = [
    `HTTP/1.1 ${status} As told`,
    "content-type: application/json",
    "connection: close",
    ...headers,
    ...(hasLength ? [] : [`content-length: ${body.length}`]),
  ];
  return [new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`), body];
}

async function serve(conn: Deno.Conn, answer: RawAnswer, asked: string[]): Promise<void> {
  const bytes = new Uint8Array(4096);
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    const count = await conn.read(bytes);
    if (count === null) return;
    head += new TextDecoder().decode(bytes.subarray(0, count));
  }
  const path = head.split(" ")[1] ?? "";
  asked.push(path);
  for await (const piece of answer(path)) {
    for (let at = 0; at < piece.length;) at += await conn.write(piece.subarray(at));
  }
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // The peer has closed it.
  }
}
