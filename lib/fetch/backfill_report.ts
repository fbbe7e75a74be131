/** How a backfill goes, and what came of it. @module */
/** One exchange's backfill so far. */
export interface BackfillProgress {
  readonly exchange: string;
  /** Candles owed when it began. */
  readonly owed: number;
  /** Of those, how many the exchange has answered for. */
  readonly answered: number;
  readonly pages: number;
  readonly added: number;
  readonly revised: number;
  readonly rejected: number;
  readonly failed: number;
  /** Until when nothing is asked because of a ban, a breaker or a database that is away. Milliseconds. */
  readonly pausedUntilMs: number | undefined;
  /** Why, in a few words; undefined while it is not paused. */
  readonly pausedWhy: string | undefined;
}

export interface BackfillReport extends BackfillProgress {
  /** Candles still owed at the end, those that are only just due included; undefined when nobody could tell. */
  readonly left: number | undefined;
  /** Why some of what was owed was not answered for, one message a cause. */
  readonly problems: readonly string[];
}

/** What is counted of several. */
export type BackfillCounts = Readonly<
  Record<"pages" | "added" | "revised" | "rejected" | "failed", number>
>;

/** Adds reports up. */
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
