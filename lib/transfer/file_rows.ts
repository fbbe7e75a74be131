/** Reads the rows of a file of candles, and refuses what is not written like the rest of it. @module */
import { type CsvColumns, csvFields } from "../market/csv_candle.ts";
import { OLDEST_CANDLE_MS, readTimeText } from "../market/csv_time.ts";
import { printable } from "../text/printable.ts";
import type { FileHead } from "./file_head.ts";
import { type FileLine, type LineFile, linePages } from "./file_lines.ts";
import { failChanged } from "./file_text.ts";

/** How to read a file's rows. */
export interface RowFormat {
  readonly head: FileHead;
  readonly columns: CsvColumns;
  /** Whether numbers are written `1,5`. */
  readonly hasCommas: boolean;
  /** How far times that name no zone are ahead of UTC. Milliseconds; undefined if nobody has said. */
  readonly zoneMs: number | undefined;
  /** Whether all rows were read well before. @default false */
  readonly isJudged?: boolean | undefined;
}

export interface TableRow {
  readonly line: FileLine;
  readonly fields: readonly string[];
  readonly timeMs: number;
  /** Open, high, low, close and volume as the file says them, with a decimal point. */
  readonly values: readonly string[];
  /** Whether the file says that there is no candle at this time. */
  readonly isBlank: boolean;
}

/** A line and its fields. */
export interface FieldRow {
  readonly line: FileLine;
  readonly fields: readonly string[];
}

/**
 * A file's rows, those together that were read together.
 *
 * @throws Error that names the line, when one has another number of fields, no time, or a time of another style.
 */
export async function* tablePages(
  file: LineFile,
  format: RowFormat,
): AsyncGenerator<readonly TableRow[], void> {
  const read = rowReader(file, format);
  for await (const page of fieldPages(file, format.head)) yield page.map(read);
}

function rowReader(file: LineFile, format: RowFormat): (row: FieldRow) => TableRow {
  const { columns, hasCommas } = format;
  let style: string | undefined;
  return ({ line, fields }) => {
    const fail = (why: string): never =>
      format.isJudged === true ? failChanged(file.path) : failLine(file, line, why);
    const text = columns.clock === undefined
      ? fields[columns.time]!
      : `${fields[columns.time]!} ${fields[columns.clock]!}`;
    const time = readTimeText(text, format.zoneMs);
    if (time === undefined) {
      return fail(`${JSON.stringify(text.slice(0, 40))} is not a time, such as 2024-01-31T12:00Z`);
    }
    if (time.style === "MetaTrader's text" && format.zoneMs === undefined) {
      fail(
        "its times are in the broker's time zone. Set it with --timezone, such as +02:00",
      );
    }
    if (time.timeMs < OLDEST_CANDLE_MS) {
      fail(`its time ${JSON.stringify(text.slice(0, 40))} lies before 2009, as ${time.style}`);
    }
    style ??= time.style;
    if (style !== time.style) fail(`its time is ${time.style}, those before are ${style}`);
    const values = columns.values.map((at) => {
      const value = fields[at]!.trim();
      return hasCommas ? value.replace(",", ".") : value;
    });
    return { line, fields, timeMs: time.timeMs, values, isBlank: hasNoPrices(values) };
  };
}

/** The fields of all lines behind the head, those together that were read together. */
export async function* fieldPages(
  file: LineFile,
  head: FileHead,
): AsyncGenerator<readonly FieldRow[], void> {
  const { lastLine, text: names, separator } = head;
  for await (const lines of linePages(file)) {
    const rows: FieldRow[] = [];
    for (const line of lines) {
      const { text, number } = line;
      if (number <= lastLine || text === names || text.trim() === "") continue;
      rows.push({ line, fields: csvFields(text, separator) });
    }
    if (rows.length > 0) yield rows;
  }
}

/** @throws Error always. */
export function failLine(file: LineFile, line: FileLine, why: string): never {
  throw new Error(
    `Cannot read ${file.place(line.number)} of ${printable(file.path)}: ${
      printable(why.slice(0, 400))
    }. ` +
      "Nothing was stored",
  );
}

function hasNoPrices([open, high, low, close]: readonly string[]): boolean {
  return isNothing(open!) && isNothing(high!) && isNothing(low!) && isNothing(close!);
}

/** How tables write that there is no value. */
function isNothing(text: string): boolean {
  const first = text.charCodeAt(0);
  if (first >= 48 && first <= 57) return false;
  return /^(?:|-|nan|null|none|n\/?a|<na>)$/i.test(text);
}
