/** The status document of `/status` and `titan10 status --json`. @module */
import type { Config } from "../config/config.ts";
import { readAccounts, type SeriesAccount } from "../gap/account.ts";
import type { GapReasons } from "../market/gap_reasons.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { SymbolKind } from "../market/symbol.ts";
import { addCandles } from "../market/timeframe.ts";
import type { Database } from "../store/connection/database.ts";
import { type ExchangeState, readExchangeStates } from "../store/exchange_state.ts";
import type { EndedWhy } from "../store/ledger.ts";
import { type JobOutcome, readJobs } from "../store/job_state.ts";
import { timescaleVersion } from "../store/connection/timescale.ts";
import { VERSION } from "../version.ts";
import type { StreamState } from "../live/stream_state.ts";
import { readProvisional } from "../store/provisional.ts";
import { type FundingStatus, readFundingStatus } from "./funding_status.ts";
import { type News, NO_NEWS, readNews } from "./news.ts";
import { bestOf, slotsOf } from "./exchange_slots.ts";
import { type NodesDocument, readNodes } from "./node_status.ts";

/** Times are ISO 8601 UTC; counts are candles. */
export interface Status extends News, NodesDocument {
  readonly version: string;
  /** When the daemon started; null if the status was read without a daemon. */
  readonly startedAt: string | null;
  readonly database: {
    readonly kind: "embedded" | "server";
    /** Version of the extension; null without it. */
    readonly timescaledb: string | null;
  };
  /** The last reload of the settings; null before the first, and if the status was read without a daemon. */
  readonly lastReload: LastReload | null;
  readonly exchanges: readonly ExchangeStatus[];
  readonly series: readonly SeriesStatus[];
  /** The funding rates of perpetuals. */
  readonly funding: readonly FundingStatus[];
  readonly jobs: readonly JobStatus[];
}

export interface LastReload {
  readonly at: string;
  /** Whether the settings are in force. */
  readonly ok: boolean;
  /** Why they are not, one line for each problem; null if they are. */
  readonly error: string | null;
}

export interface ExchangeStatus {
  readonly exchange: string;
  /** Where each kind of market has a breaker of its own, the worst state of them. */
  readonly breaker: ExchangeState["breaker"];
  /** The kinds of markets whose breaker is not closed; empty if there is one for all, or if read without a daemon. */
  readonly breakerOf: readonly SymbolKind[];
  /** Since when a breaker is not closed; null if all are, or if the status was read without a daemon. */
  readonly breakerSince: string | null;
  /** When one request tests whether the exchange answers again; null where `breakerSince` is. */
  readonly trialAt: string | null;
  /** Since when it refuses this machine's address; null while it does not, or if the status was read without a daemon. */
  readonly deniedSince: string | null;
  readonly bannedUntil: string | null;
  /** The kinds of markets that are banned while others are not; empty if all are, or if read without a daemon. */
  readonly bannedOf: readonly SymbolKind[];
  /** Minimum time between two requests, in milliseconds; null if the status was read without a daemon. */
  readonly paceMs: number | null;
  readonly lastError: string | null;
  /** When that error happened. It stays after the exchange has answered again. */
  readonly lastErrorAt: string | null;
  /** The streams of its candles; null if the status was read without a daemon. */
  readonly stream: StreamStatus | null;
}

export interface StreamStatus {
  /** `up` while all connections are open. */
  readonly state: StreamState["kind"];
  /** Why it is off; null if it is not. */
  readonly why: string | null;
  /** Since when it is up or down; null while it is off, and before it was opened. */
  readonly since: string | null;
  readonly connections: number;
  /** How many of them are open. */
  readonly open: number;
  readonly lastMessageAt: string | null;
  /** How the last connection that has ended did; it stays after another is open. */
  readonly lastEnd: {
    readonly at: string;
    readonly reason: string;
    readonly why: string;
  } | null;
}

export interface SeriesStatus {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  readonly candles: number;
  readonly first: string | null;
  readonly last: string | null;
  /** When the newest candle closed. Its age is the time since then. */
  readonly lastClosedAt: string | null;
  /** `stream` while nothing but a stream has told of the newest candle, and no answer has confirmed it. */
  readonly lastSource: "stream" | "answer" | null;
  /** Candles not fetched yet. */
  readonly owed: number;
  /**
   * By which settings they are owed: `settings` where these settings name the series, `archive` where only those of the
   * last run did; null where none do, and nothing is owed.
   */
  readonly wantedBy: "settings" | "archive" | null;
  /** Holes inside coverage that are still open. */
  readonly missing: number;
  /** Holes that have a reason. */
  readonly explained: number;
  /** The explained candles by reason. Their sum is `explained`. */
  readonly reasons: GapReasons;
  /** Why the last request failed permanently; null after a success. */
  readonly lastError: string | null;
  /** When trading of the market ended; null while it is traded. */
  readonly endedAt: string | null;
  readonly endedWhy: EndedWhy | null;
}

