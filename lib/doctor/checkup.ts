/** Checks the configuration, the database and every exchange; says what is wrong and how to fix it. @module */
import type { Config, ConfigError } from "../config/config.ts";
import { egressOf, sourceAddress } from "../config/egress_setting.ts";
import { allTimeframes } from "../config/exchange_settings.ts";
import { hasRule, ruleText } from "../config/symbols.ts";
import { errorText } from "../text/redact.ts";
import { type Database, serverVersion } from "../store/connection/database.ts";
import { type Migration, pendingMigrations } from "../store/connection/migrations.ts";
import { plainReason, readTimescale, timescaleVersion } from "../store/connection/timescale.ts";
import { databaseBytes, freeBytes } from "../store/disk.ts";
import { readServerSettings } from "../store/connection/server_settings.ts";
import { isOfHosts, StoreError } from "../store/connection/store_error.ts";
import { VERSION } from "../version.ts";
import type { Series } from "../market/series.ts";
import type { Archive } from "../archive/archive.ts";
import { type Check, CLOCK_MS_MAX, clockText, counted, withFix } from "./check.ts";
import { configurationHints } from "./config_hints.ts";
import { desiredBytes, diskCheck } from "./disk_checkup.ts";
import { examineExchange, type ExchangeCheckup, type ReadExchange } from "./exchange_checkup.ts";
import { readMarkets } from "../fetch/markets.ts";
import { serverChecks } from "./server_checkup.ts";

/** The document of `/doctor` and `titan10 doctor --json`. Times are ISO 8601 UTC. */
export interface Checkup {
  readonly version: string;
  /** Whether nothing is wrong. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
  /** Empty if a failed check above prevents requests to exchanges. */
  readonly exchanges: readonly ExchangeCheckup[];
}

