/** Adds a flag for every variable, and reads the configuration from flags, environment, `.env` and `titan10.yaml`. @module */
import { type Command, Option } from "@commander-js/extra-typings";
import {
  type Config,
  ConfigError,
  type ConfigSources,
  type FileSettings,
  readConfig,
  settingTexts,
} from "../config/config.ts";
import { readDatabaseUrl } from "../config/database_url.ts";
import { fileHints, type SettingFile } from "../config/file_rights.ts";
import { refuseGone } from "../config/gone_settings.ts";
import { readReferencedFiles, readSecretFiles } from "../config/secret_file.ts";
import { secretsOf } from "../config/secrets.ts";
import { readSettingsFile } from "../config/settings_file.ts";
import { type ConfigRules, fileVariable } from "../config/variable.ts";
import { SETTINGS, type VariableName, VARIABLES } from "../config/variables.ts";
import { exchangeIds } from "../exchange/ccxt.ts";
import { EventLog } from "../archive/event_log.ts";
import { configureLogging, logger, type LogLevel } from "../telemetry/log.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { Ground, Read } from "../daemon/open_archive.ts";
import { hideSecrets } from "../text/redact.ts";
import { isCron } from "../daemon/schedule.ts";
import type { Shell } from "./shell.ts";
import { printable } from "../text/printable.ts";
import { wrap } from "./text.ts";

/** Parsed flags, by commander's names. */
export type Flags = Readonly<Record<string, unknown>>;

interface SettingsOptions {
  /** Values that override flags, environment and `.env`. */
  readonly forced?: Readonly<Record<string, string>>;
  /** The log level if none is configured. One-shot commands log only problems. */
  readonly logLevelDefault?: LogLevel;
  /** Whether to ignore the files of the working directory, `.env` and `titan10.yaml`. @default false */
  readonly ignoreFiles?: boolean;
  /** Whether the file of settings may be missing where something names it. @default false */
  readonly mayLackFile?: boolean;
  /** Whether to ignore only the file of settings. @default false */
  readonly withoutSettingsFile?: boolean;
  /** Whether no permission is given up, because files are written until the end. @default false */
  readonly keepsPermissions?: boolean;
}

/** The width of the help text, that of the narrowest usual terminal. */
const HELP_COLUMNS = 80;

/**
 * Adds a flag for every variable without a secret; other users can see flags in the process list. With `only`, adds
 * flags only for these variables. The help lists them, unless {@linkcode hideSettings} was called.
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
  const more = `titan10 ${command.name()} --help --all`;
  const [first] = settingsIn(command);
  command.addHelpText(
    "after",
    () =>
      first?.hidden === true
        ? `\n${wrap(`Settings are flags, too: ${more} lists them.`, HELP_COLUMNS).join("\n")}`
        : "",
  );
  if (only !== undefined) return command;
  const secret = VARIABLES.filter(({ secret }) => secret).map(({ name }) => name).join(", ");
  const text = "Flags beat environment variables, which beat .env. Defaults stand in brackets. " +
    `What may be secret has no flag: ${secret}. Each can be in a file instead, named by the ` +
    `variable with ${fileVariable("")} behind it. .env.example explains every setting.`;
  const lines = `\n${wrap(text, HELP_COLUMNS).join("\n")}`;
  return command.addHelpText("after", () => first?.hidden === true ? "" : lines);
}

/** Has the help of a command list only its own options, and say how all are listed. */
export function hideSettings(command: Command): void {
  for (const option of settingsIn(command)) option.hideHelp();
}

