/** Finds where a symbol's history begins, by search, so that the years before need not be asked for page by page. @module */
import { newestCandlesMax } from "../exchange/limits.ts";
import { coverageCandles } from "../market/coverage.ts";
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

/** Below as many pages a search saves nothing: it takes one to a few asks itself. */
const PAGES_MIN = 6;

/** Coarser candles span more time a page; longer than a day they open on days of the exchange's own choice. */
const COARSEST_MS = 24 * 60 * 60_000;

/** Where a symbol's history begins, as far as an exchange tells. */
type Found =
  /** No candle opens before; the one that does opens here. Milliseconds. */
  | { readonly kind: "listed"; readonly fromMs: number }
  /** It was listed before the time that was asked about, or its answers do not tell. */
  | { readonly kind: "unknown" };

/**
 * Looks for the beginning of the symbols of which much is owed, in the coarsest candles the exchange has, and enters
 * what is found into the ledger: time before is not owed.
 *
 * @returns whether anything was found.
 * @throws FetchError, DeadlineError, BreakerOpenError, MalformedPageError, StoreError when that could not be asked.
 */
export async function findListings(
  archive: Archive,
  exchange: ArchivedExchange,
  { owed, signal }: { readonly owed: readonly Owed[]; readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  const coarse = coarsestTimeframe(exchange.client.timeframes);
  if (coarse === undefined) return false;
  const long = owed.filter(({ series: { timeframe }, owed }) =>
    nominalMs(timeframe) < nominalMs(coarse) &&
    coverageCandles(timeframe, owed) > PAGES_MIN * exchange.pageRowsMax(timeframe)
  );
  let isAnyFound = false;
  for (const [symbol, entries] of Map.groupBy(long, ({ series }) => series.symbol)) {
    const series: Series = { exchange: exchange.id, symbol, timeframe: coarse };
    const sinceMs = entries.reduce(
      (least, { owed }) => Math.min(least, owed[0]?.sinceMs ?? Infinity),
      Infinity,
    );
    const found = await search(archive, exchange, { series, sinceMs, signal });
    if (found.kind === "unknown") continue;
    archive.log.info("listing found", {
      series: seriesName(series),
      listedFrom: new Date(found.fromMs).toISOString(),
    });
    await noteListings(
      archive.database,
      exchange.series.filter((series) => series.symbol === symbol).map((series) => ({
        series,
        fromMs: floorTime(series.timeframe, found.fromMs),
      })),
    );
    isAnyFound = true;
  }
  return isAnyFound;
}

/** The coarsest timeframe of at most a day. */
function coarsestTimeframe(offered: readonly string[]): Timeframe | undefined {
  return offered.map(parseTimeframe)
    .filter((timeframe) => nominalMs(timeframe) <= COARSEST_MS)
    .sort((a, b) => nominalMs(b) - nominalMs(a))[0];
}

/**
 * Halves the windows between one that has no candle and one that has, until they are neighbours. The oldest window
 * is asked for first: where it holds candles, as for most symbols, one ask is all.
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
  const pageRowsMax = exchange.pageRowsMax(timeframe);
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
  let [empty, full] = [-1, windows - 1];
  let atMs: number | undefined;
  for (let index = 0; empty + 1 < full || atMs === undefined;) {
    const answer = await ask(index);
    if (answer === "unclear") return { kind: "unknown" };
    if (answer !== "empty") [full, atMs] = [index, answer];
    // Even the newest window holds nothing: a market without any trade yet tells nothing.
    else if (index === windows - 1) return { kind: "unknown" };
    else empty = index;
    index = empty + 1 < full ? Math.floor((empty + full) / 2) : full;
  }
  return atMs === firstMs ? { kind: "unknown" } : { kind: "listed", fromMs: atMs };
}

/** A page is cut at its start at most this often before the search gives up. */
const CUTS_MAX = 10;

/** The first candle of a window, if the answers tell for certain. */
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
    // A page that may have been cut answers for its rows alone: what lies before them is asked for by itself.
    untilMs = answered.sinceMs;
  }
  return "unclear";
}
