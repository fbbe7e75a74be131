/** The gaps as pages of documents, for `titan10 gaps`. @module */
import { type GapState, isOpen } from "../market/gap.ts";
import type { Database } from "../store/connection/database.ts";
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
  /** Candles that are missing. */
  readonly missing: number;
  /** How often it was asked for again. */
  readonly attempts: number;
  /** When it was found; of one that follows from the bounds of its series, since when that is archived. */
  readonly firstSeen: string;
  readonly lastTry: string | null;
  /** When it is asked for next; null when it is not. */
  readonly nextTry: string | null;
}

/**
 * Reads the gaps that are open or explained, page by page; filled ones are not told.
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

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
