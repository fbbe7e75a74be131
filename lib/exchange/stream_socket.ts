/** Opens WebSockets of the platform. @module */
import type { StreamAddress } from "./stream_address.ts";
import type { StreamSocket } from "./stream_connection.ts";

/** Opens a WebSocket of the platform. Those of one proxy share its client. */
export function openWebSocket({ url, proxy, headers }: StreamAddress): StreamSocket {
  if (proxy === undefined) return new WebSocket(url, { headers });
  const client = CLIENTS.get(proxy) ?? Deno.createHttpClient({ proxy: { url: proxy } });
  CLIENTS.set(proxy, client);
  return new WebSocket(url, { headers, client });
}

const CLIENTS = new Map<string, Deno.HttpClient>();
