/** The gaps as pages of documents, for `titan10 gaps`. @module */
import { type GapState, isOpen } from "../market/gap.ts";
import type { Database } from "../store/connection/database.ts";
import { type FundingGap, readFundingGaps } from "../store/funding_ledger.ts";
import { readGapPages } from "../store/gaps.ts";

/** A gap. Times are ISO 8601 UTC. */
export interface GapEntry {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  /** Open time of the first missing candle. */
  readonly since: string;
  /** Open time of the first candle after the gap. */
  readonly until: string;
  readonly state: GapState;
  /** How many candles are missing. */
  readonly missing: number;
  /** How many times it was asked for again. */
  readonly attempts: number;
  /**
   * When the gap was found. For a gap that follows from the bounds of its series: since when the series is archived.
   */
  readonly firstSeen: string;
  readonly lastTry: string | null;
  /** When it will be asked for next; null if it will not. */
  readonly nextTry: string | null;
}

/**
 * Reads the gaps that are open or explained, page by page. Filled ones are left out.
 *
 * @throws StoreError
 */
export async function* readGapEntries(
  database: Database,
): AsyncGenerator<readonly GapEntry[], void> {
  for await (const gaps of readGapPages(database)) {
    yield gaps.map(({ series, window, state, missing, attempts, ...times }) => ({
      exchange: series.exchange,
      symbol: series.symbol,
      timeframe: series.timeframe.text,
      since: iso(window.sinceMs),
      until: iso(window.untilMs),
      state,
      missing,
      attempts,
      firstSeen: iso(times.firstSeenMs),
      lastTry: times.lastTryMs === undefined ? null : iso(times.lastTryMs),
      nextTry: isOpen(state) ? iso(times.nextTryMs) : null,
    }));
  }
}

/** A span in which funding rates are missing. Times are ISO 8601 UTC. */
export interface FundingGapEntry {
  readonly exchange: string;
  readonly symbol: string;
  readonly since: string;
  readonly until: string;
  readonly state: string;
  /** How many rates are missing. */
  readonly missing: number;
  readonly reason: string;
}

/** Where funding rates are missing, page by page. @throws StoreError */
export async function* readFundingGapEntries(
  database: Database,
): AsyncGenerator<readonly FundingGapEntry[], void> {
  let after: FundingGap | undefined;
  while (true) {
    const gaps = await readFundingGaps(database, { gapsMax: PAGE_GAPS_MAX, after });
    if (gaps.length > 0) {
      yield gaps.map(({ exchange, symbol, window, state, missing, reason }) => ({
        exchange,
        symbol,
        since: iso(window.sinceMs),
        until: iso(window.untilMs),
        state,
        missing,
        reason,
      }));
    }
    if (gaps.length < PAGE_GAPS_MAX) return;
    after = gaps.at(-1);
  }
}

const PAGE_GAPS_MAX = 1_000;

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
