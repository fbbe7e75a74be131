/** What time it was when an exchange answered, where the machine's clock may be wrong. @module */

/** Clocks that keep time differ by less; a `Date` has whole seconds, and an answer a way to go. */
const AHEAD_MS_MAX = 60_000;

/** A `Date` is cut to the second. */
const SECOND_MS = 1_000;

/**
 * The time an answer can speak of, in milliseconds since the Unix epoch: `nowMs` by the machine's clock, unless that
 * is ahead of the answer's own `Date` by more than a minute. What lies after the answer was made has not happened: to
 * claim it would be to never ask for it. Rows that are newer than the `Date` show that it is the `Date` that is wrong.
 */
export function answerTime(
  nowMs: number,
  { dateMs, newestMs = -Infinity }: {
    readonly dateMs: number | undefined;
    /** Open time of the newest row. */
    readonly newestMs: number | undefined;
  },
): number {
  if (dateMs === undefined || nowMs - dateMs <= AHEAD_MS_MAX) return nowMs;
  return Math.min(nowMs, Math.max(dateMs + SECOND_MS, newestMs));
}
