/** Opens WebSockets of the platform. @module */
import type { StreamAddress } from "./stream_address.ts";
import type { StreamSocket } from "./stream_connection.ts";

/** The sockets of one exchange, which share the way through its proxy. */
export class PlatformSockets {
  #client: Deno.HttpClient | undefined;

  readonly open = ({ url, proxy, headers }: StreamAddress): StreamSocket => {
    if (proxy === undefined) return new WebSocket(url, { headers });
    this.#client ??= Deno.createHttpClient({ proxy: { url: proxy } });
    return new WebSocket(url, { headers, client: this.#client });
  };

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}
