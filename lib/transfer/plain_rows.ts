/** Gives all rows of a file: those of plain numbers as bytes, all others as texts. @module */
import { csvFields } from "../market/csv_candle.ts";
import { PlainRow } from "../market/plain_row.ts";
import type { FileHead } from "./file_head.ts";
import { type FileLine, type LineBlock, type LineFile, linePages } from "./file_lines.ts";
import type { FieldRow } from "./file_rows.ts";
import { checkedLine, LINE_CHARACTERS_MAX, linesOf } from "./text_lines.ts";

/** Who takes the rows, in their order. */
interface RowTakers {
  /** Takes a row, or returns false: then it comes again as text. */
  readonly plain: (row: PlainRow, number: number) => boolean;
  readonly text: (row: FieldRow) => void;
}

interface RowOptions {
  /** How many fields from the first are needed of rows that come as text. @default all */
  readonly max?: number | undefined;
}

/** After so many rows in a row that came as text, the rest of a block does. */
const ODD_LINES_MAX = 8;

/** Hands out all rows behind the head. */
export async function eachRow(file: LineFile, head: FileHead, takers: RowTakers): Promise<void> {
  for await (const _ of rowBlocks(file, head, takers));
}

/** The same with a pause after each block of rows that were read together. */
export async function* rowBlocks(
  file: LineFile,
  head: FileHead,
  takers: RowTakers & RowOptions,
): AsyncGenerator<void, void> {
  const walk = new RowWalk(file, head, takers);
  if (file.blocks === undefined) {
    for await (const lines of linePages(file)) yield lines.forEach((line) => walk.line(line));
  } else {
    for await (const block of file.blocks()) yield walk.block(block);
  }
}

class RowWalk {
  readonly #file: LineFile;
  readonly #head: FileHead;
  readonly #takers: RowTakers & RowOptions;
  readonly #row: PlainRow | undefined;
  /** Of the last line. */
  #number = 0;

  constructor(file: LineFile, head: FileHead, takers: RowTakers & RowOptions) {
    this.#file = file;
    this.#head = head;
    this.#takers = takers;
    this.#row = PlainRow.separatedBy(head.separator);
  }

  block(block: LineBlock): void {
    if (block.bytes === undefined) return this.#texts(block.texts, block.isEnded);
    const { bytes } = block;
    const [row, { plain }, { lastLine }] = [this.#row, this.#takers, this.#head];
    let odd = row === undefined ? ODD_LINES_MAX : 0;
    for (let at = 0; at < bytes.length;) {
      if (odd >= ODD_LINES_MAX) {
        return this.#texts(this.#lines(bytes.subarray(at)), true);
      }
      const end = this.#number < lastLine ? -1 : row!.read(bytes, at);
      const mayBePlain = end >= 0 && end - at <= LINE_CHARACTERS_MAX && this.#isRow(row!);
      if (mayBePlain && plain(row!, this.#number + 1)) {
        this.#number++;
        odd = 0;
        at = end + 1;
        continue;
      }
      odd++;
      const next = bytes.indexOf(LF, at) + 1;
      this.#texts(this.#lines(bytes.subarray(at, next)), true);
      at = next;
    }
  }

  line(line: FileLine): void {
    const { lastLine, text: names, separator } = this.#head;
    const { text, number } = line;
    if (number <= lastLine || text === names || text.trim() === "") return;
    this.#takers.text({ line, fields: csvFields(text, separator, this.#takers) });
  }

  /** Whether `line` takes it for one: it is not blank, and not the names, which come again where files were joined. */
  #isRow({ bytes, starts, end }: PlainRow): boolean {
    const [start, { text: names }] = [starts[0]!, this.#head];
    let at = start;
    while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
    if (at === end) return false;
    if (names === undefined || names.length !== end - start) return true;
    for (at = 0; at < names.length; at++) {
      if (names.charCodeAt(at) !== bytes[start + at]) return true;
    }
    return false;
  }

  #lines(bytes: Uint8Array): readonly string[] {
    return linesOf(this.#file.path, { bytes, isFirst: this.#number === 0 });
  }

  #texts(texts: readonly string[], isEnded: boolean): void {
    for (const text of texts) {
      this.#number++;
      this.line(checkedLine(this.#file.path, { text, number: this.#number, isEnded }));
    }
  }
}

const [TAB, LF, SPACE] = [9, 10, 32] as const;
