/** The metrics of a running daemon. Users' dashboards and alerts depend on their names and labels. @module */
import { Registry } from "prom-client";
import {
  askedFlag,
  counter,
  exchangeState,
  flag,
  forgetLabel,
  gauge,
  histogram,
  type Metric,
} from "./metric.ts";
import { addProcessMetrics } from "./process_metrics.ts";

const SERIES = ["exchange", "symbol", "timeframe"] as const;

/** A request takes from a few milliseconds, with an exchange nearby, to `FETCH_TIMEOUT`. */
const FETCH_BUCKETS_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Writing a page takes milliseconds, or more if the disk is slow or chunks must be decompressed. */
const WRITE_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

/** A stream tells of a candle a moment after its close, a poll up to some minutes after. */
const AGE_BUCKETS_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** A poll should end within a minute. A first backfill takes hours. */
const JOB_BUCKETS_SECONDS = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600, 14_400];

/** One row per metric, in the order of the output. Durations are in seconds, times in seconds since the epoch. */
const METRICS = {
  setBreakerState: exchangeState(
    "titan10_breaker_state",
    "1 for the state the exchange's breaker is in, 0 for the others; of several breakers the worst.",
    ["closed", "open", "half_open"],
  ),
  setConfigReloaded: flag(
    "titan10_config_last_reload_successful",
    "1 when the settings were last read without a fault, 0 when a reload was refused.",
  ),
  configReloadedSeconds: gauge(
    "titan10_config_last_reload_success_timestamp_seconds",
    "When the settings in force were read.",
    [],
  ),
  setDatabaseUp: flag(
    "titan10_database_up",
    "1 while the database takes writes, else 0.",
    { atFirst: false },
  ),
  setTimescaledb: flag(
    "titan10_timescaledb",
    "1 when the database has TimescaleDB, 0 when it stores plain tables.",
  ),
  setCompression: flag(
    "titan10_compression_available",
    "1 when the database can compress candles, 0 without TimescaleDB or under its Apache licence.",
  ),
  buildInfo: gauge(
    "titan10_build_info",
    "Always 1; the labels tell the versions of Titan-10 and of Deno.",
    ["version", "deno"],
  ),
  leader: askedFlag(
    "titan10_leader",
    "1 while this daemon does what is done once for the archive: alone, or as the leader of its nodes; else 0.",
  ),
  leasesHeld: gauge(
    "titan10_leases_held",
    "Symbols of the exchange that this node works on; absent with the embedded database.",
    ["exchange"],
  ),
  leasesLost: counter(
    "titan10_lease_lost_total",
    "Symbols of the exchange that this node lost without handing them over: the database was away, or another node has them.",
    ["exchange"],
  ),
  candlesWritten: counter(
    "titan10_candles_written_total",
    "Candles stored for the first time.",
    ["exchange"],
  ),
  candlesRevised: counter(
    "titan10_candles_revised_total",
    "Stored candles that came back different and were replaced.",
    ["exchange"],
  ),
  candlesRejected: counter(
    "titan10_candles_rejected_total",
    "Rows of an exchange that failed a check and were not stored as candles, by the failed check.",
    ["exchange", "reason"],
  ),
  historyFiles: counter(
    "titan10_history_files_total",
    "Files that an exchange publishes and backfill asked for, by what became of them.",
    ["exchange", "outcome"],
  ),
  fetchDurationSeconds: histogram(
    "titan10_fetch_duration_seconds",
    "How long one attempt of a request took, whether or not it succeeded.",
    { labels: ["exchange"], bucketsSeconds: FETCH_BUCKETS_SECONDS },
  ),
  fetchFailures: counter(
    "titan10_fetch_failures_total",
    "Attempts of requests that failed, by the kind of error.",
    ["exchange", "kind"],
  ),
  pollsSkipped: counter(
    "titan10_polls_skipped_total",
    "Polls of a series that were left out because the one before had not ended.",
    ["exchange"],
  ),
  retries: counter(
    "titan10_retries_total",
    "Attempts that followed a failed one.",
    ["exchange"],
  ),
  settleSeconds: gauge(
    "titan10_settle_seconds",
    "How long after its close a candle of the exchange may still change; until then it is not covered.",
    ["exchange"],
  ),
  exchangeBannedUntilSeconds: gauge(
    "titan10_exchange_banned_until_timestamp_seconds",
    "Until when the exchange has banned or rate limited us; absent without a ban.",
    ["exchange"],
  ),
  dbWriteDurationSeconds: histogram(
    "titan10_db_write_duration_seconds",
    "How long writing one page with its coverage took.",
    { labels: ["exchange"], bucketsSeconds: WRITE_BUCKETS_SECONDS },
  ),
  streamUp: gauge(
    "titan10_stream_up",
    "1 while all connections of the exchange's streams are open, else 0; absent without streams.",
    ["exchange"],
  ),
  streamMessages: counter(
    "titan10_stream_messages_total",
    "Messages of the exchange's streams that could be read.",
    ["exchange"],
  ),
  streamEnds: counter(
    "titan10_stream_ends_total",
    "Connections of the exchange's streams that ended, by reason.",
    ["exchange", "reason"],
  ),
  streamCandles: counter(
    "titan10_stream_candles_total",
    "Candles of streams: stored or dropped; then confirmed, revised or withdrawn by an answer; missed by an open stream.",
    ["exchange", "outcome"],
  ),
  candleAgeSeconds: histogram(
    "titan10_candle_age_seconds",
    "How long after its close a new candle of a stream was stored.",
    { labels: ["exchange"], bucketsSeconds: AGE_BUCKETS_SECONDS },
  ),
  lastClosedCandleSeconds: gauge(
    "titan10_last_closed_candle_timestamp_seconds",
    "Open time of the newest stored candle of the series.",
    SERIES,
  ),
  fundingLastSeconds: gauge(
    "titan10_funding_last_timestamp_seconds",
    "When the newest stored funding rate of the perpetual was paid.",
    ["exchange", "symbol"],
  ),
  candlesMissing: gauge(
    "titan10_candles_missing",
    "Candles missing inside the coverage of the series without an explanation.",
    SERIES,
  ),
  candlesMissingRatio: gauge(
    "titan10_candles_missing_ratio",
    "Share of the series' candles inside coverage missing without an explanation, 0 to 1.",
    SERIES,
  ),
  candlesOwed: gauge(
    "titan10_candles_owed",
    "Candles of the series that are not fetched yet.",
    SERIES,
  ),
  coveredUntilSeconds: gauge(
    "titan10_covered_until_timestamp_seconds",
    "End of the newest time that the exchange has answered for, of each polled series.",
    SERIES,
  ),
  retentionLossSeconds: gauge(
    "titan10_retention_loss_seconds",
    "Seconds until the oldest candle still owed can no longer be had from the exchange; " +
      "absent when nothing owed can be lost.",
    ["exchange"],
  ),
  alerts: gauge(
    "titan10_alerts",
    "Alerts of the kind that are firing.",
    ["alert", "exchange"],
  ),
  alertPosts: counter(
    "titan10_alert_posts_total",
    "Posts to the webhook of alerts, by whether it took them.",
    ["outcome"],
  ),
  jobRuns: counter(
    "titan10_job_runs_total",
    "Finished runs of a job, by outcome.",
    ["job", "outcome"],
  ),
  jobDurationSeconds: histogram(
    "titan10_job_duration_seconds",
    "How long one run of a job took.",
    { labels: ["job"], bucketsSeconds: JOB_BUCKETS_SECONDS },
  ),
  jobLastSuccessSeconds: gauge(
    "titan10_job_last_success_timestamp_seconds",
    "When a run of the job last ended well.",
    ["job"],
  ),
  rowsPruned: counter(
    "titan10_rows_pruned_total",
    "Rows deleted because they are no longer needed, by table.",
    ["table"],
  ),
  storageBytes: gauge(
    "titan10_storage_bytes",
    "Disk that the timeframe's table takes, indexes included.",
    ["timeframe"],
  ),
  chunks: gauge(
    "titan10_chunks",
    "Chunks of the timeframe's table, by whether they are compressed; absent without TimescaleDB.",
    ["timeframe", "state"],
  ),
  compressionRatio: gauge(
    "titan10_compression_ratio",
    "Size of the compressed chunks before compression, divided by their size now; " +
      "absent before the first.",
    ["timeframe"],
  ),
};

