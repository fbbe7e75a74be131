/** Opens the database, either a server or the embedded one. Both use the same wire protocol. @module */
import postgres from "postgres";
import type { Clock } from "../../clock.ts";
import {
  DatabaseUrlError,
  readDatabaseUrl,
  type ServerAddress,
} from "../../config/database_url.ts";
import { holdDataDir, makePrivateDir } from "./data_dir.ts";
import { EmbeddedServer, type EmbeddedTurn } from "./embedded_server.ts";
import { EmbeddedSocket } from "./embedded_socket.ts";
import { isSocket, serverPools } from "./server_options.ts";
import { LONG_STATEMENT_MS_MAX, type OnReach, ServerPool } from "./server_pool.ts";
import { neededSettings } from "./session_settings.ts";
import type { Run, Sql } from "./sql.ts";
import { attempt, StoreError } from "./store_error.ts";
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
  readonly onReach?: OnReach | undefined;
}

/** Less than the ten seconds that a shutdown may take. */
const CLOSE_TIMEOUT_S = 5;

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

/** Whether this is a server that follows another one: it answers, and takes nothing. */
export async function isStandby(database: Database): Promise<boolean> {
  if (database.kind === "embedded") return false;
  return await database.run("ask the database whether it is a standby", async (sql) => {
    const [row] = await sql<{ standby: boolean }[]>`select pg_is_in_recovery() as standby`;
    return row?.standby === true;
  });
}

async function openServer(
  text: string,
  { poolMax, clock, onReach }: OpenDatabaseOptions,
): Promise<Database> {
  const address = addressOf(text);
  const { hosts, target } = address;
  const pools = await serverPools(address, { poolMax, clock, common: COMMON_OPTIONS });
  const pool = new ServerPool({
    clock,
    onReach,
    target,
    names: hosts.map(({ name, port }) => `${name}:${port}`),
    open: (scope, at) => pools[at]!(scope),
    needed: neededSettings(address.settings),
  });
  return {
    run: (action, statements) => pool.run(action, statements),
    runLong: (action, statements) => pool.run(action, statements, LONG_STATEMENT_MS_MAX),
    get sql() {
      return pool.sql;
    },
    kind: "server",
    usesFiles: hosts.some(isSocket),
    reach: () => pool.reach(),
    crashed: new Promise(() => {}),
    close: () => pool.end(CLOSE_TIMEOUT_S),
  };
}

/** @throws StoreError `refused` when the URL cannot be used. The configuration has been checked for that before. */
function addressOf(text: string): ServerAddress {
  try {
    return readDatabaseUrl(text);
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error;
    throw new StoreError("refused", `Cannot use DATABASE_URL: expected ${error.message}`);
  }
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
