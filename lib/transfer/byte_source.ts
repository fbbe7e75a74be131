/** Bytes of a file that can be read again, from a file on disk or from what a stream was written to. @module */
import { printable } from "../text/printable.ts";
import { errorText } from "../text/redact.ts";
import { fileReason } from "../text/system_words.ts";

/** What a table is read from: a file, or a member of an archive. */
export interface ByteSource {
  /** As people call it, in messages. */
  readonly path: string;
  readonly name: string;
  readonly writtenMs: number | undefined;
  /** The file on disk that holds these bytes and no others; undefined if there is none. */
  readonly kept: string | undefined;
  /** All bytes, from the first. Closes what it opened when the caller stops early. */
  readonly bytes: (reading?: Reading) => AsyncGenerator<Uint8Array, void>;
}

/** How bytes are read. */
export interface Reading {
  /**
   * Whether the memory of one chunk may be that of the next: for who is done with each before asking for another. To be set
   * once that is known. Fresh memory for each costs more than reading into it.
   */
  isReused: boolean;
}

/** A file on disk: the user's own, or a temporary one that goes when this is disposed of. */
export class KeptFile implements AsyncDisposable {
  readonly kept: string;
  readonly writtenMs: number | undefined;
  readonly #isTemporary: boolean;

  private constructor(kept: string, writtenMs: number | undefined, isTemporary: boolean) {
    this.kept = kept;
    this.writtenMs = writtenMs;
    this.#isTemporary = isTemporary;
  }

  /** @throws Error */
  static async open(
    path: string,
    { input, signal }: {
      readonly input: ReadableStream<Uint8Array> | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<KeptFile> {
    const info = input === undefined ? await explain(path, () => Deno.stat(path)) : undefined;
    if (info?.isDirectory === true) {
      throw new Error(`Cannot read ${printable(path)}: it is a directory`);
    }
    if (info?.isFile === true) return new KeptFile(path, info.mtime?.getTime(), false);
    return await explain(path, async () => {
      const bytes = input ?? (await Deno.open(path)).readable;
      return await KeptFile.write(bytes, { signal, writtenMs: undefined });
    });
  }

  /** Writes a stream to a temporary file. */
  static async write(
    bytes: ReadableStream<Uint8Array>,
    { signal, writtenMs }: {
      readonly signal: AbortSignal;
      readonly writtenMs: number | undefined;
    },
  ): Promise<KeptFile> {
    const kept = await Deno.makeTempFile({ prefix: "titan10-import-" });
    try {
      const file = await Deno.open(kept, { write: true });
      await bytes.pipeTo(file.writable, { signal });
      return new KeptFile(kept, writtenMs, true);
    } catch (error) {
      await Deno.remove(kept);
      throw error;
    }
  }

  /** Its bytes under the name that people know. */
  source({ path, name }: { readonly path: string; readonly name: string }): ByteSource {
    const { kept, writtenMs } = this;
    return { path, name, writtenMs, kept, bytes: (reading) => fileBytes(kept, path, reading) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isTemporary) await Deno.remove(this.kept);
  }
}

/** Deno reads 64 KiB at a time where it is not told: then a large file costs more for waiting than for reading. */
const CHUNK_BYTES = 256 * 1024;

async function* fileBytes(
  kept: string,
  path: string,
  reading: Reading | undefined,
): AsyncGenerator<Uint8Array, void> {
  using file = await explain(path, () => Deno.open(kept));
  let chunk = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const length = await file.read(chunk);
    if (length === null) return;
    yield chunk.subarray(0, length);
    if (reading?.isReused !== true) chunk = new Uint8Array(CHUNK_BYTES);
  }
}

/** Adds the file's name to errors of reading and unpacking. */
export async function explain<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const why = fileReason(errorText(error));
    throw new Error(`Cannot read ${printable(path)}: ${printable(why)}`, { cause: error });
  }
}
