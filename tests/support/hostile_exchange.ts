/** A local exchange behind somebody who changes its answers. @module */
import { startLocalExchange } from "../../lib/local_exchange/server.ts";
import type { Clock } from "../../lib/clock.ts";

/** Makes an answer of the true one's text. */
export type Change = (truth: string) => Response;

export interface HostileExchange {
  /** Without a trailing slash. */
  readonly url: string;
  /** Changes every answer whose path contains the text; undefined leaves all as they are. */
  change(path: string, change: Change | undefined): void;
  close(): Promise<void>;
}

/** Starts an exchange that speaks Binance's dialect, and lies when told to. */
export async function startHostileExchange(clock: Clock): Promise<HostileExchange> {
  const exchange = await startLocalExchange({ clock });
  let changed: { readonly path: string; readonly change: Change } | undefined;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (asked) => {
      const { pathname, search } = new URL(asked.url);
      const answer = await fetch(exchange.url + pathname + search);
      const text = await answer.text();
      if (changed !== undefined && pathname.includes(changed.path)) return changed.change(text);
      return new Response(text, { status: answer.status, headers: answer.headers });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    change: (path, change) => {
      changed = change === undefined ? undefined : { path, change };
    },
    async close(): Promise<void> {
      await server.shutdown();
      await exchange.close();
    },
  };
}
