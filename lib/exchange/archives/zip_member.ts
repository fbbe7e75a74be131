/** Unpacks a ZIP archive that holds one CSV file. @module */
import { Buffer } from "node:buffer";
import * as zlib from "node:zlib";
import type { EntryMetaData } from "@zip.js/zip.js";
import { errorText } from "../../text/redact.ts";
import { FileFaultError } from "./published_file.ts";

/** Twice what a day of seconds takes. */
const TEXT_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The bytes of the only member of an archive, which must have the archive's name.
 *
 * @throws FileFaultError
 */
export async function unpackOnly(zip: Uint8Array, name: string): Promise<Uint8Array> {
  // Loaded with the first file: a program that never reads one does not pay for it.
  const { ZipReader } = await import("@zip.js/zip.js/lib/zip-core-reader.js");
  const bytes = {
    size: zip.length,
    init: () => Promise.resolve(),
    readUint8Array: (index: number, length: number): Promise<Uint8Array> =>
      Promise.resolve(zip.slice(index, index + length)),
    createReadable: ({ offset, size }: Record<"offset" | "size", number>): ReadableStream =>
      ReadableStream.from([zip.slice(offset, offset + size)]),
  } as unknown as ConstructorParameters<typeof ZipReader>[0];
  const reader = new ZipReader(bytes, { checkSignature: true, useWebWorkers: false });
  try {
    const entries = await reader.getEntries();
    const [entry] = entries;
    const member = name.replace(/\.zip$/, ".csv");
    if (entry === undefined || entries.length > 1 || entry.directory || entry.filename !== member) {
      throw new FileFaultError(
        `Cannot use the published file ${name}: it does not hold ${member} alone`,
      );
    }
    const packed: Uint8Array[] = [];
    await entry.getData(
      new WritableStream<Uint8Array>({ write: (part) => void packed.push(part) }),
      { passThrough: true },
    );
    return unpacked(Buffer.concat(packed), entry);
  } catch (error) {
    if (error instanceof FileFaultError) throw error;
    throw new FileFaultError(
      `Cannot use the published file ${name}: it cannot be unpacked: ${errorText(error)}`,
      { cause: error },
    );
  } finally {
    await reader.close().catch(() => {});
  }
}

/** @throws Error */
function unpacked(
  packed: Uint8Array,
  { compressionMethod: method, uncompressedSize, encrypted, crc32 }: EntryMetaData,
): Uint8Array {
  if (encrypted) throw new Error("it is encrypted");
  if (method !== STORED && method !== DEFLATED) throw new Error(`it is packed by method ${method}`);
  if (uncompressedSize > TEXT_BYTES_MAX) throw new Error("it is too large");
  // What the archive says of its size may be wrong. Where it is right, nothing has to be copied.
  const chunkSize = Math.max(CHUNK_BYTES_MIN, uncompressedSize);
  const bytes = method === STORED
    ? packed
    : zlib.inflateRawSync(packed, { maxOutputLength: TEXT_BYTES_MAX, chunkSize });
  if (bytes.length !== uncompressedSize || zlib.crc32(bytes) !== crc32) {
    throw new Error("its checksum is wrong");
  }
  return bytes;
}

/** Less is not allowed. */
const CHUNK_BYTES_MIN = 64;

/** Methods of packing, by the number that archives have for them. */
const [STORED, DEFLATED] = [0, 8];
