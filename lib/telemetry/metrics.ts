/** The metrics of a running daemon, a contract with whoever graphs and alerts on them. @module */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { CounterMetric, GaugeMetric, HistogramMetric } from "./metric.ts";
import { addProcessMetrics } from "./process_metrics.ts";
import { type StorageMetrics, storageMetrics } from "./storage_metrics.ts";

type SeriesLabel = "exchange" | "symbol" | "timeframe";

/** The values of the label `state` of `titan10_breaker_state`. */
const BREAKER_STATES = ["closed", "open", "half_open"] as const;

/** One field a metric. Durations are in seconds, moments in seconds since the epoch. */
export interface Metrics extends StorageMetrics {
  readonly buildInfo: GaugeMetric<"version" | "deno">;
  readonly candlesWritten: CounterMetric<"exchange">;
  readonly candlesRevised: CounterMetric<"exchange">;
  readonly candlesRejected: CounterMetric<"exchange" | "reason">;
  readonly fetchDurationSeconds: HistogramMetric<"exchange">;
  readonly fetchFailures: CounterMetric<"exchange" | "kind">;
  readonly retries: CounterMetric<"exchange">;
  readonly exchangeBannedUntilSeconds: GaugeMetric<"exchange">;
  readonly lastClosedCandleSeconds: GaugeMetric<SeriesLabel>;
  readonly candlesMissing: GaugeMetric<SeriesLabel>;
  readonly candlesMissingRatio: GaugeMetric<SeriesLabel>;
  readonly candlesOwed: GaugeMetric<SeriesLabel>;
  readonly coveredUntilSeconds: GaugeMetric<SeriesLabel>;
  readonly retentionLossSeconds: GaugeMetric<"exchange">;
  readonly alerts: GaugeMetric<"alert" | "exchange">;
  readonly alertPosts: CounterMetric<"outcome">;
  readonly jobRuns: CounterMetric<"job" | "outcome">;
  readonly jobDurationSeconds: HistogramMetric<"job">;
  readonly jobLastSuccessSeconds: GaugeMetric<"job">;
  readonly dbWriteDurationSeconds: HistogramMetric<"exchange">;
  readonly rowsPruned: CounterMetric<"table">;
  /** Says which state an exchange's breaker is in: 1 for that one, 0 for the others. */
  setBreakerState(exchange: string, state: (typeof BREAKER_STATES)[number]): void;
  /** Says whether the database has taken what was last asked of it for a job. Until then it counts as away. */
  setDatabaseUp(isUp: boolean): void;
  /** Says whether the database has TimescaleDB. Until it is called the metric has no value. */
  setTimescaledb(isPresent: boolean): void;
  /** The type of the content that `text` returns. */
  readonly contentType: string;
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
}

/** A request takes from some milliseconds, on an exchange nearby, to `FETCH_TIMEOUT`. */
const FETCH_BUCKETS_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** A page is written in milliseconds, unless the disk is slow or compressed chunks are opened. */
const WRITE_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

/** A poll should end within its minute; a first backfill takes hours. */
const JOB_BUCKETS_SECONDS = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600, 14_400];

/**
 * Makes the metrics, in a registry of their own. Nothing runs in the background: what is told of the
 * process is read when the text is asked for.
 */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const metrics = {
    ...stateMetrics(registry),
    ...exchangeMetrics(registry),
    ...seriesMetrics(registry),
    ...alertMetrics(registry),
    ...jobMetrics(registry),
    ...storageMetrics(registry),
  };
  addProcessMetrics(registry);
  return {
    ...metrics,
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}

function stateMetrics(
  registry: Registry,
): Pick<Metrics, "buildInfo" | "setBreakerState" | "setDatabaseUp" | "setTimescaledb"> {
  const breakerState = gauge(registry, {
    name: "titan10_breaker_state",
    help: "1 for the state the exchange's breaker is in, 0 for the others.",
    labelNames: ["exchange", "state"],
  });
  const databaseUp = gauge(registry, {
    name: "titan10_database_up",
    help: "1 when the database answered the newest start or end of a job, else 0.",
    labelNames: [],
  });
  const timescaledb = gauge(registry, {
    name: "titan10_timescaledb",
    help: "1 when the database has TimescaleDB, 0 when it stores plain tables.",
    labelNames: [],
  });
  // A gauge without labels begins at 0, which would say that TimescaleDB is missing.
  timescaledb.remove({});
  return {
    buildInfo: gauge(registry, {
      name: "titan10_build_info",
      help: "Always 1; the labels tell the versions of Titan-10 and of Deno.",
      labelNames: ["version", "deno"],
    }),
    setBreakerState(exchange, state): void {
      for (const other of BREAKER_STATES) {
        breakerState.set({ exchange, state: other }, other === state ? 1 : 0);
      }
    },
    setDatabaseUp: (isUp) => databaseUp.set({}, isUp ? 1 : 0),
    setTimescaledb: (isPresent) => timescaledb.set({}, isPresent ? 1 : 0),
  };
}

function exchangeMetrics(
  registry: Registry,
): Pick<
  Metrics,
  | "candlesWritten"
  | "candlesRevised"
  | "candlesRejected"
  | "fetchDurationSeconds"
  | "fetchFailures"
  | "retries"
  | "exchangeBannedUntilSeconds"
  | "dbWriteDurationSeconds"
