/** A connection to what must be a PostgreSQL server, plain, or encrypted to one that has proved who it is. @module */
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { Clock } from "../../clock.ts";

interface ServerSocketOptions {
  readonly host: string;
  readonly port: number;
  /** Undefined for a plain connection. */
  readonly tls: TlsOptions | undefined;
  readonly clock: Clock;
}

interface TlsOptions {
  /** Certificates of authorities, PEM, that count next to the well-known ones. */
  readonly rootCertificates: readonly string[];
}

/** The message that asks a server for TLS (PostgreSQL manual, 55.7): its length, and the code 80877103. */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47);

/** The server's answer to it where it speaks TLS, the letter S. */
const YES = 0x53;

/** Several pages of a query's answer. */
const READ_BYTES = 64 * 1024;

/**
 * postgres.js writes to a new socket at once. It gathers writes until the next turn, and when a connection ends in
 * between it keeps them for the next one, to which it then writes nothing at all, nor to any after that. Such a pool is
 * of no more use, which it would take ten seconds a connection to find out.
 */
const UNUSED_MS_MAX = 1_000;

const IN_A_PRIVATE_NETWORK = "Set sslmode=disable in DATABASE_URL where the network is private";

/** With which a server's first message begins: authentication, an error, a notice, another version of the protocol. */
const FIRST_MESSAGES = "RENv";

/**
 * What postgres.js takes for its socket. With one of its own it would connect again and again, without a word, to a
 * server that hangs up or is a web server. Node's TLS cannot take over an open connection in Deno before 2.5.
 */
export class ServerSocket extends Duplex {
  /** postgres.js ends a socket only while it says so. */
  readyState: "open" | "closed" = "open";
  /** postgres.js names them in its errors. */
  readonly host: string;
  readonly port: number;
  readonly #opening: Promise<Deno.Conn>;
  #connection: Deno.Conn | undefined;
  #isReceiving = false;
  /** Aborted by the first write, and by the end. */
  readonly #used = new AbortController();

  constructor(options: ServerSocketOptions) {
    super();
    void this.#endUnused(options);
    this.host = options.host;
    this.port = options.port;
    this.#opening = connect(options);
    this.#opening.then((connection) => {
      if (this.destroyed) connection.close();
      else this.#connection = connection;
    }, () => {
      // The first write fails with it. Were the socket closed before that, postgres.js would wait for the write for ever.
    });
  }

  async #endUnused(options: ServerSocketOptions): Promise<void> {
    const { signal } = this.#used;
    await options.clock.sleep(UNUSED_MS_MAX, { signal }).catch(() => {});
    // Where the process was busy for as long, the first write comes now.
    await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
    if (!signal.aborted) this.destroy(unused(options));
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
    this.#connection?.close();
    this.#connection = undefined;
    this.#used.abort();
    // Late, so that what postgres.js has gathered to write is gone by then: see UNUSED_MS_MAX.
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
    try {
      for (let isFirst = true;; isFirst = false) {
        const bytes = await connection.read(buffer);
        if (this.destroyed) return;
        if (isFirst) assertServer(bytes === null ? undefined : buffer[0], this);
        if (bytes === null) break;
        this.push(buffer.slice(0, bytes));
      }
      this.destroy();
    } catch (error) {
      // Closed by ourselves, it reports that too.
      if (!this.destroyed) this.destroy(error instanceof NoServerError ? error : lost(error));
    }
  }
}

/** Whoever answers is no PostgreSQL server, or none as it is needed: asking again is in vain. */
class NoServerError extends Error {
  override readonly name = "NoServerError";
}

/** @throws NoServerError when what comes first is no message of a server; Error `ECONNRESET` when nothing comes. */
function assertServer(
  first: number | undefined,
  { host, port }: Pick<ServerSocketOptions, "host" | "port">,
): void {
  if (first === undefined) throw lost(new Error(`${host}:${port} closed the connection`));
  if (FIRST_MESSAGES.includes(String.fromCharCode(first))) return;
  throw new NoServerError(
    `what answers at ${host}:${port} is no PostgreSQL server. Set DATABASE_URL to one`,
  );
}

async function connect(options: ServerSocketOptions): Promise<Deno.Conn> {
  const { host: hostname, port, tls } = options;
  const plain = await Deno.connect({ hostname, port });
  try {
    plain.setNoDelay(true);
    plain.setKeepAlive(true);
    if (tls === undefined) return plain;
    await askForTls(plain, options);
    return await secure(plain, hostname, tls.rootCertificates);
  } catch (error) {
    closeQuietly(plain);
    throw error;
  }
}

async function askForTls(plain: Deno.TcpConn, options: ServerSocketOptions): Promise<void> {
  await plain.write(SSL_REQUEST);
  // One byte and not more: what somebody between has put behind it must not pass for the server's.
  const answer = new Uint8Array(1);
  const first = await plain.read(answer) === null ? undefined : answer[0]!;
  if (first === YES) return;
  assertServer(first, options);
  throw new NoServerError(
    `${options.host}:${options.port} speaks no TLS. ${IN_A_PRIVATE_NETWORK}`,
  );
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
    const text = error instanceof Error ? error.message : String(error);
    if (!/certificate/i.test(text)) throw lost(error);
    const isOtherName = /not ?valid ?for ?name/i.test(text);
    throw new Error(
      `${hostname} does not prove that it is that server (${text}). ` + (isOtherName
        ? "Set the host in DATABASE_URL to a name in its certificate, "
        : "Set sslrootcert in DATABASE_URL to the file of its authority's certificate, ") +
        "or sslmode=disable where the network is private",
      { cause: error },
    );
  }
}

/** As postgres.js says that nobody answers, because it is its pool that must be replaced. */
function unused({ host, port }: ServerSocketOptions): Error {
  const error = new Error(`nothing was written to a new connection to ${host}:${port}`);
  return Object.assign(error, { code: "CONNECT_TIMEOUT" });
}

/** An open connection ends with errors that have no code; it may be opened again. */
function lost(error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  return Object.assign(new Error(text, { cause: error }), { code: "ECONNRESET" });
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // The handshake has taken it over, and closed it.
  }
}
