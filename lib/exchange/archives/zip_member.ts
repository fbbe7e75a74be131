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
  const { configure, Uint8ArrayReader, ZipReader } = await import("@zip.js/zip.js");
  configure({ useWebWorkers: false });
  const reader = new ZipReader(new Uint8ArrayReader(zip), { checkSignature: true });
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
    let bytes = 0;
    await entry.getData(
      new WritableStream<Uint8Array>({
        write(part): void {
          bytes += part.length;
          // Counted as they come: what the archive says of its size may be wrong.
          if (bytes > TEXT_BYTES_MAX) throw new Error("it is too large");
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
