import assert from "node:assert/strict";
import {
  type Config,
  ConfigError,
  type ConfigProblem,
  type ConfigSources,
  readConfig,
} from "../../lib/config/config.ts";
import { parseReach, reachEndMs, reachStartMs } from "../../lib/config/reach.ts";
import type { ConfigRules } from "../../lib/config/variable.ts";
import { mayBeChosen } from "../../lib/config/symbols.ts";
import { webhookFormat } from "../../lib/config/webhook_format.ts";
import { VARIABLES } from "../../lib/config/variables.ts";

/** Stands for what the floors above hand in. */
const rules: ConfigRules = {
  knownExchanges: ["binance", "binanceus", "bybit", "coinbase", "gate", "kraken", "okx"],
  isCron: (text) => text.split(/\s+/).length === 5 && !/[^\d*/, -]/.test(text),
};

function read(sources: Partial<ConfigSources>): Config {
  return readConfig({ env: {}, ...sources }, rules);
}

function problemsOf(sources: Partial<ConfigSources>): readonly ConfigProblem[] {
  try {
    read(sources);
  } catch (error) {
    assert(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

Deno.test("every variable of the design is in the table, with its default", () => {
  const table = Object.fromEntries(VARIABLES.map(({ name, default: text }) => [name, text]));
  assert.deepEqual(table, {
    DATABASE_URL: undefined,
    DATA_DIR: "./titan10-data",
    TITAN10_CONFIG: undefined,
    EXCHANGES: "binance,coinbase,kraken,okx,bybit",
    SYMBOLS: "top:20",
    TIMEFRAMES: "1m,1d",
    BACKFILL: "1d:5y,1m:7d",
    POLL_CRON: "* * * * *",
    GAPS_CRON: "*/5 * * * *",
    BACKFILL_CRON: "0 2 * * *",
    DATASET_URL: undefined,
    DATASET_CRON: "15 3 * * *",
    FUNDING: "auto",
    HISTORY: "auto",
    LIVE: "auto",
    POLL_CANDLES: "5",
    PAGE_LIMIT: undefined,
    FETCH_TIMEOUT: "30s",
    RETRY_ATTEMPTS: "5",
    RETRY_MIN: "1s",
    RETRY_MAX: "60s",
    BREAKER_FAILURES: "5",
    BREAKER_COOLDOWN: "60s",
    DB_POOL_MAX: "10",
    COMPRESS_AFTER: "7d",
    PRUNE_AFTER: "90d",
    RETENTION: undefined,
    ROLLUPS: undefined,
    GAP_ALERT_PERCENT: "5",
    ALERT_WEBHOOK_URL: undefined,
    ALERT_WEBHOOK_FORMAT: "auto",
    HTTP_HOST: "127.0.0.1",
    HTTP_PORT: "9464",
    HTTP_TOKEN: undefined,
    HTTP_ALLOWED_HOSTS: undefined,
    LOG_LEVEL: "info",
    LOG_FORMAT: undefined,
    "EXCHANGE_<ID>": "{}",
    EXCHANGE_PROXY_URL: undefined,
    EGRESS: undefined,
  });
});

Deno.test("without any source every field has its default", () => {
  assert.deepEqual(read({}), {
    databaseUrl: undefined,
    dataDir: "./titan10-data",
    configFile: undefined,
    exchanges: ["binance", "coinbase", "kraken", "okx", "bybit"],
    everywhere: {
      symbols: { names: [], tops: [{ count: 20 }], patterns: [], excluded: [] },
      timeframes: ["1m", "1d"],
      backfill: [
        { timeframe: "1d", reach: { text: "5y", count: 5, unit: "y" } },
        { timeframe: "1m", reach: { text: "7d", count: 7, unit: "d" } },
      ],
      pageLimit: undefined,
      retention: [],
      live: "auto",
      funding: "auto",
      history: "auto",
    },
    own: new Map(),
    pollCron: "* * * * *",
    gapsCron: "*/5 * * * *",
    backfillCron: "0 2 * * *",
    datasetUrl: undefined,
    datasetCron: "15 3 * * *",
    s3: NO_BUCKET,
    pollCandles: 5,
    fetchTimeoutMs: 30_000,
    retry: { attempts: 5, minMs: 1_000, maxMs: 60_000 },
    breaker: { failures: 5, cooldownMs: 60_000 },
    dbPoolMax: 1,
    compressAfterMs: 7 * 86_400_000,
    pruneAfterMs: 90 * 86_400_000,
    rollups: [],
    gapAlertPercent: 5,
    alertWebhookUrl: undefined,
    alertWebhookFormat: "auto",
    httpHost: "127.0.0.1",
    httpPort: 9464,
    httpToken: undefined,
    httpAllowedHosts: [],
    logLevel: "info",
    logFormat: "json",
    exchangeOptions: {},
    exchangeProxyUrl: undefined,
    egress: undefined,
  });
});

const NO_BUCKET = {
  accessKeyId: undefined,
  secretAccessKey: undefined,
  sessionToken: undefined,
  region: undefined,
  endpoint: undefined,
};

Deno.test("every variable reaches its field", () => {
  const config = read({
    env: {
      DATABASE_URL: "postgresql://u:p%40@h:5432/db?prepare=false",
      DATA_DIR: "/var/lib/titan 10",
      TITAN10_CONFIG: "/etc/titan10.yaml",
      EXCHANGES: "kraken, okx,kraken",
      SYMBOLS: "BTC/USDT,ETH/USDT:USDT-240628,BTC/USDT, 币安人生/USDT",
      TIMEFRAMES: "1M,1w,1M",
      BACKFILL: "1h:18mo, 1m:48h",
      POLL_CRON: "*/2 * * * *",
      GAPS_CRON: "1 * * * *",
      BACKFILL_CRON: "2 * * * *",
      DATASET_URL: "s3://candles/of/all",
      DATASET_CRON: "3 * * * *",
      AWS_ACCESS_KEY_ID: "id",
      AWS_SECRET_ACCESS_KEY: "key",
      AWS_SESSION_TOKEN: "token",
      AWS_REGION: "eu-central-1",
      AWS_DEFAULT_REGION: "unused",
      AWS_ENDPOINT_URL_S3: "https://minio:9000",
      AWS_ENDPOINT_URL: "https://unused",
      LIVE: "binance,kraken",
      FUNDING: "off",
      HISTORY: "off",
      POLL_CANDLES: "7",
      PAGE_LIMIT: "250",
      FETCH_TIMEOUT: "1m30s",
      RETRY_ATTEMPTS: "1",
      RETRY_MIN: "250ms",
      RETRY_MAX: "1.5s",
      BREAKER_FAILURES: "2",
      BREAKER_COOLDOWN: "1h",
      DB_POOL_MAX: "4",
      COMPRESS_AFTER: "off",
      PRUNE_AFTER: "off",
      RETENTION: "1m:90d,1h:5y",
      ROLLUPS: "5m,1h,1d",
      GAP_ALERT_PERCENT: "0.5",
      ALERT_WEBHOOK_URL: "https://hooks.example.com/x",
      ALERT_WEBHOOK_FORMAT: "slack",
      HTTP_HOST: "::1",
      HTTP_PORT: "0",
      HTTP_TOKEN: "0123456789abcdef",
      HTTP_ALLOWED_HOSTS: "Titan10.Example.org, vps",
      LOG_LEVEL: "warning",
      LOG_FORMAT: "pretty",
      EXCHANGE_KRAKEN: '{"apiKey":"k","options":{"a":[1]}}',
      EXCHANGE_PROXY_URL: "http://127.0.0.1:8080/",
      EGRESS: "frankfurt",
    },
  });
  assert.deepEqual(config, {
    databaseUrl: "postgresql://u:p%40@h:5432/db?prepare=false",
    dataDir: "/var/lib/titan 10",
    configFile: "/etc/titan10.yaml",
    exchanges: ["kraken", "okx"],
    everywhere: {
      symbols: {
        names: ["BTC/USDT", "ETH/USDT:USDT-240628", "币安人生/USDT"],
        tops: [],
        patterns: [],
        excluded: [],
      },
      timeframes: ["1M", "1w"],
      backfill: [
        { timeframe: "1h", reach: { text: "18mo", count: 18, unit: "mo" } },
        { timeframe: "1m", reach: { text: "48h", count: 48, unit: "h" } },
      ],
      pageLimit: 250,
      retention: [
        { timeframe: "1m", reach: { text: "90d", count: 90, unit: "d" } },
        { timeframe: "1h", reach: { text: "5y", count: 5, unit: "y" } },
      ],
      live: ["binance", "kraken"],
      funding: "off",
      history: "off",
    },
    own: new Map(),
    pollCron: "*/2 * * * *",
    gapsCron: "1 * * * *",
    backfillCron: "2 * * * *",
    datasetUrl: "s3://candles/of/all",
    datasetCron: "3 * * * *",
    s3: {
      accessKeyId: "id",
      secretAccessKey: "key",
      sessionToken: "token",
      region: "eu-central-1",
      endpoint: "https://minio:9000",
    },
    pollCandles: 7,
    fetchTimeoutMs: 90_000,
    retry: { attempts: 1, minMs: 250, maxMs: 1_500 },
    breaker: { failures: 2, cooldownMs: 3_600_000 },
    dbPoolMax: 4,
    compressAfterMs: undefined,
    pruneAfterMs: undefined,
    rollups: ["5m", "1h", "1d"],
    gapAlertPercent: 0.5,
    alertWebhookUrl: "https://hooks.example.com/x",
    alertWebhookFormat: "slack",
    httpHost: "::1",
    httpPort: 0,
    httpToken: "0123456789abcdef",
    httpAllowedHosts: ["titan10.example.org", "vps"],
    logLevel: "warning",
    logFormat: "pretty",
    exchangeOptions: { kraken: { apiKey: "k", options: { a: [1] } } },
    exchangeProxyUrl: "http://127.0.0.1:8080/",
    egress: "frankfurt",
  });
});

const accepted: readonly (readonly [string, string])[] = [
  ["DATABASE_URL", "postgres://h1:5432,h2:5433/db"],
  ["DATABASE_URL", "postgres:///db?host=/var/run/postgresql"],
  ["SYMBOLS", "top:1000:EUR"],
  ["BACKFILL", "off"],
  ["DATASET_URL", "./dataset"],
  ["DATASET_URL", "/mnt/candles of all"],
  ["HTTP_HOST", "0.0.0.0"],
  ["HTTP_HOST", "titan.example.com"],
  ["FETCH_TIMEOUT", "10m"],
  ["GAP_ALERT_PERCENT", "100"],
  ["COMPRESS_AFTER", "1h"],
  ["PRUNE_AFTER", "1d"],
];
for (const [variable, value] of accepted) {
  Deno.test(`${variable} may be ${value}`, () => {
    assert.deepEqual(problemsOf({ env: { [variable]: value } }), []);
  });
}

Deno.test("top:N keeps its quote, and has none without", () => {
  const tops = (text: string): unknown => read({ env: { SYMBOLS: text } }).everywhere.symbols.tops;
  assert.deepEqual(tops("top:5:EUR"), [{ count: 5, quote: "EUR" }]);
  assert.deepEqual(tops("top:5"), [{ count: 5 }]);
});

Deno.test("top:N has a kind of market, which is spot if none is named", () => {
  const { tops } = read({
    env: { SYMBOLS: "top:5:USDT:linear,top:3:USD:inverse,top:2:EUR:spot" },
  }).everywhere.symbols;
  assert.deepEqual(tops, [
    { count: 5, quote: "USDT", kind: "linear" },
    { count: 3, quote: "USD", kind: "inverse" },
    { count: 2, quote: "EUR" },
  ]);
});

Deno.test("what was chosen stays while there is a top:N of its kind, which takes no dated future and no other price", () => {
  const stays = (SYMBOLS: string): readonly string[] => {
    const { symbols } = read({ env: { SYMBOLS } }).everywhere;
    const all = "BTC/USDT BTC/USDT:USDT BTC/USD:BTC BTC/USDT:USDT-240628 BTC/USDT:USDT@mark";
    return all.split(" ").filter((symbol) => mayBeChosen(symbols, symbol));
  };
  assert.deepEqual(stays("top:5"), ["BTC/USDT"]);
  assert.deepEqual(stays("top:5:USDT:linear"), ["BTC/USDT:USDT"]);
  assert.deepEqual(stays("top:5:USD:inverse,top:5"), ["BTC/USDT", "BTC/USD:BTC"]);
  assert.deepEqual(stays("BTC/USDT:USDT-*"), ["BTC/USDT:USDT-240628"]);
});

Deno.test("an option is refused by its name, and says what may stand there; a kind that there is not, too", () => {
  const allowed = (SYMBOLS: string): string | undefined =>
    problemsOf({ env: { SYMBOLS } })[0]?.allowed;
  assert.equal(
    allowed("BTC/USD:BTC-240927-60000-C"),
    "no options: they are not archived. Name the perpetual BTC/USD:BTC or a dated future",
  );
  assert.match(allowed("top:5:USDT:swap") ?? "", /spot, linear or inverse for KIND/);
  assert.match(allowed("top:5:linear") ?? "", /top:N:QUOTE:KIND/);
  assert.deepEqual(problemsOf({ env: { SYMBOLS: "*/USD:*,!BTC/USD:BTC-240927-60000-C" } }), []);
});

Deno.test("SYMBOLS unites names, patterns and several top:N, and takes out what follows a !", () => {
  const text = "top:5,BTC/USDT,*/FDUSD,!*UP/*,top:3:EUR, !ETH/USDT,BTC/USDT:*";
  assert.deepEqual(read({ env: { SYMBOLS: text } }).everywhere.symbols, {
    names: ["BTC/USDT"],
    tops: [{ count: 5 }, { count: 3, quote: "EUR" }],
    patterns: ["*/FDUSD", "BTC/USDT:*"],
    excluded: ["*UP/*", "ETH/USDT"],
  });
});

Deno.test("SYMBOLS takes prices of contracts by name and by pattern, and says which there are", () => {
  const text = "BTC/USDT:USDT@mark,*/USDT:USDT@premium,!ETH/*:*@premium,BTC/USD:BTC-241227@index";
  assert.deepEqual(read({ env: { SYMBOLS: text } }).everywhere.symbols, {
    names: ["BTC/USDT:USDT@mark", "BTC/USD:BTC-241227@index"],
    tops: [],
    patterns: ["*/USDT:USDT@premium"],
    excluded: ["ETH/*:*@premium"],
  });
  assert.throws(
    () => read({ env: { SYMBOLS: "BTC/USDT:USDT@last" } }),
    /@mark, BTC.USDT:USDT@index, BTC.USDT:USDT@premium/,
  );
});

Deno.test("flags beat the environment, and the environment beats .env", () => {
  const dotenv = "# a comment\nHTTP_PORT=1\nexport DATA_DIR='a b'\nLOG_LEVEL=debug # for now\n";
  const env = { HTTP_PORT: "2", LOG_LEVEL: "error" };
  const { httpPort, logLevel, dataDir } = read({ dotenv, env, flags: { HTTP_PORT: "3" } });
  assert.deepEqual({ httpPort, logLevel, dataDir }, {
    httpPort: 3,
    logLevel: "error",
    dataDir: "a b",
  });
});

Deno.test("a default that is handed in beats the table's, and every source beats it", () => {
  const defaults = { LOG_LEVEL: "error", HTTP_PORT: undefined };
  assert.equal(read({ defaults }).logLevel, "error");
  assert.equal(read({ defaults }).httpPort, 9464);
  assert.equal(read({ defaults, dotenv: "export LOG_LEVEL=debug" }).logLevel, "debug");
  assert.equal(read({ defaults, dotenv: "LOG_LEVEL=" }).logLevel, "error");
  assert.equal(read({ defaults, env: { LOG_LEVEL: "fatal" } }).logLevel, "fatal");
  const spelled = ["warn", "WARN", "Warning", "ERR", "Info", "critical"];
  assert.deepEqual(spelled.map((text) => read({ env: { LOG_LEVEL: text } }).logLevel), [
    ...["warning", "warning", "warning", "error", "info", "fatal"],
  ]);
});

Deno.test("an empty or blank value is an unset one and lets the next source speak", () => {
  const { httpPort, exchangeOptions } = read({
    dotenv: "HTTP_PORT=1",
    env: { HTTP_PORT: " ", EXCHANGE_NOBODY: "" },
    flags: { HTTP_PORT: "", EXCHANGES: undefined },
  });
  assert.equal(httpPort, 1);
  assert.deepEqual(exchangeOptions, {});
});

Deno.test("logs are pretty on a terminal unless told otherwise", () => {
  const terminal = { ...rules, isTerminal: true };
  assert.equal(readConfig({ env: {} }, terminal).logFormat, "pretty");
  assert.equal(readConfig({ env: { LOG_FORMAT: "json" } }, terminal).logFormat, "json");
});

Deno.test("variables of other programs do not matter", () => {
  assert.deepEqual(problemsOf({ env: { EXCHANGE: "x", TIMEFRAME: "x", PATH: "/bin" } }), []);
});

/** Each is refused alone, under its own name; the value shown is the second part unless a third is given. */
const refused: readonly (readonly [variable: string, value: string, shown?: string])[] = [
  ["DATABASE_URL", "mysql://u:hunter2@h/db", "mysql://***"],
  ["DATABASE_URL", "localhost:5432/hunter2", "***"],
  ["DATABASE_URL", "postgres://u:hun#ter2@h/db", "postgres://***"],
  ["DATABASE_URL", "postgres:u:hunter2@h/db", "***"],
  ["DATA_DIR", "~/titan10"],
  ["DATA_DIR", "a\x1b[31mb", "a\\x1b[31mb"],
  ["EXCHANGES", "binance,binanec", "binanec"],
  ["EXCHANGES", "binance,,kraken", ""],
  ["EXCHANGES", ",", ""],
  ["EXCHANGES", "binance kraken"],
  ["SYMBOLS", "top:0"],
  ["SYMBOLS", "top:1001"],
  ["SYMBOLS", "top"],
  ["SYMBOLS", "TOP:5"],
  ["SYMBOLS", "top:5:"],
  ["SYMBOLS", "top:1.5"],
  ["SYMBOLS", "top:5:USDT:swap"],
  ["SYMBOLS", "top:5:USDT:"],
  ["SYMBOLS", "top:5::linear"],
  ["SYMBOLS", "BTC/USD:BTC-240927-60000-C"],
  ["SYMBOLS", "*"],
  ["SYMBOLS", "BTC/USDT,!top:5", "!top:5"],
  ["SYMBOLS", "!BTC/USDT,!*/EUR"],
  ["SYMBOLS", "BTCUSDT"],
  ["SYMBOLS", "BTC/USDT,/USDT", "/USDT"],
  ["SYMBOLS", "BTC/USDT,", ""],
  ["SYMBOLS", "BTC/US\x1b[2JDT", "BTC/US\\x1b[2JDT"],
  ["SYMBOLS", "BTC/USDT ETH/USDT"],
  ["SYMBOLS", "BTC/USDT:USDT@marks"],
  ["SYMBOLS", "BTC/USDT:USDT,BTC/USDT@mark", "BTC/USDT@mark"],
  ["SYMBOLS", "BTC/USDT:USDT,!*/USDT@mark", "!*/USDT@mark"],
  ["SYMBOLS", "*/USDT:USDT@*"],
  ["SYMBOLS", "BTC/USDT:USDT@mark@index"],
  ["SYMBOLS", `BTC/${"X".repeat(200)}`, `BTC/${"X".repeat(76)}…`],
  ["TIMEFRAMES", "1m,1x", "1x"],
  ["TIMEFRAMES", "one"],
  ["BACKFILL", "1d"],
  ["BACKFILL", "1d:5y:6"],
  ["BACKFILL", "1d:2017-01-01"],
  ["BACKFILL", "1d:2023-02-29.."],
  ["BACKFILL", "1d:1969-12-31.."],
  ["BACKFILL", "1d:2018-01-01..2017-01-01"],
  ["RETENTION", "1d:2017-01-01.."],
  ["BACKFILL", "1x:5y"],
  ["BACKFILL", "1d:5"],
  ["BACKFILL", "1d:5m"],
  ["BACKFILL", "1d:0d"],
  ["BACKFILL", "1d:-5d"],
  ["BACKFILL", "1d:51y"],
  ["BACKFILL", "1d:5y,1d:6y"],
  ["BACKFILL", "off,1d:5y", "off"],
  ["RETENTION", "90d"],
  ["RETENTION", "1d:1y"],
  ["ROLLUPS", "5m,hourly", "hourly"],
  ["POLL_CRON", "every minute"],
  ["GAPS_CRON", "* * * *"],
  ["BACKFILL_CRON", "@daily"],
  ["LIVE", "auto,binance"],
  ["LIVE", "on"],
  ["POLL_CANDLES", "0"],
  ["POLL_CANDLES", "101"],
  ["PAGE_LIMIT", "0"],
  ["PAGE_LIMIT", "1e3"],
  ["PAGE_LIMIT", "10001"],
  ["FETCH_TIMEOUT", "30"],
  ["FETCH_TIMEOUT", "30 s"],
  ["FETCH_TIMEOUT", "30s please"],
  ["FETCH_TIMEOUT", "-30s"],
  ["FETCH_TIMEOUT", "0s"],
  ["FETCH_TIMEOUT", "30M"],
  ["FETCH_TIMEOUT", "99999999999999d"],
  ["FETCH_TIMEOUT", "soon"],
  ["RETRY_ATTEMPTS", "0"],
  ["RETRY_ATTEMPTS", "2.5"],
  ["RETRY_MIN", "0.3ms"],
  ["RETRY_MAX", "2h"],
  ["RETRY_MAX", "500ms"],
  ["BREAKER_FAILURES", "-1"],
  ["BREAKER_COOLDOWN", "60"],
  ["DB_POOL_MAX", "many"],
  ["COMPRESS_AFTER", "59m"],
  ["COMPRESS_AFTER", "never"],
  ["PRUNE_AFTER", "23h"],
  ["GAP_ALERT_PERCENT", "101"],
  ["GAP_ALERT_PERCENT", "5%"],
  ["ALERT_WEBHOOK_URL", "ftp://h/hunter2", "ftp://***"],
  ["ALERT_WEBHOOK_URL", "hooks.example.com/hunter2", "***"],
  ["ALERT_WEBHOOK_URL", "https://api.telegram.org/bot1:hunter2/sendMessage", "https://***"],
  ["ALERT_WEBHOOK_FORMAT", "teams"],
  ["DATASET_URL", "~/dataset"],
  ["DATASET_URL", "gs://candles"],
  ["DATASET_URL", "https://candles.s3.amazonaws.com/"],
  ["DATASET_URL", "file:///mnt/candles"],
  ["DATASET_URL", "s3://"],
  ["DATASET_URL", "S3://candles/x"],
  ["DATASET_URL", "s3://Candles/x"],
  ["DATASET_URL", "s3://a..b/x"],
  ["DATASET_URL", "s3://candles/a//b"],
  ["DATASET_URL", "s3://candles/../b"],
  ["DATASET_URL", "s3://candles/x?region=eu-central-1"],
  ["DATASET_URL", "s3://id:hunter2@candles/x", "s3://id:***@candles/x"],
  ["DATASET_CRON", "* * *"],
  ["HTTP_HOST", "http://127.0.0.1"],
  ["HTTP_HOST", "127.0.0.1:80"],
  ["HTTP_HOST", "256.0.0.1"],
  ["HTTP_HOST", "http://u:hunter2@h", "http://u:***@h"],
  ["HTTP_ALLOWED_HOSTS", "http://titan10"],
  ["HTTP_ALLOWED_HOSTS", "titan10:9464"],
  ["HTTP_PORT", "65536"],
  ["HTTP_PORT", "0x10"],
  ["LOG_LEVEL", "loud"],
  ["LOG_LEVEL", "constructor"],
  ["LOG_FORMAT", "xml"],
  ["EXCHANGE_KRAKEN", '{"secret":"hunter2"', "***"],
  ["EXCHANGE_KRAKEN", '["hunter2"]', "***"],
  ["EXCHANGE_KRAKEN", "hunter2", "***"],
  ["EXCHANGE_KRAKEN", "null", "***"],
  ["EXCHANGE_KRAKNE", '{"secret":"hunter2"}', "***"],
  ["EXCHANGE_kraken", "{}", "***"],
  ["EXCHANGE_PROXYURL", "http://u:hunter2@h", "***"],
  ["EXCHANGE_PROXY_URL", "socks://u:hunter2@h", "socks://***"],
];
for (const [variable, value, shown = value] of refused) {
  Deno.test(`${variable} cannot be ${JSON.stringify(value)}`, () => {
    const problems = problemsOf({ env: { [variable]: value } });
    const names = [...new Set(problems.map((problem) => problem.variable))];
    assert.deepEqual(names, [variable]);
    assert(problems.some((problem) => problem.value === shown), JSON.stringify(problems));
    const { message } = new ConfigError(problems);
    assert.doesNotMatch(message, /hunter2|ter2@/);
    assert.doesNotMatch(message.replaceAll("\n", ""), /\p{Cc}/u);
  });
}

Deno.test("all problems are named at once, one readable line each", () => {
  const env = {
    DATABASE_URL: "mysql://u:hunter2@h/db",
    EXCHANGES: "binanec,krakn,nonesuch",
    FETCH_TIMEOUT: "30",
    RETRY_MIN: "2m",
    RETENTION: "1m:1d",
    LOG_LEVEL: "wrn",
    EXCHANGE_BINANC: "{}",
    EXCHANGE_OKX: "{",
  };
  assert.throws(() => read({ env }), {
    name: "ConfigError",
    message: [
      "Cannot use this configuration:",
      '  DATABASE_URL="mysql://***": expected a URL beginning postgres:// or postgresql://, special ' +
      "characters of the password percent-encoded",
      '  EXCHANGES="binanec": expected CCXT exchange ids separated by commas; did you mean binance?',
      '  EXCHANGES="krakn": expected CCXT exchange ids separated by commas; did you mean kraken?',
      '  EXCHANGES="nonesuch": expected CCXT exchange ids separated by commas',
      '  FETCH_TIMEOUT="30": expected a duration from 1ms to 10m with its unit, ms s m h d or w',
      '  LOG_LEVEL="wrn": expected one of trace, debug, info, warning, error, fatal',
      '  RETRY_MAX="60s": expected at least as long as RETRY_MIN',
      '  RETENTION="1m:1d": expected each timeframe kept at least as long as BACKFILL reaches',
      '  EXCHANGE_BINANC="***": expected EXCHANGE_<ID> of a CCXT exchange, or EXCHANGE_PROXY_URL; ' +
      "did you mean EXCHANGE_BINANCE?",
      '  EXCHANGE_OKX="***": expected a JSON object in one line, such as ' +
      '{"apiKey":"…","secret":"…"}',
    ].join("\n"),
  });
});

Deno.test("the format of a webhook is told by its URL only where that proves it", () => {
  const proven: Readonly<Record<string, string>> = {
    "https://hooks.slack.com/services/T0/B0/x": "slack",
    "https://hooks.slack.com/workflows/T0/A0/1/x": "json",
    "https://hooks.slack.com.example/services/T0/B0/x": "json",
    "https://discord.com/api/webhooks/1/x": "discord",
    "https://ptb.discord.com/api/v10/webhooks/1/x?thread_id=2": "discord",
    "https://discordapp.com/api/webhooks/1/x/slack": "slack",
    "https://discord.com/api/webhooks/1/x/github": "json",
    "https://api.telegram.org/bot1:x/sendMessage?chat_id=-1": "telegram",
    "http://alertmanager:9093/api/v2/alerts": "json",
    "https://example.com/hooks.slack.com/services/": "json",
  };
  for (const [url, format] of Object.entries(proven)) {
    assert.equal(webhookFormat(url, "auto"), format, url);
    assert.equal(webhookFormat(url, "json"), "json");
  }
});

Deno.test("a webhook's URL that its format cannot use is refused, and what it lacks is said", () => {
  const allowed = (format: string, url: string): string | undefined =>
    problemsOf({ env: { ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_FORMAT: format } })[0]?.allowed;
  const telegram = "a URL of Telegram ending /bot<token>/sendMessage?chat_id=<chat>";
  assert.equal(allowed("telegram", "https://h/bot1:x/sendMessage"), telegram);
  assert.equal(allowed("telegram", "https://h/bot1:x/sendMessage?chat_id="), telegram);
  assert.equal(allowed("telegram", "https://h/bot1:x/getMe?chat_id=1"), telegram);
  assert.equal(
    allowed("alertmanager", "http://h:9093/"),
    "a URL of an Alertmanager ending /api/v2/alerts",
  );
});

Deno.test("a misspelt variable of an exchange is told the nearest", () => {
  const allowedOf = (variable: string): string | undefined =>
    problemsOf({ env: { [variable]: "x" } })[0]?.allowed;
  assert.match(allowedOf("EXCHANGE_PROXYURL") ?? "", /did you mean EXCHANGE_PROXY_URL\?$/);
  assert.match(allowedOf("EXCHANGE_kraken") ?? "", /did you mean EXCHANGE_KRAKEN\?$/);
  assert.match(allowedOf("EXCHANGE_ZZZZZZZZ") ?? "", /or EXCHANGE_PROXY_URL$/);
});

const starts: readonly (readonly [reach: string, now: string, start: string])[] = [
  ["7d", "2024-03-05T01:02:03.004Z", "2024-02-27T01:02:03.004Z"],
  ["48h", "2024-01-01T00:00:00.000Z", "2023-12-30T00:00:00.000Z"],
  ["2w", "2024-01-01T00:00:00.000Z", "2023-12-18T00:00:00.000Z"],
  ["5y", "2024-02-29T12:00:00.000Z", "2019-02-28T12:00:00.000Z"],
  ["4y", "2024-02-29T12:00:00.000Z", "2020-02-29T12:00:00.000Z"],
  ["1mo", "2024-03-31T23:59:59.999Z", "2024-02-29T23:59:59.999Z"],
  ["18mo", "2024-03-15T00:00:00.000Z", "2022-09-15T00:00:00.000Z"],
  ["50y", "2024-06-01T00:00:00.000Z", "1974-06-01T00:00:00.000Z"],
  ["2017-01-01..", "2024-06-01T12:00:00.000Z", "2017-01-01T00:00:00.000Z"],
  ["2024-02-29..", "2025-06-01T12:00:00.000Z", "2024-02-29T00:00:00.000Z"],
];
for (const [reach, now, start] of starts) {
  Deno.test(`${reach} before ${now} is ${start}`, () => {
    const startMs = reachStartMs(parseReach(reach), Date.parse(now));
    assert.equal(new Date(startMs).toISOString(), start);
  });
}

Deno.test("a bucket without credentials or region is refused, and each variable says what it lacks", () => {
  const wrong = (env: Readonly<Record<string, string>>): readonly string[] => {
    try {
      read({ env: { DATASET_URL: "s3://candles/x", ...env } });
      return [];
    } catch (error) {
      assert(error instanceof ConfigError);
      assert.doesNotMatch(error.message, /hunter2/);
      return error.problems.map(({ variable, value }) => `${variable}=${value}`);
    }
  };
  const all = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "key", AWS_REGION: "auto" };
  assert.deepEqual(wrong({}), ["AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_REGION="]);
  assert.deepEqual(wrong({ ...all, AWS_REGION: "", AWS_DEFAULT_REGION: "us-east-1" }), []);
  assert.deepEqual(wrong({ ...all, AWS_REGION: "EU (hunter2)" }), ["AWS_REGION=***"]);
  assert.deepEqual(wrong({ ...all, AWS_SECRET_ACCESS_KEY: "hunter2 hunter2" }), [
    "AWS_SECRET_ACCESS_KEY=***",
  ]);
  for (const endpoint of ["minio:9000", "http://u:hunter2@minio", "https://minio/?hunter2"]) {
    assert.deepEqual(wrong({ ...all, AWS_ENDPOINT_URL_S3: endpoint }), ["AWS_ENDPOINT_URL_S3=***"]);
  }
  assert.deepEqual(wrong({ ...all, AWS_ENDPOINT_URL: "http://minio:9000" }), []);
  // Without a bucket they may be meant for another program.
  assert.deepEqual(wrong({ DATASET_URL: "", AWS_REGION: "EU" }), []);
});

Deno.test("a reach that cannot be read is refused with what it is", () => {
  assert.throws(() => parseReach("5x"), /^RangeError: Cannot read reach "5x": expected a number/);
});

Deno.test("a range of days ends before its end, after its beginning, and not in the future", () => {
  const reach = parseReach("2021-01-01..2023-01-01");
  assert.equal(reachStartMs(reach, 0), Date.UTC(2021, 0, 1));
  assert.equal(reachEndMs(reach), Date.UTC(2023, 0, 1));
  assert.equal(reachEndMs(parseReach("2021-01-01..")), undefined);
  assert.equal(reachEndMs(parseReach("5y")), undefined);
  const nowMs = Date.UTC(2023, 0, 1);
  const allowedOf = (reach: string): readonly string[] => {
    const env = { BACKFILL: `1m: ${reach} ,1d:5y` };
    try {
      readConfig({ env }, { ...rules, nowMs });
      return [];
    } catch (error) {
      assert(error instanceof ConfigError);
      return error.problems.map(({ allowed }) => allowed);
    }
  };
  assert.deepEqual(allowedOf("2021-01-01..2023-01-01"), []);
  assert.deepEqual(allowedOf("2021-01-01..2023-01-02"), [
    "a range that has ended; 2021-01-01.. also wants the candles that are still to come",
  ]);
  for (const end of ["2021-01-01", "2020-12-31"]) {
    assert.deepEqual(allowedOf(`2021-01-01..${end}`), [
      `a range that ends after it begins; ${end} itself is left out`,
    ]);
  }
  for (const wrong of ["..2023-01-01", "2021-01-01...2022-01-01", "2021-02-29..2022-01-01"]) {
    assert.match(allowedOf(wrong).join(), /^timeframe:reach, .* or 1d:2021-01-01\.\.2023-01-01 or/);
  }
});

Deno.test("what is fetched since a day is never dropped", () => {
  const env = { TIMEFRAMES: "1d", BACKFILL: "1d:2017-01-01.." };
  assert.deepEqual(problemsOf({ env }), []);
  const ending = { ...env, BACKFILL: "1d:2017-01-01..2018-01-01", RETENTION: "1d:50y" };
  assert.equal(problemsOf({ env: ending }).length, 1);
  assert.deepEqual(
    problemsOf({ env: { ...env, RETENTION: "1d:50y" } }).map(({ allowed }) => allowed),
    [
      "each timeframe kept at least as long as BACKFILL reaches",
    ],
  );
});

Deno.test("candles that rollups are built from are kept for a week at least", () => {
  const env = { BACKFILL: "off", RETENTION: "1m:6d" };
  assert.equal(read({ env }).everywhere.retention.length, 1);
  assert.deepEqual(problemsOf({ env: { ...env, ROLLUPS: "5m" } }), [{
    variable: "RETENTION",
    value: "1m:6d",
    allowed: "each timeframe kept at least 7d while ROLLUPS is set",
  }]);
  assert.deepEqual(read({ env: { ...env, RETENTION: "1m:7d", ROLLUPS: "5m" } }).rollups, ["5m"]);
});
