/** HTTP connections to exchanges: direct, from an address of this machine, or through the exchange's forward proxy. @module */
import { networkReason } from "../text/system_words.ts";

/**
 * Limits idle connections to the number that a backfill uses at once. Without a limit, `fetch` keeps all connections
 * that were ever open at once, until the server closes them.
 */
const POOL = { poolMaxIdlePerHost: 6, poolIdleTimeout: 90_000 } as const;

const DIRECT = Deno.createHttpClient(POOL);

/** Deno's error text when a proxy refuses a tunnel because the password is missing or wrong. */
const UNAUTHORIZED = /proxy authentication required/;

/** Clients that leave from an address of this machine, by that address; all exchanges share them. */
const FROM = new Map<string, Deno.HttpClient>();

/** `fetch` for one exchange. It reuses connections to the exchange's proxy. */
export class Connections {
  readonly #proxied = new Map<string, Deno.HttpClient>();
  readonly #sourceAddress: string | undefined;

  /** @param sourceAddress the address of this machine that requests without a proxy leave from. @default any */
  constructor(sourceAddress?: string | undefined) {
    this.#sourceAddress = sourceAddress;
  }

  /**
   * @param proxy `http:`, `https:`, `socks5:` or `socks5h:` URL, may contain credentials; undefined for none. An HTTP
   * proxy forwards unencrypted requests, and tunnels encrypted ones (CONNECT).
   * @throws TypeError whose cause gives the reason and the proxy's address without its credentials.
   */
  async fetch(url: string, init: RequestInit, proxy: string | undefined): Promise<Response> {
    let response: Response;
    try {
      const client = proxy === undefined ? clientFrom(this.#sourceAddress) : this.#clientOf(proxy);
      // As a variable: with Node's types loaded too, TypeScript refuses `client` in an object literal.
      const options = { ...init, client };
      response = await fetch(url, options);
    } catch (error) {
      if (init.signal?.aborted || !(error instanceof TypeError)) throw error;
      throw failure(reasonOf(error, proxy), error);
    }
    // Never followed: a redirected request is no answer of the exchange, and may lead anywhere.
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      const where = redirectHost(response.headers.get("location"), url);
      throw failure(`the answer redirects to ${where} (HTTP ${response.status})`);
    }
    // The proxy answered this, not the exchange.
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

function clientFrom(address: string | undefined): Deno.HttpClient {
  if (address === undefined) return DIRECT;
  const client = FROM.get(address) ?? Deno.createHttpClient({ ...POOL, localAddress: address });
  FROM.set(address, client);
  return client;
}

/** The host that a redirect leads to; the rest of its address may hold what is nobody's business. */
function redirectHost(location: string | null, url: string): string {
  if (location === null) return "no address";
  try {
    return new URL(location, url).host || "an address without a host";
  } catch {
    return "an address that is none";
  }
}

/** A request behind the prefix of `EXCHANGE_PROXY_URL`, plain or percent-encoded. */
const PREFIXED = /^https?:\/\/.+?(https?(?::|%3A)(?:\/|%2F){2}.+)$/i;

/** The exchange's host that a request is for, and the proxy it goes through: a prefix or a forward proxy. */
export function placeOf(
  url: string,
  proxy: string | undefined,
): { readonly host: string; readonly via: string | undefined } {
  const target = PREFIXED.exec(url)?.[1];
  const [outer, inner] = [new URL(url), target === undefined ? undefined : hostOf(target)];
  const via = proxy !== undefined && URL.canParse(proxy) ? nameOf(proxy) : undefined;
  return inner === undefined ? { host: outer.host, via } : { host: inner, via: outer.origin };
}

function hostOf(url: string): string | undefined {
  const host = /^https?:\/\/([^/?#]+)/i.exec(url.replace(/%3A/gi, ":").replace(/%2F/gi, "/"))?.[1];
  return host?.replace(/^.*@/, "");
}

/** Why a request failed. CCXT names the URL already. */
function reasonOf(error: TypeError, proxy: string | undefined): string {
  const why = networkReason(error);
  if (proxy === undefined) return why;
  return UNAUTHORIZED.test(why) ? refusal(proxy) : `through its proxy ${nameOf(proxy)}: ${why}`;
}

/** CCXT treats a `TypeError` as a network failure and repeats only the message of its cause. */
function failure(text: string, cause?: unknown): TypeError {
  return new TypeError("fetch failed", { cause: new Error(text, { cause }) });
}

function refusal(proxy: string): string {
  return `its proxy ${nameOf(proxy)} needs credentials, or refuses the given ones (HTTP 407)`;
}

/** A proxy's URL without credentials. */
function nameOf(proxy: string): string {
  const { protocol, host } = new URL(proxy);
  return `${protocol}//${host}`;
}
