/** A server in front of a local exchange that treats each address of its visitors apart, as exchanges do. @module */
import type { LocalExchange } from "./local_exchange/faulty_exchange.ts";

interface ExchangeByAddress {
  readonly url: string;
  /** The addresses from which requests came, in their order. */
  readonly visitors: string[];
  /** By address, what it gets in the place of an answer. */
  readonly refused: Map<string, () => Response>;
}

/** A ban that says how long it lasts. */
export function banned(seconds: number): () => Response {
  return () =>
    Response.json({ code: -1003, msg: "Way too many requests" }, {
      status: 418,
      headers: { "retry-after": String(seconds) },
    });
}

/** What a country gets that is not served. */
export const DENIED = (): Response =>
  Response.json({ code: 0, msg: "Service unavailable from a restricted location" }, {
    status: 451,
  });

/** Starts it for the length of `use`. */
export async function withAddresses(
  exchange: LocalExchange,
  use: (front: ExchangeByAddress) => Promise<void>,
): Promise<void> {
  const visitors: string[] = [];
  const refused = new Map<string, () => Response>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request, { remoteAddr }) => {
      visitors.push(remoteAddr.hostname);
      const refusal = refused.get(remoteAddr.hostname);
      if (refusal !== undefined) return refusal();
      const { pathname, search } = new URL(request.url);
      const answer = await fetch(`${exchange.url}${pathname}${search}`);
      const { status, headers } = answer;
      return new Response(await answer.text(), {
        status,
        headers: { "content-type": headers.get("content-type") ?? "" },
      });
    },
  );
  try {
    await use({ url: `http://127.0.0.1:${server.addr.port}`, visitors, refused });
  } finally {
    await server.shutdown();
  }
}
