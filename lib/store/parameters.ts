/** How values travel to PostgreSQL: one array literal a column, because arrays are the quickest way in. @module */

/** A PostgreSQL array literal of texts. */
export function textArray(values: readonly string[]): string {
  return `{${values.map(quote).join(",")}}`;
}

/**
 * A PostgreSQL array literal of values that need no quotes: numbers, and decimal texts that
 * lib/market/candle.ts has read as such.
 */
export function plainArray(values: readonly (number | string)[]): string {
  return `{${values.join(",")}}`;
}

/** A `timestamptz` as milliseconds since the Unix epoch. */
export function epochMs(time: Date | null): number | undefined {
  return time === null ? undefined : time.getTime();
}

/** Text that PostgreSQL can hold: it has no NUL. */
export function storableText(text: string, charactersMax: number): string {
  return text.replaceAll("\0", "").slice(0, charactersMax);
}

function quote(value: string): string {
  return `"${value.replaceAll("\0", "").replace(/["\\]/g, "\\$&")}"`;
}
