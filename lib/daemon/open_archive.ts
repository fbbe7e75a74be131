/** Opens an archive: database, schema, tables, and exchanges with their stored bans and limits. @module */
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { writesFolder } from "../config/dataset_setting.ts";
import { allTimeframes } from "../config/exchange_settings.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { EventLog } from "../archive/event_log.ts";
import { FailureLog } from "../archive/failure_log.ts";
import { ALL_LEASES, type Leases } from "../archive/leases.ts";
import type { Logger } from "../telemetry/log.ts";
import { utcText } from "../market/event.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { ensureCandleTables } from "../store/candle_table.ts";
import { resumeCompression, setCompressionPolicy } from "../store/compression.ts";
import { refuseHalfCopy } from "../store/copy.ts";
import { type Database, isStandby, openDatabase } from "../store/connection/database.ts";
import type { OnReach } from "../store/connection/reach_watch.ts";
import { StoreError } from "../store/connection/store_error.ts";
import { hasLeader } from "../store/node_exchanges.ts";
import { guardQueries } from "../store/read_query.ts";
import {
  migrate,
  type MigrateReport,
  type Migration,
  readMigrations,
} from "../store/connection/migrations.ts";
import { VERSION } from "../version.ts";
import { closeBreakers, openExchanges, restoreExchanges } from "./open_exchanges.ts";

/** What the rest of the program needs to run; the command line provides it. */
export interface Ground {
  readonly config: Config;
  /** What is wrong with the rights of the files that the configuration was read from. @default nothing */
  readonly fileHints?: readonly string[] | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** What has happened. @default it is not kept */
  readonly events?: EventLog | undefined;
  /** Reads the configuration again, from where it was read. @default it cannot be */
  readonly reread?: (() => Promise<Read>) | undefined;
  /** Drops permissions of the process; they cannot be regained. @default they are kept */
  readonly giveUp?: ((permissions: readonly GivenUp[]) => Promise<void>) | undefined;
}

/** The configuration as it was read. */
export interface Read {
  readonly config: Config;
  readonly fileHints: readonly string[];
  /** Logs as it says from now on. */
  readonly useLog: () => void;
}

/** A permission that is needed only at start-up. */
export type GivenUp = "env" | "write";

type AwayIsLogged = "always" | "once_there" | "never";

/**
 * Opens the configured database; see {@linkcode openDatabase}. If the database is a server, the program writes no
 * files but those of a dataset, so it drops that permission. A unix socket counts as a file.
 *
 * @param options.awayIsLogged when the log says that the server is away: always, only when it was there before, or never.
 * @param options.isServed whether visitors of HTTP endpoints are answered from it.
 */
export async function openConfigured(
  ground: Ground,
  { awayIsLogged = "once_there", isServed = false }: {
    readonly awayIsLogged?: AwayIsLogged;
    readonly isServed?: boolean;
  } = {},
): Promise<Database> {
  const { config, clock, giveUp } = ground;
  const database = await openDatabase({
    url: config.databaseUrl,
    dataDir: config.dataDir,
    poolMax: config.dbPoolMax,
    clock,
    isServed,
    onReach: awayIsLogged === "never" ? undefined : tellReach(ground, awayIsLogged),
  });
  database.proof?.whenProved(() =>
    ground.events?.note({
      kind: "database_reopened",
      text: "The embedded database was ended and started again, and has all that it had written",
    })
  );
  if (!database.usesFiles && !writesFolder(config)) await giveUp?.(["write"]);
  return database;
}

