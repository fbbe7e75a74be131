/** Adds a flag for every variable, and reads the configuration from flags, environment and `.env`. @module */
import { type Command, Option } from "@commander-js/extra-typings";
import { type Config, readConfig } from "../config/config.ts";
import { type VariableName, VARIABLES } from "../config/variables.ts";
import { exchangeIds } from "../exchange/ccxt.ts";
import { configureLogging, logger, type LogLevel } from "../telemetry/log.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { Ground } from "../daemon/open_archive.ts";
import { secretsOf } from "../text/redact.ts";
import { isCron } from "../daemon/schedule.ts";
import type { Shell } from "./shell.ts";
import { wrap } from "./text.ts";

/** Parsed flags, by commander's names. */
export type Flags = Readonly<Record<string, unknown>>;

interface SettingsOptions {
  /** Values that override flags, environment and `.env`. */
  readonly forced?: Readonly<Record<string, string>>;
  /** The log level if none is configured. One-shot commands log only problems. */
  readonly logLevelDefault?: LogLevel;
  /** Whether to ignore the `.env` of the working directory. @default false */
  readonly ignoreDotenv?: boolean;
}

/** The width of the help text, that of the narrowest usual terminal. */
const HELP_COLUMNS = 80;

/**
 * Adds a flag for every variable without a secret; other users can see flags in the process list. With `only`, adds
 * flags only for these variables.
 */
export function addSettingFlags<T extends Command>(
  command: T,
  only?: readonly VariableName[],
): T {
  for (const variable of VARIABLES) {
    if (variable.secret || variable.name.includes("<")) continue;
    if (only !== undefined && !(only as readonly string[]).includes(variable.name)) continue;
    const otherwise = variable.default === undefined ? "" : ` [${variable.default}]`;
    command.addOption(
      new Option(
        `${flagOf(variable.name)} <value>`,
        `${variable.name}: ${variable.meaning}${otherwise}`,
      ).helpGroup(`${variable.group}:`),
    );
  }
  if (only !== undefined) return command;
  const secret = VARIABLES.filter(({ secret }) => secret).map(({ name }) => name).join(", ");
  const text = "Flags beat environment variables, which beat .env. Defaults stand in brackets. " +
    `What may be secret has no flag: ${secret}. .env.example explains every setting.`;
  return command.addHelpText("after", `\n${wrap(text, HELP_COLUMNS).join("\n")}`);
}

/**
 * Reads the configuration, sets up logging, and returns what all parts of the program need.
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
    // Log lines appear above the lines that are drawn.
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

/** Reads only the configuration. @throws ConfigError */
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
  const defaults = { LOG_LEVEL: logLevelDefault };
  return readConfig({ env: shell.env, dotenv, flags: { ...given, ...forced }, defaults }, {
    knownExchanges: await exchangeIds(),
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

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
