/** Unpacks a ZIP archive that holds one CSV file. @module */
import { errorText } from "../../text/redact.ts";
import { FileFaultError } from "./published_file.ts";

/** Twice what a day of seconds takes. */
const TEXT_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The text of the only member of an archive, which must have the archive's name.
 *
 * @throws FileFaultError
 */
export async function unpackOnly(zip: Uint8Array, name: string): Promise<string> {
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
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let text = "";
    let length = 0;
    await entry.getData(
      new WritableStream<Uint8Array>({
        write(part): void {
          length += part.length;
          // Counted as they come: what the archive says of its size may be wrong.
          if (length > TEXT_BYTES_MAX) throw new Error("it is too large");
          text += decoder.decode(part, { stream: true });
        },
      }),
    );
    return text + decoder.decode();
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
