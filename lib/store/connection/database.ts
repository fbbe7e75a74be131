/** Opens the database, either a server or the embedded one. Both use the same wire protocol. @module */
import postgres from "postgres";
import type { Clock } from "../../clock.ts";
import { holdDataDir, makePrivateDir } from "./data_dir.ts";
import { EmbeddedServer, type EmbeddedTurn } from "./embedded_server.ts";
import { EmbeddedSocket } from "./embedded_socket.ts";
import { KnownWrites } from "./known_writes.ts";
import type { OnReach } from "./reach_watch.ts";
import type { OwnConnection, OwnLimits } from "./own_pool.ts";
import { RestartProof } from "./restart_proof.ts";
import { serverConnections } from "./server_connections.ts";
import type { ServerPool } from "./server_pool.ts";
import type { Run, Sql } from "./sql.ts";
import { attempt, isDoubtful } from "./store_error.ts";
import { readTime } from "./time_text.ts";
import { VisitorTurns } from "./visitor_turns.ts";
import { errorText } from "../../text/redact.ts";

/** An open database. */
export interface Database {
  /** Runs statements. If a server does not answer within {@linkcode STATEMENT_MS_MAX}, it counts as unavailable. */
  readonly run: Run;
  /** The same for work that may take hours without an answer, such as compressing a chunk. */
  readonly runLong: Run;
  /** Opens one more connection, whose statements wait for no others. Undefined where there is one connection only. */
  readonly openOwn?: ((limits: OwnLimits) => OwnConnection) | undefined;
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
  /** Replaces all connections to a server if none has brought an answer since then: they may be dead. Milliseconds. */
  readonly renewIfSilent?: ((sinceMs: number) => void) | undefined;
  /** Resolves with an error when the embedded server has crashed and answers nothing more. Never for a server. */
  readonly crashed: Promise<Error>;
  /**
   * The same database for what a visitor of the HTTP endpoints asks: such statements end sooner, and those of the archive
   * never wait behind more than one of them. Closed with the database. Undefined where nothing is served.
   *
   * @param signal aborts when the visitor has gone. A server then ends the statement that runs; the embedded one cannot
   * be interrupted, and ends it as soon as it has its answer.
   */
  readonly visitors?: (signal: AbortSignal) => Database;
  /** Whether it takes writes, from those that were tried. */
  readonly writes: KnownWrites;
  /** What the embedded server must still have when it was started again. Undefined for a server. */
  readonly proof?: RestartProof;
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
  /** Whether visitors are answered from it. @default false */
  readonly isServed?: boolean;
}

/** Less than the ten seconds that a shutdown may take. */
const CLOSE_TIMEOUT_S = 5;

/** Compressing a chunk, refreshing a rollup or migrating a large archive may take this long without an answer. */
const LONG_STATEMENT_MS_MAX = 6 * 60 * 60_000;

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

async function openServer(url: string, options: OpenDatabaseOptions): Promise<Database> {
  const { main, visiting, visitors, openOwn, usesFiles, close } = await serverConnections(url, {
    ...options,
    common: COMMON_OPTIONS,
    closeTimeoutS: CLOSE_TIMEOUT_S,
  });
  const databaseOf = (pool: ServerPool): Database => ({
    run: (action, statements) => pool.run(action, statements),
    runLong: (action, statements) =>
      pool.run(action, statements, { timeoutMs: LONG_STATEMENT_MS_MAX }),
    openOwn,
    get sql() {
      return pool.sql;
    },
    kind: "server",
    usesFiles,
    reach: () => pool.reach(),
    renewIfSilent: (sinceMs) => pool.renewIfSilent(sinceMs),
    crashed: new Promise(() => {}),
    writes: new KnownWrites(options.clock),
    close,
  });
  const database = databaseOf(main);
  if (visiting === undefined || visitors === undefined) return database;
  const ofVisitors = databaseOf(visiting);
  return Object.assign(database, {
    visitors: (signal: AbortSignal): Database => {
      const run = visitors.run(signal);
      return { ...ofVisitors, run, runLong: run };
    },
  });
}

async function openEmbedded({ dataDir, clock }: OpenDatabaseOptions): Promise<Database> {
  const held = await holdDataDir(dataDir, clock);
  try {
    const crash = Promise.withResolvers<Error>();
    const proof = new RestartProof();
    const server = new EmbeddedServer({
      path: held.databasePath,
      clock,
      prove: (ask) => proof.check(ask),
      onCrash: (cause) =>
        crash.resolve(new Error("Cannot go on: the embedded database has crashed", { cause })),
    });
    await attempt(`open the embedded database in ${dataDir}`, async () => {
      await makePrivateDir(held.databasePath);
      await startEmbedded(server);
      // A new database opens its directory to the group.
      await makePrivateDir(held.databasePath);
      await held.markMade();
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
    const turns = new VisitorTurns(clock);
    const ask: Run = (action, statements) =>
      attempt(action, async () => {
        const { starts } = server;
        try {
          return await statements(sql);
        } catch (error) {
          if (isDoubtful(error)) await server.renew(starts);
          throw error;
        }
      });
    const run: Run = (action, statements) => turns.archive(() => ask(action, statements));
    const visit: Run = (action, statements) => turns.visitor(() => ask(action, statements));
    const database: Database = {
      run,
      runLong: run,
      sql,
      kind: "embedded",
      takeTurn: (signal) => takeTurn(server, turns, signal),
      reach: () => Promise.resolve(),
      crashed: crash.promise,
      writes: new KnownWrites(clock),
      proof,
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
    const visited = { ...database, run: visit, runLong: visit };
    return { ...database, visitors: () => visited };
  } catch (error) {
    held.release();
    throw error;
  }
}

/** So that one query never follows another while statements of the archive wait. */
async function takeTurn(
  server: EmbeddedServer,
  turns: VisitorTurns,
  signal: AbortSignal,
): Promise<EmbeddedTurn> {
  const giveBack = await turns.take(signal);
  try {
    const turn = await server.takeTurn(signal);
    return { ...turn, end: () => turn.end().finally(giveBack) };
  } catch (error) {
    giveBack();
    throw error;
  }
}

/** Adds what the user can do, because the server's own error says only that it ended. */
async function startEmbedded(server: EmbeddedServer): Promise<void> {
  try {
    await server.open();
  } catch (error) {
    const text = errorText(error);
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
