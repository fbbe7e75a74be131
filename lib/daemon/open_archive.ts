/** Opens an archive: database, schema, tables, and exchanges with their stored bans and limits. @module */
import type { Clock } from "../clock.ts";
import { type Config, ConfigError, type ConfigProblem } from "../config/config.ts";
import { allTimeframes, archivedTimeframes, settingsOf } from "../config/exchange_settings.ts";
import { symbolsOfKinds } from "../config/symbols.ts";
import { openExchange } from "../exchange/client.ts";
import type { Archive } from "../archive/archive.ts";
import { ArchivedExchange } from "../archive/archived_exchange.ts";
import { FailureLog } from "../archive/failure_log.ts";
import type { Logger } from "../telemetry/log.ts";
import { planRollups } from "../market/rollup.ts";
import { nominalMs, parseTimeframe } from "../market/timeframe.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { errorText } from "../text/redact.ts";
import type { BreakerState } from "../policy/breaker.ts";
import { NewestWrite } from "../policy/newest_write.ts";
import { ensureCandleTables } from "../store/candle_table.ts";
import { readCapabilities, writeCapability } from "../store/capabilities.ts";
import { resumeCompression, setCompressionPolicy } from "../store/compression.ts";
import { refuseHalfCopy } from "../store/copy.ts";
import { type Database, isStandby, openDatabase } from "../store/connection/database.ts";
import type { OnReach } from "../store/connection/server_pool.ts";
import { isServerAway, StoreError } from "../store/connection/store_error.ts";
import { guardQueries } from "../store/read_query.ts";
import { readExchangeStates, writeBan, writeBreaker } from "../store/exchange_state.ts";
import {
  migrate,
  type MigrateReport,
  type Migration,
  readMigrations,
} from "../store/connection/migrations.ts";

/** What the rest of the program needs to run; the command line provides it. */
export interface Ground {
  readonly config: Config;
  /** What is wrong with the rights of the files that the configuration was read from. @default nothing */
  readonly fileHints?: readonly string[] | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Drops permissions of the process; they cannot be regained. @default they are kept */
  readonly giveUp?: ((permissions: readonly GivenUp[]) => Promise<void>) | undefined;
}

/** A permission that is needed only at start-up. */
export type GivenUp = "env" | "write";

type AwayIsLogged = "always" | "once_there" | "never";

