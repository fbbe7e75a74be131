/** Reads the configuration from flags, environment and `.env`, and names everything wrong in it at once. @module */
import { parse as parseDotenv } from "dotenv";
import { z } from "zod";
import { readDatabaseUrl, SSLMODES_ALLOWED } from "./database_url.ts";
import { exchangeOptions } from "./exchange_options.ts";
import { misspellingsIn } from "./misspelling.ts";
import { nearest } from "../text/nearest.ts";
import { printable } from "../text/printable.ts";
import { nominalReachMs, type Reach } from "./reach.ts";
import { redact, REDACTED } from "../text/redact.ts";
import { LOG_LEVELS, type LogFormat, type LogLevel } from "../telemetry/log.ts";
import * as read from "./setting.ts";
import { type Variable, type VariableName, VARIABLES } from "./variables.ts";

/** Everything the program can be told, read once at the start. See `VARIABLES` for what each part means. */
export interface Config {
  /** Undefined for the embedded database. */
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  readonly exchanges: readonly string[];
  readonly symbols: read.Symbols;
  readonly timeframes: readonly string[];
  readonly backfill: readonly read.TimeframeReach[];
  readonly pollCron: string;
  readonly gapsCron: string;
  readonly backfillCron: string;
  readonly pollCandles: number;
  /** Undefined for each exchange's own. */
  readonly pageLimit: number | undefined;
  readonly fetchTimeoutMs: number;
  readonly retry: { readonly attempts: number; readonly minMs: number; readonly maxMs: number };
  readonly breaker: { readonly failures: number; readonly cooldownMs: number };
  readonly dbPoolMax: number;
  /** Undefined for never. */
  readonly compressAfterMs: number | undefined;
  /** Undefined for never. */
  readonly pruneAfterMs: number | undefined;
  /** A timeframe that is not named is kept for ever. */
  readonly retention: readonly read.TimeframeReach[];
  /** Coarser timeframes worked out from stored candles; empty for none. */
  readonly rollups: readonly string[];
  readonly gapAlertPercent: number;
  readonly alertWebhookUrl: string | undefined;
  readonly httpHost: string;
  readonly httpPort: number;
  /** Undefined where everybody who can reach the port may ask. */
  readonly httpToken: string | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** By exchange id; what is not named has no options. */
  readonly exchangeOptions: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly exchangeProxyUrl: string | undefined;
}

type Texts = Readonly<Record<string, string | undefined>>;

/** Where the variables come from: flags beat the environment, the environment beats `.env`. */
export interface ConfigSources {
  readonly env: Texts;
  /** The text of a `.env` file. */
  readonly dotenv?: string | undefined;
  /** By the same names as the variables. */
  readonly flags?: Texts | undefined;
}

/** What only the floors above know. */
export interface ConfigRules {
  readonly knownExchanges: readonly string[];
  readonly isTimeframe: (text: string) => boolean;
  readonly isCron: (text: string) => boolean;
  /**
   * Whether logs go to a terminal.
   *
   * @default false
   */
  readonly isTerminal?: boolean | undefined;
}

export interface ConfigProblem {
  readonly variable: string;
  /** The part of the value that is wrong, harmless to print, with secrets redacted. */
  readonly value: string;
  readonly allowed: string;
}

/** Everything that is wrong with a configuration, one line a problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ variable, value, allowed }) =>
      `  ${variable}="${value}": expected ${allowed}`
    );
    super(["Cannot use this configuration:", ...lines].join("\n"));
    this.problems = problems;
  }
}

/**
 * Reads the configuration. Spaces around a value do not count, and an empty value is an unset one.
 *
 * @throws ConfigError naming every problem, when there is any.
 */