/** Logs once that the database is away, and once that it is back. */
function tellReach({ clock, log, events }: Ground, awayIsLogged: AwayIsLogged): OnReach {
  let awayMs: number | undefined;
  return (away) => {
    const nowMs = clock.now();
    if (away !== undefined) {
      const { error, action, wasThere } = away;
      if (!wasThere && awayIsLogged !== "always") return;
      awayMs = nowMs;
      log.warn("the database cannot be reached; trying again", { action, error });
    } else if (awayMs !== undefined) {
      const seconds = (nowMs - awayMs) / 1000;
      log.info("the database is back", { seconds });
      events?.note({
        kind: "database_back",
        sinceMs: Math.min(awayMs, nowMs),
        text: `The database was away for ${Math.round(seconds)} s, from ${utcText(awayMs)} on`,
      });
      awayMs = undefined;
    }
  };
}

/**
 * Brings the schema and the candle tables up to date, and logs a warning if TimescaleDB or its licence is missing.
 *
 * @throws StoreError
 */
export async function prepareDatabase(
  database: Database,
  { config, metrics, log, events }: Ground,
  migrations?: readonly Migration[],
): Promise<MigrateReport> {
  if (await isStandby(database)) {
    // It may be promoted any moment, so that the daemon waits for it.
    throw new StoreError(
      "unavailable",
      "Cannot write to this database: the server is a read-only standby. Set DATABASE_URL to the primary",
    );
  }
  const all = migrations ?? await readMigrations();
  const report = await migrate(database, all);
  const { applied } = report;
  if (applied.length > 0) {
    const what = applied.length === all.length ? "The archive was made" : "The schema was upgraded";
    events?.note({
      kind: "schema_upgraded",
      text: `${what}, by Titan-10 ${VERSION}: ${applied.at(-1)}`,
    });
  }
  await refuseHalfCopy(database);
  // A dump may have been restored without its owners, or the database may have another owner than before.
  await guardQueries(database);
  metrics.setTimescaledb(report.timescaledb !== null);
  metrics.setCompression(report.compresses);
  const isLed = await hasLeader(database);
  await prepareTables(database, config, { ...report, isLed });
  if (!report.compresses) {
    const tables = report.timescaledb === null ? "TimescaleDB is not used: plain" : "TimescaleDB's";
    log.warn(`${tables} tables, without compression`, { reason: report.plainReason });
  } else {
    // A backfill that was killed leaves policies paused.
    await resumeCompression(database);
  }
  return report;
}

/**
 * Makes the tables of all archived timeframes, and sets when they are compressed, unless another node leads: that one sets it
 * by its settings.
 *
 * @throws StoreError
 */
export async function prepareTables(
  database: Database,
  config: Config,
  { compresses, isLed }: Pick<MigrateReport, "compresses"> & { readonly isLed: boolean },
): Promise<void> {
  const timeframes = allTimeframes(config).map(parseTimeframe);
  await ensureCandleTables(database, timeframes);
  if (!compresses || isLed) return;
  for (const timeframe of timeframes) {
    await setCompressionPolicy(database, timeframe, config.compressAfterMs);
  }
}

/** An archive whose settings and exchanges may be replaced while it is open; see `reload.ts`. */
export interface OpenArchive extends Archive {
  config: Config;
  exchanges: readonly ArchivedExchange[];
  leases: Leases;
  fileHints?: readonly string[] | undefined;
}

/**
 * Opens every configured exchange, with its stored ban and the limits learned from its answers. Sends no request to any
 * exchange.
 *
 * @throws ConfigError when an exchange lacks a configured timeframe or offers no candles, or when a rollup cannot be
 * built from the archived timeframes.
 */
export async function openArchive(database: Database, ground: Ground): Promise<OpenArchive> {
  const { config } = ground;
  const archive: OpenArchive = {
    ...ground,
    database,
    exchanges: [],
    failures: new FailureLog(),
    leases: ALL_LEASES,
    events: ground.events ?? new EventLog(ground),
  };
  archive.exchanges = await openExchanges(archive, config);
  // A breaker starts closed in every process, so a state stored by an earlier process is out of date.
  await closeBreakers(archive);
  await restoreExchanges(archive, archive.exchanges);
  // The environment may hold secrets. The configuration and CCXT's libraries have read it by now.
  await ground.giveUp?.(["env"]);
  return archive;
}
