/** The sizes of the candle tables as text: the last part of `titan10 status --storage`. @module */
import type { StorageDocument, StorageEntry } from "../serve/storage_report.ts";
import { count, table } from "./text.ts";
import { byteText } from "../text/bytes.ts";

/** One line per candle table, at most 80 columns, then the problems with chunks. */
export function renderStorage({ storage }: StorageDocument): string {
  if (storage.length === 0) return "no tables yet";
  const isPlain = storage.every(({ chunks }) => chunks === null);
  const rows = isPlain
    ? table(
      ["TABLE", "CANDLES", "TOTAL"],
      storage.map((row) => [row.table, count(row.candles), byteText(row.totalBytes)]),
      { numeric: [1, 2] },
    )
    : table(
      ["TABLE", "CANDLES", "CHUNKS", "COMPRESSED", "BEFORE", "AFTER", "RATIO", "TOTAL"],
      storage.map((row) => [
        row.table,
        count(row.candles),
        count(row.chunks ?? 0),
        count(row.compressedChunks ?? 0),
        row.ratio === null ? "–" : byteText(row.beforeBytes ?? 0),
        row.ratio === null ? "–" : byteText(row.afterBytes ?? 0),
        row.ratio === null ? "–" : row.ratio.toFixed(1),
        byteText(row.totalBytes),
      ]),
      { numeric: [1, 2, 3, 4, 5, 6, 7] },
    );
  const warnings = storage.flatMap(warningsOf);
  return [rows, ...(warnings.length === 0 ? [] : ["", ...warnings])].join("\n");
}

/** Only chunks that have ended are reported. The current chunks are small because they still grow. */
function warningsOf({ table, smallChunks, largeChunks }: StorageEntry): readonly string[] {
  const warnings: string[] = [];
  if (smallChunks !== null && smallChunks > 0) {
    warnings.push(
      `${table}: ${chunks(smallChunks)} of the past below 1 MB and not compressed:`,
      "  few series share it, and each chunk costs every query a look",
    );
  }
  if (largeChunks !== null && largeChunks > 0) {
    warnings.push(
      `${table}: ${chunks(largeChunks)} of the past above a quarter of shared_buffers and not`,
      "  compressed: lower COMPRESS_AFTER, or give the server more of them",
    );
  }
  return warnings;
}

function chunks(value: number): string {
  return `${count(value)} ${value === 1 ? "chunk" : "chunks"}`;
}
