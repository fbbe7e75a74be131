/** What the candle tables take, as a document for `titan10 status --storage --json`. @module */
import type { Database } from "../store/connection/database.ts";
import { readStorage } from "../store/storage.ts";

export interface StorageDocument {
  readonly storage: readonly StorageEntry[];
}

/** One candle table. What concerns chunks is null where TimescaleDB is missing. */
export interface StorageEntry {
  readonly timeframe: string;
  readonly table: string;
  readonly candles: number;
  readonly chunks: number | null;
  readonly compressedChunks: number | null;
  /** What the compressed chunks took before, and after. */
  readonly beforeBytes: number | null;
  readonly afterBytes: number | null;
  /** The one divided by the other; null before the first chunk is compressed. */
  readonly ratio: number | null;
  readonly totalBytes: number;
  /** Uncompressed chunks of the past that are too small to be worth their planning. */
  readonly smallChunks: number | null;
  /** Uncompressed chunks of the past that fill more than a quarter of `shared_buffers`. */
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
