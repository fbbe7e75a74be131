/** Reads the configuration from flags, environment and `.env`, and reports all of its problems at once. @module */
import { parse as parseDotenv } from "dotenv";
import type { z } from "zod";
import { completeDatabaseUrl, databaseUrlProblem, PG_VARIABLES } from "./database_url.ts";
import { environmentProxy } from "./egress_setting.ts";
import { byField, type Field, schemaFor } from "./config_schema.ts";
import type { ExchangeSettings, SettingsByExchange } from "./exchange_settings.ts";
import { misspellingsIn } from "./misspelling.ts";
import { nearest } from "../text/nearest.ts";
import { printable } from "../text/printable.ts";
import { redact, REDACTED } from "../text/redact.ts";
import { isS3Url, readS3Settings, s3Problems, type S3Settings } from "./s3_settings.ts";
import { didYouMean } from "./setting.ts";
import {
  type ConfigRules,
  FILE_ENDING,
  fileVariable,
  type SettingTexts,
  type Variable,
} from "./variable.ts";
import { SETTINGS, type SettingValues, VARIABLES } from "./variables.ts";

/** Settings that are combined in the configuration. */
type Combined =
  | "retryAttempts"
  | "retryMinMs"
  | "retryMaxMs"
  | "breakerFailures"
  | "breakerCooldownMs"
  | "exchangeOptions"
  | keyof ExchangeSettings;

/** The whole configuration, read once at the start. `SETTINGS` describes each part. */
export interface Config extends Omit<SettingValues, Combined>, SettingsByExchange {
  readonly retry: { readonly attempts: number; readonly minMs: number; readonly maxMs: number };
  readonly breaker: { readonly failures: number; readonly cooldownMs: number };
  /** By exchange id. An exchange that is not listed has no options. */
  readonly exchangeOptions: Readonly<Record<string, SettingValues["exchangeOptions"]>>;
  /** How buckets are reached. Checked where one is named. */
  readonly s3: S3Settings;
}

/**
 * The sources of the settings. Flags override the environment, the environment overrides `.env`, and that overrides what
 * the file says of all exchanges. What the file says of one exchange is overridden by flags alone.
 */
export interface ConfigSources {
  readonly env: SettingTexts;
  /** The text of a `.env` file. */
  readonly dotenv?: string | undefined;
  /** By the same names as the variables. */
  readonly flags?: SettingTexts | undefined;
  /** What files hold that variables such as `HTTP_TOKEN_FILE` name; see `readSecretFiles`. */
  readonly files?: SecretFiles | undefined;
  /** See `readSettingsFile`. */
  readonly file?: FileSettings | undefined;
  /** Defaults that replace those of the table. All other sources override them. */
  readonly defaults?: SettingTexts | undefined;
}

/** The contents of files of secrets. */
export interface SecretFiles {
  /** By the variables that they stand for: `HTTP_TOKEN`. */
  readonly texts: SettingTexts;
  readonly paths: readonly string[];
  readonly problems: readonly ConfigProblem[];
}

/** What `titan10.yaml` says. */
export interface FileSettings {
  /** Of all exchanges, by the names of the variables; `EXCHANGE_<ID>` for the options of each. */
  readonly shared: SettingTexts;
  /** By the exchanges that have an entry: what is their own. */
  readonly own: ReadonlyMap<string, SettingTexts>;
  readonly problems: readonly ConfigProblem[];
  /** Where it sets a variable for an exchange, or for all: `titan10.yaml:14:3`. */
  readonly placeOf: (exchange: string | undefined, variable: string) => string;
}

export interface ConfigProblem {
  /** Where a file says it, `titan10.yaml:14:9`. @default in a variable */
  readonly place?: string;
  readonly variable: string;
  /** The wrong part of the value, safe to print, with secrets redacted. */
  readonly value: string;
  readonly allowed: string;
}

/** All problems of a configuration, one per line. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ place, variable, value, allowed }) => {
      const what = variable === "" ? value : `${variable}="${redact(value)}"`;
      return `  ${[place ?? "", what].join(" ").trim()}: expected ${allowed}`;
    });
    super(["Cannot use this configuration:", ...lines].join("\n"));
    this.problems = problems;
  }
}

/**
 * Reads the configuration. Spaces around a value are ignored, and an empty value means unset.
 *
 * @throws ConfigError with all problems, if there are any.
 */
