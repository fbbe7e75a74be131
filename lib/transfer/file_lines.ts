/** Opens a file of candles, whatever it is packed in, and reads its lines as often as needed. @module */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { printable } from "../text/printable.ts";
import { errorText } from "../text/redact.ts";
import { fileReason } from "../text/system_words.ts";
import { NOT_UTF8, otherKind } from "./file_kind.ts";

/** A file that can be read again: it is judged as a whole before anything of it is stored. */
export interface LineFile {
  /** As people call it, in messages. */
  readonly path: string;
  /** When the file was last written, if that is known. Milliseconds. */
  readonly writtenMs: number | undefined;
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

/** Ten times longer than any candle. */
const LINE_CHARACTERS_MAX = 64 * 1024;

/**
 * Opens a file on disk, or writes a stream to a temporary file first.
 *
 * @param options.input Read instead of `path`, if given.
 * @throws Error
 */
export async function openLines(
  path: string,
  { input, signal }: {
    readonly input: ReadableStream<Uint8Array> | undefined;
    readonly signal: AbortSignal;
  },
): Promise<LineFile> {
  const info = input === undefined ? await explain(path, () => Deno.stat(path)) : undefined;
  if (info?.isDirectory === true) throw new Error(`Cannot read ${path}: it is a directory`);
  const isOnDisk = info?.isFile === true;
  const kept = isOnDisk ? path : await explain(path, () => spool({ path, input, signal }));
  let read: { readonly sha256: string; readonly bytes: number } | undefined;
  return {
    path,
    writtenMs: isOnDisk ? info.mtime?.getTime() : undefined,
    lines: () =>
      lines({ kept, path, signal, bytesMax: read?.bytes ?? Infinity }, (now) => {
        if (read !== undefined && read.sha256 !== now.sha256) failChanged(path);
        read = now;
      }),
    sha256: () => read?.sha256 ?? "",
    close: async () => {
      if (!isOnDisk) await Deno.remove(kept);
    },
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

async function spool({ path, input, signal }: {
  readonly path: string;
  readonly input: ReadableStream<Uint8Array> | undefined;
  readonly signal: AbortSignal;
}): Promise<string> {
  const bytes = input ?? (await Deno.open(path)).readable;
  const kept = await Deno.makeTempFile({ prefix: "titan10-import-" });
  try {
    const file = await Deno.open(kept, { write: true });
    await bytes.pipeTo(file.writable, { signal });
    return kept;
  } catch (error) {
    await Deno.remove(kept);
    throw error;
  }
}

async function* lines(
  { kept, path, signal, bytesMax }: {
    readonly kept: string;
    readonly path: string;
    readonly signal: AbortSignal;
    readonly bytesMax: number;
  },
  onRead: (read: { readonly sha256: string; readonly bytes: number }) => void,
): AsyncGenerator<FileLine, void> {
  const hash = createHash("sha256");
  const file = await explain(path, () => Deno.open(kept));
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
  let isPacked = false;
  let size = 0;
  const bytes = hashed(file.readable, hash, { bytesMax, onBytes: (count) => size += count });
  const pieces = texts(bytes, path, () => isPacked = true);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await explain(path, () => pieces.next());
      if (done === true) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop() ?? "";
      for (const text of parts) yield line(text, true);
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
  if (rest !== "") yield line(rest, isPacked);
  onRead({ sha256: hash.digest("hex"), bytes: size });
}

/** Everything below space but the tab, and DEL. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\0-\x08\x0a-\x1f\x7f-\x9f]/;

async function* hashed(
  bytes: ReadableStream<Uint8Array>,
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

/** Adds the file's name to errors of reading and unpacking. */
async function explain<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const why = fileReason(errorText(error));
    throw new Error(`Cannot read ${printable(path)}: ${printable(why)}`, { cause: error });
  }
}
