/**
 * START READING HERE: fetches one page. It asks an exchange for a window, judges the answer, and stores candles and
 * coverage together. Polls, backfill and gap repair all use it.
 * @module
 */
import { FetchError } from "../exchange/fetch_error.ts";
import { MalformedPageError } from "../market/answer.ts";
import type { RejectedCandle } from "../market/candle.ts";
import { intersect, subtract } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import { floorTime } from "../market/timeframe.ts";
import { halves, type Window, windowCandles, windowName } from "../market/window.ts";
import { noteRejected } from "../store/rejected_gaps.ts";
import { newestPageNumber, preparePage } from "../store/page_write.ts";
import { noteReachAsked } from "../store/series_reach.ts";
import { isContested, isOfOtherMarket } from "../store/connection/store_error.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { askedLease } from "../archive/asked_lease.ts";
import type { PageAnswer } from "../archive/page_judge.ts";
import { askMarket, Gone } from "./expired_series.ts";
import { marketIdOf, ofMarket } from "./market_time.ts";
import { refreshMarkets } from "./markets.ts";
import { ofOwed } from "./owed_candles.ts";
import { both, NOTHING, type PageOutcome } from "./page_outcome.ts";
import type { MarketAsk, PageAsk, PagePart, Trouble } from "./page_part.ts";
import { storePage } from "./page_store.ts";
import { proveReach } from "./reach_proof.ts";
import { isShifted, noteShiftedPage, YOUNG_MS } from "./shifted_page.ts";
import { askOnce, endsPage, isAnsweredBeside, UnusableCandle } from "./unusable_candle.ts";

/**
 * Most candles of one page whose answers cannot be used. To find one takes as many requests as the page can be halved;
 * after this many the rest of the page is left for the next pass.
 */
const UNUSABLE_MAX = 10;

/** How often parts of a page are asked for again, because another page had written their candles meanwhile. */
const CONTESTED_MAX = 5;

/**
 * Fetches one window and stores the result. If another program has found out that the symbol means another market, the
 * markets are loaded again, and that one is asked, for its own time.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError when the exchange did not answer, or not in a way that can be used,
 * and StoreError when the database write failed, or another node has the lease of the symbol by now (`isFenced`). Parts
 * fetched before stay stored, and were given to `onStored`.
 */
export async function ingestPage(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  wanted: PageAsk,
): Promise<PageOutcome> {
  return await exchange.work.run({ series, signal: wanted.signal }, async (signal) => {
    const { value } = exchange.markets;
    const ask = { ...wanted, signal, stamp: askedLease(archive, series) };
    try {
      return await ingestOfMarket(archive, exchange, series, { ...ask, markets: value });
    } catch (error) {
      if (error instanceof Gone) return error.outcome;
      if (!isOfOtherMarket(error)) throw error;
      archive.log.info("another process has loaded newer markets: loading them, too", {
        series: seriesName(series),
        error,
      });
      exchange.markets.outdate(value);
      const markets = await refreshMarkets(archive, exchange, ask);
      if (markets === value) throw error;
      return await ingestOfMarket(archive, exchange, series, { ...ask, markets });
    }
  });
}

/**
 * Fetches one window of a market and stores the result. If it would revise candles that another page has written
 * meanwhile, it is asked for again: its values may be the older ones.
 *
 * If the answer contradicts itself or is not JSON, or part of the window is older than what the exchange keeps, the
 * window is split into halves and each half is fetched, the newer one first, whatever the other one comes to. What cannot
 * be used even by itself is rejected, if the exchange answers well beside it. So one bad candle costs only that candle.
 * If the answer seems to be cut, the owed parts before and after it are fetched separately: together they would be the
 * same request.
 */
async function ingestOfMarket(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { markets, ...wanted }: MarketAsk,
): Promise<PageOutcome> {
  const trouble: Trouble = { unusable: [], failures: [], contested: 0 };
  let outcome = NOTHING;
  const ask = ofMarket(markets, series, wanted);
  if (ask === undefined) return outcome;
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
  const { reachFromMs, isReachProved } = outcome;
  return both(outcome, { ...rejected, reachFromMs, isReachProved });
}