export function readConfig(sources: ConfigSources, rules: ConfigRules): Config {
  const texts = settingTexts(sources);
  const options = readExchangeOptions(texts, rules);
  const result = schemaFor(rules).safeParse(byField(({ name }) => texts[name]), {
    reportInput: true,
  });
  const problems = [
    ...(result.error?.issues ?? []).map((issue) =>
      placed(problemOf(issue, texts), { file: sources.file, texts })
    ),
    ...options.problems,
    ...(sources.files?.problems ?? []),
    ...(sources.file?.problems ?? []),
    ...misspellingsIn(sources.dotenv ?? "", KNOWN_NAMES).map((
      { name, similar },
    ) => ({
      variable: printable(name),
      value: REDACTED,
      allowed: `the name of a setting in .env${didYouMean(similar)}`,
    })),
  ];
  const databaseUrl = readDatabase(result.data?.databaseUrl, { texts, problems });
  const s3 = readS3Settings(texts);
  if (isS3Url(result.data?.datasetUrl ?? "")) {
    for (const { variable, allowed } of s3Problems(s3)) {
      problems.push({ variable, value: texts[variable] === undefined ? "" : REDACTED, allowed });
    }
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  const own = readOwn(sources, rules);

  const {
    retryAttempts: attempts,
    retryMinMs: minMs,
    retryMaxMs: maxMs,
    breakerFailures: failures,
    breakerCooldownMs: cooldownMs,
    symbols,
    timeframes,
    backfill,
    pageLimit,
    retention,
    live,
    funding,
    history,
    ...values
  } = result.data;
  return {
    ...values,
    databaseUrl,
    // The embedded server has one connection, whatever is configured.
    dbPoolMax: databaseUrl === undefined ? 1 : values.dbPoolMax,
    retry: { attempts, minMs, maxMs },
    breaker: { failures, cooldownMs },
    exchangeOptions: options.byExchange,
    egress: values.egress ?? environmentProxy(sources.env),
    s3,
    everywhere: { symbols, timeframes, backfill, pageLimit, retention, live, funding, history },
    own,
  };
}

/** What a line of `.env` may set. */
const KNOWN_NAMES = VARIABLES.flatMap(({ name, secret }: Variable) =>
  secret === true ? [name, fileVariable(name)] : [name]
);

const EXCHANGE_OPTIONS = SETTINGS.exchangeOptions.name;
const EXCHANGE_PREFIX = "EXCHANGE_";
const EXCHANGE_PROXY_URL = SETTINGS.exchangeProxyUrl.name;

/** Longer values are cut in messages. Users recognise them by the beginning. */
const SHOWN_LENGTH_MAX = 80;

/** The text of each setting, before it is read. Spaces around it are ignored, and an empty one means unset. */
export function settingTexts(sources: ConfigSources, exchange?: string): SettingTexts {
  const all = [...settingsInForce(sources, exchange)];
  return Object.fromEntries(all.map(([name, { text }]) => [name, text]));
}

/** The same with where each comes from: for one exchange, or those that all share. */
export function settingsInForce(
  { env, dotenv = "", files, flags = {}, file, defaults = {} }: ConfigSources,
  exchange?: string,
): ReadonlyMap<string, { readonly text: string; readonly from: string }> {
  const all = new Map<string, { readonly text: string; readonly from: string }>();
  const add = (texts: SettingTexts, from: string | ((name: string) => string)): void => {
    for (const [name, value] of Object.entries(texts)) {
      const text = value?.trim();
      if (text) all.set(name, { text, from: typeof from === "string" ? from : from(name) });
    }
  };
  add(Object.fromEntries(VARIABLES.map((one) => [one.name, one.default])), "default");
  add(defaults, "default");
  add(file?.shared ?? {}, (name) => file!.placeOf(undefined, name));
  add(parseDotenv(dotenv), ".env");
  add(env, "environment");
  add(files?.texts ?? {}, fileVariable);
  const own = exchange === undefined ? undefined : file?.own.get(exchange);
  if (own !== undefined) {
    const reaches = reachesOf(own, all.get(SETTINGS.backfill.name)?.text);
    add({ ...own, ...reaches }, (name) => file!.placeOf(exchange, name));
  }
  add(flags, "flag");
  return all;
}

/** With its place, if the file says it. */
function placed(
  problem: ConfigProblem,
  { file, texts }: { readonly file: FileSettings | undefined; readonly texts: SettingTexts },
): ConfigProblem {
  const { variable } = problem;
  const said = file?.shared[variable];
  return file === undefined || said === undefined || said !== texts[variable]
    ? problem
    : { place: file.placeOf(undefined, variable), ...problem };
}

/** Of the shared reaches only those of the exchange's own timeframes, where it says nothing of reaches itself. */
function reachesOf(said: SettingTexts, shared = ""): SettingTexts {
  const { backfill: { name: backfill }, timeframes: { name: timeframes } } = SETTINGS;
  const named = said[timeframes]?.split(",");
  if (named === undefined || said[backfill] !== undefined) return {};
  const reaches = shared.split(",").filter((text) => named.includes(text.split(":")[0]!.trim()));
  return { [backfill]: reaches.join(",") || "off" };
}

/** The settings of the exchanges that have own ones. @throws ConfigError when some of them do not go together. */
function readOwn(sources: ConfigSources, rules: ConfigRules): Config["own"] {
  const { file } = sources;
  const own = new Map<string, ExchangeSettings>();
  const problems: ConfigProblem[] = [];
  for (const id of file?.own.keys() ?? []) {
    const texts = settingTexts(sources, id);
    const { data, error } = schemaFor(rules).safeParse(byField(({ name }) => texts[name]));
    for (const issue of error?.issues ?? []) {
      const problem = problemOf(issue, texts);
      problems.push({ ...problem, place: `${file?.placeOf(id, problem.variable)} ${id}` });
    }
    if (data === undefined) continue;
    const { symbols, timeframes, backfill, pageLimit, retention, live, funding, history } = data;
    own.set(id, { symbols, timeframes, backfill, pageLimit, retention, live, funding, history });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return own;
}

/** The URL, completed by psql's variables, which alone choose no server. One that is wrong is a problem. */
function readDatabase(
  url: string | undefined,
  { texts, problems }: { readonly texts: SettingTexts; readonly problems: ConfigProblem[] },
): string | undefined {
  if (url === undefined) return undefined;
  const completed = completeDatabaseUrl(url, texts);
  const problem = databaseUrlProblem(completed);
  if (problem === undefined) return completed;
  const variable = PG_VARIABLES[problem.parameter ?? ""] ?? SETTINGS.databaseUrl.name;
  problems.push({ variable, value: REDACTED, allowed: problem.message });
  return undefined;
}

/** Reads every `EXCHANGE_<ID>`. An unknown exchange is a problem, because its API key would not be used. */
function readExchangeOptions(texts: SettingTexts, { knownExchanges }: ConfigRules): {
  readonly byExchange: Config["exchangeOptions"];
  readonly problems: readonly ConfigProblem[];
} {
  const ids = new Map(knownExchanges.map((id) => [id.toUpperCase(), id]));
  const byExchange: Record<string, SettingValues["exchangeOptions"]> = {};
  const problems: ConfigProblem[] = [];
  for (const [variable, text = ""] of Object.entries(texts)) {
    if (!variable.startsWith(EXCHANGE_PREFIX)) continue;
    if (variable === EXCHANGE_PROXY_URL || variable === EXCHANGE_OPTIONS) continue;
    if (variable.endsWith(FILE_ENDING)) continue;
    const name = variable.slice(EXCHANGE_PREFIX.length);
    const id = ids.get(name);
    const result = SETTINGS.exchangeOptions.read().safeParse(text);
    if (id !== undefined && result.success) {
      byExchange[id] = result.data;
      continue;
    }
    const names = [...ids.keys(), EXCHANGE_PROXY_URL.slice(EXCHANGE_PREFIX.length)];
    const similar = nearest(name, names).map((name) => EXCHANGE_PREFIX + name);
    problems.push({
      variable: printable(variable),
      value: REDACTED,
      allowed: id === undefined
        ? `${EXCHANGE_OPTIONS} of a CCXT exchange, or ${EXCHANGE_PROXY_URL}` +
          didYouMean(similar)
        : (result.error?.issues ?? []).map(({ message }) => message).join("; "),
    });
  }
  return { byExchange, problems };
}

function problemOf(issue: z.core.$ZodIssue, texts: SettingTexts): ConfigProblem {
  const { name: variable, secret }: Variable = SETTINGS[issue.path[0] as Field];
  // A rule for several items or variables has no input text.
  const text = typeof issue.input === "string" ? issue.input : texts[variable] ?? "";
  if (secret) {
    // Only the scheme is shown. A text that cannot be parsed may not be redacted completely.
    const scheme = /^[a-z]{1,20}:\/\//i.exec(text)?.[0] ?? "";
    return { variable, value: scheme + REDACTED, allowed: issue.message };
  }
  const shown = printable(redact(text));
  const isLong = shown.length > SHOWN_LENGTH_MAX;
  const value = isLong ? `${shown.slice(0, SHOWN_LENGTH_MAX)}…` : shown;
  return { variable, value, allowed: issue.message };
}