/**
 * Opens the configured database; see {@linkcode openDatabase}. If the database is a server, the program writes no
 * files, so it drops that permission. A unix socket counts as a file.
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
  if (!database.usesFiles) await giveUp?.(["write"]);
  return database;
}

/** Logs once that the database is away, and once that it is back. */
function tellReach({ clock, log }: Ground, awayIsLogged: AwayIsLogged): OnReach {
  let awayMs: number | undefined;
  return (away) => {
    const nowMs = clock.now();
    if (away !== undefined) {
      const { error, action, wasThere } = away;
      if (!wasThere && awayIsLogged !== "always") return;
      awayMs = nowMs;
      log.warn("the database is away; what needs it is tried again", { action, error });
    } else if (awayMs !== undefined) {
      log.info("the database is back", { seconds: (nowMs - awayMs) / 1000 });
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
  { config, metrics, log }: Ground,
  migrations?: readonly Migration[],
): Promise<MigrateReport> {
  if (await isStandby(database)) {
    // It may be promoted any moment, so that the daemon waits for it.
    throw new StoreError(
      "unavailable",
      "Cannot write to this database: the server is a read-only standby. Set DATABASE_URL to the primary",
    );
  }
  const report = await migrate(database, migrations ?? await readMigrations());
  await refuseHalfCopy(database);
  // A dump may have been restored without its owners, or the database may have another owner than before.
  await guardQueries(database);
  const timeframes = allTimeframes(config).map(parseTimeframe);
  await ensureCandleTables(database, timeframes);
  metrics.setTimescaledb(report.timescaledb !== null);
  metrics.setCompression(report.compresses);
  if (!report.compresses) {
    const tables = report.timescaledb === null ? "TimescaleDB is not used: plain" : "TimescaleDB's";
    log.warn(`${tables} tables, without compression`, { reason: report.plainReason });
  } else {
    for (const timeframe of timeframes) {
      await setCompressionPolicy(database, timeframe, config.compressAfterMs);
    }
    // A backfill that was killed leaves policies paused.
    await resumeCompression(database);
  }
  return report;
}

/**
 * Opens every configured exchange, with its stored ban and the limits learned from its answers. Sends no request to any
 * exchange.
 *
 * @throws ConfigError when an exchange lacks a configured timeframe or offers no candles, or when a rollup cannot be
 * built from the archived timeframes.
 */
export async function openArchive(database: Database, ground: Ground): Promise<Archive> {
  const { config } = ground;
  const exchanges: ArchivedExchange[] = [];
  const archive: Archive = {
    ...ground,
    database,
    exchanges,
    failures: new FailureLog(),
  };
  const opened = await Promise.all(config.exchanges.map((id) => openOne(archive, id)));
  for (const result of opened) if (result instanceof ArchivedExchange) exchanges.push(result);
  const problems = [
    ...opened.flatMap((result) => result instanceof ArchivedExchange ? [] : [result]),
    ...exchanges.flatMap((exchange) => lackingTimeframes(exchange, config)),
    ...refusedRollups(config),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  for (
    const { exchange, breaker, bannedUntilMs, banReason } of await readExchangeStates(database)
  ) {
    // A breaker starts closed in every process, so a state stored by an earlier process is out of date.
    if (breaker !== "closed" && !await isStandby(database)) {
      await writeBreaker(database, exchange, "closed");
    }
    if (bannedUntilMs === undefined) continue;
    const banned = exchanges.find(({ id }) => id === exchange);
    banned?.client.restoreBan(bannedUntilMs, banReason ?? "banned before the last restart");
    ground.metrics.exchangeBannedUntilSeconds.set({ exchange }, bannedUntilMs / 1000);
  }
  const capabilities = Map.groupBy(await readCapabilities(database), ({ exchange }) => exchange);
  for (const exchange of exchanges) {
    exchange.capabilities.restore(capabilities.get(exchange.id) ?? []);
    ground.metrics.settleSeconds.set({ exchange: exchange.id }, exchange.settleMs / 1000);
  }
  // The environment may hold secrets. The configuration and CCXT's libraries have read it by now.
  await ground.giveUp?.(["env"]);
  return archive;
}

async function openOne(archive: Archive, id: string): Promise<ArchivedExchange | ConfigProblem> {
  const { config, clock, random, metrics, log, database } = archive;
  const { symbols, pageLimit } = settingsOf(config, id);
  const keep = async (what: string, write: Promise<void>): Promise<void> => {
    try {
      await write;
    } catch (error) {
      log[isServerAway(error) ? "debug" : "warn"](`${what} was not stored`, {
        exchange: id,
        error,
      });
    }
  };
  metrics.setBreakerState(id, "closed");
  const breaker = new NewestWrite<BreakerState["kind"]>((kind) =>
    keep("a breaker's state", writeBreaker(database, id, kind))
  );
  try {
    const client = await openExchange(id, {
      clock,
      config: config.exchangeOptions[id],
      proxyUrl: config.exchangeProxyUrl,
      pageRowsMax: pageLimit,
      symbols: symbolsOfKinds(symbols),
      onBan: async ({ untilMs, reason }) => {
        metrics.exchangeBannedUntilSeconds.set({ exchange: id }, untilMs / 1000);
        log.warn("banned", { exchange: id, until: new Date(untilMs).toISOString(), reason });
        await keep("a ban", writeBan(database, id, { untilMs, reason }));
      },
    });
    return new ArchivedExchange({
      client,
      config,
      clock,
      random,
      metrics,
      log,
      onBreaker: ({ kind, state, worst }) => {
        metrics.setBreakerState(id, worst);
        log.warn("breaker changed", {
          exchange: id,
          state,
          ...(kind === undefined ? {} : { kind }),
        });
        void breaker.set(worst);
      },
      keepCapability: async (row) => {
        try {
          await writeCapability(database, row);
        } catch (error) {
          const level = isServerAway(error) ? "debug" : "warn";
          log[level]("a learned limit of an exchange was not stored", {
            exchange: id,
            timeframe: row.timeframe,
            error,
          });
          throw error;
        }
      },
    });
  } catch (error) {
    return {
      variable: "EXCHANGES",
      value: id,
      allowed: `an exchange that can be opened (${errorText(error)})`,
    };
  }
}

function lackingTimeframes(
  { id, client }: ArchivedExchange,
  config: Config,
): readonly ConfigProblem[] {
  const settings = settingsOf(config, id);
  return archivedTimeframes(settings).filter((text) => !client.timeframes.includes(text)).map((
    text,
  ) => ({
    variable: (config.own.has(id) ? `${id} ` : "") +
      (settings.timeframes.includes(text) ? "TIMEFRAMES" : "BACKFILL"),
    value: text,
    allowed: `a timeframe of ${id}: ${client.timeframes.join(" ")}; nearest: ${
      nearestTimeframes(text, client.timeframes).join(", ")
    }`,
  }));
}

function refusedRollups(config: Config): readonly ConfigProblem[] {
  const archived = allTimeframes(config).map(parseTimeframe);
  return planRollups(config.rollups.map(parseTimeframe), archived).refused.map(({ text }) => ({
    variable: "ROLLUPS",
    value: text,
    allowed: "timeframes that divide a day, each a multiple of one in TIMEFRAMES or BACKFILL",
  }));
}

/** The two offered timeframes whose lengths are closest to the wanted one, by ratio. */
function nearestTimeframes(wanted: string, offered: readonly string[]): readonly string[] {
  const length = (text: string): number => Math.log(nominalMs(parseTimeframe(text)));
  const distance = (text: string): number => Math.abs(length(text) - length(wanted));
  return [...offered].sort((a, b) => distance(a) - distance(b)).slice(0, 2);
}
