/** Compresses what goes to an output, as it comes. @module */
import { constants, createGzip, createZstdCompress } from "node:zlib";
import type { Output } from "./output.ts";

export const COMPRESSIONS = ["gzip", "zstd"] as const;

export type Compression = (typeof COMPRESSIONS)[number];

/** Of what a program writes at once; no part of CSV is longer for long. */
const CHUNK_BYTES = 64 * 1024;

/** An output whose bytes arrive compressed. @throws Error when this runtime does not have the compression. */
export function compressedOutput(output: Output, compression: Compression): Output {
  const stream = compressor(compression);
  const passing = (async (): Promise<void> => {
    for await (const bytes of stream as AsyncIterable<Uint8Array>) await output.write(bytes);
  })();
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  passing.catch(reject);
  // Told of by the loop above, too.
  stream.on("error", reject);
  return {
    async write(bytes): Promise<void> {
      const { promise: taken, resolve } = Promise.withResolvers<void>();
      stream.write(bytes, () => resolve());
      await Promise.race([taken, failed]);
    },
    async finish(): Promise<void> {
      stream.end();
      await Promise.race([passing, failed]);
      await output.finish();
    },
    async close(): Promise<void> {
      stream.destroy();
      await passing.catch(() => {});
      await output.close();
    },
  };
}

function compressor(
  compression: Compression,
): ReturnType<typeof createGzip | typeof createZstdCompress> {
  if (compression === "gzip") return createGzip({ chunkSize: CHUNK_BYTES });
  try {
    return createZstdCompress({
      chunkSize: CHUNK_BYTES,
      // Readers then notice a file that was changed.
      params: { [constants.ZSTD_c_checksumFlag]: 1 },
    });
  } catch (error) {
    throw new Error(
      "Cannot compress with zstd: this version of Deno does not have it. Use gzip, or a newer Deno",
      { cause: error },
    );
  }
}
