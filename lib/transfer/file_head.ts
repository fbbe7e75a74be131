/** Reads the first lines of a file of candles: what its columns are called, where its rows begin. @module */
import { csvFields, isGuardName, readColumns, readSeparator } from "../market/csv_candle.ts";
import type { CsvColumns } from "../market/csv_candle.ts";
import { printable } from "../text/printable.ts";
import type { LineFile } from "./file_lines.ts";
import { errorText } from "../text/redact.ts";

export interface FileHead {
  readonly separator: string;
  /** Undefined while only the rows can tell. */
  readonly columns: CsvColumns | undefined;
  /** The line before the first row; 0 without one. */
  readonly lastLine: number;
  /** The line of the names, which may come again where files were joined. */
  readonly text: string | undefined;
  /** The instrument of all rows, where the head names it. */
  readonly instrument: string | undefined;
}

/** A file may begin with its origin, such as a line with an address. */
const PREAMBLE_LINES_MAX = 5;

/**
 * Reads a file's head.
 *
 * @param options.columns Names to use instead of the file's, one for each column; `-` for one to leave out.
 * @throws Error when the file is empty, or a column is missing.
 */
export async function readHead(
  file: LineFile,
  { columns, symbol }: {
    readonly columns: readonly string[] | undefined;
    readonly symbol: string | undefined;
  },
): Promise<FileHead> {
  const { found: [first, second, third], isEmpty } = await firstLines(file);
  if (first === undefined) {
    const why = isEmpty ? "it is empty" : "it has no columns separated by comma, semicolon or tab";
    throw new Error(`Cannot read ${printable(file.path)}: ${why}`);
  }
  const text = first.text.replace(/^#\s*/, "");
  const separator = readSeparator(text);
  const fields = csvFields(text, separator).map((field) => field.replace(/^\uFEFF/, "").trim());
  const hasNames = !fields.some((field) => /^[+-]?[\d.]+(?:[,eE:. -].*)?$/.test(field));
  const read = (names: readonly string[]): CsvColumns => {
    try {
      return readColumns(names, symbol);
    } catch (error) {
      const why = errorText(error);
      throw new Error(`Cannot read ${printable(file.path)}: ${printable(why)}`, { cause: error });
    }
  };
  const head = { separator, text: hasNames ? first.text : undefined };
  const lastLine = hasNames ? first.number : first.number - 1;
  if (columns !== undefined) {
    const names = fields.map((own, at) => {
      const given = columns[at] ?? "-";
      return given !== "-" ? given : hasNames && isGuardName(own) ? own : "-";
    });
    if (columns.length > names.length) {
      throw new Error(
        `Cannot read ${printable(file.path)}: --columns names ${columns.length} columns, ` +
          `${file.place(first.number)} has ${names.length}`,
      );
    }
    return { ...head, columns: read(names), lastLine, instrument: undefined };
  }
  if (!hasNames) return { ...head, columns: undefined, lastLine, instrument: undefined };
  const tickers = csvFields(second?.text ?? "", separator);
  const isYahoo = fields[0]?.toLowerCase() === "price" && tickers[0] === "Ticker";
  if (!isYahoo) return { ...head, columns: read(fields), lastLine, instrument: undefined };
  const names = [...new Set(tickers.slice(1).map((name) => name.trim()))];
  if (names.length !== 1) {
    throw new Error(
      `Cannot read ${printable(file.path)}: it holds several instruments, ` +
        printable(names.slice(0, 3).join(", ").slice(0, 200)),
    );
  }
  const time = csvFields(third?.text ?? "", separator)[0] ?? "";
  return {
    ...head,
    columns: read([time, ...fields.slice(1)]),
    lastLine: third?.number ?? lastLine,
    instrument: names[0],
  };
}

interface HeadLine {
  readonly text: string;
  readonly number: number;
}

/** The first line with several fields, and the two after it. */
async function firstLines(
  file: LineFile,
): Promise<{ readonly found: readonly HeadLine[]; readonly isEmpty: boolean }> {
  const found: HeadLine[] = [];
  let isEmpty = true;
  for await (const line of file.lines()) {
    if (line.text.trim() === "") continue;
    isEmpty = false;
    const isPreamble = found.length === 0 && line.number <= PREAMBLE_LINES_MAX &&
      !/[,;\t]/.test(line.text);
    if (!isPreamble) found.push(line);
    if (found.length === 3) break;
  }
  return { found, isEmpty };
}
