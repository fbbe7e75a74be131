/** Makes lines of CSV of the rows of a file with typed columns. @module */
import { createHash } from "node:crypto";
import { printable } from "../text/printable.ts";
import { type ByteSource, explain } from "./byte_source.ts";
import { csvField } from "./candle_csv.ts";
import type { FileLine, LineFile } from "./file_lines.ts";
import { failChanged } from "./file_text.ts";
import { RandomFile } from "./random_file.ts";

/** The columns of a file. */
export interface ColumnFile {
  readonly names: readonly string[];
  /** The texts of all columns, for some rows at a time. */
  readonly slices: () => AsyncGenerator<readonly (readonly string[])[], void>;
}

/** The index of a table of pandas that has no name: its times, if nothing else is. */
const UNNAMED_INDEX = /^__index_level_\d+__$/;

const HASH_CHUNK_BYTES = 1024 * 1024;

/**
 * A table of a file on disk. Its hash is that of the whole file, and each reading begins by proving that it is the same.
 *
 * @param open Reads what the file says of its columns.
 */
export function columnTable(
  source: ByteSource & { readonly kept: string },
  { open, signal }: {
    readonly open: (file: RandomFile) => Promise<ColumnFile>;
    readonly signal: AbortSignal;
  },
): LineFile {
  const { path, name, writtenMs } = source;
  const file = new RandomFile(source.kept);
  let sha256 = "";
  let columns: ColumnFile | undefined;
  let headLines = 1;
  const pages = async function* (): AsyncGenerator<readonly FileLine[], void> {
    const now = await explain(path, () => hashOf(file, signal));
    if (sha256 !== "" && sha256 !== now) failChanged(path);
    sha256 = now;
    const { names, slices } = columns ??= await explain(path, () => open(file));
    headLines = hasNames(names) ? 1 : 0;
    const order = names.map((_, at) => at)
      .sort((a, b) => Number(isIndex(names[b]!)) - Number(isIndex(names[a]!)));
    let number = 0;
    const line = (text: string): FileLine => {
      number++;
      if (!CONTROLS.test(text)) return { text, number, isEnded: true };
      const place = number <= headLines ? "the names of the columns" : `row ${number - headLines}`;
      throw new Error(`Cannot read ${place} of ${printable(path)}: it has control characters`);
    };
    if (headLines > 0) {
      yield [line(order.map((at) => csvField(isIndex(names[at]!) ? "" : names[at]!)).join(","))];
    }
    const parts = slices();
    try {
      for (;;) {
        signal.throwIfAborted();
        const { done, value } = await explain(path, () => parts.next());
        if (done === true) break;
        yield* rowPages(order.map((at) => value[at]!), line);
      }
    } finally {
      await parts.return();
    }
  };
  return {
    path,
    name,
    writtenMs,
    place: (line) => `row ${line - headLines}`,
    lines: async function* (): AsyncGenerator<FileLine, void> {
      for await (const page of pages()) yield* page;
    },
    pages,
    sha256: () => sha256,
    close: (): Promise<void> => {
      file[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

/** Lines that are given together. */
const PAGE_LINES = 1_000;

function* rowPages(
  columns: readonly (readonly string[])[],
  line: (text: string) => FileLine,
): Generator<readonly FileLine[], void> {
  const rows = columns[0]!.length;
  for (let begin = 0; begin < rows; begin += PAGE_LINES) {
    const page: FileLine[] = [];
    for (let row = begin; row < Math.min(rows, begin + PAGE_LINES); row++) {
      let text = columns[0]![row]!;
      for (let at = 1; at < columns.length; at++) text += `,${columns[at]![row]!}`;
      page.push(line(text));
    }
    yield page;
  }
}

/** Tables that were made without names have numbers. */
function hasNames(names: readonly string[]): boolean {
  return !names.every((name) => /^(?:column_?)?\d+$/.test(name));
}

function isIndex(name: string): boolean {
  return UNNAMED_INDEX.test(name);
}

/** Everything below space but the tab, and DEL. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\0-\x08\x0a-\x1f\x7f-\x9f]/;

async function hashOf(file: RandomFile, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < file.size; at += HASH_CHUNK_BYTES) {
    hash.update(await file.readAndRest(at, Math.min(HASH_CHUNK_BYTES, file.size - at)));
    signal.throwIfAborted();
  }
  return hash.digest("hex");
}
