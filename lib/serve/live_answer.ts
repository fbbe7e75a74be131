/** Finds the series that a request to `/live` names, and reads for it. @module */
import type { Clock } from "../clock.ts";
import { readChartTimeframes } from "../store/chart.ts";
import type { Database } from "../store/connection/database.ts";
import {
  readPresentCandles,
  readSeriesChanges,
  readSeriesMarks,
  readSeriesState,
} from "../store/series_changes.ts";
import { BadQueryError, Query, timeframeOf } from "./chart_answer.ts";
import { followedFrom } from "./followed_series.ts";
import type { Followed, FollowedArchive } from "./live_feed.ts";

/** Reads of series for those who follow them. */
export function followedArchive(
  database: Database,
  { visitors, clock }: {
    /** The database for visitors, until the signal aborts. */
    readonly visitors: (signal: AbortSignal) => Database;
    readonly clock: Clock;
  },
): FollowedArchive {
  return {
    find: (query, { id, signal }) =>
      readFollowed(visitors(signal), query, { id, nowMs: clock.now() }),
    changes: (series, asked, signal) => readSeriesChanges(visitors(signal), series, asked),
    present: (series, timesMs, signal) => readPresentCandles(visitors(signal), series, timesMs),
    marks: (series, signal) => readSeriesMarks(visitors(signal), series),
    onWritten: (written) => database.writes.follow(written),
  };
}

/** @throws BadQueryError, StoreError */
async function readFollowed(
  database: Database,
  query: URLSearchParams,
  { id, nowMs }: { readonly id: string | undefined; readonly nowMs: number },
): Promise<Followed> {
  const asked = new Query(query, ["exchange", "symbol", "timeframe", "forming"]);
  const series = asked.series();
  const isWord = (text: string): text is "0" | "1" => text === "0" || text === "1";
  const isForming = asked.optional("forming", isWord, "0 or 1") === "1";
  const timeframes = await readChartTimeframes(database, series);
  const { rolledUpFrom } = await timeframeOf(database, series, timeframes);
  if (rolledUpFrom !== undefined) {
    const [wanted, base] = [series.timeframe.text, rolledUpFrom.text];
    throw new BadQueryError(
      400,
      `Cannot follow ${wanted}: it is calculated from ${base}. Ask for ${base}`,
    );
  }
  const state = await readSeriesState(database, series) ?? { lastMs: undefined, revision: 0 };
  return { series, isForming, from: followedFrom(series, id, { ...state, nowMs }) };
}
