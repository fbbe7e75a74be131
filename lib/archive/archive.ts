/** What every verb works with, in one record. @module */
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Database } from "../store/connection/database.ts";
import type { ArchivedExchange } from "./archived_exchange.ts";
import type { FailureLog } from "./failure_log.ts";

/** An archive at work: its database, its exchanges, and the ground they stand on. */
export interface Archive {
  readonly config: Config;
  readonly database: Database;
  /** One a configured exchange, in the order of the configuration. */
  readonly exchanges: readonly ArchivedExchange[];
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly failures: FailureLog;
  /** Takes the secrets out of a text that leaves the process, into a table for example. */
  readonly redact: (text: string) => string;
}