interface JobStatus {
  readonly job: string;
  readonly lastStart: string | null;
  readonly lastSuccess: string | null;
  readonly lastOutcome: JobOutcome | null;
  /** When it runs next by the settings; null if it runs only when there is work, or without a daemon. */
  readonly nextStart: string | null;
}

interface StatusOptions {
  readonly config: Config;
  readonly database: Database;
  readonly nowMs: number;
  /** When the daemon started, if it runs in this process. Milliseconds. */
  readonly startedAtMs?: number | undefined;
  /** How many newest candles the exchange has; undefined when no limit is known. */
  readonly newestCandlesMax: (series: Series) => number | undefined;
  /**
   * Whether the tables are not made yet: then nothing is archived.
   *
   * @default false
   */
  readonly isUnmade?: boolean | undefined;
}

/** The tables are of an older version, which is being migrated: what they hold cannot be read yet. */
export class SchemaBehindError extends Error {
  override readonly name = "SchemaBehindError";
  constructor() {
    super("the schema is being brought up to date");
  }
}

/**
 * Reads the status from the database.
 *
 * @throws StoreError
 */
export async function readStatus(options: StatusOptions): Promise<Status> {
  const { database, nowMs, startedAtMs, isUnmade = false } = options;
  const known = isUnmade ? [] : await readExchangeStates(database);
  const states = new Map(known.map((state) => [state.exchange, state]));
  const accounts = isUnmade ? [] : await readAccounts(database, options);
  const jobs = isUnmade ? [] : await readJobs(database);
  const news = isUnmade ? NO_NEWS : await readNews(database);
  const nodes = isUnmade ? [] : await readNodes(database, nowMs);
  const provisional = isUnmade ? new Set() : await readProvisional(database);
  return {
    version: VERSION,
    startedAt: iso(startedAtMs),
    database: { kind: database.kind, timescaledb: await timescaleVersion(database) },
    lastReload: null,
    ...news,
    nodes,
    exchanges: exchangesOf(options, { accounts, states }).map((exchange) => {
      const state = states.get(exchange);
      const banMs = state?.bannedUntilMs;
      return {
        exchange,
        breaker: state?.breaker ?? "closed",
        breakerOf: [],
        breakerSince: null,
        trialAt: null,
        deniedSince: null,
        bannedUntil: banMs !== undefined && banMs > nowMs ? iso(banMs) : null,
        bannedOf: [],
        paceMs: null,
        lastError: state?.lastError ?? null,
        lastErrorAt: iso(state?.lastErrorAtMs),
        stream: null,
        ...bestOf(slotsOf(nodes, exchange)),
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
      lastClosedAt: iso(lastMs === undefined ? undefined : addCandles(series.timeframe, lastMs, 1)),
      lastSource: lastMs === undefined
        ? null
        : provisional.has(seriesName(series))
        ? "stream"
        : "answer",
      owed: counts.owed,
      wantedBy: counts.isWanted ? counts.isConfigured ? "settings" : "archive" : null,
      missing: counts.missing,
      explained: counts.explained,
      reasons: counts.reasons,
      lastError: lastError ?? null,
      endedAt: iso(endedMs),
      endedWhy: endedWhy ?? null,
    })),
    funding: isUnmade ? [] : await readFundingStatus(database, nowMs),
    jobs: jobs.map(({ job, lastStartMs, lastSuccessMs, lastOutcome }) => ({
      job,
      lastStart: iso(lastStartMs),
      lastSuccess: iso(lastSuccessMs),
      lastOutcome: lastOutcome ?? null,
      nextStart: null,
    })),
  };
}

/**
 * The exchanges to tell of: those of the archive, configured ones first. The daemon tells of all that it asks; without it
 * the settings may be those of another archive, and tell only where there is no series yet.
 */
function exchangesOf(
  { config, startedAtMs }: StatusOptions,
  { accounts, states }: {
    readonly accounts: readonly SeriesAccount[];
    readonly states: ReadonlyMap<string, ExchangeState>;
  },
): readonly string[] {
  const archived = new Set(accounts.map(({ series }) => series.exchange));
  const isTold = (id: string): boolean =>
    startedAtMs !== undefined || archived.size === 0 || archived.has(id) || states.has(id);
  return [...new Set([...config.exchanges.filter(isTold), ...archived])];
}

/** The state of streams as it is told. */
export function streamStatus(state: StreamState): StreamStatus {
  if (state.kind === "off") {
    return {
      ...{ state: "off", why: state.why, since: null, connections: 0, open: 0 },
      ...{ lastMessageAt: null, lastEnd: null },
    };
  }
  const { kind, sinceMs, connections, open, lastMessageMs, lastEnd } = state;
  return {
    ...{ state: kind, why: null, since: iso(sinceMs), connections, open },
    lastMessageAt: iso(lastMessageMs),
    lastEnd: lastEnd === undefined ? null : {
      at: new Date(lastEnd.atMs).toISOString(),
      reason: lastEnd.reason,
      why: lastEnd.why,
    },
  };
}

function iso(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}
