/** Where polls begin of series whose history has an end: from there on all that polls miss is owed. @module */
import type { Archive } from "../archive/archive.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { reachOf, settingsOf } from "../config/exchange_settings.ts";
import { reachEndMs } from "../config/reach.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Window } from "../market/window.ts";
import { noteFollowed } from "../store/series_bounds.ts";

/** Remembers of which series the first poll is recorded, as long as these markets are in force: one may be forgotten. */
export class FirstPolls {
  readonly #noted = new WeakMap<Markets, Set<string>>();

  /** Records where the polls of these series begin. Call before each: what the first one misses is owed, too. */
  async note(
    { config, database, log }: Archive,
    markets: Markets,
    { due, windowOf }: {
      readonly due: readonly Series[];
      readonly windowOf: (series: Series) => Window;
    },
  ): Promise<void> {
    const noted = this.#noted.get(markets) ?? new Set();
    this.#noted.set(markets, noted);
    const followed = due.filter((series) => {
      const reach = reachOf(settingsOf(config, series.exchange).backfill, series.timeframe.text);
      const hasEnd = reach !== undefined && reachEndMs(reach) !== undefined;
      return hasEnd && !noted.has(seriesName(series));
    }).map((series) => ({ series, fromMs: windowOf(series).sinceMs }));
    if (followed.length === 0) return;
    try {
      await noteFollowed(database, followed);
    } catch (error) {
      // The polls fail for the same reason, and the next tick tries again.
      log.debug("where polls begin is not recorded yet", { error });
      return;
    }
    for (const { series } of followed) noted.add(seriesName(series));
  }
}
