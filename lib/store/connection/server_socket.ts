/** A connection to a PostgreSQL server: plain, or encrypted with a verified certificate. @module */
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { Clock } from "../../clock.ts";
import type { ServerHost } from "../../config/database_url.ts";
import { errorText } from "../../text/redact.ts";
import { fileReason } from "../../text/system_words.ts";
import { type Backend, BackendSearch } from "./backend.ts";
import { FreshRows } from "./fresh_rows.ts";
import { codeOf } from "./store_error.ts";

interface ServerSocketOptions {
  readonly host: ServerHost;
  /** Undefined for a plain connection. */
  readonly tls: TlsOptions | undefined;
  /** Whether TCP looks for a connection that has ended unnoticed. */
  readonly keepsAlive: boolean;
  readonly clock: Clock;
}

interface TlsOptions {
  /** PEM certificates of authorities that are trusted in addition to the well-known ones. */
  readonly rootCertificates: readonly string[];
}

/** The message that asks a server for TLS (PostgreSQL manual, 55.7): its length, and the code 80877103. */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47);

/** The letter S, the server's answer if it supports TLS. */
const YES = 0x53;

/** Enough for several pages of a query's answer. */
const READ_BYTES = 64 * 1024;

/**
 * postgres.js writes to a new socket at once, but it collects writes until the next turn of the event loop. If the
 * connection ends in between, it keeps those writes for the next connection, and then sends nothing on that one or any
 * later one. Such a pool is useless, and it would take ten seconds per connection to notice.
 */
const UNUSED_MS_MAX = 1_000;

const IN_A_PRIVATE_NETWORK = "Set sslmode=disable in DATABASE_URL where the network is private";

/** The open connections, by the key of their backend. */
const open = new Map<string, ServerSocket>();

const keyOf = ({ pid, secret }: Backend): string => `${pid} ${secret}`;

/** The open connection to a backend. */
export function connectionTo(backend: Backend): ServerSocket | undefined {
  return open.get(keyOf(backend));
}

/** The possible first bytes of a server: authentication, an error, a notice, another protocol version. */
const FIRST_MESSAGES = "RENv";

/**
 * The socket that postgres.js uses. With its own socket, it would connect again and again, without an error, to a
 * server that closes the connection or that is a web server. Before Deno 2.5, Node's TLS cannot take over an open
 * connection.
 */
export class ServerSocket extends Duplex {
  /** postgres.js ends a socket only while this is "open". */
  readyState: "open" | "closed" = "open";
  /** postgres.js names them in its errors. */
  readonly host: string;
  readonly port: number;
  readonly #opening: Promise<Deno.Conn>;
  #connection: Deno.Conn | undefined;
  #isReceiving = false;
  /** In `open`. */
  #key: string | undefined;
  /** Those who keep its answers back. */
  readonly #keepers = new Set<PromiseWithResolvers<void>>();
  /** Aborted by the first write, and when the socket is destroyed. */
  readonly #used = new AbortController();

  constructor(options: ServerSocketOptions) {
    super();
    void this.#endUnused(options);
    this.host = options.host.name;
    this.port = options.host.port;
    this.#opening = connect(options);
    this.#opening.then((connection) => {
      if (this.destroyed) connection.close();
      else this.#connection = connection;
    }, () => {
      // The first write fails with this error. If the socket were closed earlier, postgres.js would wait forever for
      // the write.
    });
  }

  async #endUnused(options: ServerSocketOptions): Promise<void> {
    const { signal } = this.#used;
    await options.clock.sleep(UNUSED_MS_MAX, { signal }).catch(() => {});
    // If the process was busy all that time, the first write happens now.
    await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
    if (!signal.aborted) this.destroy(unused(options.host));
  }

  /**
   * Keeps back what the server answers, so that the connection is still taken for busy.
   *
   * @returns what passes the answers on.
   */
  keepBack(): () => void {
    const keeper = Promise.withResolvers<void>();
    this.#keepers.add(keeper);
    return () => {
      this.#keepers.delete(keeper);
      keeper.resolve();
    };
  }

  override _read(): void {}

  override _write(
    chunk: Uint8Array,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    this.#used.abort();
    this.#send(chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.readyState = "closed";
    done();
    this.destroy();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.readyState = "closed";
    if (this.#key !== undefined) open.delete(this.#key);
    for (const keeper of this.#keepers) keeper.resolve();
    this.#connection?.close();
    this.#connection = undefined;
    this.#used.abort();
    // Delayed, so that postgres.js has dropped its collected writes by then: see UNUSED_MS_MAX.
    setImmediate(() => done(error));
  }

  async #send(chunk: Uint8Array): Promise<void> {
    const connection = await this.#opening;
    try {
      for (let sent = 0; sent < chunk.length;) sent += await connection.write(chunk.subarray(sent));
    } catch (error) {
      throw lost(error);
    }
    if (this.#isReceiving) return;
    this.#isReceiving = true;
    this.#receive(connection);
  }

  async #receive(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    const rows = new FreshRows();
    let latest: Uint8Array = new Uint8Array(0);
    const search = new BackendSearch();
    try {
      for (let isFirst = true;; isFirst = false) {
        const bytes = await connection.read(buffer);
        if (this.destroyed) return;
        if (isFirst) assertServer(bytes === null ? undefined : buffer[0], this);
        if (bytes === null) break;
        latest = buffer.slice(0, bytes);
        const backend = search.pass(latest);
        if (backend !== undefined) open.set(this.#key = keyOf(backend), this);
        for (const keeper of this.#keepers) await keeper.promise;
        if (this.destroyed) return;
        this.push(rows.pass(latest));
      }
      this.destroy(lastError(latest));
    } catch (error) {
      // Closing the connection ourselves also ends up here.
      if (!this.destroyed) this.destroy(error instanceof NoServerError ? error : lost(error));
    }
  }
}

/** `E`, ErrorResponse. */
const ERROR_RESPONSE = 0x45;

/**
 * The error with which a server ends a connection, if its bytes end with one. postgres.js would tell only that the
 * connection was closed, because it waits for what follows an error, and after this one nothing follows.
 */
function lastError(bytes: Uint8Array): Error | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = bytes.length - 5; at >= 0; at--) {
    // Its length counts itself, not the letter before it.
    if (bytes[at] !== ERROR_RESPONSE || view.getInt32(at + 1) !== bytes.length - at - 1) continue;
    const parts = new TextDecoder().decode(bytes.subarray(at + 5)).split("\0");
    const fields = new Map(parts.map((part) => [part[0], part.slice(1)]));
    const [severity, code, message] = [fields.get("V"), fields.get("C"), fields.get("M")];
    if (severity !== "FATAL" && severity !== "PANIC" || message === undefined) return undefined;
    return Object.assign(new Error(message), { code, severity });
  }
  return undefined;
}

