/** Compares a file's further columns of times with the one that is used: where they contradict each other, one has to be named. @module */
import { OLDEST_CANDLE_MS } from "../market/csv_time.ts";
import { PLAIN_TIMES } from "../market/csv_time_format.ts";
import { printable } from "../text/printable.ts";
import { EXAMPLE } from "./file_columns.ts";
import type { FileFormat } from "./file_format.ts";
import type { LineFile } from "./file_lines.ts";
import { tablePages, type TableRow } from "./file_rows.ts";
import { timeText } from "./row_time.ts";

/** Rows that are compared: what a column means does not change within a file. */
const ROWS_MAX = 100;

/** No zone is further from UTC, and all are so by multiples of a quarter of an hour. */
const ZONE = { maxMs: 14 * 3_600_000, stepMs: 900_000 };

/** @throws Error when another column tells that the times are those of closes, or of another time zone. */
export async function checkOtherTimes(file: LineFile, format: FileFormat): Promise<void> {
  const { columns, head } = format;
  const others = columns.otherTimes ?? [];
  if (others.length === 0) return;
  const rows = await firstRows(file, format);
  const [first] = rows;
  if (first === undefined) return;
  for (const at of others) {
    if (!contradicts(rows, at, format)) continue;
    const [used, other] = [columns.time, at].map((column) => head.fields[column] ?? "");
    throw new Error(
      `Cannot read ${file.place(first.line.number)} of ${printable(file.path)}: ${
        printable(
          `its columns ${used} and ${other} tell different times, ` +
            `${timeText(first.fields, columns).slice(0, 40)} and ${
              first.fields[at]!.slice(0, 40)
            }. ` +
            `Say which is when candles open: ${EXAMPLE}`,
        )
      }. Nothing was stored`,
    );
  }
}

async function firstRows(file: LineFile, format: FileFormat): Promise<readonly TableRow[]> {
  const rows: TableRow[] = [];
  for await (const page of tablePages(file, format)) {
    for (const row of page) {
      rows.push(row);
      if (rows.length === ROWS_MAX) return rows;
    }
  }
  return rows;
}

function contradicts(rows: readonly TableRow[], at: number, format: FileFormat): boolean {
  const { columns, head, timeFormat, timeIs, zone } = format;
  const lengthMs = shortestMs(rows);
  const behindMs = rows.flatMap(({ fields, timeMs }) => {
    const text = fields[at] ?? "";
    // A day alone does not tell when it begins.
    const time = /^\s*\d{4}-\d\d-\d\d\s*$/.test(text)
      ? undefined
      : timeFormat.read(text, zone) ?? PLAIN_TIMES.read(text, zone);
    const isTime = time !== undefined && !("times" in time) && time.timeMs >= OLDEST_CANDLE_MS;
    return isTime ? [timeMs - time.timeMs] : [];
  });
  if (behindMs.length === 0) return false;
  if (timeIs === "open" && behindMs.every((ms) => ms === lengthMs)) return true;
  const style = timeFormat.read(timeText(rows[0]!.fields, columns), zone);
  const isLocal = zone === undefined && style !== undefined && "style" in style &&
    style.style === "text without a time zone" && !/utc|gmt/i.test(head.fields[columns.time] ?? "");
  return isLocal &&
    behindMs.every((ms) =>
      ms !== 0 && ms !== -lengthMs && Math.abs(ms) <= ZONE.maxMs && ms % ZONE.stepMs === 0
    );
}

/** How far apart the nearest of some rows are. */
function shortestMs(rows: readonly TableRow[]): number {
  let shortest = Infinity;
  for (let n = 1; n < rows.length; n++) {
    const distance = Math.abs(rows[n]!.timeMs - rows[n - 1]!.timeMs);
    if (distance > 0 && distance < shortest) shortest = distance;
  }
  return shortest;
}
