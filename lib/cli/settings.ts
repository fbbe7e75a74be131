/** Adds a flag for every variable, and reads the configuration from flags, environment and `.env`. @module */
import { type Command, Option } from "@commander-js/extra-typings";
import { type Config, type ConfigSources, readConfig, settingTexts } from "../config/config.ts";
import { readDatabaseUrl } from "../config/database_url.ts";
import { fileHints, type SettingFile } from "../config/file_rights.ts";
import { readSecretFiles } from "../config/secret_file.ts";
import { secretsOf } from "../config/secrets.ts";
import { fileVariable } from "../config/variable.ts";
import { type VariableName, VARIABLES } from "../config/variables.ts";
import { exchangeIds } from "../exchange/ccxt.ts";
import { configureLogging, logger, type LogLevel } from "../telemetry/log.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { Ground } from "../daemon/open_archive.ts";
import { hideSecrets } from "../text/redact.ts";
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
    `What may be secret has no flag: ${secret}. Each can be in a file instead, named by the ` +
    `variable with ${fileVariable("")} behind it. .env.example explains every setting.`;
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
  const { config, files } = await readAll(shell, flags, options);
  configureLogging({
    level: config.logLevel,
    format: config.logFormat,
    colors: shell.hasColor,
    // Log lines appear above the lines that are drawn.
    write: shell.tell,
  });
  const log = logger("titan10");
  const hints = await fileHints(files);
  for (const hint of hints) log.warn("a file of settings is open to others", { hint });
  return {
    config,
    fileHints: hints,
    clock: shell.clock,
    random: shell.random,
    metrics: createMetrics(),
    log,
    giveUp: shell.giveUp,
  };
}

/** Reads only the configuration. @throws ConfigError */
export async function readSettings(
  shell: Shell,
  flags: Flags,
  options: SettingsOptions = {},
): Promise<Config> {
  return (await readAll(shell, flags, options)).config;
}

/** Reads the configuration from everywhere, and hides its secrets from then on. @throws ConfigError */
async function readAll(
  shell: Shell,
  flags: Flags,
  { forced = {}, logLevelDefault, ignoreDotenv = false }: SettingsOptions,
): Promise<{ readonly config: Config; readonly files: readonly SettingFile[] }> {
  const given: Record<string, string> = {};
  for (const { name } of VARIABLES) {
    const value = flags[attributeOf(name)];
    if (typeof value === "string") given[name] = value;
  }
  const dotenv = ignoreDotenv ? "" : await readIfThere(DOTENV);
  const own = { env: shell.env, dotenv };
  const files = await readSecretFiles(settingTexts(own), { beaten: Object.keys(forced) });
  const sources: ConfigSources = {
    ...own,
    files,
    flags: { ...given, ...forced },
    defaults: { LOG_LEVEL: logLevelDefault },
  };
  hideSecrets(secretsOf(settingTexts(sources)));
  const config = readConfig(sources, {
    knownExchanges: await exchangeIds(),
    isCron,
    isTerminal: shell.isTerminal,
  });
  return {
    config,
    files: [
      ...(dotenv === "" ? [] : [{ path: DOTENV, holdsSecrets: hasSecrets({ env: {}, dotenv }) }]),
      ...[...files.paths, ...passwordPaths(config)].map((path) => ({ path, holdsSecrets: true })),
    ],
  };
}

const DOTENV = ".env";

function passwordPaths({ databaseUrl }: Config): readonly string[] {
  if (databaseUrl === undefined) return [];
  const { passwordPath } = readDatabaseUrl(databaseUrl);
  return passwordPath === undefined ? [] : [passwordPath];
}

function hasSecrets(sources: ConfigSources): boolean {
  return secretsOf(settingTexts(sources)).length > 0;
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
