/** Sends values to PostgreSQL as one array literal per column, because that is the fastest way. @module */
import type { Coverage } from "../market/coverage.ts";
import { shortText } from "../text/redact.ts";

/** The types of columns. Values of all types except `text` need no quotes. */
type ColumnType = "text" | "numeric" | "float8" | "int" | "bigint" | "boolean";

type Value = string | number | boolean | null | undefined;

/** How rows of one kind are sent: their columns as parameters, and the SQL that reads them. */
interface Columns<Row> {
  /** The parameters: one array literal per column. */
  readonly arrays: (rows: readonly Row[]) => readonly string[];
  /** The placeholders in a statement that has `first - 1` parameters before them: `$4::float8[], $5::numeric[]`. */
  readonly parameters: (first: number) => string;
  /** The rows for a FROM clause: `unnest($4::float8[], $5::numeric[]) as row (time_ms, open)`. */
  readonly rows: (first: number) => string;
  /**
   * The rows for a SELECT list: `unnest($4::float8[]) as time_ms, unnest($5::numeric[]) as open`. With a thousand rows
   * the embedded server is some percent faster this way, because it does not store them first.
   */
  readonly list: (first: number) => string;
}

/** A column's type, and how to read its value from a row. Decimal texts must be as lib/market/candle.ts reads them. */
type ColumnSpec<Row> = readonly [type: ColumnType, read: (row: Row) => Value];

/** Defines columns by name. `null` and `undefined` are sent as null. */
export function columns<Row>(spec: Readonly<Record<string, ColumnSpec<Row>>>): Columns<Row> {
  const names = Object.keys(spec);
  const all = Object.values(spec);
  const arrays = (first: number): readonly string[] =>
    all.map(([type], at) => `$${first + at}::${type}[]`);
  const parameters = (first: number): string => arrays(first).join(", ");
  return {
    arrays: (rows) => all.map(([type, read]) => arrayOf(type, rows, read)),
    parameters,
    rows: (first) => `unnest(${parameters(first)}) as row (${names.join(", ")})`,
    list: (first) =>
      arrays(first).map((array, at) => `unnest(${array}) as ${names[at]}`).join(", "),
  };
}

function arrayOf<Row>(
  type: ColumnType,
  rows: readonly Row[],
  read: (row: Row) => Value,
): string {
  const texts: Value[] = new Array(rows.length);
  // This runs for six columns per page, a million values an hour. A loop is the fastest.
  for (let at = 0; at < rows.length; at++) {
    const value = read(rows[at]!);
    const isQuoted = type === "text" && value !== null && value !== undefined;
    texts[at] = isQuoted ? quote(String(value)) : value ?? "NULL";
  }
  return `{${texts.join(",")}}`;
}

/** An array literal of values that are separated by commas, of any type but `text`. */
export function arrayLiteral(values: string): string {
  return `{${values}}`;
}

/** One array literal of several, of which any may be empty. */
export function joinArrays(arrays: readonly string[]): string {
  const values = arrays.map((array) => array.slice(1, -1)).filter((list) => list !== "");
  return `{${values.join(",")}}`;
}

/** A PostgreSQL array literal of texts. */
export function textArray(values: readonly string[]): string {
  return `{${values.map(quote).join(",")}}`;
}

/** A `timestamptz` as milliseconds since the Unix epoch. */
export function epochMs(time: Date | null): number | undefined {
  return time === null ? undefined : time.getTime();
}

/** Ranges as {@linkcode spansJson} returns them: beginnings and ends in milliseconds. */
export type Spans = readonly (readonly [number, number])[];

/** Converts ranges to coverage. */
export function coverageFrom(spans: Spans): Coverage {
  return spans.map(([sinceMs, untilMs]) => ({ sinceMs, untilMs }));
}

/** An SQL expression that gives the ranges of a `tstzmultirange` as JSON, ascending. */
export function spansJson(multirange: string): string {
  return `(select coalesce(json_agg(json_build_array(extract(epoch from lower(range)) * 1000,
                                                     extract(epoch from upper(range)) * 1000)
                                    order by range), '[]')
           from unnest(${multirange}) as range)`;
}

/** Makes a text from outside storable: without secrets, cut, and without NUL, which PostgreSQL does not allow. */
export function storableText(text: string, charactersMax: number): string {
  return shortText(text.replaceAll("\0", ""), charactersMax);
}

function quote(value: string): string {
  return `"${value.replaceAll("\0", "").replace(/["\\]/g, "\\$&")}"`;
}
