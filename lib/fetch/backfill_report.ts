/** The options, the progress and the result of a backfill. @module */
import type { AskedRange } from "../archive/desire.ts";
import type { MarketNews } from "../archive/markets_in_force.ts";
import type { BackfillCompression } from "./backfill_compression.ts";
import type { YoungCandles } from "./owed_candles.ts";

/**
 * Pages of one exchange in flight, requested or being written. Enough to use the exchange's full rate while the
 * database writes; few enough that polls hardly wait. Measured with answers of 100 ms and a rate of one request per
 * 50 ms: six pages of 1,000 rows in flight take a sixth of the time of 500 rows one by one; four take a little longer,
 * eight take as long as six. With an exchange as fast as the database, six store 7 % more than four. A stop loses at
 * most this many pages, which are fetched again. With at most 10,000 rows per page it also limits the rows in memory.
 */
export const PAGES_IN_FLIGHT = 6;

export interface BackfillOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether to wait without limit for exchanges that are down, as the daemon does. If false, give up and report, as a
   * person at a terminal expects.
   */
  readonly patient: boolean;
  /** Whether to wait until the newest candles are final, if that is short. @default false */
  readonly awaitsFinal?: boolean | undefined;
  /** What is asked for in the place of `BACKFILL`. @default nothing */
  readonly asked?: AskedRange | undefined;
  /** Pages of one exchange in flight. @default PAGES_IN_FLIGHT */
  readonly pagesInFlight?: number | undefined;
  /** Called after every page. */
  readonly onProgress?: (progress: BackfillProgress) => void;
  /** Called with the id of each exchange whose backfill has ended, however it ended. */
  readonly onExchangeEnd?: (exchange: string) => void;
}

export interface ExchangeBackfillOptions extends BackfillOptions {
  readonly compression: BackfillCompression;
  /** Does not fetch candles owed before this time. Milliseconds. @default fetches all */
  readonly sinceMs?: number | undefined;
}

/** One exchange's backfill so far. */
export interface BackfillProgress {
  readonly exchange: string;
  /** Candles owed when the backfill began. */
  readonly owed: number;
  /** How many of them the exchange has answered for. */
  readonly answered: number;
  readonly pages: number;
  /** Files stored that the exchange publishes. */
  readonly files: number;
  readonly added: number;
  readonly revised: number;
  readonly rejected: number;
  readonly failed: number;
  /**
   * Until when the backfill pauses because of a ban, an open breaker or an unavailable database. Milliseconds;
   * undefined while it does not pause.
   */
  readonly pausedUntilMs: number | undefined;
  /** Why the backfill pauses, in a few words; undefined while it does not. */
  readonly pausedWhy: string | undefined;
}

/** The progress before the first page. */
export function noProgress(exchange: string): BackfillProgress {
  return {
    exchange,
    owed: 0,
    answered: 0,
    pages: 0,
    files: 0,
    added: 0,
    revised: 0,
    rejected: 0,
    failed: 0,
    pausedUntilMs: undefined,
    pausedWhy: undefined,
  };
}

/** The progress after a page or a file, or a part of one. */
export function withPart(
  { answered, files, added, revised, rejected, ...progress }: BackfillProgress,
  part: { readonly answered: number; readonly added: number } & Partial<BackfillCounts> & {
    readonly files?: number;
  },
): BackfillProgress {
  return {
    ...progress,
    answered: answered + part.answered,
    files: files + (part.files ?? 0),
    added: added + part.added,
    revised: revised + (part.revised ?? 0),
    rejected: rejected + (part.rejected ?? 0),
  };
}

/** The young candles are stored, and owed from `finalMs` on. */
export interface BackfillReport extends BackfillProgress, MarketNews, YoungCandles {
  /** Candles still owed at the end, also those that became due meanwhile; undefined when the ledger was not read. */
  readonly left: number | undefined;
  /** How many of them closed so shortly before the backfill that the exchange may still publish them. */
  readonly young: number;
  /** Why some owed candles were not answered for, one message per cause. */
  readonly problems: readonly string[];
}

/** The counts of one backfill or of several. */
export type BackfillCounts = Readonly<
  Record<"pages" | "added" | "revised" | "rejected" | "failed", number>
>;

/** The sum of several reports. */
export function sumReports(reports: readonly BackfillCounts[]): BackfillCounts {
  const total = { pages: 0, added: 0, revised: 0, rejected: 0, failed: 0 };
  for (const report of reports) {
    total.pages += report.pages;
    total.added += report.added;
    total.revised += report.revised;
    total.rejected += report.rejected;
    total.failed += report.failed;
  }
  return total;
}