export function readConfig(sources: ConfigSources, rules: ConfigRules): Config {
  const texts = mergeSources(sources);
  const options = readExchangeOptions(texts, rules.knownExchanges);
  const result = schemaFor(texts, rules).safeParse(texts, { reportInput: true });
  const problems = [
    ...(result.error?.issues ?? []).map((issue) => problemOf(issue, texts)),
    ...options.problems,
    ...misspellingsIn(sources.dotenv ?? "", VARIABLES.map(({ name }) => name)).map((
      { name, similar },
    ) => ({
      variable: printable(name),
      value: REDACTED,
      allowed: `the name of a setting in .env${read.didYouMean(similar)}`,
    })),
  ];
  if (!result.success || problems.length > 0) throw new ConfigError(problems);

  const values = result.data;
  return {
    databaseUrl: values.DATABASE_URL,
    dataDir: values.DATA_DIR,
    exchanges: values.EXCHANGES,
    symbols: values.SYMBOLS,
    timeframes: values.TIMEFRAMES,
    backfill: values.BACKFILL,
    pollCron: values.POLL_CRON,
    gapsCron: values.GAPS_CRON,
    backfillCron: values.BACKFILL_CRON,
    pollCandles: values.POLL_CANDLES,
    pageLimit: values.PAGE_LIMIT,
    fetchTimeoutMs: values.FETCH_TIMEOUT,
    retry: {
      attempts: values.RETRY_ATTEMPTS,
      minMs: values.RETRY_MIN,
      maxMs: values.RETRY_MAX,
    },
    breaker: { failures: values.BREAKER_FAILURES, cooldownMs: values.BREAKER_COOLDOWN },
    // The embedded server takes one connection, whatever is asked.
    dbPoolMax: values.DATABASE_URL === undefined ? 1 : values.DB_POOL_MAX,
    compressAfterMs: values.COMPRESS_AFTER === "off" ? undefined : values.COMPRESS_AFTER,
    pruneAfterMs: values.PRUNE_AFTER === "off" ? undefined : values.PRUNE_AFTER,
    retention: values.RETENTION ?? [],
    rollups: values.ROLLUPS ?? [],
    gapAlertPercent: values.GAP_ALERT_PERCENT,
    alertWebhookUrl: values.ALERT_WEBHOOK_URL,
    httpHost: values.HTTP_HOST,
    httpPort: values.HTTP_PORT,
    httpToken: values.HTTP_TOKEN,
    logLevel: values.LOG_LEVEL,
    logFormat: values.LOG_FORMAT ?? (rules.isTerminal ? "pretty" : "json"),
    exchangeOptions: options.byExchange,
    exchangeProxyUrl: values.EXCHANGE_PROXY_URL,
  };
}

const EXCHANGE_OPTIONS = "EXCHANGE_<ID>" satisfies VariableName;
const EXCHANGE_PREFIX = "EXCHANGE_";
const EXCHANGE_PROXY_URL = "EXCHANGE_PROXY_URL" satisfies VariableName;

/** Longer values are cut in a message: the beginning is enough to recognise them by. */
const SHOWN_LENGTH_MAX = 80;

// deno-lint-ignore explicit-function-return-type -- It is what the schema makes it.
function schemaFor(texts: Texts, { knownExchanges, isTimeframe, isCron }: ConfigRules) {
  const cron = read.textThat("five cron fields, such as */5 * * * *, weekdays by name", isCron);
  const timeframe = read.textThat("timeframes such as 1m, 4h, 1d, 1w, 1M", isTimeframe);
  const http = { allowed: "a URL beginning http:// or https://" };
  return z.object({
    DATABASE_URL: read.url(["postgres", "postgresql"], {
      allowed: "a URL beginning postgres:// or postgresql://, special characters of the password " +
        "percent-encoded",
    }).pipe(read.textThat(SSLMODES_ALLOWED, (text) => readDatabaseUrl(text) !== undefined))
      .optional(),
    DATA_DIR: read.textThat(
      "a path; ~ is not expanded here",
      (text) => !/^~|\p{Cc}/u.test(text),
    ),
    EXCHANGES: read.list(read.knownName("CCXT exchange ids separated by commas", knownExchanges)),
    SYMBOLS: read.symbols(texts.SYMBOLS ?? ""),
    TIMEFRAMES: read.list(timeframe),
    BACKFILL: read.timeframeReaches(isTimeframe),
    POLL_CRON: cron,
    GAPS_CRON: cron,
    BACKFILL_CRON: cron,
    POLL_CANDLES: read.wholeNumber({ min: 1, max: 100 }),
    PAGE_LIMIT: read.wholeNumber({ min: 1, max: 10_000 }).optional(),
    FETCH_TIMEOUT: read.duration({ min: "1ms", max: "10m" }),
    RETRY_ATTEMPTS: read.wholeNumber({ min: 1, max: 100 }),
    RETRY_MIN: read.duration({ min: "1ms", max: "10m" }),
    RETRY_MAX: read.duration({ min: "1ms", max: "1h" }),
    BREAKER_FAILURES: read.wholeNumber({ min: 1, max: 1_000 }),
    BREAKER_COOLDOWN: read.duration({ min: "1ms", max: "1d" }),
    DB_POOL_MAX: read.wholeNumber({ min: 1, max: 100 }),
    COMPRESS_AFTER: texts.COMPRESS_AFTER === "off"
      ? z.literal("off")
      : read.duration({ min: "1h", max: "3650d" }),
    PRUNE_AFTER: texts.PRUNE_AFTER === "off"
      ? z.literal("off")
      : read.duration({ min: "1d", max: "3650d" }),
    RETENTION: read.timeframeReaches(isTimeframe).optional(),
    ROLLUPS: read.list(timeframe).optional(),
    GAP_ALERT_PERCENT: read.percent(),
    ALERT_WEBHOOK_URL: read.url(["http", "https"], http).optional(),
    HTTP_HOST: read.host(),
    HTTP_PORT: read.wholeNumber({ min: 0, max: 65_535 }),
    HTTP_TOKEN: read.textThat(
      "16 to 512 letters, digits and - . _ ~ + / =, such as openssl rand -hex 32 makes",
      (text) => /^[\w.~+/=-]{16,512}$/.test(text),
    ).optional(),
    LOG_LEVEL: read.oneOf(LOG_LEVELS),
    LOG_FORMAT: read.oneOf(["json", "pretty"]).optional(),
    EXCHANGE_PROXY_URL: read.url(["http", "https"], http).optional(),
  }).refine(({ RETRY_MIN, RETRY_MAX }) => RETRY_MIN <= RETRY_MAX, {
    path: ["RETRY_MAX"],
    error: "at least as long as RETRY_MIN",
    when: isReadable("RETRY_MIN", "RETRY_MAX"),
  }).refine(({ BACKFILL, RETENTION }) => keepsAll(BACKFILL, RETENTION ?? []), {
    path: ["RETENTION"],
    error: "each timeframe kept at least as long as BACKFILL reaches",
    when: isReadable("BACKFILL", "RETENTION"),
  }).refine(({ RETENTION, ROLLUPS }) => ROLLUPS === undefined || keepsForRollups(RETENTION ?? []), {
    path: ["RETENTION"],
    error: `each timeframe kept at least ${ROLLUP_SOURCE_DAYS_MIN}d while ROLLUPS is set`,
    when: isReadable("RETENTION", "ROLLUPS"),
  });
}

