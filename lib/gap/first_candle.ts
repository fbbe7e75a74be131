/** Confirms where series begin: asks once more for the time right before their first candles. @module */
import { type Coverage, subtract } from "../market/coverage.ts";
import { seriesName } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import { forgetListing } from "../store/ledger.ts";
import { confirmFirst, doubtFirst } from "../store/series_bounds.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { isLost, reportSeriesFailure } from "../archive/failure.ts";
import { ingestPage } from "../fetch/page.ts";
import type { UnconfirmedEdge } from "./account.ts";
import { isDown, type RepairOptions, stopsAll } from "./unasked.ts";

/** Pages before first candles that are requested from one exchange in one run. */
const EDGE_PAGES_MAX = 20;

/** How long to wait before a first candle is confirmed. An exchange that still has trouble then answers with errors. */
export const CONFIRM_AFTER_MS = 60 * 60_000;

/**
 * Requests the time right before first candles once more, {@linkcode CONFIRM_AFTER_MS} after they were found. An answer
 * may lack its first rows because of an error at the exchange, and a second answer soon after may have the same error.
 */
export async function confirmEdges(
  archive: Archive,
  exchange: ArchivedExchange,
  { edges, signal, onUnasked }: RepairOptions & { readonly edges: readonly UnconfirmedEdge[] },
): Promise<void> {
  if (exchange.markets.value === undefined) return;
  const nowMs = archive.clock.now();
  const asked = new Set(exchange.series.map(seriesName));
  let pages = 0;
  for (const edge of edges) {
    if (signal?.aborted || pages >= EDGE_PAGES_MAX) return;
    const { series, sinceMs = Infinity } = edge;
    // Of what has ended for good the exchange would give nothing.
    if (!asked.has(seriesName(series)) || !exchange.share.holds(series.symbol)) continue;
    if (isDown(exchange, series)) continue;
    try {
      // A new edge, or the clock was set back: the time to wait begins now.
      if (nowMs < sinceMs) {
        await doubtFirst(archive.database, series, nowMs);
      } else if (nowMs - sinceMs >= CONFIRM_AFTER_MS) {
        const pagesMax = EDGE_PAGES_MAX - pages;
        pages += await confirmEdge(archive, exchange, { edge, pagesMax, signal });
      }
    } catch (error) {
      if (signal?.aborted || !exchange.work.isOpen) return;
      if (isLost(error)) continue;
      onUnasked?.({ series, gaps: 0, error });
      await reportSeriesFailure(archive, series, error);
      if (stopsAll(error, { exchange, series })) return;
    }
  }
}

/**
 * Requests page by page, as long as older candles come. Such a candle is the new first one, and is not confirmed yet.
 * If `pagesMax` ends the loop, the next run goes on without waiting for another hour.
 *
 * @returns how many pages were requested.
 */
async function confirmEdge(
  archive: Archive,
  exchange: ArchivedExchange,
  { edge: { series, window: edge, sinceMs }, pagesMax, signal }: {
    readonly edge: UnconfirmedEdge;
    readonly pagesMax: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<number> {
  const rowsMax = exchange.pageRowsMax(series);
  let untilMs = edge.untilMs;
  for (let pages = 1;; pages++) {
    const pageMs = addCandles(series.timeframe, untilMs, -rowsMax);
    const window = { sinceMs: Math.max(edge.sinceMs, pageMs), untilMs };
    let added = 0;
    let answered: Coverage = [];
    try {
      ({ answered } = await ingestPage(archive, exchange, series, {
        window,
        priority: "backfill",
        signal,
        onStored: (part) => added += part.added,
      }));
    } finally {
      if (added > 0) await forgetListing(archive.database, series);
    }
    if (subtract([window], answered).length > 0) return pages;
    if (added === 0 && untilMs === edge.untilMs) {
      await confirmFirst(archive.database, series, untilMs);
    }
    untilMs = window.sinceMs;
    if (added === 0 || untilMs <= edge.sinceMs) return pages;
    if (pages < pagesMax) continue;
    await doubtFirst(archive.database, series, sinceMs ?? archive.clock.now());
    return pages;
  }
}
