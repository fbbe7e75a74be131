/** Reads the rows of a file of candles, and refuses what is not written like the rest of it. @module */
import { type CsvColumns, csvFields } from "../market/csv_candle.ts";
import { type NumberStyle, plainNumber } from "../market/csv_number.ts";
import { OLDEST_CANDLE_MS, type TimeStyle } from "../market/csv_time.ts";
import {
  PLAIN_TIMES,
  TIME_FORMATS,
  type TimeFault,
  type TimeFormat,
} from "../market/csv_time_format.ts";
import type { PlainRow } from "../market/plain_row.ts";
import type { TimeZone } from "../market/time_zone.ts";
import { printable } from "../text/printable.ts";
import type { FileHead } from "./file_head.ts";
import { type FileLine, type LineFile, linePages } from "./file_lines.ts";
import { failChanged } from "./file_text.ts";
import { plainMs, plainStyle, timeText } from "./row_time.ts";

/** How to read a file's rows. */
export interface RowFormat {
  readonly head: FileHead;
  readonly columns: CsvColumns;
  readonly numbers: NumberStyle;
  readonly timeFormat: TimeFormat;
  /** Of times that name none; undefined if nobody has said. */
  readonly zone: TimeZone | undefined;
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
  const read = rowReader(file, format).text;
  // Once all rows were judged, only what is stored has to be taken out of them.
  const max = maxFields(format);
  for await (const page of fieldPages(file, format.head, { max })) yield page.map(read);
}

/** How many fields from the first are read. Once all rows were judged, only what is stored has to be taken out of them. */
export function maxFields({ columns, isJudged }: RowFormat): number | undefined {
  return isJudged === true ? neededFields(columns) : undefined;
}

/** How many fields from the first hold all that tells of a candle, and of which series it is. */
function neededFields(columns: CsvColumns): number {
  const { exchange, instrument, timeframe, time, clock, values, confirm, provisional } = columns;
  const all = [exchange, ...instrument, timeframe, time, clock, ...values, confirm, provisional];
  return 1 + all.reduce<number>((most, at) => Math.max(most, at ?? 0), 0);
}

/** Reads rows, however they come. One file writes all its times in one way. */
export interface RowReader {
  /** @throws Error */
  readonly text: (row: FieldRow) => TableRow;
  /**
   * The time of a row with the number of fields that it should have, whose values are written as they are stored. NaN: it is
   * to be read as text.
   */
  readonly plain: (row: PlainRow) => number;
}

export function rowReader(file: LineFile, format: RowFormat): RowReader {
  const { columns, numbers, timeFormat, zone } = format;
  let style: string | undefined;
  const mayBePlain = numbers.decimal === "." && columns.values.every((at) => at >= 0);
  const plain = (row: PlainRow): number => {
    if (!mayBePlain || row.width !== columns.width) return NaN;
    for (const at of columns.values) if (row.decimals[at]! < 0) return NaN;
    const timeMs = plainMs(row, format);
    // The first row says how times are written.
    return timeMs >= OLDEST_CANDLE_MS && plainStyle(row, format) === style ? timeMs : NaN;
  };
  const text = ({ line, fields }: FieldRow): TableRow => {
    const fail = (why: string): never =>
      format.isJudged === true ? failChanged(file.path) : failLine(file, line, why);
    const text = timeText(fields, columns);
    const time = timeFormat.read(text, zone);
    if (time === undefined) return fail(noTime(text, timeFormat));
    if ("times" in time) return fail(twoTimes(text, time));
    if (time.style === "MetaTrader's text" && zone === undefined) {
      fail(
        "its times are in the broker's time zone. Set it with --timezone, such as +02:00",
      );
    }
    if (time.timeMs < OLDEST_CANDLE_MS) {
      fail(tooOld(text, { style: time.style, format: timeFormat }));
    }
    style ??= time.style;
    if (style !== time.style) fail(`its time is ${time.style}, those before are ${style}`);
    const values = columns.values.map((at) => {
      // A price that nobody trades has no volume.
      if (at < 0) return "0";
      return plainNumber(fields[at]!, numbers) ?? fail(noNumber(fields[at]!, numbers));
    });
    const rounded = values.find(isRounded);
    if (rounded !== undefined) {
      fail(
        `${JSON.stringify(rounded)} is rounded, so it is no volume that can be stored. ` +
          "Take another source for the volume, or another column with --columns",
      );
    }
    return { line, fields, timeMs: time.timeMs, values, isBlank: hasNoPrices(values) };
  };
  return { text, plain };
}

