/** Finds the time of a row. @module */
import type { CsvColumns } from "../market/csv_candle.ts";
import type { TimeFormat } from "../market/csv_time_format.ts";
import type { PlainRow } from "../market/plain_row.ts";
import type { TimeZone } from "../market/time_zone.ts";

/** The text of a row's time: of two columns where one has the date and another the time of day. */
export function timeText(fields: readonly string[], { time, clock }: CsvColumns): string {
  return clock === undefined ? fields[time] ?? "" : `${fields[time] ?? ""} ${fields[clock] ?? ""}`;
}

/** Microseconds. Of longer numbers, a double holds not every one. */
const TIME_LENGTH_MAX = 16;

/** The time of a row, as `timeFormat.read` gives it. */
export function plainTime(
  row: PlainRow,
  { time, clock }: Pick<CsvColumns, "time" | "clock">,
  { timeFormat, zone }: { readonly timeFormat: TimeFormat; readonly zone: TimeZone | undefined },
): ReturnType<TimeFormat["read"]> {
  if (clock !== undefined) return timeFormat.read(`${row.text(time)} ${row.text(clock)}`, zone);
  const isWhole = row.decimals[time] === 0 && timeFormat.readWhole !== undefined &&
    row.ends[time]! - row.starts[time]! <= TIME_LENGTH_MAX;
  return isWhole ? timeFormat.readWhole(row.number(time)) : timeFormat.read(row.text(time), zone);
}
