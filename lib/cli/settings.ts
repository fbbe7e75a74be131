/** A flag for every variable, and the configuration they make together with environment and `.env`. @module */
import { type Command, Option } from "@commander-js/extra-typings";
import { type Config, readConfig } from "../config/config.ts";
import { type Variable, type VariableName, VARIABLES } from "../config/variables.ts";
import { exchangeIds } from "../exchange/ccxt.ts";
import { configureLogging, logger } from "../telemetry/log.ts";
import { isTimeframe } from "../market/timeframe.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { Ground } from "../daemon/open_archive.ts";
import { secretsOf } from "../text/redact.ts";
import { isCron } from "../daemon/schedule.ts";
import type { Shell } from "./shell.ts";

/** Parsed flags, by commander's names. */
export type Flags = Readonly<Record<string, unknown>>;

interface SettingsOptions {
  /** Stronger than flags, environment and `.env`. */
  readonly forced?: Readonly<Record<string, string>>;
  /** Log level where none is configured: a one-shot command says only what went wrong. */
  readonly logLevelDefault?: string;
  /** Whether to leave the `.env` of the working directory alone. @default false */
  readonly ignoreDotenv?: boolean;
}

/**
 * Adds a flag for every variable that holds no secret: a flag can be read in the process list. With `only`, for those
 * that have a say in what the command does.
 */
export function addSettingFlags<T extends Command>(
  command: T,
  only?: readonly VariableName[],
): T {
  for (const variable of VARIABLES as readonly Variable[]) {
    if (variable.secret || variable.name.includes("<")) continue;
    if (only !== undefined && !(only as readonly string[]).includes(variable.name)) continue;
    const otherwise = variable.default === undefined ? "" : ` [${variable.default}]`;
    command.addOption(
      new Option(
        `${flagOf(variable.name)} <value>`,
        `${variable.name}: ${variable.meaning}${otherwise}`,
      ).helpGroup(groupOf(variable.name)),
    );
  }
  if (only !== undefined) return command;
  return command.addHelpText(
    "after",
    "\nFlags beat environment variables, which beat .env. Defaults stand in brackets.\n" +
      "What may be secret has no flag: DATABASE_URL, EXCHANGE_<ID>, EXCHANGE_PROXY_URL,\n" +
      "ALERT_WEBHOOK_URL, HTTP_TOKEN. .env.example explains every setting.",
  );
}

/** Headings of the settings in a help text. Flags beat environment variables, which beat `.env`. */
const GROUPS: readonly (readonly [heading: string, names: RegExp])[] = [
  ["What is archived:", /^(?:EXCHANGES|SYMBOLS|TIMEFRAMES|BACKFILL|ROLLUPS|RETENTION)$/],
  ["Database:", /^(?:DATA_DIR|DB_POOL_MAX|COMPRESS_AFTER|PRUNE_AFTER)$/],
  ["When:", /_CRON$/],
  ["Requests to exchanges:", /^(?:POLL_CANDLES|PAGE_LIMIT|FETCH_TIMEOUT|RETRY_|BREAKER_)/],
  ["Alerts, HTTP, logs:", /^(?:GAP_ALERT|HTTP_|LOG_)/],
  ["More settings:", /./],
];

function groupOf(variable: string): string {
  return GROUPS.find(([, names]) => names.test(variable))![0];
}

/**
 * Reads the configuration, sets logging up by it, and hands out what the program stands on.
 *
 * @throws ConfigError
 */
export async function readGround(
  shell: Shell,
  flags: Flags,
  options: SettingsOptions = {},
): Promise<Ground> {
  const config = await readSettings(shell, flags, options);
  configureLogging({
    level: config.logLevel,
    format: config.logFormat,
    secrets: secretsOf(config),
    colors: shell.hasColor,
    // Above whatever is drawn.
    write: shell.tell,
  });
  return {
    config,
    clock: shell.clock,
    random: shell.random,
    metrics: createMetrics(),
    log: logger("titan10"),
    giveUp: shell.giveUp,
  };
}

/** Reads the configuration only. @throws ConfigError */
export async function readSettings(
  shell: Shell,
  flags: Flags,
  { forced = {}, logLevelDefault, ignoreDotenv = false }: SettingsOptions = {},
): Promise<Config> {
  const given: Record<string, string | undefined> = {};
  for (const { name } of VARIABLES) {
    const value = flags[attributeOf(name)];
    if (typeof value === "string") given[name] = value;
  }
  const dotenv = ignoreDotenv ? "" : await readIfThere(".env");
  const env = logLevelDefault !== undefined && !/^\s*LOG_LEVEL\s*=/m.test(dotenv)
    ? { LOG_LEVEL: logLevelDefault, ...definedOnly(shell.env) }
    : shell.env;
  return readConfig({ env, dotenv, flags: { ...given, ...forced } }, {
    knownExchanges: await exchangeIds(),
    isTimeframe,
    isCron,
    isTerminal: shell.isTerminal,
  });
}

/** `PAGE_LIMIT` → `--page-limit`. */
export function flagOf(variable: string): string {
  return `--${variable.toLowerCase().replaceAll("_", "-")}`;
}

/** `PAGE_LIMIT` → `pageLimit`, commander's name of the flag. */
function attributeOf(variable: string): string {
  return variable.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function definedOnly(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
