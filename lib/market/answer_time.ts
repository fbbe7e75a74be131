/** The time up to which an exchange's answer is valid, even if our clock is ahead. @module */

/**
 * The time to judge an answer by: the earlier of our clock (`nowMs`) and the answer's own `Date`, in milliseconds since
 * the Unix epoch. If our clock were ahead, even by a second, a candle that is still forming would count as closed, and
 * would never be fetched again. If a row is newer than the `Date`, the `Date` is wrong, and the row's time counts.
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
