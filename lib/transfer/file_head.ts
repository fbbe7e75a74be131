/** Reads the first lines of a file of candles: what its columns are called, where its rows begin. @module */
import { csvFields, isGuardName, readColumns, readSeparator } from "../market/csv_candle.ts";
import type { CsvColumns } from "../market/csv_candle.ts";
import { printable } from "../text/printable.ts";
import { errorText } from "../text/redact.ts";
import type { LineFile } from "./file_lines.ts";

export interface FileHead extends FirstLine {
  /** Undefined while only the rows can tell. */
  readonly columns: CsvColumns | undefined;
}

/** The first line with several fields. */
export interface FirstLine {
  readonly separator: string;
  /** Its fields: the names of the columns, or the first row. */
  readonly fields: readonly string[];
  readonly hasNames: boolean;
  /** Its number. */
  readonly number: number;
  /** The line before the first row; 0 without one. */
  readonly lastLine: number;
  /** The line of the names, which may come again where files were joined. */
  readonly text: string | undefined;
  /** The instrument of all rows, where the head names it. */
  readonly instrument: string | undefined;
}

interface HeadOptions {
  readonly delimiter?: string | undefined;
  readonly skipLines?: number | undefined;
}

/** A file may begin with its origin, such as a line with an address. */
const PREAMBLE_LINES_MAX = 5;

/**
 * Reads a file's first lines.
 *
 * @throws Error when the file is empty.
 */
export async function readFirstLine(file: LineFile, options: HeadOptions): Promise<FirstLine> {
  const { found: [first, second, third], isEmpty } = await firstLines(file, options);
  const text = first?.text.replace(/^#\s*/, "") ?? "";
  const separator = options.delimiter ?? readSeparator(text);
  const fields = csvFields(text, separator).map((field) => field.replace(/^\uFEFF/, "").trim());
  if (first === undefined || fields.length === 1) {
    const mark = options.delimiter === undefined
      ? "comma, semicolon or tab"
      : JSON.stringify(options.delimiter);
    const why = isEmpty
      ? "it is empty"
      : `it has no columns separated by ${mark}. Say what separates them with --delimiter`;
    throw new Error(`Cannot read ${printable(file.path)}: ${why}`);
  }
  const hasNames = !fields.some((field) => /^[+-]?[\d.]+(?:[,eE:. -].*)?$/.test(field));
  const head = {
    separator,
    fields,
    hasNames,
    number: first.number,
    text: hasNames ? first.text : undefined,
    lastLine: hasNames ? first.number : first.number - 1,
    instrument: undefined,
  };
  const tickers = csvFields(second?.text ?? "", separator);
  if (!hasNames || fields[0]?.toLowerCase() !== "price" || tickers[0] !== "Ticker") return head;
  // Yahoo's downloads: names, tickers, and the name of the index.
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
    fields: [time, ...fields.slice(1)],
    lastLine: third?.number ?? head.lastLine,
    instrument: names[0],
  };
}

/**
 * The columns by their names.
 *
 * @param options.columns Names to use instead of the file's, one for each column; `-` for one to leave out.
 * @throws Error when a column is missing.
 */
export function namedColumns(
  file: LineFile,
  first: FirstLine,
  { columns, symbol, renamed = {}, timeIs }: {
    readonly columns?: readonly string[] | undefined;
    readonly symbol?: string | undefined;
    /** Other names for some of the file's, in lower case. */
    readonly renamed?: Readonly<Record<string, string>> | undefined;
    readonly timeIs?: "open" | "close" | undefined;
  },
): CsvColumns | undefined {
  const { fields, hasNames, number } = first;
  const fail = (why: string, cause?: unknown): never => {
    throw new Error(`Cannot read ${printable(file.path)}: ${printable(why)}`, { cause });
  };
  if (columns !== undefined && columns.length > fields.length) {
    const names = hasNames
      ? `. If its rows have more, leave the names out with --skip-lines ${first.lastLine}`
      : "";
    fail(
      `--columns names ${columns.length} columns, ${
        file.place(number)
      } has ${fields.length}${names}`,
    );
  }
  if (columns === undefined && !hasNames) return undefined;
  const names = columns === undefined
    ? fields.map((own) =>
      Object.hasOwn(renamed, own.toLowerCase()) ? renamed[own.toLowerCase()]! : own
    )
    : fields.map((own, at) => {
      const given = columns[at] ?? "-";
      return given !== "-" ? given : hasNames && isGuardName(own) ? own : "-";
    });
  try {
    return readColumns(names, symbol, timeIs);
  } catch (error) {
    return fail(errorText(error), error);
  }
}

/** What tells spreadsheets the separator. */
const SEPARATOR_LINE = /^\uFEFF?"?sep=.?"?\s*$/i;

/** Whether a line numbers the columns from 0, as pandas does with columns without names, behind its index or without one. */
function isNumbered(text: string, delimiter = readSeparator(text)): boolean {
  const fields = csvFields(text.replace(/^\uFEFF/, ""), delimiter).map((field) => field.trim());
  const numbers = fields[0] === "" ? fields.slice(1) : fields;
  return numbers.length > 1 && numbers.every((number, at) => number === String(at));
}

interface HeadLine {
  readonly text: string;
  readonly number: number;
}

/** The first line with several fields, and the two after it. */
async function firstLines(
  file: LineFile,
  { delimiter, skipLines = 0 }: HeadOptions,
): Promise<{ readonly found: readonly HeadLine[]; readonly isEmpty: boolean }> {
  const found: HeadLine[] = [];
  let isEmpty = true;
  for await (const line of file.lines()) {
    if (line.number <= skipLines || line.text.trim() === "") continue;
    isEmpty = false;
    const hasColumns = delimiter === undefined
      ? /[,;\t|]/.test(line.text)
      : line.text.trim().includes(delimiter);
    const isPreamble = found.length === 0 && line.number - skipLines <= PREAMBLE_LINES_MAX &&
      (!hasColumns || SEPARATOR_LINE.test(line.text) || isNumbered(line.text, delimiter));
    if (!isPreamble) found.push(line);
    if (found.length === 3) break;
  }
  return { found, isEmpty };
}
