/** Reads the target of a request, with or without a proxy prefix, and logs the requests. @module */

/** The target of a request. */
export interface RequestTarget {
  /** The decoded path, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Whether the URL was the full URL of an exchange after a proxy prefix. */
  readonly proxied: boolean;
  /** The target's host: `api.binance.com` after a proxy prefix, else the host of the local exchange. */
  readonly host: string;
}

export interface LoggedRequest {
  readonly timeMs: number;
  readonly path: string;
  /** Query parameters; if one is repeated, its last value. */
  readonly query: Readonly<Record<string, string>>;
  readonly host: string;
  readonly proxied: boolean;
  /** The address that the request came from, `127.0.0.1`. */
  readonly visitor: string;
  /** The endpoint as the dialect calls it, `klines`; undefined when no dialect has it. */
  readonly endpoint: string | undefined;
  /** The HTTP status of the answer; undefined while there is none. */
  readonly status: number | undefined;
}

/** A full URL after a prefix, plain or percent-encoded. A proxy may have reduced the double slash to a single one. */
const PROXIED = /^\/.*?(https?)(?::\/{1,2}|%3A%2F%2F)(.+)$/i;

/**
 * Reads the URL of a request. With `proxyUrl`, CCXT appends the exchange's full URL to it: percent-encoded if it has a
 * query, else plain. Other clients append it plain even with a query.
 */
export function requestTarget(url: string): RequestTarget {
  const parsed = new URL(url);
  const match = PROXIED.exec(parsed.pathname);
  if (match === null) return targetOf(parsed, false);
  const [, scheme = "", rest = ""] = match;
  const isEncoded = /^\/.*?https?%3A%2F%2F/i.test(parsed.pathname);
  const original = `${scheme}://${isEncoded ? decoded(rest) : rest}${parsed.search}`;
  return URL.canParse(original) ? targetOf(new URL(original), true) : targetOf(parsed, false);
}

function targetOf({ pathname, searchParams, host }: URL, proxied: boolean): RequestTarget {
  return { path: decoded(pathname), query: searchParams, proxied, host };
}

/** The percent-decoded text, or the text itself if it is malformed. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** When a request arrived, and from where. */
export interface Arrival {
  readonly nowMs: number;
  readonly visitor: string;
}

/** The log of the newest requests, in the order of arrival. */
export class RequestLog {
  readonly #entriesMax: number;
  #entries: MutableRequest[] = [];

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  /** Adds a request. Call `answered` of the result when there is an answer, and before it `understood`. */
  add(target: RequestTarget, { nowMs, visitor }: Arrival): LogEntry {
    const { path, query, host, proxied } = target;
    const entry: MutableRequest = {
      timeMs: nowMs,
      path,
      query: Object.fromEntries(query),
      host,
      proxied,
      visitor,
      endpoint: undefined,
      status: undefined,
    };
    this.#entries.push(entry);
    // Old entries are dropped in bulk, because dropping one moves the whole array.
    if (this.#entries.length >= 2 * this.#entriesMax) {
      this.#entries = this.#entries.slice(-this.#entriesMax);
    }
    return {
      understood: (endpoint) => {
        entry.endpoint = endpoint;
      },
      answered: (response) => {
        entry.status = response.status;
        return response;
      },
    };
  }

  /** A copy of the newest entries, oldest first. */
  newest(): LoggedRequest[] {
    return this.#entries.slice(-this.#entriesMax).map((entry) => ({ ...entry }));
  }
}

/** The open entry of one request. */
interface LogEntry {
  understood(endpoint: string): void;
  answered(response: Response): Response;
}

type MutableRequest = { -readonly [Field in keyof LoggedRequest]: LoggedRequest[Field] };
