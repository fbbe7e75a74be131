/** A TCP proxy on loopback before a PostgreSQL server. Requests to cancel a statement wait in it until they are let pass. @module */

export interface LateCancels {
  /** The given URL with the proxy in the place of its host. */
  readonly url: string;
  /** Resolves when there is a request. */
  readonly asked: Promise<void>;
  pass(): void;
  close(): Promise<void>;
}

/** The length of a CancelRequest. No other first message is as short. */
const CANCEL_BYTES = 16;

/** Listens before the host of a URL. */
export function startLateCancels(url: string): LateCancels {
  const { hostname, port } = new URL(url);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const asked = Promise.withResolvers<void>();
  const passed = Promise.withResolvers<void>();
  const open = new Set<Deno.Conn>();
  const carrying: Promise<unknown>[] = [];
  const carry = async (from: Deno.Conn, to: Deno.Conn): Promise<void> => {
    const bytes = new Uint8Array(65_536);
    try {
      for (let count, isFirst = true; (count = await from.read(bytes)) !== null; isFirst = false) {
        const isRequest = isFirst && count === CANCEL_BYTES && bytes[3] === CANCEL_BYTES;
        if (isRequest) asked.resolve();
        if (isRequest) await passed.promise;
        for (let at = 0; at < count;) at += await to.write(bytes.subarray(at, count));
      }
    } catch {
      // One of them was closed.
    }
    for (const one of [from, to]) if (open.delete(one)) one.close();
  };
  const accepting = (async (): Promise<void> => {
    for await (const near of listener) {
      const far = await Deno.connect({ hostname, port: Number(port) }).catch(() => undefined);
      if (far === undefined) {
        // The server is down: its clients are told so.
        near.close();
        continue;
      }
      open.add(near).add(far);
      carrying.push(carry(near, far), carry(far, near));
    }
  })();
  const proxied = new URL(url);
  proxied.hostname = "127.0.0.1";
  proxied.port = String(listener.addr.port);
  return {
    url: proxied.href,
    asked: asked.promise,
    pass: () => passed.resolve(),
    async close(): Promise<void> {
      passed.resolve();
      listener.close();
      await accepting;
      for (const one of open) one.close();
      open.clear();
      await Promise.all(carrying);
    },
  };
}
