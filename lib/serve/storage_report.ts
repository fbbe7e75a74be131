/** The storage of the candle tables, as a document for `titan10 status --storage --json`. @module */
import type { Database } from "../store/connection/database.ts";
import { readStorage } from "../store/storage.ts";

export interface StorageDocument {
  readonly storage: readonly StorageEntry[];
}

/** One candle table. Fields about chunks are null without TimescaleDB. */
export interface StorageEntry {
  readonly timeframe: string;
  readonly table: string;
  readonly candles: number;
  readonly chunks: number | null;
  readonly compressedChunks: number | null;
  /** Size of the compressed chunks before and after compression. */
  readonly beforeBytes: number | null;
  readonly afterBytes: number | null;
  /** `beforeBytes / afterBytes`; null before the first chunk is compressed. */
  readonly ratio: number | null;
  readonly totalBytes: number;
  /** Old uncompressed chunks that are so small that they only slow down query planning. */
  readonly smallChunks: number | null;
  /** Old uncompressed chunks that fill more than a quarter of `shared_buffers`. */
  readonly largeChunks: number | null;
}

/** @throws StoreError */
export async function readStorageDocument(
  database: Database,
  options: { readonly nowMs: number },
): Promise<StorageDocument> {
  const tables = await readStorage(database, options);
  return {
    storage: tables.map(({ timeframe, table, candles, totalBytes, chunks }) => ({
      timeframe,
      table,
      candles,
      chunks: chunks?.count ?? null,
      compressedChunks: chunks?.compressed ?? null,
      beforeBytes: chunks?.beforeBytes ?? null,
      afterBytes: chunks?.afterBytes ?? null,
      ratio: chunks === undefined || chunks.afterBytes === 0
        ? null
        : chunks.beforeBytes / chunks.afterBytes,
      totalBytes,
      smallChunks: chunks?.small ?? null,
      largeChunks: chunks?.large ?? null,
    })),
  };
}