> {
  return {
    candlesWritten: counter(registry, {
      name: "titan10_candles_written_total",
      help: "Candles stored for the first time.",
      labelNames: ["exchange"],
    }),
    candlesRevised: counter(registry, {
      name: "titan10_candles_revised_total",
      help: "Stored candles that came back different and were replaced.",
      labelNames: ["exchange"],
    }),
    candlesRejected: counter(registry, {
      name: "titan10_candles_rejected_total",
      help: "Malformed rows of an exchange that were put aside, by the rule they broke.",
      labelNames: ["exchange", "reason"],
    }),
    fetchDurationSeconds: histogram(registry, {
      name: "titan10_fetch_duration_seconds",
      help: "How long one attempt of a request took, whether or not it succeeded.",
      labelNames: ["exchange"],
      buckets: FETCH_BUCKETS_SECONDS,
    }),
    fetchFailures: counter(registry, {
      name: "titan10_fetch_failures_total",
      help: "Attempts of requests that failed, by the kind of error.",
      labelNames: ["exchange", "kind"],
    }),
    retries: counter(registry, {
      name: "titan10_retries_total",
      help: "Attempts that followed a failed one.",
      labelNames: ["exchange"],
    }),
    exchangeBannedUntilSeconds: gauge(registry, {
      name: "titan10_exchange_banned_until_timestamp_seconds",
      help: "Until when the exchange asked to be left alone; absent without a ban.",
      labelNames: ["exchange"],
    }),
    dbWriteDurationSeconds: histogram(registry, {
      name: "titan10_db_write_duration_seconds",
      help: "How long writing one page with its coverage took.",
      labelNames: ["exchange"],
      buckets: WRITE_BUCKETS_SECONDS,
    }),
  };
}

function seriesMetrics(
  registry: Registry,
): Pick<
  Metrics,
  | "lastClosedCandleSeconds"
  | "candlesMissing"
  | "candlesMissingRatio"
  | "candlesOwed"
  | "coveredUntilSeconds"
> {
  const labelNames = ["exchange", "symbol", "timeframe"] as const;
  return {
    lastClosedCandleSeconds: gauge(registry, {
      name: "titan10_last_closed_candle_timestamp_seconds",
      help: "Open time of the newest stored candle of the series.",
      labelNames,
    }),
    candlesMissing: gauge(registry, {
      name: "titan10_candles_missing",
      help: "Candles missing inside the coverage of the series without an explanation.",
      labelNames,
    }),
    candlesMissingRatio: gauge(registry, {
      name: "titan10_candles_missing_ratio",
      help: "Share of the series' candles inside coverage missing without an explanation, 0 to 1.",
      labelNames,
    }),
    candlesOwed: gauge(registry, {
      name: "titan10_candles_owed",
      help: "Candles of the series the exchange has not been asked for yet.",
      labelNames,
    }),
    coveredUntilSeconds: gauge(registry, {
      name: "titan10_covered_until_timestamp_seconds",
      help: "End of the newest time that the exchange has answered for, of each polled series.",
      labelNames,
    }),
  };
}

function alertMetrics(
  registry: Registry,
): Pick<Metrics, "retentionLossSeconds" | "alerts" | "alertPosts"> {
  return {
    retentionLossSeconds: gauge(registry, {
      name: "titan10_retention_loss_seconds",
      help: "Seconds until the oldest candle still owed can no longer be had from the exchange; " +
        "absent when nothing owed can be lost.",
      labelNames: ["exchange"],
    }),
    alerts: gauge(registry, {
      name: "titan10_alerts",
      help: "Alerts of the kind that are firing.",
      labelNames: ["alert", "exchange"],
    }),
    alertPosts: counter(registry, {
      name: "titan10_alert_posts_total",
      help: "Posts to the webhook of alerts, by whether it took them.",
      labelNames: ["outcome"],
    }),
  };
}

function jobMetrics(
  registry: Registry,
): Pick<Metrics, "jobRuns" | "jobDurationSeconds" | "jobLastSuccessSeconds" | "rowsPruned"> {
  return {
    jobRuns: counter(registry, {
      name: "titan10_job_runs_total",
      help: "Finished runs of a job, by outcome.",
      labelNames: ["job", "outcome"],
    }),
    jobDurationSeconds: histogram(registry, {
      name: "titan10_job_duration_seconds",
      help: "How long one run of a job took.",
      labelNames: ["job"],
      buckets: JOB_BUCKETS_SECONDS,
    }),
    jobLastSuccessSeconds: gauge(registry, {
      name: "titan10_job_last_success_timestamp_seconds",
      help: "When a run of the job last ended well.",
      labelNames: ["job"],
    }),
    rowsPruned: counter(registry, {
      name: "titan10_rows_pruned_total",
      help: "Rows deleted because nothing rests on them any more, by table.",
      labelNames: ["table"],
    }),
  };
}

interface MetricOptions<Name extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly Name[];
}

function counter<Name extends string>(
  registry: Registry,
  options: MetricOptions<Name>,
): CounterMetric<Name> {
  return new Counter<Name>({ ...options, registers: [registry] });
}

function gauge<Name extends string>(
  registry: Registry,
  options: MetricOptions<Name>,
): GaugeMetric<Name> {
  return new Gauge<Name>({ ...options, registers: [registry] });
}

function histogram<Name extends string>(
  registry: Registry,
  options: MetricOptions<Name> & { readonly buckets: readonly number[] },
): HistogramMetric<Name> {
  const { buckets, ...others } = options;
  return new Histogram<Name>({ ...others, buckets: [...buckets], registers: [registry] });
}