/** The other side is not a PostgreSQL server, or does not support what is needed. Trying again does not help. */
class NoServerError extends Error {
  override readonly name = "NoServerError";
}

/** @throws NoServerError when the first byte is not a server's; Error `ECONNRESET` when nothing comes. */
function assertServer(
  first: number | undefined,
  { host, port }: { readonly host: string; readonly port: number },
): void {
  if (first === undefined) throw lost(new Error(`${host}:${port} closed the connection`));
  if (FIRST_MESSAGES.includes(String.fromCharCode(first))) return;
  throw new NoServerError(
    `the server at ${host}:${port} is not a PostgreSQL server. Correct DATABASE_URL`,
  );
}

async function connect(options: ServerSocketOptions): Promise<Deno.Conn> {
  const { host, tls } = options;
  if (host.name.startsWith("/")) return await connectFile(host);
  const plain = await Deno.connect({ hostname: host.address ?? host.name, port: host.port })
    .catch((error) => {
      throw /failed to lookup address/.test(String(error))
        ? notFound(error, host)
        : unreached(error, host);
    });
  try {
    plain.setNoDelay(true);
    plain.setKeepAlive(options.keepsAlive);
    if (tls === undefined) return plain;
    await askForTls(plain, host);
    return await secure(plain, host.name, tls.rootCertificates);
  } catch (error) {
    closeQuietly(plain);
    throw error;
  }
}

/** Through the unix socket of a server, which lies in a directory under a name with its port. */
async function connectFile({ name, port }: ServerHost): Promise<Deno.Conn> {
  const path = `${name}/.s.PGSQL.${port}`;
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    const { message, code } = error as Error & { readonly code?: unknown };
    throw Object.assign(new Error(`${path}: ${message}`, { cause: error }), { code });
  }
}

async function askForTls(plain: Deno.TcpConn, { name, port }: ServerHost): Promise<void> {
  await plain.write(SSL_REQUEST);
  // Read exactly one byte: an attacker may have added bytes after it, which must not be taken for the server's.
  const answer = new Uint8Array(1);
  const first = await plain.read(answer) === null ? undefined : answer[0]!;
  if (first === YES) return;
  assertServer(first, { host: name, port });
  throw new NoServerError(`${name}:${port} does not support TLS. ${IN_A_PRIVATE_NETWORK}`);
}

async function secure(
  plain: Deno.TcpConn,
  hostname: string,
  caCerts: readonly string[],
): Promise<Deno.Conn> {
  const secured = await Deno.startTls(plain, { hostname, caCerts: [...caCerts] });
  try {
    await secured.handshake();
    return secured;
  } catch (error) {
    closeQuietly(secured);
    const text = errorText(error);
    if (!/certificate/i.test(text)) throw lost(error);
    const isOtherName = /not ?valid ?for ?name/i.test(text);
    throw new Error(
      `the TLS certificate of ${hostname} could not be verified (${text}). ` + (isOtherName
        ? "Set the host in DATABASE_URL to a name in its certificate, "
        : "Set sslrootcert in DATABASE_URL to the certificate file of its authority (CA), ") +
        "or sslmode=disable where the network is private",
      { cause: error },
    );
  }
}

/** Has the code that postgres.js uses for a connection time-out, so that the pool is replaced. */
function unused({ name, port }: ServerHost): Error {
  const error = new Error(`nothing was written to a new connection to ${name}:${port}`);
  return Object.assign(error, { code: "CONNECT_TIMEOUT" });
}

/** A name may be known again in a moment, as that of a container that starts. Deno gives the error no code. */
function notFound(error: unknown, { name }: ServerHost): Error {
  const text = errorText(error);
  return Object.assign(new Error(`${name}: ${text}`, { cause: error }), { code: "ENOTFOUND" });
}

/** The system does not say where nothing answered. */
function unreached(error: unknown, { name, port }: ServerHost): Error {
  const text = `${name}:${port}: ${fileReason(errorText(error))}`;
  return Object.assign(new Error(text, { cause: error }), { code: codeOf(error) });
}

/** Errors of an open connection have no code. This code means that connecting again may help. */
function lost(error: unknown): Error {
  const text = errorText(error);
  return Object.assign(new Error(text, { cause: error }), { code: "ECONNRESET" });
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // The TLS handshake has taken the connection over and closed it.
  }
}
