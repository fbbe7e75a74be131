/** How a statement that adds candles takes them off the gaps in which they lie. @module */

/** The open times of the rows that a statement added, in milliseconds, as `added_ms`. */
export const ADDED_TIMES =
  "array_agg((extract(epoch from time) * 1000)::float8) filter (where added) as added_ms";

/**
 * A column of the statement's last RETURNING clause, which is computed when the checkpoint of the series ($1, $2, $3) is
 * locked. `times` are the open times of the candles that it added; `from` is an optional FROM clause.
 */
export function fillGaps(times: string, from = ""): string {
  return `titan10_fill_gaps($1::text, $2::text, $3::text, (select ${times} ${from})) as filled`;
}
