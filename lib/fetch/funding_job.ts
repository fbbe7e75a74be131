/** The jobs of funding rates: `funding` asks for those that are due, `funding_history` for all that are owed. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { isCancelled } from "../archive/failure.ts";
import type { Job } from "../archive/job.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { FUNDING_INTERVAL_MS, fundingPageSinceMs } from "../market/funding_rate.ts";
import { sumOf } from "../market/sum.ts";
import {
  type FundingCheckpoint,
  noteWantedFunding,
  readFundingCheckpoints,
} from "../store/funding_ledger.ts";
import { perpetualName } from "../store/funding_rates.ts";
import { fetchFunding } from "./funding.ts";
import { ingestFunding, reportFundingFailure } from "./ingest_funding.ts";
import { fundingDesires } from "./funding_wanted.ts";

/** An exchange publishes a rate some seconds after it was due. */
const DUE_AFTER_MS = 30_000;

/** So long after an answer without the rate that is due it is asked for again: doubled each time, for it may never come. */
const AGAIN_MS = 5 * 60_000;
const AGAIN_MS_MAX = 60 * 60_000;

/**
 * While history is owed, it is asked for again after so long, not only at the times of `BACKFILL_CRON`. Doubled after each
 * run that brought nothing: what is never answered for is not asked for ever at this rate.
 */
const HISTORY_AGAIN_MS = 15 * 60_000;
const HISTORY_AGAIN_MS_MAX = 4 * 60 * 60_000;

interface FundingJobsOptions {
  /** Called when history is owed: the job `funding_history` is to run. */
  readonly onOwed: () => void;
}

/** The jobs, and what to call when other perpetuals may be wanted. */
export function fundingJobs(archive: Archive, options: FundingJobsOptions): readonly Job[] {
  const state: HistoryState = { endedMs: -Infinity, againMs: HISTORY_AGAIN_MS, isOwed: true };
  const poll = new FundingPoll(archive);
  return [{
    name: "funding",
    get cron() {
      return archive.config.pollCron;
    },
    mayOverlap: false,
    isQuiet: true,
    runOnce: async (signal) => {
      const report = await poll.runOnce({ signal });
      if (report.found > 0) state.isOwed = true;
      const isDue = report.found > 0 || archive.clock.now() - state.endedMs >= state.againMs;
      if (poll.isReady && state.isOwed && isDue) options.onOwed();
      const { found: _, ...counts } = report;
      return counts;
    },
  }, {
    name: "funding_history",
    get cron() {
      return archive.config.backfillCron;
    },
    mayOverlap: false,
    isQuiet: true,
    runOnce: async (signal) => {
      // The daemon's first run comes when its polls have loaded the markets.
      if (!poll.isReady) return { pages: 0, added: 0, revised: 0, failed: 0 };
      const reports = await fetchFunding(archive, { signal });
      state.endedMs = archive.clock.now();
      state.isOwed = reports.some(({ left, failed }) => failed > 0 || left !== 0);
      const added = sumOf(reports, ({ added }) => added);
      state.againMs = added > 0
        ? HISTORY_AGAIN_MS
        : Math.min(2 * state.againMs, HISTORY_AGAIN_MS_MAX);
      return {
        pages: sumOf(reports, ({ pages }) => pages),
        added,
        revised: sumOf(reports, ({ revised }) => revised),
        failed: sumOf(reports, ({ failed }) => failed),
      };
    },
  }];
}

interface HistoryState {
  /** When the last run ended. Milliseconds. */
  endedMs: number;
  /** How long after that it is to run again. Milliseconds. */
  againMs: number;
  /** Whether it left something. */
  isOwed: boolean;
}

interface FundingPollReport {
  readonly asked: number;
  readonly added: number;
  readonly revised: number;
  readonly failed: number;
  /** Exchanges that want other perpetuals than before. */
  readonly found: number;
}

/** Asks for rates when they are due. Remembers what it has asked for. */
class FundingPoll {
  readonly #archive: Archive;
  /** When a perpetual was last asked for. Milliseconds. */
  readonly #askedMs = new Map<string, number>();
  /** The perpetuals that are entered as wanted, by exchange. */
  readonly #wanted = new Map<string, string>();
  /** The perpetuals that a gauge tells of, by name. */
  readonly #told = new Map<string, { readonly exchange: string; readonly symbol: string }>();

  constructor(archive: Archive) {
    this.#archive = archive;
  }

  /** Whether the markets of an exchange are loaded. */
  get isReady(): boolean {
    return this.#archive.exchanges.some(({ markets }) => markets.value !== undefined);
  }

