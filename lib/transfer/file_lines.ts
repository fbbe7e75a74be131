/** Opens a file of candles, whatever it is packed in: one table of lines, or several, each read as often as needed. @module */
import { basename } from "node:path";
import { type ByteSource, KeptFile } from "./byte_source.ts";
import { textTable } from "./file_text.ts";

/** A table that can be read again: it is judged as a whole before anything of it is stored. */
export interface LineFile {
  /** As people call it, in messages. */
  readonly path: string;
  /** The file's own name without folders, or the member's in a ZIP: what file names prove. Empty for standard input. */
  readonly name: string;
  /** When the file was last written, if that is known. Milliseconds. */
  readonly writtenMs: number | undefined;
  /** How people find a line: `line 3` of text, `row 2` of Parquet or JSON. */
  readonly place: (line: number) => string;
  /**
   * All lines, from the first. Reading a second time leaves out what was added to the file since, and fails when the
   * file has changed otherwise.
   *
   * @throws Error when the file cannot be read, or is not text.
   */
  readonly lines: () => AsyncGenerator<FileLine, void>;
  /** The hash of the file's bytes. Hexadecimal; known once all lines were read. */
  readonly sha256: () => string;
  readonly close: () => Promise<void>;
}

export interface FileLine {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  /** Whether the line was whole: the last one of a broken download has no line end. */
  readonly isEnded: boolean;
}

interface OpenOptions {
  /** Read instead of the path, if given. */
  readonly input: ReadableStream<Uint8Array> | undefined;
  readonly signal: AbortSignal;
  /** Called with what is left out of an archive because it is no table, and why. */
  readonly onLeftOut?: ((path: string, why: string) => void) | undefined;
}

/**
 * The tables of a file: one, or the members of a ZIP, one after the other. Each is to be closed before the next. A member
 * that cannot be read is a table, too, whose lines say why.
 *
 * @throws Error
 */
export async function* openTables(
  path: string,
  options: OpenOptions,
): AsyncGenerator<LineFile, void> {
  await using kept = await KeptFile.open(path, options);
  const source: ByteSource = kept.source({ path, name: path === "-" ? "" : basename(path) });
  yield await Promise.resolve(textTable(source, options.signal));
}

/**
 * The only table of a file.
 *
 * @throws Error
 */
export async function openLines(path: string, options: OpenOptions): Promise<LineFile> {
  const tables = openTables(path, options);
  const { value: file } = await tables.next();
  if (file === undefined) throw new Error(`Cannot read ${path}: it holds no table`);
  return {
    ...file,
    close: async () => {
      await file.close();
      await tables.return();
    },
  };
}
