/** Every variable the program reads: the one table behind `--help`, `.env.example` and `readConfig`. @module */

export interface Variable {
  readonly name: string;
  /** As it would be written; undefined when the variable is unset by default. */
  readonly default: string | undefined;
  /** A sentence for people. */
  readonly meaning: string;
  /** Whether the value may hold a secret, and is therefore never shown. */
  readonly secret: boolean;
}

export type VariableName = (typeof VARIABLES)[number]["name"];

export const VARIABLES = [
  {
    name: "DATABASE_URL",
    default: undefined,
    meaning: "Postgres server to use, postgres://user:password@host/database; embedded when unset.",
    secret: true,
  },
  {
    name: "DATA_DIR",
    default: "./titan10-data",
    meaning: "Directory of the embedded database.",
    secret: false,
  },
  {
    name: "EXCHANGES",
    default: "binance,coinbase,kraken,okx,bybit",
    meaning: "CCXT exchange ids, separated by commas.",
    secret: false,
  },
  {
    name: "SYMBOLS",
    default: "top:20",
    meaning: "Unified symbols separated by commas, or top:N or top:N:QUOTE for those traded most.",
    secret: false,
  },
  {
    name: "TIMEFRAMES",
    default: "1m,1d",
    meaning: "Timeframes that are polled, separated by commas.",
    secret: false,
  },
  {
    name: "BACKFILL",
    default: "1d:5y,1m:7d",
    meaning: "How far back each timeframe reaches, as timeframe:reach; off for no history.",
    secret: false,
  },
  {
    name: "POLL_CRON",
    default: "* * * * *",
    meaning: "When the newest candles are fetched, as five cron fields in UTC.",
    secret: false,
  },
  {
    name: "GAPS_CRON",
    default: "*/5 * * * *",
    meaning: "When gaps are looked for and repaired, as five cron fields in UTC.",
    secret: false,
  },
  {
    name: "BACKFILL_CRON",
    default: "0 2 * * *",
    meaning: "When older history is fetched, as five cron fields in UTC.",
    secret: false,
  },
  {
    name: "POLL_CANDLES",
    default: "5",
    meaning: "Newest closed candles that every poll asks for again, to see late revisions.",
    secret: false,
  },
  {
    name: "PAGE_LIMIT",
    default: undefined,
    meaning: "Candles asked per request at most; the exchange's own limit when unset.",
    secret: false,
  },
  {
    name: "FETCH_TIMEOUT",
    default: "30s",
    meaning: "How long one attempt of a request may take.",
    secret: false,
  },
  {
    name: "RETRY_ATTEMPTS",
    default: "5",
    meaning: "How often a request is tried at most, the first time included.",
    secret: false,
  },
  {
    name: "RETRY_MIN",
    default: "1s",
    meaning: "Upper bound of the first random delay between attempts; it doubles with each.",
    secret: false,
  },
  {
    name: "RETRY_MAX",
    default: "60s",
    meaning: "Upper bound of every random delay between attempts.",
    secret: false,
  },
  {
    name: "BREAKER_FAILURES",
    default: "5",
    meaning: "Failures in a row after which an exchange is left alone.",
    secret: false,
  },
  {
    name: "BREAKER_COOLDOWN",
    default: "60s",
    meaning: "How long a failing exchange is left alone before one trial.",
    secret: false,
  },
  {
    name: "DB_POOL_MAX",
    default: "10",
    meaning: "Connections to the database at most; always 1 when embedded.",
    secret: false,
  },
  {
    name: "COMPRESS_AFTER",
    default: "7d",
    meaning: "Age at which chunks are compressed; off for never.",
    secret: false,
  },
  {
    name: "PRUNE_AFTER",
    default: "90d",
    meaning: "Age at which filled gaps, rejected rows and ended alerts are deleted; off for never.",
    secret: false,
  },
  {
    name: "RETENTION",
    default: undefined,
    meaning: "How long each timeframe is kept, as timeframe:reach; for ever when unset.",
    secret: false,
  },
  {
    name: "ROLLUPS",
    default: undefined,
    meaning: "Timeframes worked out from stored finer candles, such as 5m,1h,1d; none when unset.",
    secret: false,
  },
  {
    name: "GAP_ALERT_PERCENT",
    default: "5",
    meaning: "Share of a series' candles that may be missing before an alert, in percent.",
    secret: false,
  },
  {
    name: "ALERT_WEBHOOK_URL",
    default: undefined,
    meaning: "Where alerts are sent by POST; nowhere when unset.",
    secret: true,
  },
  {
    name: "HTTP_HOST",
    default: "127.0.0.1",
    meaning: "Address on which health, metrics and status are served.",
    secret: false,
  },
  {
    name: "HTTP_PORT",
    default: "9464",
    meaning: "Port on which health, metrics and status are served; 0 for any free one.",
    secret: false,
  },
  {
    name: "HTTP_TOKEN",
    default: undefined,
    meaning: "Token that HTTP requests must bring, health and readiness excepted; none when unset.",
    secret: true,
  },
  {
    name: "LOG_LEVEL",
    default: "info",
    meaning: "Least severe level that is logged.",
    secret: false,
  },
  {
    name: "LOG_FORMAT",
    default: undefined,
    meaning: "json or pretty; when unset json, and pretty on a terminal.",
    secret: false,
  },
  {
    name: "EXCHANGE_<ID>",
    default: "{}",
    meaning: "JSON object for one exchange's CCXT constructor, such as EXCHANGE_KRAKEN.",
    secret: true,
  },
  {
    name: "EXCHANGE_PROXY_URL",
    default: undefined,
    meaning: "Prefix put before the full URL of every request to an exchange (CCXT's proxyUrl).",
    secret: true,
  },
] as const satisfies readonly Variable[];
