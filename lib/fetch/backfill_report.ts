/** The progress and the result of a backfill. @module */

/** One exchange's backfill so far. */
export interface BackfillProgress {
  readonly exchange: string;
  /** Candles owed when the backfill began. */
  readonly owed: number;
  /** How many of them the exchange has answered for. */
  readonly answered: number;
  readonly pages: number;
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

export interface BackfillReport extends BackfillProgress {
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
