/** The status document, one for `/status` and for `titan10 status --json`. @module */
import type { Config } from "../config/config.ts";
import { readAccounts } from "../gap/account.ts";
import type { GapReasons } from "../market/gap_reasons.ts";
import type { Series } from "../market/series.ts";
import type { Database } from "../store/connection/database.ts";
import { type ExchangeState, readExchangeStates } from "../store/exchange_state.ts";
import type { EndedWhy } from "../store/ledger.ts";
import { type JobOutcome, readJobs } from "../store/job_state.ts";
import { timescaleVersion } from "../store/connection/migrations.ts";
import { VERSION } from "../version.ts";

/** Times are ISO 8601 UTC; counts are candles. */
export interface Status {
  readonly version: string;
  /** Since when the daemon runs; null where no daemon was asked. */
  readonly startedAt: string | null;
  readonly database: {
    readonly kind: "embedded" | "server";
    /** Version of the extension, null without it. */
    readonly timescaledb: string | null;
  };
  readonly exchanges: readonly ExchangeStatus[];
  readonly series: readonly SeriesStatus[];
  readonly jobs: readonly JobStatus[];
}

export interface ExchangeStatus {
  readonly exchange: string;
  readonly breaker: ExchangeState["breaker"];
  readonly bannedUntil: string | null;
  /** Least time between two requests, in milliseconds; null where no daemon was asked. */
  readonly paceMs: number | null;
  readonly lastError: string | null;
  /** When that was: it stays when the exchange has answered again. */
  readonly lastErrorAt: string | null;
}

export interface SeriesStatus {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  readonly candles: number;
  readonly first: string | null;
  readonly last: string | null;
  /** Not yet asked for. */
  readonly owed: number;
  /** Holes inside coverage that are still open. */
  readonly missing: number;
  /** Holes that have a reason. */
  readonly explained: number;
  /** The explained ones by reason; they add up to `explained`. */
  readonly reasons: GapReasons;
  /** Why the newest ask failed for good; null after one that succeeded. */
  readonly lastError: string | null;
  /** Since when the market is not traded; null while it is. */
  readonly endedAt: string | null;
  readonly endedWhy: EndedWhy | null;
}

interface JobStatus {
  readonly job: string;
  readonly lastStart: string | null;
  readonly lastSuccess: string | null;
  readonly lastOutcome: JobOutcome | null;
}

interface StatusOptions {
  readonly config: Config;
  readonly database: Database;
  readonly nowMs: number;
  /** When the daemon started, where one is running in this process. Milliseconds. */
  readonly startedAtMs?: number | undefined;
  /** How many of its newest candles the exchange has at all. */
  readonly newestCandlesMax: (series: Series) => number | undefined;
}

/**
 * Reads the status from the database, which knows everything that outlives a restart.
 *
 * @throws StoreError
 */
export async function readStatus(options: StatusOptions): Promise<Status> {
  const { config, database, nowMs, startedAtMs } = options;
  const states = new Map(
    (await readExchangeStates(database)).map((state) => [state.exchange, state]),
  );
  const accounts = await readAccounts(database, options);
  const jobs = await readJobs(database);
  return {
    version: VERSION,
    startedAt: iso(startedAtMs),
    database: { kind: database.kind, timescaledb: await timescaleVersion(database) },
    exchanges: config.exchanges.map((exchange) => {
      const state = states.get(exchange);
      const banMs = state?.bannedUntilMs;
      return {
        exchange,
        breaker: state?.breaker ?? "closed",
        bannedUntil: banMs !== undefined && banMs > nowMs ? iso(banMs) : null,
        paceMs: null,
        lastError: state?.lastError ?? null,
        lastErrorAt: iso(state?.lastErrorAtMs),
      };
    }),
    series: accounts.map((
      { series, firstMs, lastMs, lastError, endedMs, endedWhy, ...counts },
    ) => ({
      exchange: series.exchange,
      symbol: series.symbol,
      timeframe: series.timeframe.text,
      candles: counts.candles,
      first: iso(firstMs),
      last: iso(lastMs),
      owed: counts.owed,
      missing: counts.missing,
      explained: counts.explained,
      reasons: counts.reasons,
      lastError: lastError ?? null,
      endedAt: iso(endedMs),
      endedWhy: endedWhy ?? null,
    })),
    jobs: jobs.map(({ job, lastStartMs, lastSuccessMs, lastOutcome }) => ({
      job,
      lastStart: iso(lastStartMs),
      lastSuccess: iso(lastSuccessMs),
      lastOutcome: lastOutcome ?? null,
    })),
  };
}

function iso(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}
