/** The gaps as a document, for `titan10 gaps --json`. @module */
import { type GapState, isOpen } from "../market/gap.ts";
import type { Database } from "../store/connection/database.ts";
import { readGaps } from "../store/gaps.ts";

/** Times are ISO 8601 UTC. */
export interface GapsDocument {
  readonly gaps: readonly GapEntry[];
}

interface GapEntry {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  /** Open time of the first missing candle. */
  readonly since: string;
  /** Open time of the first candle after the gap. */
  readonly until: string;
  readonly state: GapState;
  /** Candles that are missing. */
  readonly missing: number;
  /** How often it was asked for again. */
  readonly attempts: number;
  readonly firstSeen: string;
  readonly lastTry: string | null;
  /** When it is asked for next; null when it is not. */
  readonly nextTry: string | null;
}

/**
 * Reads the gaps that are open or explained; filled ones are not told.
 *
 * @throws StoreError
 */
export async function readGapsDocument(database: Database): Promise<GapsDocument> {
  const gaps = await readGaps(database);
  return {
    gaps: gaps.map(({ series, window, state, missing, attempts, ...times }) => ({
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
    })),
  };
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
