/** Opens WebSockets of the platform. @module */
import type { StreamAddress } from "./stream_address.ts";
import type { StreamSocket } from "./stream_connection.ts";

/**
 * So many sockets of an exchange exist at most. The platform closes none before its peer does: one that was ended because it
 * was silent, and whose peer lives without answering, would stay for ever.
 */
export const SOCKETS_MAX = 64;

/** The sockets of one exchange, which share the way through its proxy, or the address that they leave from. */
export class PlatformSockets {
  #client: Deno.HttpClient | undefined;
  #sockets = 0;

  /** @throws Error when there are too many, or when it cannot be made. */
  readonly open = (address: StreamAddress): StreamSocket => {
    if (this.#sockets >= SOCKETS_MAX) {
      throw new Error(`${SOCKETS_MAX} connections are not closed by the exchange`);
    }
    const socket = this.#make(address);
    this.#sockets++;
    socket.addEventListener("close", () => this.#sockets--, { once: true });
    return socket;
  };

  #make({ url, proxy, sourceAddress, headers }: StreamAddress): WebSocket {
    if (proxy === undefined && sourceAddress === undefined) return new WebSocket(url, { headers });
    this.#client ??= Deno.createHttpClient(
      proxy === undefined ? { localAddress: sourceAddress! } : { proxy: { url: proxy } },
    );
    return new WebSocket(url, { headers, client: this.#client });
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}
