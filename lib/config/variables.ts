/** The table of all variables. `--help`, completions, `.env.example` and `readConfig` are made from it. @module */
import type { z } from "zod";
import { isTimeframe } from "../market/timeframe.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../telemetry/log.ts";
import { databaseUrlProblem } from "./database_url.ts";
import { DATASET_CRON, DATASET_URL } from "./dataset_setting.ts";
import { EGRESS } from "./egress_setting.ts";
import { exchangeOptions } from "./exchange_options.ts";
import { FUNDING } from "./funding_setting.ts";
import { HISTORY } from "./history_setting.ts";
import { HTTP_ALLOWED_HOSTS, HTTP_TOKEN } from "./http_settings.ts";
import { LIVE } from "./live_setting.ts";
import * as read from "./setting.ts";
import { symbols } from "./symbols.ts";
import { FORMAT_SETTINGS } from "./webhook_format.ts";
import { type Completion, type ConfigRules, inGroup, type Variable } from "./variable.ts";

const HTTP_URL = read.url(["http", "https"], { allowed: "a URL beginning http:// or https://" });

const TIMEFRAME = read.textThat("timeframes such as 1m, 4h, 1d, 1w, 1M", isTimeframe);

/** Timeframes that most exchanges have. */
const USUAL_TIMEFRAMES: Completion = {
  kind: "list",
  words: "1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M".split(" "),
};