/** The gauges of a series. */
const OF_SERIES = [
  "lastClosedCandleSeconds",
  "candlesMissing",
  "candlesMissingRatio",
  "candlesOwed",
  "coveredUntilSeconds",
] as const;

/** The gauges that are read from the whole archive. Of several nodes, the leader has them. */
const OF_ARCHIVE = [
  ...OF_SERIES,
  "retentionLossSeconds",
  "alerts",
  "storageBytes",
  "chunks",
  "compressionRatio",
] as const;

/** One field per metric. `METRICS` describes each. */
export type Metrics =
  & { readonly [Field in keyof typeof METRICS]: ReturnType<(typeof METRICS)[Field]> }
  & {
    /** Removes what is said of a series, because it is not archived any more. */
    readonly forgetSeries: (labels: Readonly<Record<(typeof SERIES)[number], string>>) => void;
    /** Removes all that is said of an exchange, because it is not archived any more. */
    readonly forgetExchange: (exchange: string) => Promise<void>;
    /** Removes all that is said of the archive as a whole, because another node tells it. */
    readonly forgetArchive: () => void;
    /** The content type of `text`. */
    readonly contentType: string;
    /** All metrics in Prometheus' text format. */
    readonly text: () => Promise<string>;
  };

/**
 * Makes the metrics in a new registry. Nothing runs in the background: process metrics are read when `text` is called.
 */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const made = Object.fromEntries(
    Object.entries<Metric<unknown>>(METRICS).map(([field, make]) => [field, make(registry)]),
  );
  addProcessMetrics(registry);
  return {
    ...made,
    forgetSeries: (labels) => {
      for (const field of OF_SERIES) (made as Metrics)[field].remove(labels);
    },
    forgetExchange: (exchange) => forgetLabel(registry, { exchange }),
    forgetArchive: () => {
      for (const field of OF_ARCHIVE) (made as Metrics)[field].clear();
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  } as Metrics;
}
