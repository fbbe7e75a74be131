/** How values travel to PostgreSQL: one array literal a column, because arrays are the quickest way in. @module */
import type { Coverage } from "../market/coverage.ts";

/** The types of which columns are made. Values of all but `text` need no quotes. */
type ColumnType = "text" | "numeric" | "float8" | "int" | "bigint" | "boolean";

type Value = string | number | boolean | null | undefined;

/** How rows of one kind travel: their columns, and what stands for them in a statement. */
interface Columns<Row> {
  /** The parameters: one array literal a column. */
  readonly arrays: (rows: readonly Row[]) => readonly string[];
  /** The parameters in a statement that has `first - 1` others before them: `$4::float8[], $5::numeric[]`. */
  readonly parameters: (first: number) => string;
  /** The rows to select from: `unnest($4::float8[], $5::numeric[]) as row (time_ms, open)`. */
  readonly rows: (first: number) => string;
  /**
   * The rows as what is selected: `unnest($4::float8[]) as time_ms, unnest($5::numeric[]) as open`. Of a thousand rows an
   * embedded server has these some percent sooner, since it need not keep them first.
   */
  readonly list: (first: number) => string;
}

/** A column's type, and what a row has in it. Decimal texts are such as lib/market/candle.ts has read. */
type ColumnSpec<Row> = readonly [type: ColumnType, read: (row: Row) => Value];

/** Columns of rows, by name. `null` and `undefined` arrive as null. */
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
  // A page's six columns are read a million times an hour: a loop is the quickest.
  for (let at = 0; at < rows.length; at++) {
    const value = read(rows[at]!);
    const isQuoted = type === "text" && value !== null && value !== undefined;
    texts[at] = isQuoted ? quote(String(value)) : value ?? "NULL";
  }
  return `{${texts.join(",")}}`;
}

/** A PostgreSQL array literal of texts. */
export function textArray(values: readonly string[]): string {
  return `{${values.map(quote).join(",")}}`;
}

/** A `timestamptz` as milliseconds since the Unix epoch. */
export function epochMs(time: Date | null): number | undefined {
  return time === null ? undefined : time.getTime();
}

/** Ranges as they come from {@linkcode spansJson}: beginnings and ends in milliseconds. */
export type Spans = readonly (readonly [number, number])[];

/** Those ranges as coverage. */
export function coverageFrom(spans: Spans): Coverage {
  return spans.map(([sinceMs, untilMs]) => ({ sinceMs, untilMs }));
}

/** The expression that gives the ranges of a `tstzmultirange` as JSON, ascending. */
export function spansJson(multirange: string): string {
  return `(select coalesce(json_agg(json_build_array(extract(epoch from lower(range)) * 1000,
                                                     extract(epoch from upper(range)) * 1000)
                                    order by range), '[]')
           from unnest(${multirange}) as range)`;
}

/** Text that PostgreSQL can hold: it has no NUL. */
export function storableText(text: string, charactersMax: number): string {
  return text.replaceAll("\0", "").slice(0, charactersMax);
}

function quote(value: string): string {
  return `"${value.replaceAll("\0", "").replace(/["\\]/g, "\\$&")}"`;
}
