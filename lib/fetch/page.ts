/**
 * START READING HERE: the one step that everything shares. A window is asked of an exchange, the answer is
 * judged, and candles and coverage are written together.
 * @module
 */
import { FetchError } from "../exchange/fetch_error.ts";
import type { Priority } from "../exchange/pace.ts";
import { MalformedPageError, type Verdict } from "../market/answer.ts";
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
  /** Whether the window is owed: nobody has answered for it yet, so that its candles are new. @default false */
  readonly isOwed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What one page, or the parts it had to be halved into, brought. */
export interface PageOutcome {
  /** What the exchange answered for; it is in the ledger now. */
  readonly answered: Coverage;
  /** Nothing older can be had from the exchange, as the answer proved. Milliseconds. */
  readonly reachFromMs: number | undefined;
  /** See {@linkcode Verdict.earlyMs}. */
  readonly earlyMs?: number | undefined;
  readonly added: number;
  readonly revised: number;
  readonly rejected: number;
}

/**
 * Asks for one window and stores what came.
 *
 * An answer that contradicts itself, or that lies partly beyond what the exchange keeps, is asked for again in
 * halves, newer half first, so that one bad candle costs one candle.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError when the exchange did not answer: nothing is stored.
 * @throws StoreError when the database did not take it: nothing is stored.
 */
export async function ingestPage(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { window, ...options }: PageOptions & { readonly window: Window },
): Promise<PageOutcome> {
  // Rather than to ask, hold and ask again what nobody can store.
  await archive.database.reach();
  let verdict: Verdict;
  try {
    verdict = await exchange.askPage(series, window, options);
    // "Nothing older can be had" writes history off, so one odd answer is not enough to believe it.
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
  // Not awaited here, which would keep the candles until the database has taken them: what lives long is dear.
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
  // What is older than the exchange keeps need not be asked for to be known.
  if (first.reachFromMs !== undefined) return first;
  const second = await ingestPage(archive, exchange, series, { window: older, ...options });
  // Only where the candle after it was given is this the very end; any older window is too old as well.
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
  verdict: Omit<Verdict, "candles">,
  prepared: PreparedPage,
  { signal }: PageOptions,
): Promise<PageOutcome> {
  const { config, database, clock, random, metrics, log } = archive;
  const { series } = prepared;
  const { exchange, symbol, timeframe } = series;
  const startMs = clock.now();
  // The write in hand is finished even when a shutdown has begun; only the waiting between attempts ends.
  const written = await retry(() => writePreparedPage(database, prepared), {
    ...config.retry,
    clock,
    random,
    ...(signal === undefined ? {} : { signal }),
    isRetryable: (error) => error instanceof StoreError && error.kind === "unavailable",
    onRetry: ({ attempt, delayMs, error }) => {
      log.warn("the database did not take a page; trying again", {
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
