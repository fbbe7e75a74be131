/** The record that every verb receives: database, exchanges, clock, metrics and log. @module */
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Database } from "../store/connection/database.ts";
import type { ArchivedExchange } from "./archived_exchange.ts";
import type { EventLog } from "./event_log.ts";
import type { FailureLog } from "./failure_log.ts";
import type { Leases } from "./leases.ts";

/** An open archive: its database, its exchanges, and what both need to run. */
export interface Archive {
  readonly config: Config;
  readonly database: Database;
  /** One per configured exchange, in the configured order. */
  readonly exchanges: readonly ArchivedExchange[];
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly failures: FailureLog;
  /** Which part of the archive is this process'. */
  readonly leases: Leases;
  /** What has happened, for the table of events. */
  readonly events: EventLog;
  /** What is wrong with the rights of the files that the configuration was read from. @default nothing */
  readonly fileHints?: readonly string[] | undefined;
}
