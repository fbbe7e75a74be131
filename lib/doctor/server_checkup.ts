/** Checks the settings of a database server, and names the statement that fixes each problem. @module */
import type { ServerSettings } from "../store/connection/server_settings.ts";
import { type Check, CLOCK_MS_MAX, clockText } from "./check.ts";

/** PostgreSQL's default: enough for a few series, too little for an archive of gigabytes. */
const SHARED_BUFFERS_DEFAULT = 128 * 1024 * 1024;

/** Compression, retention and rollups have one policy per timeframe; TimescaleDB itself needs one worker. */
const BACKGROUND_WORKERS_MIN = 4;

/** Connections beside the pool: the one by which a daemon says that it lives, and one for commands. */
const BESIDE_POOL = 2;

/** It may read the archive alone (`sql/0026_query.sql`). */
const QUERY_OWNER = "pg_database_owner";

/** The checks of a server's settings. Settings that could be better are hints. */
export function serverChecks(
  settings: ServerSettings,
  { poolMax }: { readonly poolMax: number },
): readonly Check[] {
  return [
    rightsCheck(settings),
    connectionsCheck(settings, poolMax),
    ...queryHints(settings),
    ...memoryHints(settings),
    ...timescaleHints(settings),
    clockCheck(settings),
  ];
}

function rightsCheck(settings: ServerSettings): Check {
  const { isStandby, user, schema, mayCreate, foreignTables } = settings;
  const check = "rights";
  const wrong = (message: string): Check => ({ check, ok: false, message });
  if (isStandby) {
    return wrong(
      "the server is a read-only standby. Set DATABASE_URL to the primary",
    );
  }
  const role = quoted(user);
  if (schema === undefined) {
    return wrong(`no schema of the search path exists. Run: create schema authorization ${role}`);
  }
  if (!mayCreate) {
    return wrong(
      `${user} may not create tables in schema ${schema}. Run as its owner: ` +
        `grant create on schema ${quoted(schema)} to ${role}`,
    );
  }
  const [table] = foreignTables;
  if (table !== undefined) {
    const found = foreignTables.length === 1
      ? `table ${table} belongs`
      : `${foreignTables.length} tables, such as ${table}, belong`;
    return wrong(
      `${found} to another user, not to ${user}. Run as that user: ` +
        `reassign owned by current_user to ${role}`,
    );
  }
  return { check, ok: true, message: `${user} may create tables in schema ${schema}` };
}

function connectionsCheck(
  { connectionsMax, connectionsLimit, connectionsOfOthers }: ServerSettings,
  poolMax: number,
): Check {
  const free = connectionsMax - connectionsOfOthers;
  const found = `${connectionsOfOthers} of ${connectionsMax} used by others`;
  return poolMax + BESIDE_POOL <= free
    ? { check: "connections", ok: true, message: `${found}, DB_POOL_MAX=${poolMax} fits` }
    : {
      check: "connections",
      ok: false,
      message: `${found}, too few left for DB_POOL_MAX=${poolMax}. Set DB_POOL_MAX=${
        Math.max(1, free - BESIDE_POOL)
      }, or raise ${connectionsLimit}`,
    };
}

/** In a database of somebody else, a user who is not a superuser cannot give rights away. */
function queryHints({ queryOwner, schema }: ServerSettings): readonly Check[] {
  if (queryOwner === undefined || schema === undefined || queryOwner === QUERY_OWNER) return [];
  return [hint(
    `titan10 query has the rights of ${queryOwner}: it writes nothing, but reads whatever ${queryOwner} may read, and ` +
      `may end connections of ${queryOwner}. Run as a superuser: set search_path = ${
        quoted(schema)
      }; ` +
      "select titan10_guard_query()",
  )];
}

function memoryHints({ sharedBuffersBytes }: ServerSettings): readonly Check[] {
  if (sharedBuffersBytes > SHARED_BUFFERS_DEFAULT) return [];
  return [hint(
    `shared_buffers is ${Math.round(sharedBuffersBytes / 1024 / 1024)} MB, too little for more ` +
      "than a few series. Run: alter system set shared_buffers = '1GB' (a quarter of the server's " +
      "memory), and restart the server",
  )];
}

function timescaleHints(settings: ServerSettings): readonly Check[] {
  const { timescaleLicense, backgroundWorkersMax, workerProcessesMax, parallelWorkersMax } =
    settings;
  if (timescaleLicense === undefined || backgroundWorkersMax === undefined) return [];
  const hints: Check[] = [];
  if (timescaleLicense !== "timescale") {
    // Without policies their workers do not matter.
    return [hint(
      `timescaledb.license is ${timescaleLicense}: candles are not compressed, and rollups are views that every ` +
        "query computes. Everything else works. Run: alter system set timescaledb.license = 'timescale', " +
        "and restart the server",
    )];
  }
  if (backgroundWorkersMax < BACKGROUND_WORKERS_MIN) {
    hints.push(hint(
      `timescaledb.max_background_workers is ${backgroundWorkersMax}: background jobs wait for each other. ` +
        "Run: alter system set timescaledb.max_background_workers = 16, and restart the server",
    ));
  }
  const needed = 3 + backgroundWorkersMax + parallelWorkersMax;
  if (workerProcessesMax < needed) {
    hints.push(hint(
      `max_worker_processes is ${workerProcessesMax}, but policies with parallel queries may need ` +
        `${needed}. Run: alter system set max_worker_processes = ${needed}, and restart the server`,
    ));
  }
  return hints;
}

function clockCheck({ clockAheadMs, clockErrorMs }: ServerSettings): Check {
  const offMs = Math.max(0, Math.abs(clockAheadMs) - clockErrorMs);
  if (offMs <= CLOCK_MS_MAX) {
    return { check: "clock", ok: true, message: "the database's clock agrees with this machine's" };
  }
  return {
    check: "clock",
    ok: false,
    message:
      `the database's clock is ${
        clockText(clockAheadMs)
      } this machine's. Set both by NTP: timedatectl ` +
      "set-ntp true",
  };
}

function hint(message: string): Check {
  return { check: "settings", ok: true, isHint: true, message };
}

/** A name as an SQL identifier. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
