/**
 * START READING HERE: fetches one page. It asks an exchange for a window, judges the answer, and stores candles and
 * coverage together. Polls, backfill and gap repair all use it.
 * @module
 */
import { FetchError } from "../exchange/fetch_error.ts";
import type { Priority } from "../exchange/pace.ts";
import { MalformedPageError, type PageVerdict } from "../market/answer.ts";
import { type Coverage, unite } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import { halves, type Window, windowCandles, windowName } from "../market/window.ts";
import { retry } from "../policy/retry.ts";
import { type PreparedPage, preparePage, writePreparedPage } from "../store/page_write.ts";
import { StoreError } from "../store/connection/store_error.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";

interface PageOptions {
  readonly priority: Priority;
  /** Whether the window is owed: no answer covers it yet, so all its candles are new. @default false */
  readonly isOwed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What one page brought. If it was split, the sum of its parts. */
export interface PageOutcome {
  /** What the exchange answered for. It is stored in the ledger. */
  readonly answered: Coverage;
  /** The exchange has nothing older than this, as the answer proved. Milliseconds. */
  readonly reachFromMs: number | undefined;
  /** See {@linkcode PageVerdict.earlyMs}. */
  readonly earlyMs?: number | undefined;
  readonly added: number;
  readonly revised: number;
  readonly rejected: number;
}

/**
 * Fetches one window and stores the result.
 *
 * If the answer contradicts itself, or part of the window is older than what the exchange keeps, the window is split
 * into halves and each half is fetched, the newer one first. So one bad candle costs only that candle.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError when the exchange did not answer. Nothing is stored.
 * @throws StoreError when the database write failed. Nothing is stored.
 */
export async function ingestPage(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { window, ...options }: PageOptions & { readonly window: Window },
): Promise<PageOutcome> {
  // If the database is down, fail before asking the exchange for a page that could not be stored.
  await archive.database.reach();
  let verdict: PageVerdict;
  try {
    verdict = await exchange.askPage(series, window, options);
    // Older history is never asked for again once this is recorded, so ask twice before recording it.
    if (verdict.reachFromMs !== undefined) {
      verdict = await exchange.askPage(series, window, options);
      if (verdict.reachFromMs !== undefined) await exchange.learnReach(series, verdict.reachFromMs);
    }
  } catch (error) {
    const tooOld = error instanceof FetchError && error.kind === "retention";
    if (!tooOld && !(error instanceof MalformedPageError)) throw error;
    if (windowCandles(series.timeframe, window) > 1) {
      return await ingestHalves(archive, exchange, series, { window, ...options });
    }
    if (!tooOld) {
      throw new FetchError(
        "transient",
        `Cannot use the answer of ${seriesName(series)}: ${error.message}`,
        {
          cause: error,
        },
      );
    }
    verdict = { candles: [], rejected: [], answered: undefined, reachFromMs: window.untilMs };
  }
  const prepared = preparePage(series, { ...verdict, isNew: options.isOwed });
  const { candles: _, ...proof } = verdict;
  // Not awaited here: this frame would keep `verdict.candles` in memory until the write ends.
  return storePage(archive, proof, prepared, options);
}

async function ingestHalves(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { window, ...options }: PageOptions & { readonly window: Window },
): Promise<PageOutcome> {
  archive.log.debug("asking in halves", { series: seriesName(series), window: windowName(window) });
  const [older, newer] = halves(series.timeframe, window);
  const first = await ingestPage(archive, exchange, series, { window: newer, ...options });
  // The exchange has nothing older, so skip the older half.
  if (first.reachFromMs !== undefined) return first;
  const second = await ingestPage(archive, exchange, series, { window: older, ...options });
  // Record the bound only if the newer half begins right there. Otherwise the true bound may be newer.
  if (second.reachFromMs !== undefined && second.reachFromMs === first.answered[0]?.sinceMs) {
    await exchange.learnReach(series, second.reachFromMs);
  }
  return {
    answered: unite(first.answered, second.answered),
    reachFromMs: second.reachFromMs,
    earlyMs: first.earlyMs,
    added: first.added + second.added,
    revised: first.revised + second.revised,
    rejected: first.rejected + second.rejected,
  };
}

async function storePage(
  archive: Archive,
  verdict: Omit<PageVerdict, "candles">,
  prepared: PreparedPage,
  { signal }: PageOptions,
): Promise<PageOutcome> {
  const { config, database, clock, random, metrics, log } = archive;
  const { series } = prepared;
  const { exchange, symbol, timeframe } = series;
  const startMs = clock.now();
  // A shutdown ends the wait between attempts, but not a write that has begun.
  const written = await retry(() => writePreparedPage(database, prepared), {
    ...config.retry,
    clock,
    random,
    ...(signal === undefined ? {} : { signal }),
    isRetryable: (error) => error instanceof StoreError && error.kind === "unavailable",
    onRetry: ({ attempt, delayMs, error }) => {
      log.warn("storing a page failed; trying again", {
        series: seriesName(series),
        attempt,
        delayMs,
        error,
      });
    },
  });
  metrics.dbWriteDurationSeconds.observe({ exchange }, (clock.now() - startMs) / 1000);
  metrics.candlesWritten.inc({ exchange }, written.added);
  metrics.candlesRevised.inc({ exchange }, written.revised);
  for (const { reason } of verdict.rejected) metrics.candlesRejected.inc({ exchange, reason });
  if (written.lastMs !== undefined) {
    const labels = { exchange, symbol, timeframe: timeframe.text };
    metrics.lastClosedCandleSeconds.set(labels, written.lastMs / 1000);
  }
  if (verdict.rejected.length > 0) {
    const [example] = verdict.rejected;
    log.warn("rejected candles", {
      series: seriesName(series),
      candles: verdict.rejected.length,
      reason: example?.reason,
      row: example?.row,
    });
  }
  return {
    answered: verdict.answered === undefined ? [] : [verdict.answered],
    reachFromMs: verdict.reachFromMs,
    earlyMs: verdict.earlyMs,
    added: written.added,
    revised: written.revised,
    rejected: verdict.rejected.length,
  };
}