/** Numbers with a letter for thousands, millions or billions. */
const ROUNDED = /^[+-]?\d+(?:\.\d+)?[KMB]$/i;

function isRounded(text: string): boolean {
  return !endsInDigit(text) && ROUNDED.test(text);
}

/** As nearly all numbers do: this is much quicker than an expression. */
function endsInDigit(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 48 && last <= 57;
}

/** Numbers that look like a time of another form: what to say. */
const NUMBERED_TIMES = [
  [/^(?:19|20)\d{6}$/, "%Y%m%d"],
  [/^(?:19|20)\d{10}$/, "%Y%m%d%H%M"],
  [/^[3-8]\d{4}(?:\.\d+)?$/, "excel"],
] as const;

function tooOld(
  text: string,
  { style, format }: { readonly style: TimeStyle; readonly format: TimeFormat },
): string {
  const why = `its time ${JSON.stringify(text.slice(0, 40))} lies before 2009, as ${style}`;
  if (format !== PLAIN_TIMES) return why;
  const [, meant] = NUMBERED_TIMES.find(([form]) => form.test(text.trim())) ?? [];
  return meant === undefined
    ? `${why}. If another column is the time, name the columns with --columns`
    : `${why}. If it is a date, say so with --time-format ${meant}`;
}

function noTime(text: string, format: TimeFormat): string {
  if (text.trim() === "") {
    return "it has no time. If it is no row of candles, remove it, or leave out the first lines with --skip-lines";
  }
  const shown = JSON.stringify(text.slice(0, 40));
  return format === PLAIN_TIMES
    ? `${shown} is not a time, such as 2024-01-31T12:00Z. Say how it is written with --time-format: ${TIME_FORMATS}`
    : `${shown} is not a time as --time-format ${format.name} has it. Allowed are ${TIME_FORMATS}`;
}

function twoTimes(text: string, { zone, times }: TimeFault): string {
  const how = times.length === 0 ? "never" : "twice";
  return `clocks in ${zone} show ${
    JSON.stringify(text.slice(0, 40))
  } ${how}, when they are changed. ` +
    "Give the file's times in UTC, or with an offset in each";
}

function noNumber(text: string, { decimal }: NumberStyle): string {
  return `${
    JSON.stringify(text.slice(0, 40))
  } is not a number with the decimal mark ${decimal} and marks only ` +
    "between thousands. Say the decimal mark with --decimal . or --decimal ,";
}

/**
 * The fields of all lines behind the head, those together that were read together.
 *
 * @param options.max How many fields from the first are needed. @default all
 */
async function* fieldPages(
  file: LineFile,
  head: FileHead,
  options: { readonly max?: number | undefined } = {},
): AsyncGenerator<readonly FieldRow[], void> {
  const { lastLine, text: names, separator } = head;
  for await (const lines of linePages(file)) {
    const rows: FieldRow[] = [];
    for (const line of lines) {
      const { text, number } = line;
      if (number <= lastLine || text === names || text.trim() === "") continue;
      rows.push({ line, fields: csvFields(text, separator, options) });
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

/** How tables write that there is no value. */
function isNothing(text: string): boolean {
  return !endsInDigit(text) && /^(?:|-|nan|null|none|#?n\/?a|<na>|\\n)$/i.test(text);
}

function hasNoPrices([open, high, low, close]: readonly string[]): boolean {
  return isNothing(open!) && isNothing(high!) && isNothing(low!) && isNothing(close!);
}
