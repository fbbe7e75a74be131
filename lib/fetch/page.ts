/**
 * START READING HERE: the one step that everything shares. A window is asked of an exchange, the answer is
 * judged, and candles and coverage are written together.
 * @module
 */
import { FetchError } from "../exchange/fetch_error.ts";
import type { Priority } from "../exchange/pace.ts";
import { MalformedPageError, type Verdict } from "../market/answer.ts";
import { type Coverage, intersect, isCovered, subtract, unite } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import { halves, type Window, windowCandles, windowName } from "../market/window.ts";
import { retry } from "../policy/retry.ts";
import { type PreparedPage, preparePage, writePreparedPage } from "../store/page_write.ts";
import { StoreError } from "../store/connection/store_error.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";

interface PageOptions {
  readonly priority: Priority;
  /**
   * Parts of the window, if it is asked for their sake only: nobody has answered for them yet, so that their candles are
   * new, and those between them, which are there already, are not stored again. Unset: all that comes is stored.
   */
  readonly owed?: Coverage | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Candles of one page that may contradict themselves before the rest of it is left for the next time: to find one takes
 * as many requests as the page can be halved.
 */
const UNUSABLE_MAX = 10;

type Ask = PageOptions & {
  readonly window: Window;
  /** Errors of the candles of this page that could not be used; filled while it is halved. */
  readonly unusable?: FetchError[] | undefined;
};

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
 * halves, newer half first, so that one bad candle costs one candle. Where the answer seems to be cut, the owed parts on
 * either side are asked for by themselves: together they would be the same question again.
 *
 * @throws FetchError when a candle cannot be used; all others are stored.
 * @throws FetchError, DeadlineError, BreakerOpenError when the exchange did not answer, StoreError when the database did
 * not take it: nothing is stored but the parts that were before.
 */
export async function ingestPage(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { window, ...options }: Ask,
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
  const { owed } = options;
  const { candles, ...proof } = owed === undefined ? verdict : ofOwed(verdict, owed);
  const prepared = preparePage(series, { ...proof, candles, isNew: owed !== undefined });
  // Not awaited here, which would keep the candles until the database has taken them: what lives long is dear.
  const stored = storePage(archive, proof, prepared, options);
  return (owed ?? []).length < 2
    ? stored
    : ingestLeft(archive, exchange, series, { ...options, stored });
}

/** What an answer brought of the owed parts. */
function ofOwed(verdict: Verdict, owed: Coverage): Verdict {
  return {
    ...verdict,
    candles: verdict.candles.filter(({ openTimeMs }) => isCovered(owed, openTimeMs)),
    rejected: verdict.rejected.filter(({ openTimeMs }) =>
      openTimeMs === undefined || isCovered(owed, openTimeMs)
    ),
  };
}

/** Asks for the owed parts that lie before, and for those that lie after what was answered. */
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
  // What a page that answers for nothing leaves is for the next pass.
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
  { window, ...options }: Ask,
): Promise<PageOutcome> {
  archive.log.debug("asking in halves", { series: seriesName(series), window: windowName(window) });
  const { owed, unusable = [] } = options;
  const ask = async (half: Window): Promise<PageOutcome> => {
    const part = owed && intersect(owed, [half]);
    // A half of which nothing is owed has been answered for.
    if (part?.length === 0) return NOTHING;
    try {
      return await ingestPage(archive, exchange, series, {
        ...options,
        window: half,
        owed: part,
        unusable,
      });
    } catch (error) {
      if (!isUnusable(error) || unusable.length >= UNUSABLE_MAX) throw error;
      unusable.push(error);
      return NOTHING;
    }
  };
  const [older, newer] = halves(series.timeframe, window);
  const first = await ask(newer);
  // What is older than the exchange keeps need not be asked for to be known.
  const second = first.reachFromMs === undefined ? await ask(older) : undefined;
  // Only where the candle after it was given is this the very end; any older window is too old as well.
  if (second?.reachFromMs !== undefined && second.reachFromMs === first.answered[0]?.sinceMs) {
    await exchange.learnReach(series, second.reachFromMs);
  }
  // The page has ended, and only now is it told what could not be had of it.
  const [error] = unusable;
  if (options.unusable === undefined && error !== undefined) throw error;
  return second === undefined ? first : both(first, second);
}

const NOTHING: PageOutcome = {
  answered: [],
  reachFromMs: undefined,
  added: 0,
  revised: 0,
  rejected: 0,
};

/** Whether the exchange contradicts itself about a single candle. */
function isUnusable(error: unknown): error is FetchError {
  return error instanceof FetchError && error.cause instanceof MalformedPageError;
}

/** What two pages brought, the newer one first. */
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
