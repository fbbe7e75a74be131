/** Reads the lines of a text, packed or not, in any encoding that can be told; those of JSON as lines of CSV. @module */
import { createHash } from "node:crypto";
import { printable } from "../text/printable.ts";
import { type ByteSource, explain, type Reading } from "./byte_source.ts";
import { encodingOf, isJson, otherKind } from "./file_kind.ts";
import type { FileLine, LineBlock, LineFile } from "./file_lines.ts";
import { unpack } from "./file_unpack.ts";
import { jsonLines } from "./json_table.ts";
import {
  checkedLine,
  decode,
  LINE_CHARACTERS_MAX,
  linesOf,
  textLines,
  type Texts,
} from "./text_lines.ts";

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
  const blocks = (): AsyncGenerator<LineBlock, void> =>
    textBlocks({ source, signal, bytesMax: read?.bytes ?? Infinity }, {
      onJson: (headLines) => jsonHead = headLines,
      onInstrument: (name) => instrument = name,
      onRead: (now) => {
        if (read !== undefined && read.sha256 !== now.sha256) failChanged(path);
        read = now;
      },
    });
  const pages = async function* (): AsyncGenerator<readonly FileLine[], void> {
    let number = 0;
    for await (const block of blocks()) {
      const { texts, isEnded } = block.bytes === undefined ? block : {
        texts: linesOf(path, { bytes: block.bytes, isFirst: number === 0 }),
        isEnded: true,
      };
      const page = texts.map((text) => checkedLine(path, { text, number: ++number, isEnded }));
      if (page.length > 0) yield page;
    }
  };
  return {
    path,
    name,
    writtenMs,
    place: (line) => jsonHead === undefined ? `line ${line}` : `row ${line - jsonHead}`,
    lines: async function* (): AsyncGenerator<FileLine, void> {
      for await (const page of pages()) yield* page;
    },
    pages,
    blocks,
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

async function* textBlocks(
  { source, signal, bytesMax }: {
    readonly source: ByteSource;
    readonly signal: AbortSignal;
    readonly bytesMax: number;
  },
  { onRead, ...onJson }: JsonFound & {
    readonly onRead: (read: BytesRead) => void;
  },
): AsyncGenerator<LineBlock, void> {
  const { path } = source;
  const hash = createHash("sha256");
  let size = 0;
  const reading: Reading = { isReused: false };
  const bytes = hashed(source.bytes(reading), hash, {
    bytesMax,
    onBytes: (count) => size += count,
  });
  let blocks: AsyncGenerator<LineBlock, void> | undefined;
  try {
    blocks = await explain(path, () => openText(bytes, { ...onJson, reading }));
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await explain(path, () => blocks!.next());
      if (done === true) break;
      yield value;
    }
  } finally {
    // Closes the file, if the caller stops early.
    await blocks?.return();
    await bytes.return();
  }
  onRead({ sha256: hash.digest("hex"), bytes: size });
}

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

async function openText(
  packed: AsyncGenerator<Uint8Array, void>,
  { reading, ...onJson }: JsonFound & { readonly reading: Reading },
): Promise<AsyncGenerator<LineBlock, void>> {
  const { first, bytes, isPacked } = await unpack(packed);
  const what = otherKind(first);
  if (what !== undefined) {
    await bytes.return();
    throw new Error(`it is ${what}`);
  }
  const encoding = encodingOf(first);
  if (isJson(first)) return jsonTable(decodedText(bytes, new Decoder(encoding)), onJson);
  if (encoding !== "utf-8") return textLines(decodedText(bytes, new Decoder(encoding)));
  reading.isReused = !isPacked;
  return lineBlocks(bytes);
}

class Decoder extends TextDecoder {
  constructor(encoding: string, hasMark = true) {
    super(encoding, { fatal: true, ignoreBOM: !hasMark });
  }
}

/** Whole lines of UTF-8 as bytes, as long as they end with line feeds. Those of one block are gone with the next. */
async function* lineBlocks(
  bytes: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<LineBlock, void> {
  let memory = new Uint8Array(0);
  let length = 0;
  let isFirst = true;
  try {
    while (length <= LINE_CHARACTERS_MAX) {
      const { done, value } = await bytes.next();
      if (done === true) break;
      memory = withRoom(memory, { length, more: value.length });
      memory.set(value, length);
      const end = value.lastIndexOf(LF) + 1;
      if (end > 0) {
        yield { bytes: memory.subarray(0, length + end) };
        isFirst = false;
        memory.copyWithin(0, length + end, length + value.length);
        length = value.length - end;
      } else length += value.length;
    }
    const rest = memory.slice(0, length);
    yield* textLines(decodedText(withRest(rest, bytes), new Decoder("utf-8", isFirst)));
  } finally {
    await bytes.return();
  }
}

const LF = 10;

function withRoom(
  memory: Uint8Array<ArrayBuffer>,
  { length, more }: { readonly length: number; readonly more: number },
): Uint8Array<ArrayBuffer> {
  if (length + more <= memory.length) return memory;
  const grown = new Uint8Array(length + more + LINE_CHARACTERS_MAX);
  grown.set(memory.subarray(0, length));
  return grown;
}

async function* withRest(
  rest: Uint8Array,
  bytes: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<Uint8Array, void> {
  yield rest;
  yield* bytes;
}

async function* decodedText(
  bytes: AsyncGenerator<Uint8Array, void>,
  decoder: TextDecoder,
): AsyncGenerator<string, void> {
  for await (const chunk of bytes) yield decode(decoder, chunk, true);
  yield decode(decoder);
}

async function* jsonTable(
  pieces: AsyncGenerator<string, void>,
  { onJson, onInstrument }: JsonFound,
): AsyncGenerator<Texts, void> {
  onJson(0);
  const onNames = (): void => onJson(1);
  for await (const texts of jsonLines(pieces, { onNames, onInstrument })) {
    yield { texts, isEnded: true };
  }
}