/** Rollups are refreshed over some days before the present; candles of that time must be there. */
const ROLLUP_SOURCE_DAYS_MIN = 7;

function keepsForRollups(retention: readonly read.TimeframeReach[]): boolean {
  const minMs = nominalReachMs({ count: ROLLUP_SOURCE_DAYS_MIN, unit: "d" });
  return retention.every(({ reach }) => nominalReachMs(reach) >= minMs);
}

/** Lets two settings be compared whatever else is wrong, so that one run names every problem. */
function isReadable(...names: readonly VariableName[]): (payload: z.core.ParsePayload) => boolean {
  return ({ issues }) => !issues.some(({ path }) => names.some((name) => name === path?.[0]));
}

/** Whether nothing is fetched only to be dropped again. */
function keepsAll(
  backfill: readonly read.TimeframeReach[],
  retention: readonly read.TimeframeReach[],
): boolean {
  const reaches = new Map<string, Reach>(backfill.map((item) => [item.timeframe, item.reach]));
  return retention.every(({ timeframe, reach }) => {
    const wanted = reaches.get(timeframe);
    return wanted === undefined || nominalReachMs(wanted) <= nominalReachMs(reach);
  });
}

function mergeSources({ env, dotenv = "", flags = {} }: ConfigSources): Texts {
  const texts: Record<string, string> = {};
  for (const { name, default: text } of VARIABLES as readonly Variable[]) {
    if (text !== undefined) texts[name] = text;
  }
  for (const source of [parseDotenv(dotenv), env, flags]) {
    for (const [name, value] of Object.entries(source)) {
      const text = value?.trim();
      if (text) texts[name] = text;
    }
  }
  return texts;
}

/** Reads every `EXCHANGE_<ID>`. A name that is no exchange is a problem: its key would go unused. */
function readExchangeOptions(texts: Texts, knownExchanges: readonly string[]): {
  readonly byExchange: Config["exchangeOptions"];
  readonly problems: readonly ConfigProblem[];
} {
  const ids = new Map(knownExchanges.map((id) => [id.toUpperCase(), id]));
  const byExchange: Record<string, Readonly<Record<string, unknown>>> = {};
  const problems: ConfigProblem[] = [];
  for (const [variable, text = ""] of Object.entries(texts)) {
    if (!variable.startsWith(EXCHANGE_PREFIX)) continue;
    if (variable === EXCHANGE_PROXY_URL || variable === EXCHANGE_OPTIONS) continue;
    const name = variable.slice(EXCHANGE_PREFIX.length);
    const id = ids.get(name);
    const result = exchangeOptions().safeParse(text);
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
          read.didYouMean(similar)
        : (result.error?.issues ?? []).map(({ message }) => message).join("; "),
    });
  }
  return { byExchange, problems };
}

function problemOf(issue: z.core.$ZodIssue, texts: Texts): ConfigProblem {
  const variable = String(issue.path[0]);
  // A rule about several items or variables has no text of its own.
  const text = typeof issue.input === "string" ? issue.input : texts[variable] ?? "";
  const { secret } = VARIABLES.find(({ name }) => name === variable) ?? { secret: true };
  if (secret) {
    // The scheme tells enough, and what cannot be read cannot be trusted to be redacted.
    const scheme = /^[a-z]{1,20}:\/\//i.exec(text)?.[0] ?? "";
    return { variable, value: scheme + REDACTED, allowed: issue.message };
  }
  const shown = printable(redact(text));
  const isLong = shown.length > SHOWN_LENGTH_MAX;
  const value = isLong ? `${shown.slice(0, SHOWN_LENGTH_MAX)}…` : shown;
  return { variable, value, allowed: issue.message };
}
