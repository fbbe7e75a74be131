/** Feather files, read back by an independent reader of Arrow. @module */
import assert from "node:assert/strict";
import { tableFromIPC } from "@uwdata/flechette";
import { type FeatherRow, featherWriter } from "../../lib/transfer/feather.ts";
import type { Output } from "../../lib/transfer/output.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { CoarserCandles } from "../../lib/transfer/coarser_candles.ts";

/** What a writer wrote, piece by piece. */
function memory(): Output & { readonly pieces: Uint8Array[] } {
  const pieces: Uint8Array[] = [];
  return {
    pieces,
    write(bytes): Promise<void> {
      pieces.push(bytes);
      return Promise.resolve();
    },
    finish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

function rowOf(n: number): FeatherRow {
  const price = 0.1 + n / 7;
  return [1_704_067_200_000 + 60_000 * n, price, price * 1.01, -price / 3, price / 2, n * 1e-10];
}

async function written(rows: number, pageRows: number): Promise<Uint8Array> {
  const output = memory();
  const writer = featherWriter(output);
  for (let from = 0; from < rows; from += pageRows) {
    const count = Math.min(pageRows, rows - from);
    await writer.write(Array.from({ length: count }, (_, n) => rowOf(from + n)));
  }
  await writer.finish();
  return new Uint8Array(await new Blob(output.pieces as BlobPart[]).arrayBuffer());
}

interface Timestamp {
  readonly unit: number;
  readonly timezone: string;
}

const MILLISECOND = 1;
const NAMES = ["date", "open", "high", "low", "close", "volume"];

// Without rows, one batch that is not full, a full one, and one row more.
for (const rows of [0, 1, 65_536, 65_537, 140_000]) {
  Deno.test(`a feather file of ${rows} rows is read back as it was written`, async () => {
    const table = tableFromIPC(await written(rows, 10_000), { useDate: false });
    assert.deepEqual(table.schema.fields.map(({ name }) => name), NAMES);
    assert.deepEqual(table.schema.fields.map(({ type }) => type.typeId), [10, 3, 3, 3, 3, 3]);
    const { unit, timezone } = table.schema.fields[0]!.type as Timestamp;
    assert.deepEqual([unit, timezone], [MILLISECOND, "UTC"]);
    assert.equal(table.numRows, rows);
    const columns = NAMES.map((name) => [...table.getChild(name)] as number[]);
    for (let n = 0; n < rows; n++) {
      const expected = rowOf(n);
      if (columns.every((column, at) => column[n] === expected[at])) continue;
      assert.deepEqual(columns.map((column) => column[n]), expected, `row ${n}`);
    }
  });
}

/**
 * pyarrow 26 checks the alignment of all metadata, which other readers do not, and found these bytes right:
 * `pa.ipc.open_file(path).read_all().validate(full=True)`.
 */
const VERIFIED = "78285726074f8688a2f569902203bde21fe3d1331bd6206e7e54d9cad817225f";

Deno.test("a feather file is byte for byte the one that the strictest reader verified", async () => {
  const digest = await crypto.subtle.digest(
    "SHA-256",
    await written(70_000, 10_000) as BufferSource,
  );
  assert.equal(new Uint8Array(digest).toHex(), VERIFIED);
});

Deno.test("the pieces of a feather file are no larger than a column of a batch, however many rows it has", async () => {
  const output = memory();
  const writer = featherWriter(output);
  await writer.write(function* (): Generator<FeatherRow> {
    for (let n = 0; n < 200_000; n++) yield rowOf(n);
  }());
  const before = output.pieces.length;
  assert(before > 3 * 6, "batches are written as they are full");
  await writer.finish();
  assert(output.pieces.every(({ length }) => length <= 65_536 * 8));
});

Deno.test("an hour is made of its minutes only when all sixty are there", () => {
  const whole = new CoarserCandles({ from: parseTimeframe("1m"), to: parseTimeframe("1h") });
  const minute = (n: number): FeatherRow => [
    60_000 * n,
    100 + n,
    200 + (n * 37) % 60,
    50 - (n * 23) % 60,
    100.5 + n,
    1,
  ];
  const minutes = (since: number, until: number): FeatherRow[] =>
    Array.from({ length: until - since }, (_, n) => minute(since + n));
  // Begins within an hour; of the third hour one minute is missing; the last is not over.
  const rows = [...minutes(30, 150), ...minutes(151, 260)];
  const hours = [rows.slice(0, 45), rows.slice(45, 100), rows.slice(100)]
    .flatMap((page) => [...whole.take(page)]);
  assert.deepEqual(
    hours,
    [
      [3_600_000, 160, 259, -9, 219.5, 60],
      [3 * 3_600_000, 280, 259, -9, 339.5, 60],
    ],
  );
});
