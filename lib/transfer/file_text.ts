/** Reads the lines of a text, packed or not, in any encoding that can be told. @module */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { printable } from "../text/printable.ts";
import { type ByteSource, explain } from "./byte_source.ts";
import { NOT_UTF8, otherKind } from "./file_kind.ts";
import type { FileLine, LineFile } from "./file_lines.ts";

/** Ten times longer than any candle. */
const LINE_CHARACTERS_MAX = 64 * 1024;

/** A table of text lines. */
export function textTable(source: ByteSource, signal: AbortSignal): LineFile {
  const { path, name, writtenMs } = source;
  let read: { readonly sha256: string; readonly bytes: number } | undefined;
  const pages = (): AsyncGenerator<readonly FileLine[], void> =>
    linePages({ source, signal, bytesMax: read?.bytes ?? Infinity }, (now) => {
      if (read !== undefined && read.sha256 !== now.sha256) failChanged(path);
      read = now;
    });
  return {
    path,
    name,
    writtenMs,
    place: (line) => `line ${line}`,
    lines: async function* (): AsyncGenerator<FileLine, void> {
      for await (const page of pages()) yield* page;
    },
    pages,
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

async function* linePages(
  { source, signal, bytesMax }: {
    readonly source: ByteSource;
    readonly signal: AbortSignal;
    readonly bytesMax: number;
  },
  onRead: (read: { readonly sha256: string; readonly bytes: number }) => void,
): AsyncGenerator<readonly FileLine[], void> {
  const { path } = source;
  const hash = createHash("sha256");
  let rest = "";
  let number = 0;
  const line = (text: string, isEnded: boolean): FileLine => {
    const plain = text.endsWith("\r") ? text.slice(0, -1) : text;
    number++;
    if (CONTROLS.test(plain)) {
      throw new Error(`Cannot read line ${number} of ${path}: it has control characters`);
    }
    return { text: plain, number, isEnded };
  };
  let isPacked = source.isWhole;
  let size = 0;
  const bytes = hashed(source.bytes(), hash, { bytesMax, onBytes: (count) => size += count });
  const pieces = texts(bytes, path, () => isPacked = true);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await explain(path, () => pieces.next());
      if (done === true) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop() ?? "";
      yield parts.map((text) => line(text, true));
      if (rest.length > LINE_CHARACTERS_MAX) {
        throw new Error(`Cannot read ${path}: it has a line that is too long for a candle`);
      }
    }
  } finally {
    // Closes the file, if the caller stops early.
    await pieces.return();
    await bytes.return();
  }
  // A packed file holds a checksum of the whole.
  if (rest !== "") yield [line(rest, isPacked)];
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

const GZIP = [0x1f, 0x8b];

/** The file's text, unpacked if it is packed by gzip: its first bytes tell, not its name. */
async function* texts(
  bytes: AsyncGenerator<Uint8Array, void>,
  path: string,
  onPacked: () => void,
): AsyncGenerator<string, void> {
  const { value: first = new Uint8Array() } = await bytes.next();
  const begins = (magic: readonly number[]): boolean =>
    magic.every((byte, at) => first[at] === byte);
  const whole = async function* (): AsyncGenerator<Uint8Array, void> {
    yield first;
    yield* bytes;
  };
  if (begins(GZIP)) {
    onPacked();
    // Not DecompressionStream: it stops after the first member of a file that has several.
    const packed = Readable.from(whole()).on("error", (error) => gunzip.destroy(error));
    const gunzip = createGunzip();
    try {
      yield* texts(chunks(packed.pipe(gunzip)), path, onPacked);
    } finally {
      packed.destroy();
      await bytes.return();
    }
    return;
  }
  const what = otherKind(first, path);
  if (what !== undefined) throw new Error(`it is ${what}`);
  const encoding = begins([0xff, 0xfe]) ? "utf-16le" : begins([0xfe, 0xff]) ? "utf-16be" : "utf-8";
  const decoder = new TextDecoder(encoding, { fatal: true });
  const decode = (chunk?: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch (error) {
      throw new Error(NOT_UTF8, { cause: error });
    }
  };
  for await (const chunk of whole()) yield decode(chunk);
  yield decode();
}

async function* chunks(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of stream) yield chunk as Uint8Array;
}
