/** ZIP archives that tests make, and files out of them. @module */
import {
  BlobReader,
  TextReader,
  Uint8ArrayReader,
  Uint8ArrayWriter,
  ZipReader,
  ZipWriter,
  type ZipWriterAddDataOptions,
} from "@zip.js/zip.js";

interface ZipMember {
  readonly name: string;
  readonly content: string | Uint8Array;
  readonly options?: ZipWriterAddDataOptions;
}

/** An archive of these members, in this order. */
export async function zip(
  members: readonly ZipMember[],
  options: ZipWriterAddDataOptions = {},
): Promise<Uint8Array> {
  const writer = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false, ...options });
  for (const { name, content, options: own } of members) {
    const reader = typeof content === "string"
      ? new TextReader(content)
      : new Uint8ArrayReader(content);
    await writer.add(name, reader, { useWebWorkers: false, ...own });
  }
  return await writer.close();
}

/** The members of an archive in this folder, by name. */
export async function unzipFixture(name: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const bytes = await Deno.readFile(new URL(name, import.meta.url));
  const reader = new ZipReader(new BlobReader(new Blob([bytes])));
  const members = new Map<string, Uint8Array>();
  for (const entry of await reader.getEntries()) {
    if (entry.directory) continue;
    members.set(
      entry.filename,
      await entry.getData(new Uint8ArrayWriter(), { useWebWorkers: false }),
    );
  }
  await reader.close();
  return members;
}
