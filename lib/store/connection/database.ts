/** Opens the database, either a server or the embedded one. Both use the same wire protocol. @module */
import postgres from "postgres";
import type { Clock } from "../../clock.ts";
import { readDatabaseUrl, SSLMODES_ALLOWED } from "../../config/database_url.ts";
import { isLoopback } from "../../text/loopback.ts";
import { holdDataDir, makePrivateDir } from "./data_dir.ts";
import { EmbeddedServer, type EmbeddedTurn } from "./embedded_server.ts";
import { EmbeddedSocket } from "./embedded_socket.ts";
import { LONG_STATEMENT_MS_MAX, ServerPool } from "./server_pool.ts";
import { sessionSettings } from "./session_settings.ts";
import type { Run, Sql } from "./sql.ts";
import { attempt, StoreError } from "./store_error.ts";
import { ServerSocket } from "./server_socket.ts";
import { readTime } from "./time_text.ts";

/** An open database. */
export interface Database {
  /** Runs statements. If a server does not answer within {@linkcode STATEMENT_MS_MAX}, it counts as unavailable. */
  readonly run: Run;
  /** The same for work that may take hours without an answer, such as compressing a chunk. */
  readonly runLong: Run;
  /** The current pool, for tests. Statements outside of `run` have no deadline and may wait forever. */
  readonly sql: Sql;
  readonly kind: "embedded" | "server";
  /** True if the database is in files or is reached through a unix socket. */
  readonly usesFiles: boolean;
  /** Waits for exclusive use of the embedded server, which has one connection. Undefined for a server. */
  readonly takeTurn?: (signal: AbortSignal) => Promise<EmbeddedTurn>;
  /**
   * Checks that the server can be reached, if the latest statement could not reach it; else resolves at once. All
   * callers share one check. Call it before work that is useless without a database.
   *
   * @throws StoreError `unavailable` while the server cannot be reached.
   */
  reach(): Promise<void>;
  /**
   * Resolves with an error when the embedded server has crashed. After that it answers nothing. Never resolves for a
   * server, which is restarted from outside.
   */
  readonly crashed: Promise<Error>;
  /** Waits at most {@linkcode CLOSE_TIMEOUT_S} for running statements, then closes. */
  close(): Promise<void>;
}

interface OpenDatabaseOptions {
  /** `postgres://…`; undefined opens the embedded server. */
  readonly url: string | undefined;
  /** Directory of the embedded server. */
  readonly dataDir: string;
  /** The most connections. The embedded server has one. */
  readonly poolMax: number;
  readonly clock: Clock;
}

/** Less than the ten seconds that a shutdown may take. */
const CLOSE_TIMEOUT_S = 5;

const CONNECT_TIMEOUT_S = 10;

/** The wait before postgres.js connects again. It is short, because callers have their own backoff. */
const RECONNECT_S = 1;

/**
 * Opens the database. A server is not contacted yet, because it may be unavailable for now.
 *
 * @throws DataDirHeldError when another process holds the embedded database.
 * @throws StoreError when the embedded server does not start.
 */
export function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  const { url } = options;
  return url === undefined ? openEmbedded(options) : openServer(url, options);
}

/** The version of the server, `17.4`. */
export async function serverVersion(database: Database): Promise<string> {
  return await database.run("read the version of the database", async (sql) => {
    const [row] = await sql<{ server_version: string }[]>`show server_version`;
    return row?.server_version ?? "unknown";
  });
}