  async runOnce({ signal }: { readonly signal: AbortSignal }): Promise<FundingPollReport> {
    const { exchanges, database } = this.#archive;
    const funded = exchanges.filter(({ client, share }) =>
      client.fundingKinds.length > 0 && share.markets !== undefined
    );
    if (funded.length === 0) {
      this.#tellNewest([]);
      return NOTHING;
    }
    let found = 0;
    for (const exchange of funded) if (await this.#enter(exchange)) found++;
    const ledger = await readFundingCheckpoints(database);
    this.#tellNewest(ledger);
    const reports = await Promise.all(funded.map((exchange) => {
      const own = ledger.filter((row) => row.exchange === exchange.id);
      return this.#pollExchange(exchange, own, signal);
    }));
    return reports.reduce(plus, { ...NOTHING, found });
  }

  /** Sets the gauges from the ledger, so that a restart or a history tells of them as a poll does. */
  #tellNewest(ledger: readonly FundingCheckpoint[]): void {
    const { fundingLastSeconds } = this.#archive.metrics;
    const { leases } = this.#archive;
    const wanted = ledger.filter(({ exchange, symbol, wantedSinceMs }) =>
      wantedSinceMs !== undefined && leases.holds(exchange, symbol)
    );
    const names = new Set(wanted.map(perpetualName));
    for (const [name, labels] of this.#told) {
      if (names.has(name)) continue;
      fundingLastSeconds.remove(labels);
      this.#told.delete(name);
    }
    for (const row of wanted) {
      const { exchange, symbol, lastMs } = row;
      if (lastMs === undefined) continue;
      fundingLastSeconds.set({ exchange, symbol }, lastMs / 1000);
      this.#told.set(perpetualName(row), { exchange, symbol });
    }
  }

  /** Enters what is wanted now, if that has changed. Returns whether it has. */
  async #enter(exchange: ArchivedExchange): Promise<boolean> {
    const { value } = exchange.markets;
    if (value === undefined) return false;
    const desires = fundingDesires(this.#archive, exchange, value);
    const text = desires.map(({ symbol }) => symbol).join(" ");
    if (this.#wanted.get(exchange.id) === text) return false;
    const { database, leases } = this.#archive;
    await noteWantedFunding(database, exchange.id, desires, leases.node);
    this.#wanted.set(exchange.id, text);
    return desires.length > 0;
  }

  async #pollExchange(
    exchange: ArchivedExchange,
    ledger: readonly FundingCheckpoint[],
    signal: AbortSignal,
  ): Promise<FundingPollReport> {
    const { value: markets } = exchange.markets;
    if (markets === undefined) return NOTHING;
    const nowMs = this.#archive.clock.now();
    const due = ledger.filter((row) =>
      row.wantedSinceMs !== undefined && exchange.share.holds(row.symbol) &&
      markets.list.has(row.symbol) &&
      !markets.suspended.has(row.symbol) && this.#isDue(row, nowMs)
    );
    let report = NOTHING;
    for (const row of due) {
      if (signal.aborted) break;
      if (!exchange.share.holds(row.symbol)) continue;
      this.#askedMs.set(perpetualName(row), nowMs);
      report = plus(report, await this.#poll(exchange, row, { markets, nowMs, signal }));
    }
    return report;
  }

  /** Whether the next rate should have come. An interval that has become shorter is seen with the next rate. */
  #isDue(row: FundingCheckpoint, nowMs: number): boolean {
    const { lastMs, intervalMs = FUNDING_INTERVAL_MS } = row;
    const untilMs = row.covered.at(-1)?.untilMs;
    // Of a new perpetual all is history, which comes newest first.
    if (untilMs === undefined) return false;
    const dueMs = (lastMs ?? untilMs) + intervalMs;
    const askedMs = this.#askedMs.get(perpetualName(row)) ?? -Infinity;
    const againMs = Math.min(Math.max(AGAIN_MS, askedMs - dueMs), AGAIN_MS_MAX);
    // Later than now: the clock was set back.
    if (askedMs <= nowMs && nowMs - askedMs < againMs) return false;
    return nowMs - DUE_AFTER_MS >= dueMs;
  }

  async #poll(
    exchange: ArchivedExchange,
    { symbol, covered, intervalMs }: FundingCheckpoint,
    { markets, nowMs, signal }: {
      readonly markets: Markets;
      readonly nowMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<FundingPollReport> {
    const archive = this.#archive;
    const { rowsMax, isPaged } = exchange.client.fundingTerms(symbol, markets.list);
    const pageMs = fundingPageSinceMs(nowMs, { rows: rowsMax, intervalMs });
    const window = { sinceMs: Math.max(pageMs, covered.at(-1)?.untilMs ?? pageMs), untilMs: nowMs };
    try {
      const joinMs = isPaged ? nowMs : undefined;
      const options = { markets, priority: "live", joinMs, signal } as const;
      const page = await ingestFunding(archive, exchange, { symbol, window }, options);
      const { added, revised } = page;
      return { ...NOTHING, asked: 1, added, revised };
    } catch (error) {
      if (isCancelled(error, signal)) return NOTHING;
      await reportFundingFailure(archive, { exchange: exchange.id, symbol, error, signal });
      return { ...NOTHING, asked: 1, failed: 1 };
    }
  }
}

const NOTHING: FundingPollReport = { asked: 0, added: 0, revised: 0, failed: 0, found: 0 };

function plus(one: FundingPollReport, other: FundingPollReport): FundingPollReport {
  return {
    asked: one.asked + other.asked,
    added: one.added + other.added,
    revised: one.revised + other.revised,
    failed: one.failed + other.failed,
    found: one.found + other.found,
  };
}
