/** A connection to a PostgreSQL server that is encrypted, and whose server has proved who it is. @module */
import { Duplex } from "node:stream";

export interface TlsSocketOptions {
  readonly host: string;
  readonly port: number;
  /** Certificates of authorities, PEM, that count next to the well-known ones. */
  readonly rootCertificates: readonly string[];
}

/** The message that asks a server for TLS (PostgreSQL manual, 55.7): its length, and the code 80877103. */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47);

/** The server's answers to it, as characters. */
const YES = "S";
const NO = "N";

/** Several pages of a query's answer. */
const READ_BYTES = 64 * 1024;

const IN_A_PRIVATE_NETWORK = "Set sslmode=disable in DATABASE_URL where the network is private";

/**
 * What postgres.js takes for its socket. Node's own TLS cannot take over an open connection in Deno before 2.5, and can
 * be told not to verify.
 */
export class TlsSocket extends Duplex {
  /** postgres.js ends a socket only while it says so. */
  readyState: "open" | "closed" = "open";
  /** postgres.js names them in its errors. */
  readonly host: string;
  readonly port: number;
  readonly #opening: Promise<Deno.TlsConn>;
  #connection: Deno.TlsConn | undefined;

  constructor(options: TlsSocketOptions) {
    super();
    this.host = options.host;
    this.port = options.port;
    this.#opening = connect(options);
    this.#opening.then((connection) => {
      if (this.destroyed) return connection.close();
      this.#connection = connection;
      this.#receive(connection);
    }, () => {
      // The first write fails with it. Were the socket closed before that, postgres.js would wait for the write for ever.
    });
  }

  override _read(): void {}

  override _write(
    chunk: Uint8Array,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
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
    done(error);
  }

  async #send(chunk: Uint8Array): Promise<void> {
    const connection = await this.#opening;
    try {
      for (let sent = 0; sent < chunk.length;) sent += await connection.write(chunk.subarray(sent));
    } catch (error) {
      throw lost(error);
    }
  }

  async #receive(connection: Deno.TlsConn): Promise<void> {
    try {
      for (;;) {
        const buffer = new Uint8Array(READ_BYTES);
        const bytes = await connection.read(buffer);
        if (bytes === null || this.destroyed) break;
        this.push(buffer.subarray(0, bytes));
      }
      this.destroy();
    } catch (error) {
      // Closed by ourselves, it reports that too.
      if (!this.destroyed) this.destroy(lost(error));
    }
  }
}

async function connect(options: TlsSocketOptions): Promise<Deno.TlsConn> {
  const { host: hostname, port, rootCertificates } = options;
  const plain = await Deno.connect({ hostname, port });
  try {
    plain.setNoDelay(true);
    plain.setKeepAlive(true);
    await askForTls(plain, `${hostname}:${port}`);
    return await secure(plain, hostname, rootCertificates);
  } catch (error) {
    closeQuietly(plain);
    throw error;
  }
}

async function askForTls(plain: Deno.TcpConn, server: string): Promise<void> {
  await plain.write(SSL_REQUEST);
  // One byte and not more: what somebody between has put behind it must not pass for the server's.
  const answer = new Uint8Array(1);
  if (await plain.read(answer) === null) {
    throw lost(new Error(`${server} closed the connection`));
  }
  const character = String.fromCharCode(answer[0]!);
  if (character === YES) return;
  if (character === NO) {
    throw new Error(`${server} speaks no TLS. ${IN_A_PRIVATE_NETWORK}`);
  }
  throw new Error(`what answers at ${server} is no PostgreSQL server. Set DATABASE_URL to one`);
}

async function secure(
  plain: Deno.TcpConn,
  hostname: string,
  caCerts: readonly string[],
): Promise<Deno.TlsConn> {
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