async function ingestPart(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { window, trouble, ...options }: PagePart,
): Promise<PageOutcome> {
  // If the database is down, fail before asking the exchange for a page that could not be stored.
  await archive.database.reach();
  const known = await newestPageNumber(archive.database);
  const ask = { window, ...options };
  let verdict: PageAnswer;
  try {
    verdict = await askMarket(archive, exchange, series, ask);
    // What is recorded of such a page is never asked for again, so ask twice before recording it.
    if (isShifted(verdict)) verdict = await askMarket(archive, exchange, series, ask);
  } catch (error) {
    const tooOld = error instanceof FetchError && error.kind === "retention";
    if (!tooOld && !(error instanceof MalformedPageError)) throw error;
    if (windowCandles(series.timeframe, window) > 1) {
      return await ingestHalves(archive, exchange, series, { window, trouble, ...options });
    }
    if (tooOld) {
      const told = { ...options, window, trouble, reachFromMs: window.untilMs };
      return await ingestReach(archive, exchange, series, told);
    }
    verdict = await askOnce(exchange, series, ask);
  }
  const { reachFromMs } = verdict;
  if (reachFromMs !== undefined) {
    const { rejected } = verdict;
    const told = { ...options, window, trouble, reachFromMs, rejected };
    return await ingestReach(archive, exchange, series, told);
  }
  const { owed } = options;
  const { candles, ...proof } = owed === undefined ? verdict : ofOwed(verdict, owed);
  // The newest candles may be stored already: they are not covered before they are final.
  const longAgoMs = archive.clock.now() - YOUNG_MS;
  const isNew = owed !== undefined && window.untilMs <= longAgoMs;
  const finalMs = longAgoMs - exchange.settleMs - Math.max(0, verdict.clockAheadMs ?? 0);
  const givenUpUntilMs = floorTime(series.timeframe, finalMs);
  const marketId = marketIdOf(options.markets, series);
  const page = { ...proof, candles, isNew, knownPage: known, marketId, givenUpUntilMs };
  const prepared = preparePage(series, { ...page, stamp: options.stamp });
  // Not awaited here: this frame would keep `candles` in memory until the write ends.
  const stored = storePage(archive, proof, prepared, options);
  if (isShifted(verdict)) {
    await stored;
    await noteShiftedPage(archive, series, proof);
  }
  const ingested = (owed ?? []).length < 2
    ? stored
    : ingestLeft(archive, exchange, series, { ...options, stored });
  const part = { window, trouble, ...options };
  return ingested.catch(async (error) => {
    if (!isContested(error) || ++trouble.contested > CONTESTED_MAX) throw error;
    return await ingestPart(archive, exchange, series, part);
  });
}

/** Stores that nothing older than `reachFromMs` can be had, if other answers prove it. */
async function ingestReach(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { reachFromMs, rejected, ...part }: PagePart & {
    readonly reachFromMs: number;
    /** The rows that came instead and failed the checks. @default none came: the window was refused as too old */
    readonly rejected?: readonly RejectedCandle[];
  },
): Promise<PageOutcome> {
  const nowMs = archive.clock.now();
  const proof = await proveReach(exchange, series, { ...part, reachFromMs, nowMs });
  if (proof === "ask_again") return await ingestPart(archive, exchange, series, part);
  const isReachProved = proof === "proved";
  if (!isReachProved) {
    archive.log.warn(
      "no older candles came, which does not prove that there are none: they will be requested again",
      {
        series: seriesName(series),
        from: new Date(reachFromMs).toISOString(),
      },
    );
  }
  // A refusal tells only that the bound is not older.
  if (isReachProved && rejected !== undefined) await exchange.learnReach(series, reachFromMs);
  const provedMs = isReachProved ? reachFromMs : undefined;
  const proved = { rejected: rejected ?? [], answered: undefined, reachFromMs: provedMs };
  const marketId = marketIdOf(part.markets, series);
  const { stamp } = part;
  const prepared = preparePage(series, { ...proved, candles: [], marketId, stamp });
  const stored = await storePage(archive, proved, prepared, part);
  if (isReachProved) await noteReachAsked(archive.database, series, { nowMs, asks: 0 });
  return { ...stored, reachFromMs, isReachProved };
}

/**
 * Rejects candles whose answers cannot be used, if the exchange answers well beside them: they are covered then, and a gap
 * says why they are missing. The others are failures: when nothing can be used, the fault is not theirs.
 */
async function rejectUnusable(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { trouble, ...options }: PagePart,
): Promise<PageOutcome> {
  const nowMs = archive.clock.now();
  const marketId = marketIdOf(options.markets, series);
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
    const { stamp } = options;
    const prepared = preparePage(series, { ...proof, candles: [], marketId, stamp });
    sum = both(sum, await storePage(archive, proof, prepared, options));
    await noteRejected(archive.database, series, { spans: [{ ...window, candles: 1 }], nowMs });
  }
  return sum;
}

/** Fetches the owed parts after the answered part, and those before it. */
async function ingestLeft(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { stored, owed = [], ...options }: Omit<PageAsk, "window"> & {
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
  { window, ...options }: PagePart,
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
  const { reachFromMs, isReachProved } = second ?? NOTHING;
  if (isReachProved && reachFromMs !== undefined && reachFromMs === first.answered[0]?.sinceMs) {
    await exchange.learnReach(series, reachFromMs);
  }
  return second === undefined ? first : both(first, second);
}
