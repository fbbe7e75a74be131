/** Reads the members of a ZIP archive one by one, from a file on disk of any size. @module */
import * as zlib from "node:zlib";
import type { EntryMetaData } from "@zip.js/zip.js";
import { errorText } from "../text/redact.ts";
import type { ByteSource } from "./byte_source.ts";
import { decoded } from "./file_unpack.ts";
import type { RandomFile } from "./random_file.ts";

/** What zip.js may read at once: the list of half a million members. */
const LIST_BYTES_MAX = 64 * 1024 * 1024;

const CHUNK_BYTES = 256 * 1024;

/** Behind the head of a member, its length of 30 bytes included, come its name and extra fields. */
const HEAD_BYTES = 30;

const METHODS: ReadonlyMap<number, string> = new Map([
  [9, "deflate64"],
  [12, "bzip2"],
  [14, "LZMA"],
  [93, "zstd"],
  [95, "xz"],
  [98, "PPMd"],
]);

/**
 * The members that are files, in the order of the archive's list. What cannot be unpacked fails when it is read.
 *
 * @throws Error when the archive's list of members is damaged.
 */
export async function* zipMembers(
  file: RandomFile,
  archive: Pick<ByteSource, "path" | "writtenMs">,
): AsyncGenerator<ByteSource, void> {
  // On demand: only archives need it.
  const { ZipReader } = await import("@zip.js/zip.js/lib/zip-core-reader.js");
  const reader = new ZipReader(
    {
      size: file.size,
      init: () => Promise.resolve(),
      readUint8Array: (index: number, length: number): Promise<Uint8Array> => {
        if (length > LIST_BYTES_MAX) throw new Error("its list of members is too long");
        return Promise.resolve(file.read(index, Math.min(length, Math.max(0, file.size - index))));
      },
    } as unknown as ConstructorParameters<typeof ZipReader>[0],
  );
  // A name is only text here: nothing is written where it says.
  const entries = reader.getEntriesGenerator({ filenameValidation: "tolerant" });
  for (;;) {
    const { done, value: entry } = await entries.next().catch((error) => failArchive(error));
    if (done === true) return;
    if (entry.filename.startsWith("[Content_Types].xml") || entry.filename.startsWith("xl/")) {
      throw new Error("it is an Excel workbook (.xlsx): save it as CSV first");
    }
    if (entry.directory) continue;
    yield member(file, entry, archive);
  }
}

function failArchive(error: unknown): never {
  const why = errorText(error);
  if (/^Split zip/i.test(why)) {
    throw new Error("it is one part of a split ZIP archive: join its parts first", {
      cause: error,
    });
  }
  if (/encrypted/i.test(why)) {
    throw new Error("it is a ZIP archive whose list of members is encrypted: unpack it first", {
      cause: error,
    });
  }
  if (/^its list/.test(why)) throw error;
  throw new Error(
    "it is a ZIP archive whose end is missing or damaged: the file was cut. Download it again",
    { cause: error },
  );
}

function member(
  file: RandomFile,
  entry: EntryMetaData,
  { path, writtenMs }: Pick<ByteSource, "path" | "writtenMs">,
): ByteSource {
  const { filename } = entry;
  // Only these say the time in UTC.
  const hasUtc = entry.extraField?.has(0x5455) === true || entry.extraField?.has(0x000a) === true;
  return {
    path: `${filename} in ${path}`,
    name: filename.split(/[/\\]/).at(-1) ?? "",
    // The archive is as old as its youngest member, or younger.
    writtenMs: hasUtc ? entry.lastModDate.getTime() : writtenMs,
    kept: undefined,
    bytes: () => unpackedMember(file, entry),
  };
}

/** The member's bytes, proved by their length and their checksum. */
async function* unpackedMember(
  file: RandomFile,
  entry: EntryMetaData,
): AsyncGenerator<Uint8Array, void> {
  const { compressionMethod: method, uncompressedSize, encrypted, crc32 } = entry;
  if (encrypted) throw new Error("it is encrypted: unpack it with its password first");
  if (method !== 0 && method !== 8) {
    throw new Error(
      `it is packed by ${METHODS.get(method) ?? `method ${method}`}: unpack it first`,
    );
  }
  const packed = packedBytes(file, entry);
  let [size, sum] = [0, 0];
  for await (const chunk of method === 0 ? packed : decoded(packed, zlib.createInflateRaw())) {
    size += chunk.length;
    if (size > uncompressedSize) break;
    sum = zlib.crc32(chunk, sum);
    yield chunk;
  }
  if (size !== uncompressedSize || sum !== crc32) {
    throw new Error("its checksum is wrong: the archive is damaged. Download it again");
  }
}

async function* packedBytes(
  file: RandomFile,
  { offset, compressedSize, compressionMethod }: EntryMetaData,
): AsyncGenerator<Uint8Array, void> {
  const head = file.read(offset, HEAD_BYTES);
  const view = new DataView(head.buffer);
  const isHead = view.getUint32(0, true) === 0x04034b50 &&
    view.getUint16(8, true) === compressionMethod;
  if (!isHead) throw new Error("its head is not where the archive says: download it again");
  const begin = offset + HEAD_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
  const end = begin + compressedSize;
  for (let at = begin; at < end; at += CHUNK_BYTES) {
    yield await file.readAndRest(at, Math.min(CHUNK_BYTES, end - at));
  }
}