async function openServer(
  text: string,
  { poolMax, clock }: OpenDatabaseOptions,
): Promise<Database> {
  const read = readDatabaseUrl(text);
  if (read === undefined) {
    throw new StoreError("refused", `Cannot use DATABASE_URL: expected ${SSLMODES_ALLOWED}`);
  }
  const { url, tls, host } = read;
  const ipv6 = /^[^/]*:\/\/[^/?#]*\[([\da-f:.]+)\](?::(\d+))?(?:[/?#]|$)/i.exec(url);
  const options = {
    ...COMMON_OPTIONS,
    ssl: false,
    // postgres.js by itself would read the first colon of an IPv6 address as the beginning of the port.
    ...(ipv6 === null ? {} : { host: [ipv6[1]!], port: [Number(ipv6[2] ?? 5432)] }),
    max: poolMax,
    ...(/[?&]connect_timeout=/.test(url) ? {} : { connect_timeout: CONNECT_TIMEOUT_S }),
    backoff: () => RECONNECT_S,
    connection: { application_name: "titan10" },
    ...(host === undefined ? {} : { host }),
  } as const;
  // postgres.js accepts lists of hosts and `socket`, but its types do not declare them.
  let { options: parsed } = postgres(url, options as typeof COMMON_OPTIONS);
  // The hosts are known only now, because environment variables such as PGHOST can set them.
  const hosts: readonly string[] = parsed.host;
  const isFile = Boolean(parsed.path);
  if (!isFile) {
    const isVerified = tls.mode === undefined ? !hosts.every(isLoopback) : tls.mode !== "disable";
    const security = isVerified
      ? { rootCertificates: await readCertificates(tls.rootCertificatePath) }
      : undefined;
    const { port: ports } = parsed;
    let next = 0;
    const socket = (): ServerSocket => {
      const at = next++ % hosts.length;
      return new ServerSocket({ host: hosts[at]!, port: ports[at]!, tls: security, clock });
    };
    ({ options: parsed } = postgres(url, { ...options, socket } as typeof COMMON_OPTIONS));
  }
  // Uses the options that were parsed above. When the pool is replaced later, the environment can no longer be read.
  const pool = new ServerPool({
    clock,
    open: (scope) => {
      const connection = { ...parsed.connection, ...sessionSettings(scope) };
      return postgres({ ...parsed, connection } as unknown as typeof COMMON_OPTIONS);
    },
  });
  return {
    run: (action, statements) => pool.run(action, statements),
    runLong: (action, statements) => pool.run(action, statements, LONG_STATEMENT_MS_MAX),
    get sql() {
      return pool.sql;
    },
    kind: "server",
    usesFiles: isFile,
    reach: () => pool.reach(),
    crashed: new Promise(() => {}),
    close: () => pool.end(CLOSE_TIMEOUT_S),
  };
}

async function readCertificates(path: string | undefined): Promise<readonly string[]> {
  if (path === undefined) return [];
  const refuse = (why: string): never => {
    throw new StoreError(
      "refused",
      `Cannot read the certificates in ${path}: ${why}. Set sslrootcert in DATABASE_URL to a file of them`,
    );
  };
  const text = await Deno.readTextFile(path).catch((error: Error) => refuse(error.message));
  return text.includes("-----BEGIN CERTIFICATE-----") ? [text] : refuse("it holds none");
}

async function openEmbedded({ dataDir, clock }: OpenDatabaseOptions): Promise<Database> {
  const held = await holdDataDir(dataDir, clock);
  try {
    const crash = Promise.withResolvers<Error>();
    const server = new EmbeddedServer({
      path: held.databasePath,
      onCrash: (cause) =>
        crash.resolve(new Error("Cannot go on: the embedded database has crashed", { cause })),
    });
    await attempt(`open the embedded database in ${dataDir}`, async () => {
      await startEmbedded(server);
      await held.markMade();
      await makePrivateDir(held.databasePath);
    });
    const options = {
      ...COMMON_OPTIONS,
      max: 1,
      idle_timeout: 0,
      max_lifetime: null,
      connection: { application_name: "titan10", TimeZone: "UTC", client_min_messages: "error" },
      socket: () => new EmbeddedSocket(server),
    };
    // postgres.js accepts `socket`, but its types do not declare it.
    const sql: Sql = postgres(options as typeof COMMON_OPTIONS);
    const run: Run = (action, statements) => attempt(action, () => statements(sql));
    return {
      run,
      runLong: run,
      sql,
      kind: "embedded",
      takeTurn: (signal) => server.takeTurn(signal),
      reach: () => Promise.resolve(),
      crashed: crash.promise,
      usesFiles: true,
      async close(): Promise<void> {
        await sql.end({ timeout: CLOSE_TIMEOUT_S });
        try {
          await server.close();
        } finally {
          held.release();
        }
      },
    };
  } catch (error) {
    held.release();
    throw error;
  }
}

/** Adds what the user can do, because the server's own error says only that it ended. */
async function startEmbedded(server: EmbeddedServer): Promise<void> {
  try {
    await server.open();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(
      `its server did not start (${
        text.replace(/[.\s]+$/, "")
      }). If neither memory, disk nor open files have run out, its files are ` +
        "damaged: restore them from a backup. Set DATA_DIR to another directory to begin an empty archive",
      { cause: error },
    );
  }
}

/** postgres.js by itself reads "11.12.2026" as the 12th of November. */
const TIME_TYPES = {
  date: {
    to: 1184,
    from: [1082, 1114, 1184],
    serialize: (time: Date | string): string =>
      typeof time === "string" ? time : time.toISOString(),
    parse: readTime,
  },
};

// deno-lint-ignore ban-types -- as in sql.ts: these types give values of the same class as those of postgres.js.
const COMMON_OPTIONS: postgres.Options<{}> = {
  // Statements give the types by casts, so postgres.js need not read the catalog on every connection.
  fetch_types: false,
  onnotice: (): void => {},
  types: TIME_TYPES,
};
