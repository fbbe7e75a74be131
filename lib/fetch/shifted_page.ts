/** A page whose rows all open at other times than UTC's candles: it is an answer, and its gaps say why. @module */
import type { Archive } from "../archive/archive.ts";
import type { PageVerdict } from "../market/answer.ts";
import type { Series } from "../market/series.ts";
import { addCandles, floorTime } from "../market/timeframe.ts";
import { noteRejected, type RejectedSpan } from "../store/rejected_gaps.ts";

/** A candle as young as this may still be given right: it is asked for again, and not given up. */
export const YOUNG_MS = 10 * 60_000;

/** Whether rows came for a window and all of them are shifted. Unlike a bad value, that does not pass. */
export function isShifted({ candles, rejected, answered }: PageVerdict): boolean {
  return answered !== undefined && candles.length === 0 && rejected.length > 0 &&
    rejected.every(({ reason }) => reason === "time_not_aligned");
}

/** Enters the gaps of such a page, whose rejected rows are stored. */
export async function noteShiftedPage(
  { database, clock }: Archive,
  series: Series,
  { rejected, answered }: Pick<PageVerdict, "rejected" | "answered">,
): Promise<void> {
  const { timeframe } = series;
  const nowMs = clock.now();
  const times = rejected.flatMap(({ openTimeMs }) =>
    openTimeMs === undefined ? [] : [floorTime(timeframe, openTimeMs)]
  ).filter((timeMs) =>
    answered !== undefined && timeMs >= answered.sinceMs && timeMs < answered.untilMs &&
    nowMs - addCandles(timeframe, timeMs, 1) >= YOUNG_MS
  );
  const spans: RejectedSpan[] = [];
  for (const sinceMs of [...new Set(times)].sort((one, other) => one - other)) {
    const untilMs = addCandles(timeframe, sinceMs, 1);
    const last = spans.at(-1);
    if (last?.untilMs === sinceMs) {
      spans[spans.length - 1] = { ...last, untilMs, candles: last.candles + 1 };
    } else spans.push({ sinceMs, untilMs, candles: 1 });
  }
  if (spans.length > 0) await noteRejected(database, series, { spans, nowMs });
}
