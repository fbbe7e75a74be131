/** Where polls begin of series of which a range was asked for: from there on all that polls miss is owed. @module */
import type { Archive } from "../archive/archive.ts";
import type { Series } from "../market/series.ts";
import type { Window } from "../market/window.ts";
import { noteFollowed } from "../store/series_bounds.ts";

/** Records where the polls of these series begin: what the first one misses is owed, too. Never throws. */
export async function noteFirstPolls(
  { database, log }: Archive,
  due: readonly Series[],
  windowOf: (series: Series) => Window,
): Promise<void> {
  if (due.length === 0) return;
  try {
    await noteFollowed(
      database,
      due.map((series) => ({ series, fromMs: windowOf(series).sinceMs })),
    );
  } catch (error) {
    // The polls fail for the same reason, and the next tick tries again.
    log.debug("where polls begin is not recorded yet", { error });
  }
}
