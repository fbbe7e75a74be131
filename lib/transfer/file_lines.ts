/** What every file of candles is read as, whatever it is packed in: a table of lines. @module */

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
  /** The same lines, those together that were read together: in millions of rows, waiting for each costs more than reading it. */
  readonly pages?: (() => AsyncGenerator<readonly FileLine[], void>) | undefined;
  /** The same lines as bytes, as far as they are that: rows of numbers need no texts. */
  readonly blocks?: (() => AsyncGenerator<LineBlock, void>) | undefined;
  /** The instrument of all rows, where something around them names it. Known once all lines were read. */
  readonly instrument?: (() => string | undefined) | undefined;
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

/** Lines that were read together: UTF-8 with a line feed at the end of each, whose memory is used for the next block; or texts. */
export type LineBlock =
  | { readonly bytes: Uint8Array }
  | { readonly bytes?: undefined; readonly texts: readonly string[]; readonly isEnded: boolean };

/** Lines of a file that are given together where it does not say itself which are. */
const PAGE_LINES = 1_000;

/** All lines of a file, in pages. */
export async function* linePages(file: LineFile): AsyncGenerator<readonly FileLine[], void> {
  if (file.pages !== undefined) return yield* file.pages();
  let page: FileLine[] = [];
  for await (const line of file.lines()) {
    page.push(line);
    if (page.length < PAGE_LINES) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}
