/** A TCP proxy on loopback that can swallow or hold what it carries, while connections stay open. @module */

export interface SwallowingProxy {
  /** The given URL with the proxy in the place of its host. */
  readonly url: string;
  /** How many connections are open. */
  readonly connections: number;
  /** How many of them have lost bytes, and never carry any again. */
  readonly deaf: number;
  /** Whether bytes are swallowed on the connections that are open now, and on new ones. */
  swallow(isSwallowing: boolean): void;
  /** Whether what clients send waits. Afterwards all of it arrives, also of clients that are gone by then. */
  hold(isHolding: boolean): void;
  /** Ends the connections that are open now, without a goodbye. */
  cut(): void;
  close(): Promise<void>;
}

/** Listens before the host of a URL. */
export function startSwallowingProxy(url: string): SwallowingProxy {
  const { hostname, port } = new URL(url);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const deaf = new Set<Deno.Conn>();
  let isSwallowing = false;
  let held: PromiseWithResolvers<void> | undefined;
  const carry = async (
    from: Deno.Conn,
    to: Deno.Conn,
    { isFromClient }: { readonly isFromClient: boolean },
  ): Promise<void> => {
    const bytes = new Uint8Array(65_536);
    try {
      for (let count; (count = await from.read(bytes)) !== null;) {
        // A connection that has lost bytes never carries any again.
        if (isFromClient) await held?.promise;
        if (isSwallowing) deaf.add(from).add(to);
        if (deaf.has(from)) continue;
        for (let written = 0; written < count;) {
          written += await to.write(bytes.subarray(written, count));
        }
      }
    } catch {
      // One of them was closed.
    }
    for (const one of [from, to]) {
      if (open.delete(one)) one.close();
    }
  };
  const carrying = new Set<Promise<unknown>>();
  const accepting = (async (): Promise<void> => {
    for await (const near of listener) {
      const far = await Deno.connect({ hostname, port: Number(port) }).catch(() => undefined);
      if (far === undefined) {
        // The server is down: its clients are told so.
        near.close();
        continue;
      }
      open.add(near).add(far);
      const both = Promise.all([
        carry(near, far, { isFromClient: true }),
        carry(far, near, { isFromClient: false }),
      ]);
      carrying.add(both);
      both.finally(() => carrying.delete(both));
    }
  })();
  const proxied = new URL(url);
  proxied.port = String(listener.addr.port);
  return {
    url: proxied.href,
    get connections(): number {
      return open.size / 2;
    },
    get deaf(): number {
      return [...open].filter((one) => deaf.has(one)).length / 2;
    },
    swallow: (value) => {
      isSwallowing = value;
    },
    hold: (isHolding) => {
      if (isHolding) held ??= Promise.withResolvers<void>();
      else {
        held?.resolve();
        held = undefined;
      }
    },
    cut: () => {
      for (const one of open) one.close();
      open.clear();
    },
    async close(): Promise<void> {
      listener.close();
      for (const one of open) one.close();
      open.clear();
      held?.resolve();
      await accepting;
      await Promise.all(carrying);
    },
  };
}
