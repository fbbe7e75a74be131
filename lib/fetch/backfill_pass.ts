/** One pass of a backfill over the pages of everything owed: some of them in flight at once. @module */
import { newestCandlesMax } from "../exchange/limits.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Owed } from "../store/ledger.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { PAGES_IN_FLIGHT } from "./backfill_report.ts";
import type { PageOutcome } from "./page_outcome.ts";
import { queueByLoss, type QueuedPage } from "./page_queue.ts";

interface PassOptions {
  readonly nowMs: number;
  /** @default PAGES_IN_FLIGHT */
  readonly pagesInFlight?: number | undefined;
  readonly isOver: () => boolean;
  /** Whether nothing is to be asked of a series now. */
  readonly isLeftAlone: (series: Series) => boolean;
  /** Returns what the page brought, if it was stored. */
  readonly runPage: (page: QueuedPage) => Promise<PageOutcome | undefined>;
}

/** Asks for every page once. Pages older than what a series' exchange still has are left out once that is known. */
export async function runPass(
  exchange: ArchivedExchange,
  owed: readonly Owed[],
  { nowMs, pagesInFlight = PAGES_IN_FLIGHT, isOver, isLeftAlone, runPage }: PassOptions,
): Promise<{ readonly reachLearned: boolean }> {
  const rowsMax = (series: Series): number => exchange.pageRowsMax(series);
  const pages = queueByLoss(owed, { rowsMax, newestCandlesMax, nowMs });
  const bounds = new Map<string, number>();
  let reachLearned = false;
  const worker = async (): Promise<void> => {
    for (const page of pages) {
      if (isOver()) return;
      // Another node may have got it since what is owed was read.
      if (isLeftAlone(page.series) || !exchange.share.holds(page.series.symbol)) continue;
      // Nothing this old came.
      if (page.window.untilMs <= (bounds.get(seriesName(page.series)) ?? -Infinity)) continue;
      const { reachFromMs, isReachProved } = await runPage(page) ?? {};
      if (reachFromMs !== undefined) bounds.set(seriesName(page.series), reachFromMs);
      if (isReachProved) reachLearned = true;
    }
  };
  await Promise.all(Array.from({ length: pagesInFlight }, worker));
  return { reachLearned };
}
