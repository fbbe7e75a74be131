/** Reads the lines of a text, packed or not, in any encoding that can be told; those of JSON as lines of CSV. @module */
import { createHash } from "node:crypto";
import { printable } from "../text/printable.ts";
import { type ByteSource, explain } from "./byte_source.ts";
import { encodingOf, isJson, NOT_UTF8, otherKind } from "./file_kind.ts";
import type { FileLine, LineFile } from "./file_lines.ts";
import { unpack } from "./file_unpack.ts";
import { jsonLines } from "./json_table.ts";

/** Ten times longer than any candle. */
const LINE_CHARACTERS_MAX = 64 * 1024;

/** What was read: all that it takes to read the same again. */
interface BytesRead {
  readonly sha256: string;
  readonly bytes: number;
}

/** What JSON shows while it is read. */
interface JsonFound {
  readonly onJson: (headLines: number) => void;
  readonly onInstrument: (name: string) => void;
}

/** A table of text lines. */
export function textTable(source: ByteSource, signal: AbortSignal): LineFile {
  const { path, name, writtenMs } = source;
  let read: BytesRead | undefined;
  /** How many lines of JSON's table are no rows: one with the names, or none. */
  let jsonHead: number | undefined;
  let instrument: string | undefined;
  const pages = (): AsyncGenerator<readonly FileLine[], void> =>
    textPages({ source, signal, bytesMax: read?.bytes ?? Infinity }, {
      onJson: (headLines) => jsonHead = headLines,
      onInstrument: (name) => instrument = name,
      onRead: (now) => {
        if (read !== undefined && read.sha256 !== now.sha256) failChanged(path);
        read = now;
      },
    });
  return {
    path,
    name,
    writtenMs,
    place: (line) => jsonHead === undefined ? `line ${line}` : `row ${line - jsonHead}`,
    lines: async function* (): AsyncGenerator<FileLine, void> {
      for await (const page of pages()) yield* page;
    },
    pages,
    instrument: () => instrument,
    sha256: () => read?.sha256 ?? "",
    close: () => Promise.resolve(),
  };
}

/** @throws Error always. */
export function failChanged(path: string): never {
  throw new Error(
    `Cannot read ${
      printable(path)
    }: it has changed while it was read, and rows of it may be stored. Start again`,
  );
}

async function* textPages(
  { source, signal, bytesMax }: {
    readonly source: ByteSource;
    readonly signal: AbortSignal;
    readonly bytesMax: number;
  },
  { onRead, ...onJson }: JsonFound & {
    readonly onRead: (read: BytesRead) => void;
  },
): AsyncGenerator<readonly FileLine[], void> {
  const { path } = source;
  const hash = createHash("sha256");
  let size = 0;
  const bytes = hashed(source.bytes(), hash, { bytesMax, onBytes: (count) => size += count });
  let number = 0;
  const line = (text: string, isEnded: boolean): FileLine => {
    number++;
    if (CONTROLS.test(text)) {
      const why = text.includes("\0")
        ? "it has zero bytes: the file was not written to its end. Download it again"
        : "it has control characters";
      throw new Error(`Cannot read line ${number} of ${printable(path)}: ${why}`);
    }
    return { text, number, isEnded };
  };
  let opened: OpenText | undefined;
  try {
    opened = await explain(path, () => openText(bytes));
    const texts = opened.isJson ? jsonTable(opened, onJson) : textLines(opened);
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await explain(path, () => texts.next());
      if (done === true) break;
      if (value.texts.length > 0) yield value.texts.map((text) => line(text, value.isEnded));
    }
  } finally {
    // Closes the file, if the caller stops early.
    await opened?.pieces.return();
    await bytes.return();
  }
  onRead({ sha256: hash.digest("hex"), bytes: size });
}

/** Everything below space but the tab, and DEL. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\0-\x08\x0a-\x1f\x7f-\x9f]/;

async function* hashed(
  bytes: AsyncGenerator<Uint8Array, void>,
  hash: { update(bytes: Uint8Array): unknown },
  { bytesMax, onBytes }: {
    readonly bytesMax: number;
    readonly onBytes: (count: number) => void;
  },
): AsyncGenerator<Uint8Array, void> {
  let left = bytesMax;
  for await (const whole of bytes) {
    const chunk = whole.subarray(0, left);
    left -= chunk.length;
    hash.update(chunk);
    onBytes(chunk.length);
    yield chunk;
    if (left === 0) return;
  }
}

interface OpenText {
  readonly isJson: boolean;
  readonly pieces: AsyncGenerator<string, void>;
}

async function openText(
  packed: AsyncGenerator<Uint8Array, void>,
): Promise<OpenText> {
  const { first, bytes } = await unpack(packed);
  const what = otherKind(first);
  if (what !== undefined) {
    await bytes.return();
    throw new Error(`it is ${what}`);
  }
  return { isJson: isJson(first), pieces: decodedText(bytes, encodingOf(first)) };
}

async function* decodedText(
  bytes: AsyncGenerator<Uint8Array, void>,
  encoding: string,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder(encoding, { fatal: true });
  const decode = (chunk?: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch (error) {
      throw new Error(NOT_UTF8, { cause: error });
    }
  };
  for await (const chunk of bytes) yield decode(chunk);
  yield decode();
}

/** Lines that came together. */
interface Texts {
  readonly texts: readonly string[];
  readonly isEnded: boolean;
}

async function* textLines({ pieces }: OpenText): AsyncGenerator<Texts, void> {
  let rest = "";
  for await (const piece of pieces) {
    const texts = (rest + piece).split("\n");
    rest = texts.pop() ?? "";
    if (!piece.includes("\r") && !rest.includes("\r") && !(texts[0] ?? "").includes("\r")) {
      yield { texts, isEnded: true };
    } else {
      const ended = texts.flatMap(withoutReturns);
      // Without a line feed in sight, as on old Macs: a carriage return at the end may still be followed by one.
      const own = withoutEnd(rest);
      const more = own.split("\r");
      rest = more.pop() + rest.slice(own.length);
      yield { texts: [...ended, ...more], isEnded: true };
    }
    if (rest.length > LINE_CHARACTERS_MAX) {
      throw new Error("it has a line that is too long for a candle");
    }
  }
  // A checksum would prove nothing: what was packed may have been cut before, or lack the members behind it.
  const last = withoutEnd(rest);
  if (last !== "") yield { texts: [last], isEnded: last !== rest };
}

/** The lines of what ends with a line feed: one, whatever carriage returns stand before it, or several of an old Mac. */
function withoutReturns(text: string): readonly string[] {
  if (!text.includes("\r")) return [text];
  return withoutEnd(text).split("\r");
}

function withoutEnd(text: string): string {
  let end = text.length;
  while (text.charCodeAt(end - 1) === 0x0d) end--;
  return text.slice(0, end);
}

async function* jsonTable(
  { pieces }: OpenText,
  { onJson, onInstrument }: JsonFound,
): AsyncGenerator<Texts, void> {
  onJson(0);
  const onNames = (): void => onJson(1);
  for await (const texts of jsonLines(pieces, { onNames, onInstrument })) {
    yield { texts, isEnded: true };
  }
}
