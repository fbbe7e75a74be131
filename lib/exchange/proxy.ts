/** Connections to exchanges: direct, or through the forward proxy of one exchange. @module */

/**
 * Idle connections are bounded, to as many as a backfill uses at once: by itself `fetch` keeps as many as were ever
 * used at once, and more, for as long as the other side does.
 */
const POOL = { poolMaxIdlePerHost: 6, poolIdleTimeout: 90_000 } as const;

const DIRECT = Deno.createHttpClient(POOL);

/** What lies before the cause in an error of `fetch`: the URL is named by CCXT already. */
const PREAMBLE = /^error sending request.*?\): (?=client error)/;

/** As Deno words it when a proxy refuses a tunnel for want of a password, or of the right one. */
const UNAUTHORIZED = /proxy authentication required/;

/** `fetch` for one exchange, which keeps the connections to its proxy. */
export class Connections {
  readonly #proxied = new Map<string, Deno.HttpClient>();

  /**
   * @param proxy `http:`, `https:`, `socks5:` or `socks5h:` URL, with any credentials; undefined for none. Unencrypted
   * requests are sent to an HTTP proxy whole, encrypted ones by CONNECT.
   * @throws TypeError whose cause says why, and names the proxy without its credentials.
   */
  async fetch(url: string, init: RequestInit, proxy: string | undefined): Promise<Response> {
    let response: Response;
    try {
      const client = proxy === undefined ? DIRECT : this.#clientOf(proxy);
      // Where the types of Node are loaded as well, a literal with `client` passes for a mistake.
      const options = { ...init, client };
      response = await fetch(url, options);
    } catch (error) {
      if (init.signal?.aborted || !(error instanceof TypeError)) throw error;
      throw failure(reasonOf(error, proxy), error);
    }
    // Of the proxy's own: the exchange has not been asked.
    if (proxy !== undefined && response.status === 407) {
      await response.body?.cancel();
      throw failure(refusal(proxy));
    }
    return response;
  }

  #clientOf(proxy: string): Deno.HttpClient {
    let client = this.#proxied.get(proxy);
    if (client === undefined) {
      client = Deno.createHttpClient({ ...POOL, proxy: { url: proxy } });
      this.#proxied.set(proxy, client);
    }
    return client;
  }
}

/** Why a request failed. Older versions of Deno say it without a cause. */
function reasonOf(error: TypeError, proxy: string | undefined): string {
  const { message } = error.cause instanceof Error ? error.cause : error;
  const why = message.replace(PREAMBLE, "");
  if (proxy === undefined) return why;
  return UNAUTHORIZED.test(why) ? refusal(proxy) : `through its proxy ${nameOf(proxy)}: ${why}`;
}

/** CCXT takes a `TypeError` for a network that failed, and repeats the words of its cause alone. */
function failure(text: string, cause?: unknown): TypeError {
  return new TypeError("fetch failed", { cause: new Error(text, { cause }) });
}

function refusal(proxy: string): string {
  return `its proxy ${nameOf(proxy)} refuses these credentials, or wants some (HTTP 407)`;
}

/** A proxy's URL as it may be told. */
function nameOf(proxy: string): string {
  const { protocol, host } = new URL(proxy);
  return `${protocol}//${host}`;
}
