/** What was asked of the local exchange: the target behind any proxy prefix, and the log of it all. @module */

/** Where a request wants to go. */
export interface RequestTarget {
  /** Decoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Whether it came as the full URL of an exchange behind a proxy prefix. */
  readonly proxied: boolean;
  /** The host it was meant for: `api.binance.com` behind a proxy prefix, else the local exchange's own. */
  readonly host: string;
}

export interface LoggedRequest {
  readonly timeMs: number;
  readonly path: string;
  /** Query parameters; of a repeated one the last. */
  readonly query: Readonly<Record<string, string>>;
  readonly host: string;
  readonly proxied: boolean;
  /** The HTTP status given; undefined while, or because, there was no answer. */
  readonly status: number | undefined;
}

/** A full URL behind a prefix, plain or percent-encoded. A proxy may have folded the double slash. */
const PROXIED = /^\/.*?(https?)(?::\/{1,2}|%3A%2F%2F)(.+)$/i;

/**
 * Reads a request's URL. CCXT with `proxyUrl` puts the exchange's full URL behind it, percent-encoded if
 * it has a query and plain if it has none; other clients leave the query plain.
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

/** Percent-decoded where it can be, untouched where it cannot. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The newest requests, in the order in which they came. */
export class RequestLog {
  readonly #entriesMax: number;
  #entries: MutableRequest[] = [];

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  /** Notes a request; the returned entry is told the answer once there is one. */
  add(target: RequestTarget, nowMs: number): { answered(response: Response): Response } {
    const { path, query, host, proxied } = target;
    const entry: MutableRequest = {
      timeMs: nowMs,
      path,
      query: Object.fromEntries(query),
      host,
      proxied,
      status: undefined,
    };
    this.#entries.push(entry);
    // Dropped in bulk, because dropping one by one moves the whole list each time.
    if (this.#entries.length >= 2 * this.#entriesMax) {
      this.#entries = this.#entries.slice(-this.#entriesMax);
    }
    return {
      answered: (response) => {
        entry.status = response.status;
        return response;
      },
    };
  }

  /** A copy of what is kept, oldest first. */
  newest(): LoggedRequest[] {
    return this.#entries.slice(-this.#entriesMax).map((entry) => ({ ...entry }));
  }
}

type MutableRequest = { -readonly [Field in keyof LoggedRequest]: LoggedRequest[Field] };
