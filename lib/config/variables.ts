/** The table of all variables. `--help`, completions, `.env.example` and `readConfig` are made from it. @module */
import type { z } from "zod";
import { isTimeframe } from "../market/timeframe.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../telemetry/log.ts";
import { databaseUrlProblem } from "./database_url.ts";
import { exchangeOptions } from "./exchange_options.ts";
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
      meaning:
        "Postgres server to use, postgres://user:password@host/database; embedded when unset.",
      details: "With or without TimescaleDB; an embedded TimescaleDB is opened in DATA_DIR. Of a " +
        "password's special characters @ is %40. The connection to another machine is encrypted " +
        "and its certificate verified: ?sslrootcert=/path/to/ca.pem names an authority of its " +
        "own, ?sslmode=disable leaves it plain, as between containers. Other parameters are libpq's; " +
        "what cannot be done is refused by its name. PGHOST, PGPASSWORD and psql's other " +
        "variables stand for what the URL leaves out, and alone choose no server.",
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
      meaning: "Most connections to the database; always 1 when embedded.",
      read: () => read.wholeNumber({ min: 1, max: 100 }),
    },
    compressAfterMs: {
      name: "COMPRESS_AFTER",
      default: "7d",
      meaning: "Age at which chunks are compressed; off for never.",
      read: () => read.durationOrOff({ min: "1h", max: "3650d" }),
    },
    pruneAfterMs: {
      name: "PRUNE_AFTER",
      default: "90d",
      meaning:
        "Age at which filled gaps, rejected rows and ended alerts are deleted; off for never.",
      details:
        "Also the revisions of candles that RETENTION has dropped. Gaps that still say why " +
        "candles are missing stay.",
      read: () => read.durationOrOff({ min: "1d", max: "3650d" }),
    },
  }),
  ...inGroup("What is archived", {
    configFile: {
      name: "TITAN10_CONFIG",
      meaning: "File of settings by exchange; titan10.yaml of the working directory when unset.",
      details: "docs/configuration.md describes it. What it says of one exchange beats the " +
        "variables, which beat what it says of all.",
      read: () => read.textThat("a path", (text) => !/\p{Cc}/u.test(text)).optional(),
    },
    exchanges: {
      name: "EXCHANGES",
      default: "binance,coinbase,kraken,okx,bybit",
      meaning: "CCXT exchange ids, separated by commas.",
      details: "Any of CCXT's that has candles can be named; these twenty are tested. Unset, the " +
        "first five.",
      read: ({ knownExchanges }) =>
        read.list(read.knownName("CCXT exchange ids separated by commas", knownExchanges)),
      completion: { kind: "exchanges" },
    },
    symbols: {
      name: "SYMBOLS",
      default: "top:20",
      meaning:
        "Unified symbols, patterns such as BTC/*, top:N or top:N:QUOTE for those traded most.",
      details: "Separated by commas. top:N chooses, per exchange, the N bases with the highest " +
        "24 h quote volume against a dollar; top:N:QUOTE against that quote. In a pattern * is " +
        "any letters of base, quote or settle. What follows a ! is left out: top:20,!*UP/*.",
      read: symbols,
    },
    timeframes: {
      name: "TIMEFRAMES",
      default: "1m,1d",
      meaning: "Timeframes that are polled, separated by commas.",
      details: "1m is a minute, 1M a month.",
      read: () => read.list(TIMEFRAME),
      completion: USUAL_TIMEFRAMES,
    },
    backfill: {
      name: "BACKFILL",
      default: "1d:5y,1m:7d",
      meaning: "How far back each timeframe reaches, as timeframe:reach; off for no history.",
      details:
        "A reach is a length of time (1d:5y) or begins on a day (1d:2017-01-01..), in UTC, " +
        "and may end on one (1d:2021-01-01..2023-01-01), which is left out itself: polls go on, " +
        "and what lies between is not fetched. What began on a day is kept for ever, so " +
        "RETENTION cannot name that timeframe.",
      read: ({ nowMs }) => read.timeframeReaches({ sinceDay: true, nowMs }),
    },
    retention: {
      name: "RETENTION",
      meaning: "How long each timeframe is kept, as timeframe:reach; for ever when unset.",
      details: "One that is not named is kept for ever, too. It must keep at least what BACKFILL " +
        "reaches, and 7d while ROLLUPS is set. Whole chunks are dropped (7 days of 1m, 420 of " +
        "1h), and only when every rollup of them is complete.",
      read: () => read.timeframeReaches({ sinceDay: false }).default([]),
    },
    rollups: {
      name: "ROLLUPS",
      meaning:
        "Timeframes calculated from stored finer candles, such as 5m,1h,1d; none when unset.",
      details: "Each divides a day and is a multiple of one that is archived. One that is no " +
        "longer named is dropped.",
      read: () => read.list(TIMEFRAME).default([]),
      completion: USUAL_TIMEFRAMES,
    },
  }),
  ...inGroup("When", {
    pollCron: {
      name: "POLL_CRON",
      default: "* * * * *",
      meaning: "When the newest candles are fetched, as five cron fields in UTC.",
      read: cron,
    },
    gapsCron: {
      name: "GAPS_CRON",
      default: "*/5 * * * *",
      meaning: "When gaps are looked for and repaired, as five cron fields in UTC.",
      read: cron,
    },
    backfillCron: {
      name: "BACKFILL_CRON",
      default: "0 2 * * *",
      meaning: "When older history is fetched, as five cron fields in UTC.",
      read: cron,
    },
  }),
  ...inGroup("Requests to exchanges", {
    pollCandles: {
      name: "POLL_CANDLES",
      default: "5",
      meaning: "Newest closed candles that every poll asks for again, to see late revisions.",
      read: () => read.wholeNumber({ min: 1, max: 100 }),
    },
    pageLimit: {
      name: "PAGE_LIMIT",
      meaning: "Most candles per request; the exchange's own limit when unset.",
      read: () => read.wholeNumber({ min: 1, max: 10_000 }).optional(),
    },
    fetchTimeoutMs: {
      name: "FETCH_TIMEOUT",
      default: "30s",
      meaning: "How long one attempt of a request may take.",
      read: () => read.duration({ min: "1ms", max: "10m" }),
    },
    retryAttempts: {
      name: "RETRY_ATTEMPTS",
      default: "5",
      meaning: "Most attempts of one request, the first one included.",
      read: () => read.wholeNumber({ min: 1, max: 100 }),
    },
    retryMinMs: {
      name: "RETRY_MIN",
      default: "1s",
      meaning: "Upper bound of the first random delay between attempts; it doubles with each.",
      read: () => read.duration({ min: "1ms", max: "10m" }),
    },
    retryMaxMs: {
      name: "RETRY_MAX",
      default: "60s",
      meaning: "Upper bound of every random delay between attempts.",
      details: "At least as long as RETRY_MIN.",
      read: () => read.duration({ min: "1ms", max: "1h" }),
    },
    breakerFailures: {
      name: "BREAKER_FAILURES",
      default: "5",
      meaning: "Failures in a row after which nothing is requested of an exchange for a while.",
      read: () => read.wholeNumber({ min: 1, max: 1_000 }),
    },
    breakerCooldownMs: {
      name: "BREAKER_COOLDOWN",
      default: "60s",
      meaning: "How long nothing is requested of a failing exchange before one trial request.",
      read: () => read.duration({ min: "1ms", max: "1d" }),
    },
    exchangeOptions: {
      name: "EXCHANGE_<ID>",
      default: "{}",
      meaning: "JSON object for one exchange's CCXT constructor, such as EXCHANGE_KRAKEN.",
      details:
        "<ID> is the exchange's id in capitals. One line, in single quotes. An option that " +
        "has no effect is refused at the start; no value is ever shown.",
      secret: true,
      read: exchangeOptions,
    },
    exchangeProxyUrl: {
      name: "EXCHANGE_PROXY_URL",
      meaning: "Prefix put before the full URL of every request to an exchange (CCXT's proxyUrl).",
      details:
        "For a forward proxy for all exchanges set HTTPS_PROXY, in the environment and not " +
        "here.",
      secret: true,
      read: () => HTTP_URL.optional(),
    },
  }),
  ...inGroup("Alerts, HTTP, logs", {
    gapAlertPercent: {
      name: "GAP_ALERT_PERCENT",
      default: "5",
      meaning: "Share of a series' candles that may be missing before an alert, in percent.",
      read: read.percent,
    },
    alertWebhookUrl: {
      name: "ALERT_WEBHOOK_URL",
      meaning: "Where alerts are sent by POST; nowhere when unset.",
      secret: true,
      read: () => HTTP_URL.optional(),
    },
    alertWebhookFormat: {
      name: "ALERT_WEBHOOK_FORMAT",
      default: "auto",
      meaning: "Form of the alerts: auto, json, slack, discord, telegram or alertmanager.",
      details:
        "auto knows Slack, Discord and Telegram by the webhook's URL, and is json elsewhere.",
      read: () => read.oneOf(FORMAT_SETTINGS),
      completion: { kind: "one", words: FORMAT_SETTINGS },
    },
    httpHost: {
      name: "HTTP_HOST",
      default: "127.0.0.1",
      meaning: "Address on which health, metrics and status are served.",
      details: "0.0.0.0 serves everybody who can reach it.",
      read: read.host,
    },
    httpPort: {
      name: "HTTP_PORT",
      default: "9464",
      meaning: "Port on which health, metrics and status are served; 0 for any free one.",
      read: () => read.wholeNumber({ min: 0, max: 65_535 }),
    },
    httpToken: {
      name: "HTTP_TOKEN",
      meaning:
        "Token that HTTP requests must send, except for health and readiness; none when unset.",
      details: 'They send it as "Authorization: Bearer …".',
      secret: true,
      read: () =>
        read.textThat(
          "16 to 512 letters, digits and - . _ ~ + / =, such as openssl rand -hex 32 makes",
          (text) => /^[\w.~+/=-]{16,512}$/.test(text),
        ).optional(),
    },
    httpAllowedHosts: {
      name: "HTTP_ALLOWED_HOSTS",
      meaning:
        "Host names that HTTP requests may name, separated by commas; loopback's when unset.",
      details:
        "Without their port, such as titan10.example.org: what a reverse proxy passes on in " +
        "the header Host. Loopback's names are always accepted. Unset, no others are on loopback " +
        "without HTTP_TOKEN, and all are with it or on another address.",
      read: () =>
        read.list(
          read.textThat(
            "host names without a port, separated by commas, such as titan10.example.org",
            (text) => /^[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/i.test(text),
          ),
        ).transform((names) => names.map((name) => name.toLowerCase())).default([]),
    },
    logLevel: {
      name: "LOG_LEVEL",
      default: "info",
      meaning: "Least severe level that is logged.",
      read: () => read.oneSpelled(LOG_LEVELS, { warn: "warning", err: "error", critical: "fatal" }),
      completion: { kind: "one", words: LOG_LEVELS },
    },
    logFormat: {
      name: "LOG_FORMAT",
      meaning: "Form of a log line, json or pretty; when unset json, and pretty on a terminal.",
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
