/** Reads the head of an HTTP/1.1 request strictly: what two programs could read in two ways is refused (RFC 9112). @module */
import { RELOAD_HEADER } from "./reload_answer.ts";

/** What the endpoints look at. Nothing is decoded or resolved: a path is what was sent, up to the first `?`. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** After the `?`; empty without one. */
  readonly query: string;
  /** Undefined in a request of HTTP/1.0 without one, which no browser sends. */
  readonly host: string | undefined;
  readonly authorization: string | undefined;
  /** See `reload_answer.ts`. */
  readonly purpose: string | undefined;
  /** Where a listener to server-sent events was that has been away. */
  readonly lastEventId: string | undefined;
  /** Whether another request may follow on the connection. Not after a body: it is not read. */
  readonly keepsAlive: boolean;
  /** Whether it is a request of HTTP/1.0, whose answers end with the connection, whatever has ended it. */
  readonly isOld: boolean;
}

/** A head that is refused. */
export class BadHeadError extends Error {
  override readonly name = "BadHeadError";
  constructor(readonly status: 400 | 431 | 505, message: string) {
    super(message);
  }
}

/** Browsers send about twenty. */
const HEADERS_MAX = 100;

const REQUEST_LINE = /^([!#$%&'*+.^_`|~\w-]+) ([\x21-\x7e]+) HTTP\/(\d)\.(\d)$/;

const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;

/** All control characters but the tab. A line break that is not `\r\n` is one of them. */
// deno-lint-ignore no-control-regex -- they are what is looked for.
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

/**
 * @param text the head without the empty line at its end, a character a byte.
 * @throws BadHeadError
 */
export function readHead(text: string): RequestHead {
  const [line = "", ...headers] = text.split("\r\n");
  const [, method = "", target = "", major, minor] = REQUEST_LINE.exec(line) ?? [];
  if (major === undefined) {
    throw new BadHeadError(400, "The request does not begin as HTTP/1.1 does");
  }
  if (major !== "1") {
    throw new BadHeadError(505, `HTTP/${major}.${minor} is not spoken here, HTTP/1.1 is`);
  }
  // The host is named by the header Host alone, and there is nothing here to connect to.
  if (!target.startsWith("/")) throw new BadHeadError(400, "Ask for a path, such as /status");
  if (headers.length > HEADERS_MAX) {
    throw new BadHeadError(431, `Send at most ${HEADERS_MAX} headers`);
  }
  const values = valuesOf(headers);
  const isOld = minor === "0";
  const host = only(values, "host");
  if (host === undefined && !isOld) throw new BadHeadError(400, "Send the header Host");
  const at = target.indexOf("?");
  return {
    method,
    path: at === -1 ? target : target.slice(0, at),
    query: at === -1 ? "" : target.slice(at + 1),
    host,
    authorization: only(values, "authorization"),
    purpose: only(values, RELOAD_HEADER),
    lastEventId: only(values, "last-event-id"),
    keepsAlive: !isOld && !hasBody(values) && !closes(values),
    isOld,
  };
}

/** The values of each header, by its name in small letters. */
function valuesOf(headers: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  for (const header of headers) {
    const colon = header.indexOf(":");
    const name = header.slice(0, Math.max(0, colon)).toLowerCase();
    const value = header.slice(colon + 1).trim();
    if (!NAME.test(name) || CONTROL.test(header)) {
      throw new BadHeadError(400, "A header is not written as name: value");
    }
    const before = values.get(name);
    if (before === undefined) values.set(name, [value]);
    else before.push(value);
  }
  return values;
}

function only(values: ReadonlyMap<string, readonly string[]>, name: string): string | undefined {
  const [value, ...others] = values.get(name) ?? [];
  if (others.length > 0) throw new BadHeadError(400, `Send the header ${name} once`);
  return value;
}

function hasBody(values: ReadonlyMap<string, readonly string[]>): boolean {
  const length = only(values, "content-length");
  if (length !== undefined && !/^\d{1,15}$/.test(length)) {
    throw new BadHeadError(400, "The header Content-Length is no number");
  }
  return values.has("transfer-encoding") || length !== undefined && Number(length) > 0;
}

function closes(values: ReadonlyMap<string, readonly string[]>): boolean {
  const options = (values.get("connection") ?? []).join(",").toLowerCase().split(",");
  return options.some((option) => option.trim() === "close");
}
