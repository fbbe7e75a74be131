/** Reads candles from a CSV file, line by line. @module */
import { createHash } from "node:crypto";
import type { FileRow } from "./candle_import.ts";
import {
  type CsvColumns,
  csvFields,
  readColumns,
  readSeparator,
  readTimeText,
} from "../market/csv_candle.ts";
import type { Series } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import { nearest } from "../text/nearest.ts";
import { printable } from "../text/printable.ts";
import { isSymbol } from "../market/symbol.ts";

interface FileOptions {
  /** The file's name in error messages. */
  readonly path: string;
  /** The series, if the file does not name it or uses another name. */
  readonly exchange?: string | undefined;
  readonly symbol?: string | undefined;
  readonly timeframe?: string | undefined;
  readonly knownExchanges: readonly string[];
}

/** A file that is hashed while it is read. */
interface HashedFile {
  readonly bytes: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** The hash of all bytes read so far. Hexadecimal. */
  readonly sha256: () => string;
}

/** Ten times longer than any candle. */
const LINE_CHARACTERS_MAX = 64 * 1024;

export function hashed(input: ReadableStream<Uint8Array>): HashedFile {
  const hash = createHash("sha256");
  const bytes = input.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller): void {
        hash.update(chunk);
        controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
      },
    }),
  );
  return { bytes, sha256: () => hash.copy().digest("hex") };
}

/**
 * The rows of a file, each with its series.
 *
 * @throws Error that names the line, when the file is malformed.
 */
export async function* fileRows(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  options: FileOptions,
): AsyncGenerator<FileRow, void> {
  let columns: CsvColumns | undefined;
  let separator = ",";
  let number = 0;
  const seriesAt = seriesReader(options);
  for await (const line of lines(bytes, options.path)) {
    number++;
    if (line.trim() === "") continue;
    if (columns === undefined) {
      separator = readSeparator(line);
      columns = readColumns(csvFields(line, separator));
      if (columns.hasHeader) continue;
    }
    const fields = csvFields(line, separator);
    const time = fields[columns.time] ?? "";
    const values = columns.values.map((at) => fields[at]?.trim());
    yield {
      series: seriesAt(columns, fields, number),
      row: [readTimeText(time) ?? time, ...values],
    };
  }
  if (columns === undefined) throw new Error(`Cannot read ${options.path}: it is empty`);
}

type SeriesReader = (columns: CsvColumns, fields: readonly string[], line: number) => Series;

const PARTS = ["exchange", "symbol", "timeframe"] as const;

/** Parses each series only once. */
function seriesReader(options: FileOptions): SeriesReader {
  const known = new Map<string, Series>();
  /** The file's own name for each part that a flag sets. */
  const ownNames = new Map<string, string>();
  return (columns, fields, line) => {
    const fail = (why: string): never => {
      throw new Error(`Cannot read line ${line}: ${printable(why.slice(0, 300))}`);
    };
    const [exchange, symbol, timeframe] = PARTS.map((part) => {
      const [at, flag] = [columns[part], options[part]];
      const text = at === undefined ? undefined : fields[at]?.trim();
      if (flag === undefined) {
        return text ?? fail(`the ${part} is missing. Set it with --${part}`);
      }
      if (text === undefined) return flag;
      const first = ownNames.get(part) ?? text;
      ownNames.set(part, first);
      if (first === text) return flag;
      return fail(`the ${part} changes from ${first} to ${text}: --${part} is for files with one`);
    }) as [string, string, string];
    const name = `${exchange}\n${symbol}\n${timeframe}`;
    const series = known.get(name) ?? readSeries({ exchange, symbol, timeframe }, options, fail);
    known.set(name, series);
    return series;
  };
}

function readSeries(
  { exchange, symbol, timeframe }: Record<(typeof PARTS)[number], string>,
  { knownExchanges }: FileOptions,
  fail: (why: string) => never,
): Series {
  if (!knownExchanges.includes(exchange)) {
    const [meant] = nearest(exchange, knownExchanges);
    fail(
      `${exchange} is not an exchange` +
        (meant === undefined ? "" : ` (did you mean ${meant}?)`),
    );
  }
  if (!isSymbol(symbol)) {
    fail(`${symbol} is not a unified symbol, such as BTC/USDT. Set it with --symbol`);
  }
  try {
    return { exchange, symbol, timeframe: parseTimeframe(timeframe) };
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

/** @throws Error when the file cannot be read, or a line is too long. */
async function* lines(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  path: string,
): AsyncGenerator<string, void> {
  let rest = "";
  for await (const text of readTexts(bytes.pipeThrough(new TextDecoderStream()), path)) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    if (rest.length > LINE_CHARACTERS_MAX) {
      throw new Error(`Cannot read ${path}: it has a line that is too long for a candle`);
    }
  }
  if (rest !== "") yield rest;
}

/** Adds the file's name to errors of reading and decompressing. */
async function* readTexts(
  texts: ReadableStream<string>,
  path: string,
): AsyncGenerator<string, void> {
  const reader = texts.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error) => {
        const why = error instanceof Error ? error.message : String(error);
        throw new Error(`Cannot read ${path}: ${why}`, { cause: error });
      });
      if (done) return;
      yield value;
    }
  } finally {
    // Closes the file if the caller stops early. After a failure there is nothing to close.
    await reader.cancel().catch(() => {});
  }
}
