/**
 * START READING HERE: fetches one page. It asks an exchange for a window, judges the answer, and stores candles and
 * coverage together. Polls, backfill and gap repair all use it.
 * @module
 */
import { FetchError } from "../exchange/fetch_error.ts";
import type { Priority } from "../exchange/pace.ts";
import { MalformedPageError, type PageVerdict } from "../market/answer.ts";
import { type Coverage, intersect, isCovered, subtract, unite } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import { halves, type Window, windowCandles, windowName } from "../market/window.ts";
import { retry } from "../policy/retry.ts";
import { noteRejected } from "../store/gap_note.ts";
import { type PreparedPage, preparePage, writePreparedPage } from "../store/page_write.ts";
import { StoreError } from "../store/connection/store_error.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { isShifted, noteShiftedPage, YOUNG_MS } from "./shifted_page.ts";
import { askOnce, endsPage, isAnsweredBeside, UnusableCandle } from "./unusable_candle.ts";

interface PageOptions {
  readonly priority: Priority;
  /**
   * The owed parts of the window. No answer covers them yet, so all their candles are new, and only they are stored.
   *
   * @default all candles of the window are stored
   */
  readonly owed?: Coverage | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Most candles of one page whose answers cannot be used. To find one takes as many requests as the page can be halved;
 * after this many the rest of the page is left for the next pass.
 */
const UNUSABLE_MAX = 10;

type Ask = PageOptions & { readonly window: Window };

/** A part of a page. */
type Part = Ask & { readonly trouble: Trouble };

/** What went wrong while a page was split: the other parts were asked for all the same. */
interface Trouble {
  readonly unusable: UnusableCandle[];
  readonly failures: unknown[];
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
 * If the answer contradicts itself or is not JSON, or part of the window is older than what the exchange keeps, the
 * window is split into halves and each half is fetched, the newer one first, whatever the other one comes to. What cannot
 * be used even by itself is rejected, if the exchange answers well beside it. So one bad candle costs only that candle.
 * If the answer seems to be cut, the owed parts before and after it are fetched separately: together they would be the
 * same request.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError when the exchange did not answer, or not in a way that can be used,
 * and StoreError when the database write failed. Parts fetched before stay stored.
 */
export async function ingestPage(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  ask: Ask,
): Promise<PageOutcome> {
  const trouble: Trouble = { unusable: [], failures: [] };
  let outcome = NOTHING;
  try {
    outcome = await ingestPart(archive, exchange, series, { ...ask, trouble });
  } catch (error) {
    if (!(error instanceof UnusableCandle)) throw error;
    trouble.unusable.push(error);
  }
  const rejected = trouble.unusable.length === 0
    ? NOTHING
    : await rejectUnusable(archive, exchange, series, { ...ask, trouble });
  if (trouble.failures.length > 0) throw trouble.failures[0];
  return both(outcome, { ...rejected, reachFromMs: outcome.reachFromMs });
}

async function ingestPart(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { window, trouble, ...options }: Part,
): Promise<PageOutcome> {
  // If the database is down, fail before asking the exchange for a page that could not be stored.
  await archive.database.reach();
  let verdict: PageVerdict;
  try {
    verdict = await exchange.askPage(series, window, options);
    // What is recorded of such pages is never asked for again, so ask twice before recording it.
    if (verdict.reachFromMs !== undefined || isShifted(verdict)) {
      verdict = await exchange.askPage(series, window, options);
      if (verdict.reachFromMs !== undefined) await exchange.learnReach(series, verdict.reachFromMs);
    }
  } catch (error) {
    const tooOld = error instanceof FetchError && error.kind === "retention";
    if (!tooOld && !(error instanceof MalformedPageError)) throw error;
    if (windowCandles(series.timeframe, window) > 1) {
      return await ingestHalves(archive, exchange, series, { window, trouble, ...options });
    }
    verdict = tooOld
      ? { candles: [], rejected: [], answered: undefined, reachFromMs: window.untilMs }
      : await askOnce(exchange, series, { window, ...options });
  }
  const { owed } = options;
  const isUseless = isShifted(verdict);
  const { candles, ...proof } = owed === undefined ? verdict : ofOwed(verdict, owed);
  const prepared = preparePage(series, { ...proof, candles, isNew: owed !== undefined });
  // Not awaited here: this frame would keep `candles` in memory until the write ends.
  const stored = storePage(archive, proof, prepared, options);
  if (isUseless) {
    await stored;
    await noteShiftedPage(archive, series, proof);
  }
  return (owed ?? []).length < 2
    ? stored
    : ingestLeft(archive, exchange, series, { ...options, stored });
}

/**
 * Rejects candles whose answers cannot be used, if the exchange answers well beside them: they are covered then, and a gap
 * says why they are missing. The others are failures: when nothing can be used, the fault is not theirs.
 */
async function rejectUnusable(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { trouble, ...options }: Part,
): Promise<PageOutcome> {
  const nowMs = archive.clock.now();
  // Asked for anew, although other parts may have been answered: an exchange that answers from `since` on and ignores the
  // end fails for every window before a bad candle, and answers well for every window after it.
  const isAlone = await isAnsweredBeside(exchange, series, {
    ...options,
    unusable: trouble.unusable,
  });
  let sum = NOTHING;
  for (const { window, cause } of trouble.unusable) {
    const reason = `Cannot use the answer of ${seriesName(series)}: ${cause.message}`;
    if (!isAlone || nowMs - window.untilMs < YOUNG_MS) {
      trouble.failures.push(new FetchError("transient", reason, { cause }));
      continue;
    }
    const proof = { rejected: cause.evidence, answered: window, reachFromMs: undefined };
    const prepared = preparePage(series, { ...proof, candles: [] });
    sum = both(sum, await storePage(archive, proof, prepared, options));
    await noteRejected(archive.database, series, { spans: [{ ...window, candles: 1 }], nowMs });
  }
  return sum;
}

/** The part of an answer that lies in the owed parts. */
function ofOwed(verdict: PageVerdict, owed: Coverage): PageVerdict {
  return {
    ...verdict,
    candles: verdict.candles.filter(({ openTimeMs }) => isCovered(owed, openTimeMs)),
    rejected: verdict.rejected.filter(({ openTimeMs }) =>
      openTimeMs === undefined || isCovered(owed, openTimeMs)
    ),
  };
}

/** Fetches the owed parts after the answered part, and those before it. */
async function ingestLeft(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { stored, owed = [], ...options }: Omit<Ask, "window"> & {
    readonly stored: Promise<PageOutcome>;
  },
): Promise<PageOutcome> {
  let outcome = await stored;
  const { answered: [answered] } = outcome;
  // If the page answered for nothing, its parts are left to the next pass.
  if (answered === undefined) return outcome;
  const left = subtract(owed, [answered]);
  const newer = left.filter(({ sinceMs }) => sinceMs >= answered.untilMs);
  const older = left.filter(({ untilMs }) => untilMs <= answered.sinceMs);
  for (const owed of [newer, older]) {
    const [first, last] = [owed[0], owed.at(-1)];
    if (first === undefined || last === undefined || outcome.reachFromMs !== undefined) continue;
    const window = { sinceMs: first.sinceMs, untilMs: last.untilMs };
    outcome = both(
      outcome,
      await ingestPage(archive, exchange, series, { window, owed, ...options }),
    );
  }
  return outcome;
}

async function ingestHalves(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { window, ...options }: Part,
): Promise<PageOutcome> {
  archive.log.debug("asking in halves", { series: seriesName(series), window: windowName(window) });
  const { owed, trouble: { unusable, failures } } = options;
  const ask = async (half: Window): Promise<PageOutcome> => {
    const part = owed && intersect(owed, [half]);
    // Nothing is owed in this half, so it needs no request.
    if (part?.length === 0) return NOTHING;
    if (unusable.length + failures.length >= UNUSABLE_MAX) return NOTHING;
    try {
      return await ingestPart(archive, exchange, series, { ...options, window: half, owed: part });
    } catch (error) {
      if (endsPage(error, options.signal)) throw error;
      if (error instanceof UnusableCandle) unusable.push(error);
      else failures.push(error);
      return NOTHING;
    }
  };
  const [older, newer] = halves(series.timeframe, window);
  const first = await ask(newer);
  // The exchange has nothing older, so skip the older half.
  const second = first.reachFromMs === undefined ? await ask(older) : undefined;
  // Record the bound only if the newer half begins right there. Otherwise the true bound may be newer.
  if (second?.reachFromMs !== undefined && second.reachFromMs === first.answered[0]?.sinceMs) {
    await exchange.learnReach(series, second.reachFromMs);
  }
  return second === undefined ? first : both(first, second);
}

const NOTHING: PageOutcome = {
  answered: [],
  reachFromMs: undefined,
  added: 0,
  revised: 0,
  rejected: 0,
};

/** The sum of two pages, the newer one first. */
function both(first: PageOutcome, second: PageOutcome): PageOutcome {
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
