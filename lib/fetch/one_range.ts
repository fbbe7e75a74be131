/** What is done before one run asks for a range of its own, in the place of `BACKFILL`'s. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { keepFollowed } from "../store/series_bounds.ts";
import type { BackfillOptions } from "./backfill_report.ts";
import { refreshMarkets } from "./markets.ts";

/** Loads the markets. A range of its own is wanted in this run alone: later ones do not go on from there. */
export async function prepareRun(
  archive: Archive,
  exchange: ArchivedExchange,
  { asked, signal }: Pick<BackfillOptions, "asked" | "signal">,
): Promise<void> {
  const { series } = await refreshMarkets(archive, exchange, { signal });
  if (asked?.sinceMs !== undefined) await keepFollowed(archive.database, series);
}
