/** Finds the start of a symbol's history by binary search, so that backfill skips the years before it. @module */
import { isTimeframeTrue, newestCandlesMax } from "../exchange/limits.ts";
import { coverageCandles } from "../market/coverage.ts";
import { marketClassOf } from "../market/market_class.ts";
import { type Series, seriesName } from "../market/series.ts";
import {
  addCandles,
  closedUntil,
  countCandles,
  floorTime,
  nominalMs,
  parseTimeframe,
  type Timeframe,
} from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { noteListings, type Owed } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { isCancelled } from "../archive/failure.ts";

/** No search for fewer owed pages: the search itself takes a few requests. */
const PAGES_MIN = 6;

/** Coarser candles cover more time per page. Candles longer than a day may open on different days per exchange. */
const COARSEST_MS = 24 * 60 * 60_000;

/** The start of a symbol's history, as far as the exchange's answers show it. */
type Found =
  /** Open time of the first candle. Milliseconds. */
  | { readonly kind: "listed"; readonly fromMs: number }
  /** It was listed before the searched time, or the answers are not clear. */
  | { readonly kind: "unknown" };

/** {@linkcode findListings}; if that fails, the years before a listing are asked for. */
export async function tryFindListings(
  archive: Archive,
  exchange: ArchivedExchange,
  options: Parameters<typeof findListings>[2],
): Promise<void> {
  try {
    await findListings(archive, exchange, options);
  } catch (error) {
    if (isCancelled(error, options.signal)) return;
    archive.log.debug("listings were not found", { exchange: exchange.id, error });
  }
}

/**
 * Searches the first candle of each symbol with many owed pages, in the coarsest timeframe the exchange has, and
 * stores its time in the ledger. The time before it is not owed any more. A search that fails ends no other: another
 * kind of market may be well.
 *
 * @returns whether anything was found.
 * @throws FetchError when cancelled, StoreError when a write failed.
 */
async function findListings(
  archive: Archive,
  exchange: ArchivedExchange,
  { owed, signal }: { readonly owed: readonly Owed[]; readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  const long = owed.filter(({ series, owed }) =>
    coverageCandles(series.timeframe, owed) > PAGES_MIN * exchange.pageRowsMax(series)
  );
  let isAnyFound = false;
  for (const [symbol, ofSymbol] of Map.groupBy(long, ({ series }) => series.symbol)) {
    const coarse = coarsestTimeframe(exchange, symbol);
    const entries = ofSymbol.filter(({ series }) =>
      coarse !== undefined && nominalMs(series.timeframe) < nominalMs(coarse)
    );
    if (coarse === undefined || entries.length === 0) continue;
    const series: Series = { exchange: exchange.id, symbol, timeframe: coarse };
    const sinceMs = entries.reduce(
      (least, { owed }) => Math.min(least, owed[0]?.sinceMs ?? Infinity),
      Infinity,
    );
    const found = await search(archive, exchange, { series, sinceMs, signal }).catch((error) => {
      // Where only this symbol is another node's now, the others are searched.
      if (isCancelled(error, signal) && exchange.share.holds(symbol)) throw error;
      archive.log.debug("a listing was not found", { series: seriesName(series), error });
    });
    if (found === undefined || found.kind === "unknown") continue;
    archive.log.info("listing found", {
      series: seriesName(series),
      listedFrom: new Date(found.fromMs).toISOString(),
    });
    await noteListings(
      archive.database,
      exchange.markets.series.filter((series) => series.symbol === symbol).map((series) => ({
        series,
        fromMs: floorTime(series.timeframe, found.fromMs),
      })),
    );
    isAnyFound = true;
  }
  return isAnyFound;
}

/** The coarsest timeframe of at most a day. */
function coarsestTimeframe(
  { id, client }: ArchivedExchange,
  symbol: string,
): Timeframe | undefined {
  const marketClass = marketClassOf(symbol);
  return client.timeframes.filter((text) => isTimeframeTrue(id, marketClass, text))
    .map(parseTimeframe)
    .filter((timeframe) => nominalMs(timeframe) <= COARSEST_MS)
    .sort((a, b) => nominalMs(b) - nominalMs(a))[0];
}

/**
 * Binary search over page windows, between one without candles and one with candles. The oldest window is requested
 * first: for most symbols it has candles, and the search ends after one request.
 */
async function search(
  archive: Archive,
  exchange: ArchivedExchange,
  { series, sinceMs, signal }: {
    readonly series: Series;
    readonly sinceMs: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Found> {
  const { timeframe } = series;
  const pageRowsMax = exchange.pageRowsMax(series);
  const closedMs = closedUntil(timeframe, archive.clock.now());
  const candles = Math.min(
    countCandles(timeframe, floorTime(timeframe, sinceMs), closedMs),
    newestCandlesMax(series) ?? Infinity,
  );
  const windows = Math.ceil(candles / pageRowsMax);
  const firstMs = addCandles(timeframe, closedMs, -candles);
  const ask = async (index: number): Promise<number | "empty" | "unclear"> => {
    const fromMs = addCandles(timeframe, firstMs, index * pageRowsMax);
    const untilMs = Math.min(addCandles(timeframe, fromMs, pageRowsMax), closedMs);
    return await firstCandle(exchange, { series, window: { sinceMs: fromMs, untilMs }, signal });
  };
  // An older answer shows that the exchange honours `since` only when its newest candle is known.
  const { isSinceHonoured } = exchange.capabilities.of(series);
  if (windows > 1 && isSinceHonoured === undefined) await ask(windows - 1);
  let [empty, full] = [-1, windows - 1];
  let atMs: number | undefined;
  for (let index = 0; empty + 1 < full || atMs === undefined;) {
    const answer = await ask(index);
    if (answer === "unclear") return { kind: "unknown" };
    if (answer !== "empty") [full, atMs] = [index, answer];
    // Even the newest window is empty: the market has no trades yet.
    else if (index === windows - 1) return { kind: "unknown" };
    else empty = index;
    index = empty + 1 < full ? Math.floor((empty + full) / 2) : full;
  }
  return atMs === firstMs ? { kind: "unknown" } : { kind: "listed", fromMs: atMs };
}

/** The search gives up after this many pages that were cut at their start. */
const CUTS_MAX = 10;

/** The open time of the first candle of a window, if the answers are clear. */
async function firstCandle(
  exchange: ArchivedExchange,
  { series, window, signal }: {
    readonly series: Series;
    readonly window: Window;
    readonly signal: AbortSignal | undefined;
  },
): Promise<number | "empty" | "unclear"> {
  let firstMs: number | undefined;
  let untilMs = window.untilMs;
  for (let cuts = 0; cuts < CUTS_MAX; cuts++) {
    const asked = { sinceMs: window.sinceMs, untilMs };
    const { answered, candles } = await exchange.askPage(series, asked, {
      priority: "backfill",
      signal,
    });
    if (answered === undefined) return "unclear";
    firstMs = candles[0]?.openTimeMs ?? firstMs;
    if (answered.sinceMs === window.sinceMs) {
      return firstMs ?? (answered.untilMs >= untilMs ? "empty" : "unclear");
    }
    // The page may have been cut at its start, so ask again for the time before its rows.
    untilMs = answered.sinceMs;
  }
  return "unclear";
}
