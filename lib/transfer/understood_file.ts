/** What a file was understood as, for people: which column is what, and its first rows. @module */
import type { FileRow } from "./candle_import.ts";
import type { ReadVolume } from "./file_columns.ts";
import type { FileFormat } from "./file_format.ts";
import type { TableRow } from "./file_rows.ts";
import { timeText } from "./row_time.ts";

export interface UnderstoodFile {
  /** Where it is from, if that is known. */
  readonly preset: string | undefined;
  /** Which column is taken for what, by its name or else its number. */
  readonly fields: readonly { readonly name: string; readonly column: string }[];
  readonly delimiter: string;
  readonly decimal: "." | ",";
  /** How times are written: `milliseconds`, `text without a time zone, as of Europe/Berlin`. */
  readonly times: string;
  /** What the volume counts, as far as it is known. */
  readonly volume: ReadVolume["unit"];
  /** The first rows, as they would be stored. */
  readonly rows: readonly FileRow[];
}

/** Rows that are shown. */
const ROWS_SHOWN = 3;

/** Describes a file that was judged. */
export async function understand(
  { head, columns, source, numbers, zone, volume, timeFormat }: FileFormat,
  { table, rows }: {
    readonly table: AsyncGenerator<TableRow, void>;
    readonly rows: AsyncGenerator<FileRow, void>;
  },
): Promise<UnderstoodFile> {
  const { time, clock, values, closeTime, confirm } = columns;
  const [open, high, low, close, volumeAt] = values;
  const named = { time, clock, open, high, low, close, volume: volumeAt, closeTime, confirm };
  const [first] = await take(table, 1);
  const read = first && timeFormat.read(timeText(first.fields, columns), zone);
  const style = read === undefined || "times" in read ? "" : read.style;
  return {
    preset: source.preset?.name,
    fields: Object.entries(named).flatMap(([name, at]) =>
      at === undefined || at < 0
        ? []
        : [{ name, column: (head.hasNames && head.fields[at]) || `column ${at + 1}` }]
    ),
    delimiter: head.separator,
    decimal: numbers.decimal,
    times: zone !== undefined && /without|MetaTrader/.test(style)
      ? `${style}, as of ${zone.name}`
      : style,
    volume: volume.unit,
    rows: await take(rows, ROWS_SHOWN),
  };
}

async function take<T>(values: AsyncGenerator<T, void>, count: number): Promise<readonly T[]> {
  const taken: T[] = [];
  for await (const value of values) {
    taken.push(value);
    if (taken.length === count) break;
  }
  return taken;
}