interface ExamineOptions {
  readonly migrations: readonly Migration[];
  /** Writes a small file to the dataset's place. @default it is not looked at @throws Error with what to do. */
  readonly probePlace?: PlaceProbe | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Runs all checks. Fetched candles are not stored; what the answers show about the exchanges is. */
export async function examine(archive: Archive, options: ExamineOptions): Promise<Checkup> {
  const { config, database, exchanges } = archive;
  const { migrations, probePlace, signal } = options;
  const checks = [
    ...settingChecks(archive),
    ...egressChecks(archive),
    ...configurationHints(config),
    ...await examineDatabase(database, migrations),
    ...await examineServer(archive),
    ...await examineDataset(archive, probePlace, signal),
  ];
  // First load all markets: a symbol is wrong only if no exchange lists it.
  const all = await Promise.all(exchanges.map(async (exchange): Promise<ReadExchange> => {
    try {
      return { exchange, markets: await readMarkets(archive, exchange, { signal }) };
    } catch (failure) {
      return { exchange, failure };
    }
  }));
  const examined = await Promise.all(
    all.map((read) => examineExchange(archive, read, { all, signal })),
  );
  const checkups = examined.map(({ checkup }) => checkup);
  checks.push(
    exchangeClockCheck(examined.flatMap(({ clockAheadMs }) => clockAheadMs ?? [])),
    await examineDisk(archive, all.flatMap(({ markets }) => markets?.series ?? [])),
  );
  const isWell = [...checks, ...checkups].every(({ ok }) => ok);
  return { version: VERSION, ok: isWell, checks, exchanges: checkups };
}

/** Finds out whether a dataset can be written to its place. */
type PlaceProbe = (
  url: string,
  ground: Archive & { readonly signal?: AbortSignal | undefined },
) => Promise<{ readonly message: string; readonly isHint: boolean }>;

/** Checks that the daemon's dataset can be written, where there is one. */
async function examineDataset(
  archive: Archive,
  probePlace: PlaceProbe | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly Check[]> {
  const { config: { datasetUrl } } = archive;
  if (datasetUrl === undefined || probePlace === undefined) return [];
  try {
    return [{
      check: "dataset",
      ok: true,
      ...await probePlace(datasetUrl, { ...archive, signal }),
    }];
  } catch (error) {
    signal?.throwIfAborted();
    return [{ check: "dataset", ok: false, message: errorText(error) }];
  }
}

/** Checks the settings of a database server. The embedded database has none to change. */
async function examineServer(archive: Archive): Promise<readonly Check[]> {
  const { config, database, clock } = archive;
  if (database.kind === "embedded") return [];
  try {
    const settings = await readServerSettings(database, { now: () => clock.now() });
    const options = { poolMax: config.dbPoolMax };
    return serverChecks(settings, options);
  } catch (error) {
    return [databaseFault(error, database.kind)];
  }
}

/** Checks the disk space. Free space is known only for the embedded database. */
async function examineDisk(archive: Archive, series: readonly Series[]): Promise<Check> {
  const { config, database } = archive;
  const isHere = database.kind === "embedded";
  try {
    return diskCheck({
      ...desiredBytes(archive, { series, compresses: await compresses(archive) }),
      bytesTaken: await databaseBytes(database),
      bytesFree: isHere ? await freeBytes(config.dataDir) : undefined,
    });
  } catch (error) {
    return { check: "disk", ok: false, message: errorText(error) };
  }
}

/** Whether chunks are compressed. False if the database fails: another check reports that. */
async function compresses({ config, database }: Archive): Promise<boolean> {
  try {
    return config.compressAfterMs !== undefined &&
      (await readTimescale(database))?.isLicensed === true;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}

/** Compares our clock with the median of all exchanges, because a cache may answer with an old `Date`. */
function exchangeClockCheck(found: readonly number[]): Check {
  const check = "clock";
  const aheads = [...found].sort((one, other) => one - other);
  const aheadMs = aheads[Math.floor((aheads.length - 1) / 2)];
  if (aheadMs === undefined) {
    return { check, ok: true, isHint: true, message: "no exchange has sent its time" };
  }
  const of = `of ${aheads.length === 1 ? "the exchange" : `${aheads.length} exchanges`}`;
  return Math.abs(aheadMs) <= CLOCK_MS_MAX
    ? { check, ok: true, message: `this machine's clock agrees with the answers ${of}` }
    : {
      check,
      ok: false,
      message:
        `this machine's clock is ${
          clockText(aheadMs)
        } the answers ${of}. Set it by NTP: timedatectl ` +
        "set-ntp true",
    };
}

/** A checkup that ended before any request to an exchange. */
export function brokenOff(checks: readonly Check[]): Checkup {
  return { version: VERSION, ok: false, checks, exchanges: [] };
}

/** The configuration and the rights of its files. Always ok: with invalid settings the program would not have started. */
export function settingChecks(
  { config, fileHints = [] }: Pick<Archive, "config" | "fileHints">,
): readonly Check[] {
  return [
    configurationCheck(config),
    ...fileHints.map((message) => ({ check: "files", ok: true, isHint: true, message })),
  ];
}

/** By which address exchanges are reached. Nothing depends on it where no other node can be. */
function egressChecks({ config, database }: Archive): readonly Check[] {
  if (config.egress === undefined && database.kind === "embedded") return [];
  const egresses = Map.groupBy(config.exchanges, (id) => egressOf(config, id));
  return [...egresses].map(([egress, exchanges]) => {
    const isFromHere = exchanges.some((id) => sourceAddress(config, id) !== undefined);
    const of = exchanges.length === config.exchanges.length ? "exchanges" : exchanges.join(", ");
    const message = isFromHere
      ? `${of}: requests leave from ${egress}`
      : `${of}: nodes of the egress ${egress} share one address`;
    return { check: "egress", ok: true, message };
  });
}

export function configurationCheck(config: Config): Check {
  const { exchanges, everywhere: { symbols }, own } = config;
  const rule = hasRule(symbols) ? [`SYMBOLS=${ruleText(symbols)}`] : [];
  const named = symbols.names.length > 0 ? [counted(symbols.names, "symbol")] : [];
  const differing = exchanges.filter((id) => own.has(id));
  const wanted = differing.length === exchanges.length
    ? "each with its own settings"
    : [...named, ...rule, ...differing.map((id) => `${id} with its own settings`)].join(", ");
  const timeframes = allTimeframes(config).join(" ");
  const message = `${counted(exchanges, "exchange")}, ${wanted}, timeframes ${timeframes}`;
  return { check: "configuration", ok: true, message };
}

/** Problems of the configuration that were found only while opening the exchanges. */
export function configurationFaults({ problems }: ConfigError): readonly Check[] {
  return problems.map(({ variable, value, allowed }) => ({
    check: "configuration",
    ok: false,
    message: `${variable}="${value}" is not ${allowed}. Correct ${variable}`,
  }));
}

/** Checks the kind and versions of the database, and whether all migrations are applied. Changes nothing. */
export async function examineDatabase(
  database: Database,
  migrations: readonly Migration[],
): Promise<readonly Check[]> {
  try {
    const timescaledb = await timescaleVersion(database);
    const version = await serverVersion(database);
    const extension = timescaledb === null
      ? `without TimescaleDB: ${await plainReason(database) ?? "it is not set up yet"}`
      : `TimescaleDB ${timescaledb}`;
    const pending = await pendingMigrations(database, migrations);
    return [
      {
        check: "database",
        ok: true,
        message: `${database.kind}, PostgreSQL ${version}, ${extension}`,
      },
      pending.length === 0
        ? { check: "migrations", ok: true, message: `all ${migrations.length} are applied` }
        : {
          check: "migrations",
          ok: false,
          message: `not applied: ${pending.join(", ")}. Run titan10 migrate`,
        },
    ];
  } catch (error) {
    return [databaseFault(error, database.kind)];
  }
}

/** The check of a database that cannot be opened, does not answer, or refuses. */
export function databaseFault(error: unknown, kind: Database["kind"]): Check {
  const message = errorText(error);
  const refused = kind === "embedded"
    ? "Set DATA_DIR to another directory to start with an empty archive"
    : "Correct DATABASE_URL, or the permissions of its user";
  const unavailable = kind === "embedded"
    ? "Set DATA_DIR to a directory that can be written"
    : "Start that server, or correct DATABASE_URL";
  const isRefused = error instanceof StoreError && error.kind === "refused";
  return {
    check: "database",
    ok: false,
    message: isOfHosts(error) || SAYS_WHAT_TO_DO.test(message)
      ? message
      : withFix(message, isRefused ? refused : unavailable),
  };
}

/** A message whose last sentence is an instruction. */
const SAYS_WHAT_TO_DO = /\. (?:Run|Set|Use) [^.]+$/;
