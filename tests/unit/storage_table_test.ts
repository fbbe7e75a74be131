import assert from "node:assert/strict";
import { renderStorage } from "../../lib/cli/storage_table.ts";
import type { StorageEntry } from "../../lib/serve/storage_report.ts";

const LARGE: StorageEntry = {
  timeframe: "15m",
  table: "ohlcv_15m",
  candles: 1_052_560_000,
  chunks: 1_260,
  compressedChunks: 1_258,
  beforeBytes: 123e9,
  afterBytes: 10e9,
  ratio: 12.3,
  totalBytes: 11.4e9,
  smallChunks: 1_000,
  largeChunks: 1_000,
};

Deno.test("a large archive's sizes and warnings fit in 80 columns", () => {
  const text = renderStorage({ storage: [LARGE] });
  assert.match(
    text,
    /^ohlcv_15m +1,052,560,000 +1,260 +1,258 +123 GB +10 GB +12\.3 +11 GB$/m,
  );
  assert.match(text, /1,000 chunks of the past below 1 MB/);
  assert.match(text, /1,000 chunks of the past above a quarter of shared_buffers/);
  assert.deepEqual(text.split("\n").filter((line) => line.length > 80), []);
});

Deno.test("before the first chunk is compressed the table tells no ratio", () => {
  const young = { ...LARGE, compressedChunks: 0, beforeBytes: 0, afterBytes: 0, ratio: null };
  const text = renderStorage({ storage: [{ ...young, smallChunks: 0, largeChunks: 0 }] });
  assert.match(text, /ohlcv_15m +1,052,560,000 +1,260 +0 +– +– +– +11 GB$/);
});

Deno.test("plain PostgreSQL has sizes and no chunks", () => {
  const plain: StorageEntry = {
    ...LARGE,
    chunks: null,
    compressedChunks: null,
    beforeBytes: null,
    afterBytes: null,
    ratio: null,
    smallChunks: null,
    largeChunks: null,
  };
  assert.equal(
    renderStorage({ storage: [plain] }),
    "TABLE            CANDLES  TOTAL\nohlcv_15m  1,052,560,000  11 GB",
  );
});

Deno.test("an archive without tables says so", () => {
  assert.equal(renderStorage({ storage: [] }), "no tables yet");
});
