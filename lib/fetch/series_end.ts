/** Why series have ended, by the ledger and by what has changed, and which of them are asked for all the same. @module */
import type { Archive } from "../archive/archive.ts";
import { desireOf } from "../archive/desire.ts";
import { lastClosedMs, type Markets } from "../archive/markets_in_force.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Checkpoint, EndedWhy } from "../store/ledger.ts";
import type { ListingNews } from "./listing_change.ts";

/** What the ledger knows of a series. */
export type KnownSeries =
  & Pick<Checkpoint, "series" | "chosen" | "endedWhy">
  & Partial<Pick<Checkpoint, "endedMs" | "reachFromMs">>;

/** Why a series has ended, with the changes in `news` applied; undefined while the series goes on. */
export function endsAfter(
  { changes }: ListingNews,
  checkpoints: readonly KnownSeries[],
): (series: Series) => EndedWhy | undefined {
  const changed = new Map(changes.map((change) => [change.symbol, change]));
  const ended = new Map(checkpoints.map(({ series, endedWhy }) => [seriesName(series), endedWhy]));
  return (series) => {
    const change = changed.get(series.symbol);
    if (change === undefined || change.kind === "identified") return ended.get(seriesName(series));
    return change.kind === "ends" ? change.why : undefined;
  };
}

/**
 * Whether a series is asked for: one that goes on, of a market that is suspended, or one that has expired. Not once the
 * exchange of one that has expired lists it no more and has proved to have nothing of it.
 */
export function askedAfter(
  endOf: (series: Series) => EndedWhy | undefined,
  { gone, checkpoints }: {
    readonly gone: ReadonlySet<string>;
    readonly checkpoints: readonly KnownSeries[];
  },
): (series: Series) => boolean {
  const done = new Set(
    checkpoints.filter(({ series, endedWhy, endedMs = Infinity, reachFromMs = -Infinity }) =>
      gone.has(series.symbol) && endedWhy === "expired" && reachFromMs >= endedMs
    ).map(({ series }) => seriesName(series)),
  );
  return (series) => {
    const why = endOf(series);
    return why === undefined || why === "suspended" ||
      (why === "expired" && !done.has(seriesName(series)));
  };
}

/** Whether the last candle of a series is wanted: not if it is of a future that expired before what is wanted begins. */
export function isLastWanted(
  { config }: Pick<Archive, "config">,
  markets: Markets | undefined,
  { series, nowMs }: { readonly series: Series; readonly nowMs: number },
): boolean {
  if (markets?.expired.has(series.symbol) !== true) return true;
  const options = { nowMs, newestCandlesMax: undefined, settleMs: 0 };
  const { window: { sinceMs } } = desireOf(series, config, options);
  return lastClosedMs(markets, series, nowMs) > sinceMs;
}

/** Symbols of which some of these series have expired by the ledger and others, such as of a new timeframe, have not. */
export function lateSymbols(
  series: readonly Series[],
  checkpoints: readonly KnownSeries[],
): ReadonlySet<string> {
  const expired = checkpoints.filter(({ endedWhy }) => endedWhy === "expired");
  const symbols = new Set(expired.map(({ series }) => series.symbol));
  const entered = new Set(expired.map(({ series }) => seriesName(series)));
  return new Set(
    series.filter((one) => symbols.has(one.symbol) && !entered.has(seriesName(one)))
      .map(({ symbol }) => symbol),
  );
}