/** The flags that set variables. Other options stand in no group. */
function settingsIn(command: Command): readonly Option[] {
  return command.options.filter(({ helpGroupHeading }) => helpGroupHeading !== undefined);
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
  let before: readonly SettingFile[] = [];
  const read = async (): Promise<Read> => {
    const { config, files } = await readAll(shell, flags, { ...options, before });
    before = files;
    const useLog = (): void =>
      configureLogging({
        level: config.logLevel,
        format: config.logFormat,
        colors: shell.hasColor,
        // Log lines appear above the lines that are drawn.
        write: shell.tell,
      });
    return { config, useLog, fileHints: await fileHints(files) };
  };
  const { config, useLog, fileHints: hints } = await read();
  useLog();
  const log = logger("titan10");
  for (const hint of hints) log.warn("a file of settings is open to others", { hint });
  return {
    config,
    fileHints: hints,
    // Flags and environment stay as they were at the start; the files are read again.
    reread: options.ignoreFiles === true ? undefined : read,
    clock: shell.clock,
    random: shell.random,
    metrics: createMetrics(),
    log,
    events: new EventLog({ clock: shell.clock, log }),
    giveUp: options.keepsPermissions === true ? undefined : shell.giveUp,
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

/** Reads the configuration from everywhere. What had settings `before` must have some. @throws ConfigError */
async function readAll(
  shell: Shell,
  flags: Flags,
  { before = [], ...options }: SettingsOptions & { readonly before?: readonly SettingFile[] },
): Promise<{ readonly config: Config; readonly files: readonly SettingFile[] }> {
  const { sources, rules, files, settingsFile } = await readSources(shell, flags, options);
  refuseGone(before, files, { names: [DOTENV, settingsFile.path] });
  const config = readConfig(sources, rules);
  const passwords = passwordPaths(config).map((path) => ({ path, holdsSecrets: true }));
  return { config, files: [...files, ...passwords] };
}

/** What the configuration is made from. */
export interface Sources {
  readonly sources: ConfigSources;
  readonly rules: ConfigRules;
  /** The files among them that are not empty. */
  readonly files: readonly SettingFile[];
  /** The file of settings. */
  readonly settingsFile: {
    readonly path: string;
    /** Undefined where there is none. */
    readonly text: string | undefined;
    /** Reads another text as if it were that of the file. */
    readonly read: (text: string) => FileSettings;
  };
}

/** Reads what the configuration is made from, and hides its secrets from then on. @throws ConfigError */
export async function readSources(
  shell: Shell,
  flags: Flags,
  {
    forced = {},
    logLevelDefault,
    ignoreFiles = false,
    mayLackFile = false,
    withoutSettingsFile = ignoreFiles,
  }: SettingsOptions = {},
): Promise<Sources> {
  const given: Record<string, string> = {};
  for (const { name } of VARIABLES) {
    const value = flags[attributeOf(name)];
    if (typeof value === "string") given[name] = value;
  }
  const dotenv = ignoreFiles ? "" : await readIfThere(DOTENV);
  const own = { env: shell.env, dotenv };
  const files = await readSecretFiles(settingTexts(own), { beaten: Object.keys(forced) });
  const variables: ConfigSources = {
    ...own,
    files,
    flags: { ...given, ...forced },
    defaults: { LOG_LEVEL: logLevelDefault },
  };
  hideSecrets(secretsOf(settingTexts(variables)));
  const rules = {
    knownExchanges: await exchangeIds(),
    isCron,
    isTerminal: shell.isTerminal,
    nowMs: shell.clock.now(),
  };
  const path = settingsPath(variables);
  const environment = settingTexts(variables);
  const text = withoutSettingsFile ? undefined : await readFileOfSettings(variables, mayLackFile);
  const referenced = await readReferencedFiles(text ?? "", environment);
  const read = (text: string): FileSettings =>
    readSettingsFile({ path, text }, { rules, environment, files: referenced });
  const file = text === undefined ? undefined : read(text);
  const sources = { ...variables, file };
  hideSecrets(secretsOf(settingTexts(sources)));
  return {
    sources,
    rules,
    files: [
      ...(isBlank(dotenv) ? [] : [{ path: DOTENV, holdsSecrets: hasSecrets({ env: {}, dotenv }) }]),
      ...(isBlank(text) ? [] : [{ path, holdsSecrets: false }]),
      ...[...files.paths, ...referenced.paths].map((path) => ({ path, holdsSecrets: true })),
    ],
    settingsFile: { path, text, read },
  };
}

const DOTENV = ".env";

/** Where the file of settings is, if it is there. */
function settingsPath(sources: ConfigSources): string {
  return settingTexts(sources)[SETTINGS.configFile.name] ?? SETTINGS_FILE;
}

function passwordPaths({ databaseUrl }: Config): readonly string[] {
  if (databaseUrl === undefined) return [];
  const { passwordPath } = readDatabaseUrl(databaseUrl);
  return passwordPath === undefined ? [] : [passwordPath];
}

function isBlank(text = ""): boolean {
  return text.trim() === "";
}

function hasSecrets(sources: ConfigSources): boolean {
  return secretsOf(settingTexts(sources)).length > 0;
}

/** `PAGE_LIMIT` → `--page-limit`. */
export function flagOf(variable: string): string {
  return `--${shortName(variable).replaceAll("_", "-")}`;
}

/** `PAGE_LIMIT` → `pageLimit`, commander's name of the flag. */
function attributeOf(variable: string): string {
  return shortName(variable).replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** A variable that other programs could have, too, says whose it is. A flag need not. */
function shortName(variable: string): string {
  return variable.replace(/^TITAN10_/, "").toLowerCase();
}

/** The text of the file of settings, which may be missing only where nothing names it. @throws ConfigError */
async function readFileOfSettings(
  sources: ConfigSources,
  mayLackFile: boolean,
): Promise<string | undefined> {
  const variable = SETTINGS.configFile.name;
  const path = settingsPath(sources);
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile || size > FILE_BYTES_MAX) throw new RangeError();
    return new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    const isNamed = settingTexts(sources)[variable] !== undefined;
    if (isMissing && !isNamed) return await refuseOtherEnding();
    if (isMissing && mayLackFile) return undefined;
    const why = error instanceof TypeError
      ? "it is not text in UTF-8"
      : error instanceof RangeError
      ? `it is no file of at most ${FILE_BYTES_MAX / 1e6} MB`
      : "this user may not read it";
    const allowed = `the path of a file of settings; ${isMissing ? "there is none" : why}`;
    throw new ConfigError([{ variable, value: printable(path), allowed }]);
  }
}

/** YAML files end in two ways, and one that is not read would be missed. @throws ConfigError */
async function refuseOtherEnding(): Promise<undefined> {
  const other = SETTINGS_FILE.replace("yaml", "yml");
  const isThere = await Deno.stat(other).then(({ isFile }) => isFile, () => false);
  if (!isThere) return undefined;
  const variable = SETTINGS.configFile.name;
  const allowed = `${SETTINGS_FILE} to be its name, or ${variable} to name it`;
  throw new ConfigError([{ variable, value: other, allowed }]);
}

const SETTINGS_FILE = "titan10.yaml";

/** A device or a pipe would be read for ever. */
const FILE_BYTES_MAX = 4_000_000;

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
