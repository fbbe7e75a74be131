/** A server in front of a local exchange that changes some of its answers, byte for byte. @module */
import type { LocalExchange } from "./local_exchange/faulty_exchange.ts";

interface FrontedExchange {
  /** What `EXCHANGE_PROXY_URL` is set to. */
  readonly proxyUrl: string;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
}

/** What stands in the place of an answer; undefined leaves it as it is. */
type Change = (body: string, path: string) => string | Response | undefined;

/** Starts it for the length of `use`. */
export async function withFront(
  { proxyUrl }: LocalExchange,
  change: Change,
  use: (front: FrontedExchange) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const path = request.url.slice(new URL(request.url).origin.length + 1);
      // CCXT encodes URLs that have a query.
      const plain = decodeURIComponent(path);
      asked.push(plain);
      const answer = await fetch(`${proxyUrl}${path}`);
      const body = await answer.text();
      const changed = change(body, plain);
      if (changed instanceof Response) return changed;
      const { status, headers } = answer;
      return new Response(changed ?? body, {
        status,
        headers: { "content-type": headers.get("content-type") ?? "" },
      });
    },
  );
  try {
    await use({ proxyUrl: `http://127.0.0.1:${server.addr.port}/`, asked });
  } finally {
    await server.shutdown();
  }
}
