/** Finds the time of a row. @module */
import type { CsvColumns } from "../market/csv_candle.ts";
import { type TimeStyle, wholeTimeMs, wholeTimeStyle } from "../market/csv_time.ts";
import type { TimeFormat } from "../market/csv_time_format.ts";
import type { PlainRow } from "../market/plain_row.ts";
import type { TimeZone } from "../market/time_zone.ts";

/** The text of a row's time: of two columns where one has the date and another the time of day. */
export function timeText(fields: readonly string[], { time, clock }: CsvColumns): string {
  return clock === undefined ? fields[time] ?? "" : `${fields[time] ?? ""} ${fields[clock] ?? ""}`;
}

/** Microseconds. Of longer numbers, a double holds not every one. */
const TIME_LENGTH_MAX = 16;

interface TimeColumns {
  readonly columns: Pick<CsvColumns, "time" | "clock">;
  readonly timeFormat: TimeFormat;
  readonly zone: TimeZone | undefined;
}

/** The time of a row, as `timeFormat.read` gives it; NaN where there is none, or not one alone. */
export function plainMs(row: PlainRow, format: TimeColumns): number {
  if (hasWholeTime(row, format)) {
    row.readNumber(format.columns.time);
    return wholeTimeMs(row.numbers[format.columns.time]!);
  }
  const time = readText(row, format);
  return time === undefined || "times" in time ? NaN : time.timeMs;
}

/** How the time of a row is written; undefined where it has none. */
export function plainStyle(row: PlainRow, format: TimeColumns): TimeStyle | undefined {
  if (hasWholeTime(row, format)) {
    row.readNumber(format.columns.time);
    return wholeTimeStyle(row.numbers[format.columns.time]!);
  }
  const time = readText(row, format);
  return time === undefined || "times" in time ? undefined : time.style;
}

/** As nearly all files write it: then no text is needed. */
function hasWholeTime(
  row: PlainRow,
  { columns: { time, clock }, timeFormat }: TimeColumns,
): boolean {
  return row.decimals[time] === 0 && row.ends[time]! - row.starts[time]! <= TIME_LENGTH_MAX &&
    clock === undefined && timeFormat.hasWholeTimes === true;
}

function readText(
  row: PlainRow,
  { columns: { time, clock }, timeFormat, zone }: TimeColumns,
): ReturnType<TimeFormat["read"]> {
  const text = clock === undefined ? row.text(time) : `${row.text(time)} ${row.text(clock)}`;
  return timeFormat.read(text, zone);
}
