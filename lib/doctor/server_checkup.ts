/** Judges how a database server is set up: what is wrong, what could be better, and the statement that mends it. @module */
import type { ServerSettings } from "../store/connection/server_settings.ts";
import { type Check, CLOCK_MS_MAX, clockText } from "./check.ts";

/** Initdb's default: fine for a few series, and little where an archive has gigabytes. */
const SHARED_BUFFERS_DEFAULT = 128 * 1024 * 1024;

/** Policies of compression, retention and rollups run one a timeframe; TimescaleDB itself takes one. */
const BACKGROUND_WORKERS_MIN = 4;

/** What is found of a server's settings. What is merely not the best is a hint. */
export function serverChecks(
  settings: ServerSettings,
  { poolMax, compresses }: { readonly poolMax: number; readonly compresses: boolean },
): readonly Check[] {
  return [
    rightsCheck(settings),
    connectionsCheck(settings, poolMax),
    ...memoryHints(settings),
    ...timescaleHints(settings, compresses),
    clockCheck(settings),
  ];
}

function rightsCheck(settings: ServerSettings): Check {
  const { isStandby, user, schema, mayCreate, foreignTables } = settings;
  const check = "rights";
  const wrong = (message: string): Check => ({ check, ok: false, message });
  if (isStandby) {
    return wrong(
      "the server is a standby, which cannot be written. Set DATABASE_URL to the primary",
    );
  }
  const role = quoted(user);
  if (schema === undefined) {
    return wrong(`no schema of the search path exists. Run: create schema authorization ${role}`);
  }
  if (!mayCreate) {
    return wrong(
      `${user} may not make tables in schema ${schema}. Run as its owner: ` +
        `grant create on schema ${quoted(schema)} to ${role}`,
    );
  }
  const [table] = foreignTables;
  if (table !== undefined) {
    const found = foreignTables.length === 1
      ? `table ${table} belongs`
      : `${foreignTables.length} tables, ${table} for one, belong`;
    return wrong(
      `${found} to another user than ${user}. Run as that user: ` +
        `reassign owned by current_user to ${role}`,
    );
  }
  return { check, ok: true, message: `${user} may make tables in schema ${schema}` };
}

function connectionsCheck(
  { connectionsMax, connectionsOfOthers }: ServerSettings,
  poolMax: number,
): Check {
  const free = connectionsMax - connectionsOfOthers;
  const found = `${connectionsOfOthers} of ${connectionsMax} taken by others`;
  // One more for commands beside the daemon.
  return poolMax + 1 <= free
    ? { check: "connections", ok: true, message: `${found}, DB_POOL_MAX=${poolMax} fits` }
    : {
      check: "connections",
      ok: false,
      message: `${found}, too few are left for DB_POOL_MAX=${poolMax}. Set DB_POOL_MAX=${
        Math.max(1, free - 1)
      }, or raise max_connections`,
    };
}

function memoryHints({ sharedBuffersBytes }: ServerSettings): readonly Check[] {
  if (sharedBuffersBytes > SHARED_BUFFERS_DEFAULT) return [];
  return [hint(
    `shared_buffers is ${Math.round(sharedBuffersBytes / 1024 / 1024)} MB, what a server begins ` +
      "with. For more than a few series run: alter system set shared_buffers = '1GB' (a quarter " +
      "of its memory), and restart it",
  )];
}

function timescaleHints(settings: ServerSettings, compresses: boolean): readonly Check[] {
  const { timescaleLicense, backgroundWorkersMax, workerProcessesMax, parallelWorkersMax } =
    settings;
  if (timescaleLicense === undefined || backgroundWorkersMax === undefined) return [];
  const hints: Check[] = [];
  if (compresses && timescaleLicense !== "timescale") {
    hints.push({
      check: "licence",
      ok: false,
      message:
        `timescaledb.license is ${timescaleLicense}, which cannot compress. Run: alter system ` +
        "set timescaledb.license = 'timescale', or set COMPRESS_AFTER=off",
    });
  }
  if (backgroundWorkersMax < BACKGROUND_WORKERS_MIN) {
    hints.push(hint(
      `timescaledb.max_background_workers is ${backgroundWorkersMax}: policies wait for each other. ` +
        "Run: alter system set timescaledb.max_background_workers = 16, and restart it",
    ));
  }
  const needed = 3 + backgroundWorkersMax + parallelWorkersMax;
  if (workerProcessesMax < needed) {
    hints.push(hint(
      `max_worker_processes is ${workerProcessesMax}, and policies with parallel queries may want ` +
        `${needed}. Run: alter system set max_worker_processes = ${needed}, and restart it`,
    ));
  }
  return hints;
}

function clockCheck({ clockAheadMs, clockErrorMs }: ServerSettings): Check {
  const offMs = Math.max(0, Math.abs(clockAheadMs) - clockErrorMs);
  if (offMs <= CLOCK_MS_MAX) {
    return { check: "clock", ok: true, message: "the database's agrees with this machine's" };
  }
  return {
    check: "clock",
    ok: false,
    message:
      `the database's is ${clockText(clockAheadMs)} this machine's. Set both by NTP: timedatectl ` +
      "set-ntp true",
  };
}

function hint(message: string): Check {
  return { check: "settings", ok: true, isHint: true, message };
}

/** As an identifier in a statement. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