/** By the configuration field that each sets, in the order of `--help`. */
export const SETTINGS = {
  ...inGroup("Database", {
    databaseUrl: {
      name: "DATABASE_URL",
      meaning: "PostgreSQL server, postgres://user:password@host/database; embedded when unset.",
      details:
        "With or without TimescaleDB. Write @ in a password as %40. A connection to another " +
        "machine is encrypted and its certificate is verified: ?sslrootcert=/path/to/ca.pem adds " +
        "a certificate authority, ?sslmode=disable turns encryption off, as between containers. " +
        "Other parameters are libpq's; one that cannot be used is refused. What the URL leaves " +
        "out is taken from PGHOST, PGPASSWORD and psql's other variables.",
      secret: true,
      read: () =>
        read.textThat(
          (text) => databaseUrlProblem(text)?.message ?? "",
          (text) => databaseUrlProblem(text) === undefined,
        ).optional(),
    },
    dataDir: {
      name: "DATA_DIR",
      default: "./titan10-data",
      meaning: "Directory of the embedded database.",
      read: () =>
        read.textThat("a path; ~ is not expanded here", (text) => !/^~|\p{Cc}/u.test(text)),
      completion: { kind: "directory" },
    },
    dbPoolMax: {
      name: "DB_POOL_MAX",
      default: "10",
      meaning:
        "Maximum number of connections to the database, besides one for leases; always 1 when embedded.",
      read: () => read.wholeNumber({ min: 1, max: 100 }),
    },
    compressAfterMs: {
      name: "COMPRESS_AFTER",
      default: "7d",
      meaning: "Age after which chunks are compressed; off for never.",
      read: () => read.durationOrOff({ min: "1h", max: "3650d" }),
    },
    pruneAfterMs: {
      name: "PRUNE_AFTER",
      default: "90d",
      meaning:
        "Age after which filled gaps, rejected rows and ended alerts are deleted; off for never.",
      details:
        "Also deletes the revisions of candles that RETENTION has dropped. Gaps that still " +
        "explain missing candles are kept.",
      read: () => read.durationOrOff({ min: "1d", max: "3650d" }),
    },
  }),
  ...inGroup("What is archived", {
    configFile: {
      name: "TITAN10_CONFIG",
      meaning: "File of settings for each exchange; titan10.yaml of this directory when unset.",
      details: "docs/configuration.md describes it. Its entry for one exchange overrides these " +
        "variables; these variables override its defaults for all exchanges.",
      read: () => read.textThat("a path", (text) => !/\p{Cc}/u.test(text)).optional(),
    },
    exchanges: {
      name: "EXCHANGES",
      default: "binance,coinbase,kraken,okx,bybit",
      meaning: "CCXT exchange ids, separated by commas.",
      details:
        "Every CCXT exchange with candles can be named; these twenty are tested. The default is " +
        "the first five.",
      read: ({ knownExchanges }) =>
        read.list(read.knownName("CCXT exchange ids separated by commas", knownExchanges)),
      completion: { kind: "exchanges" },
    },
    symbols: {
      name: "SYMBOLS",
      default: "top:20",
      meaning:
        "Unified symbols, patterns such as BTC/*, top:N or top:N:QUOTE for those traded most.",
      details:
        "Separated by commas. top:N chooses, for each exchange, the N bases with the highest " +
        "24-hour volume against a dollar; top:N:QUOTE against that quote; top:N:QUOTE:linear, or " +
        "inverse, perpetuals. BTC/USDT:USDT is a perpetual, BTC/USDT:USDT@mark its mark price, " +
        "@index and @premium likewise. In a pattern, * is any letters of a part; what follows a ! " +
        "is left out: !*UP/*.",
      read: symbols,
    },
    timeframes: {
      name: "TIMEFRAMES",
      default: "1m,1d",
      meaning: "Timeframes to poll, separated by commas.",
      details: "1m is a minute, 1M a month.",
      read: () => read.list(TIMEFRAME),
      completion: USUAL_TIMEFRAMES,
    },
    backfill: {
      name: "BACKFILL",
      default: "1d:5y,1m:7d",
      meaning: "How much history to fetch of each timeframe, as timeframe:reach; off for none.",
      details: "A reach is a length of time before now (1d:5y) or a start date in UTC " +
        "(1d:2017-01-01..), optionally with an end date (1d:2021-01-01..2023-01-01), which is " +
        "not included: polls go on, and what lies between is not fetched. History with a start " +
        "date is kept for ever, so RETENTION cannot name it.",
      read: ({ nowMs }) => read.timeframeReaches({ sinceDay: true, nowMs }),
    },
    retention: {
      name: "RETENTION",
      meaning:
        "How long to keep candles of each timeframe, as timeframe:reach; for ever when unset.",
      details:
        "Timeframes not named are kept for ever. At least as long as BACKFILL reaches, and 7d " +
        "while ROLLUPS is set. Whole chunks (7 days of 1m, 420 of 1h) are dropped, once their " +
        "rollups are complete.",
      read: () => read.timeframeReaches({ sinceDay: false }).default([]),
    },
    rollups: {
      name: "ROLLUPS",
      meaning:
        "Timeframes to calculate from stored finer candles, such as 5m,1h,1d; none when unset.",
      details: "Each must divide a day and be a multiple of an archived one; others are dropped.",
      read: () => read.list(TIMEFRAME).default([]),
      completion: USUAL_TIMEFRAMES,
    },
    funding: FUNDING,
    history: HISTORY,
    datasetUrl: DATASET_URL,
  }),
  ...inGroup("When", {
    pollCron: {
      name: "POLL_CRON",
      default: "* * * * *",
      meaning: "When to fetch the newest candles, as five cron fields in UTC.",
      read: cron,
    },
    gapsCron: {
      name: "GAPS_CRON",
      default: "*/5 * * * *",
      meaning: "When to look for gaps and request them again, as five cron fields in UTC.",
      read: cron,
    },
    backfillCron: {
      name: "BACKFILL_CRON",
      default: "0 2 * * *",
      meaning: "When to fetch older history, as five cron fields in UTC.",
      read: cron,
    },
    live: LIVE,
    datasetCron: { ...DATASET_CRON, read: cron },
  }),
  ...inGroup("Requests to exchanges", {
    pollCandles: {
      name: "POLL_CANDLES",
      default: "5",
      meaning: "Number of newest closed candles that each poll requests, for late revisions.",
      read: () => read.wholeNumber({ min: 1, max: 100 }),
    },
    pageLimit: {
      name: "PAGE_LIMIT",
      meaning: "Maximum number of candles per request; the exchange's own limit when unset.",
      read: () => read.wholeNumber({ min: 1, max: 10_000 }).optional(),
    },
    fetchTimeoutMs: {
      name: "FETCH_TIMEOUT",
      default: "30s",
      meaning: "Maximum duration of one attempt of a request.",
      read: () => read.duration({ min: "1ms", max: "10m" }),
    },
    retryAttempts: {
      name: "RETRY_ATTEMPTS",
      default: "5",
      meaning: "Maximum number of attempts of a request, the first one included.",
      read: () => read.wholeNumber({ min: 1, max: 100 }),
    },
    retryMinMs: {
      name: "RETRY_MIN",
      default: "1s",
      meaning: "Upper limit of the first random delay between attempts; it doubles with each.",
      read: () => read.duration({ min: "1ms", max: "10m" }),
    },
    retryMaxMs: {
      name: "RETRY_MAX",
      default: "60s",
      meaning: "Upper limit of every random delay between attempts.",
      details: "Must not be shorter than RETRY_MIN.",
      read: () => read.duration({ min: "1ms", max: "1h" }),
    },
    breakerFailures: {
      name: "BREAKER_FAILURES",
      default: "5",
      meaning: "Number of failures in a row after which requests to an exchange are paused.",
      read: () => read.wholeNumber({ min: 1, max: 1_000 }),
    },
    breakerCooldownMs: {
      name: "BREAKER_COOLDOWN",
      default: "60s",
      meaning: "How long requests to a failing exchange are paused before one trial request.",
      read: () => read.duration({ min: "1ms", max: "1d" }),
    },
    exchangeOptions: {
      name: "EXCHANGE_<ID>",
      default: "{}",
      meaning: "JSON object for one exchange's CCXT constructor, such as EXCHANGE_KRAKEN.",
      details:
        "<ID> is the exchange id in capitals. One line, in single quotes. An option without " +
        "effect is refused at the start; values are never shown.",
      secret: true,
      read: exchangeOptions,
    },
    exchangeProxyUrl: {
      name: "EXCHANGE_PROXY_URL",
      meaning: "Prefix for the full URL of every request to an exchange (CCXT's proxyUrl).",
      details: "For a forward proxy for all exchanges, set HTTPS_PROXY in the environment.",
      secret: true,
      read: () => HTTP_URL.optional(),
    },
    egress: EGRESS,
  }),
  ...inGroup("Alerts, HTTP, logs", {
    gapAlertPercent: {
      name: "GAP_ALERT_PERCENT",
      default: "5",
      meaning: "Percentage of a series' candles that may be missing before an alert.",
      read: read.percent,
    },
    alertWebhookUrl: {
      name: "ALERT_WEBHOOK_URL",
      meaning: "URL to which alerts are posted; none when unset.",
      secret: true,
      read: () => HTTP_URL.optional(),
    },
    alertWebhookFormat: {
      name: "ALERT_WEBHOOK_FORMAT",
      default: "auto",
      meaning: "Format of the alerts: auto, json, slack, discord, telegram or alertmanager.",
      details: "auto recognises Slack, Discord and Telegram by the URL, and is json otherwise.",
      read: () => read.oneOf(FORMAT_SETTINGS),
      completion: { kind: "one", words: FORMAT_SETTINGS },
    },
    httpHost: {
      name: "HTTP_HOST",
      default: "127.0.0.1",
      meaning: "Address on which page, status, metrics and health are served.",
      details: "0.0.0.0 lets in everybody who can reach this machine: set HTTP_TOKEN, too.",
      read: read.host,
    },
    httpPort: {
      name: "HTTP_PORT",
      default: "9464",
      meaning: "Port on which page, status, metrics and health are served; 0 for any free port.",
      read: () => read.wholeNumber({ min: 0, max: 65_535 }),
    },
    httpToken: HTTP_TOKEN,
    httpAllowedHosts: HTTP_ALLOWED_HOSTS,
    logLevel: {
      name: "LOG_LEVEL",
      default: "info",
      meaning: "Lowest level that is logged.",
      read: () => read.oneSpelled(LOG_LEVELS, { warn: "warning", err: "error", critical: "fatal" }),
      completion: { kind: "one", words: LOG_LEVELS },
    },
    logFormat: {
      name: "LOG_FORMAT",
      meaning: "Format of log lines, json or pretty; when unset, pretty on a terminal, else json.",
      read: ({ isTerminal }) => read.oneOf(LOG_FORMATS).default(isTerminal ? "pretty" : "json"),
      completion: { kind: "one", words: LOG_FORMATS },
    },
  }),
};

/** The same as a list. */
export const VARIABLES: readonly Variable[] = Object.values(SETTINGS);

export type VariableName = (typeof SETTINGS)[keyof typeof SETTINGS]["name"];

/** The type of each setting's parsed value, by field. */
export type SettingValues = {
  readonly [Field in keyof typeof SETTINGS]: z.output<
    ReturnType<(typeof SETTINGS)[Field]["read"]>
  >;
};

function cron({ isCron }: ConfigRules): read.Setting<string> {
  return read.textThat("five cron fields, such as */5 * * * *, weekdays by name", isCron);
}
