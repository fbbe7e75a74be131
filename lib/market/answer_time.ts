/** What time an exchange's answer speaks of, whatever the machine's clock says. @module */

/**
 * The time an answer can speak of, in milliseconds since the Unix epoch: `nowMs` by the machine's clock, unless the
 * answer's own `Date` is before that. By a clock that is ahead, even by a second, a candle that is still forming at the
 * exchange would have closed, and what has not happened would be claimed, never to be asked for again. A row that is
 * newer than the `Date` shows that it is the `Date` that is wrong, by as much.
 */
export function answerTime(
  nowMs: number,
  { dateMs, newestMs = -Infinity }: {
    readonly dateMs: number | undefined;
    /** Open time of the newest row. */
    readonly newestMs: number | undefined;
  },
): number {
  return dateMs === undefined ? nowMs : Math.min(nowMs, Math.max(dateMs, newestMs));
}
