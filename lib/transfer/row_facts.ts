/** What a row says beside its values: of which series it is, when its candle opens and closes, and whether it has closed. @module */
import { PlainRow } from "../market/plain_row.ts";
import { addCandles, floorTime, isAligned, type Timeframe } from "../market/timeframe.ts";
import { printable } from "../text/printable.ts";
import type { FileFormat } from "./file_format.ts";
import type { Group } from "./file_group.ts";
import type { FieldRow } from "./file_rows.ts";
import { plainMs } from "./row_time.ts";

/** A row, however it came. */
type AnyRow = Pick<FieldRow, "fields"> | PlainRow;

function textAt(row: AnyRow, at: number): string {
  return row instanceof PlainRow ? row.text(at) : row.fields[at]!;
}

/** The same of all rows of one series. */
export function groupKey(row: AnyRow, { columns }: FileFormat): string {
  const { exchange, instrument, timeframe } = columns;
  // This runs for each row: most files name nothing in their rows, or only the instrument.
  if (exchange === undefined && timeframe === undefined) {
    if (instrument.length === 0) return "";
    if (instrument.length === 1) return textAt(row, instrument[0]!);
  }
  return [exchange, ...instrument, timeframe].map((at) => at === undefined ? "" : textAt(row, at))
    .join("\n");
}

/** How files say that a candle has closed, or has not. Blank says neither. */
const CONFIRMS = /^(?:|[01]|[01]\.0|true|t|yes|y|false|f|no|n|nan|null|none)$/i;
const NOT_CONFIRMED = /^(?:0|0\.0|false|f|no|n)$/i;
const PROVISIONAL = /^(?:1|1\.0|true|t|yes|y)$/i;

/** Whether a row says that its candle had not closed. */
export function isUnconfirmed(row: AnyRow, { columns }: FileFormat): boolean {
  if (columns.confirm === undefined && columns.provisional === undefined) return false;
  const says = (at: number | undefined, text: RegExp): boolean =>
    at !== undefined && text.test(textAt(row, at).trim());
  return says(columns.confirm, NOT_CONFIRMED) || says(columns.provisional, PROVISIONAL);
}

/** A column that is called so and says something else would make whole candles of forming ones. */
export function checkConfirm(
  { evidence }: Group,
  { row, line, format: { columns } }: {
    readonly row: AnyRow;
    readonly line: number;
    readonly format: FileFormat;
  },
): void {
  const at = columns.confirm;
  if (at === undefined) return;
  const text = textAt(row, at);
  if (CONFIRMS.test(text.trim())) return;
  evidence.doubt(
    `${evidence.place(line)} says ${
      printable(JSON.stringify(text.slice(0, 40)))
    } where it should say whether its candle has closed, as 1 or 0. Name the columns with --columns`,
  );
}

/** When a row's candle opens: one timeframe earlier, if the file's times are those of the close. */
export function opensAt(timeMs: number, { timeIs }: FileFormat, timeframe: Timeframe): number {
  if (timeIs !== "close") return timeMs;
  if (isAligned(timeframe, timeMs)) return addCandles(timeframe, timeMs, -1);
  // Some write the last second, or the last millisecond, before the close.
  const openMs = floorTime(timeframe, timeMs);
  return addCandles(timeframe, openMs, 1) - timeMs <= 1000 ? openMs : timeMs;
}

/** When a row's candle closes, as the file says it; undefined if it does not. */
export function closesAt(row: AnyRow, format: FileFormat): number | undefined {
  const { timeFormat, zone, columns: { closeTime } } = format;
  if (closeTime === undefined) return undefined;
  if (row instanceof PlainRow) {
    const closeMs = plainMs(row, {
      columns: { time: closeTime, clock: undefined },
      timeFormat,
      zone,
    });
    return Number.isNaN(closeMs) ? undefined : closeMs;
  }
  const time = timeFormat.read(row.fields[closeTime]!, zone);
  return time === undefined || "times" in time ? undefined : time.timeMs;
}
