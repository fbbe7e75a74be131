/** Containers that end too early, wherever: they give no candle that is not true. @module */
import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { readCandleFile } from "../../lib/transfer/candle_file.ts";
import { openTables } from "../../lib/transfer/open_tables.ts";
import { candles, PLAIN, plain, text } from "../support/file_candles.ts";
import { unzipFixture, zip } from "../support/zip_files.ts";

const SERIES = {
  exchange: "kraken",
  symbol: "BTC/USD",
  timeframe: "1m",
  knownExchanges: ["kraken"],
};
const CANDLES = candles(200);
const CSV = text(PLAIN, ...CANDLES.map(plain));
const TRUTH = new Set(CANDLES.map((row) => plain(row).split(",").map(Number).join()));

/** Cuts are this many bytes apart. */
const STEP = 100;

const TYPED = await unzipFixture("typed_tables.zip");

/** What each is, and whether it may be cut without being found out: between two of its rows. */
const CONTAINERS: readonly (readonly [name: string, content: Uint8Array, hasSeams: boolean])[] = [
  ["ZIP", await zip([{ name: "a.csv", content: CSV }, { name: "b.csv", content: CSV }]), false],
  ["ZIP, not packed", await zip([{ name: "a.csv", content: CSV }], { level: 0 }), false],
  ["gzip", new Uint8Array(gzipSync(CSV)), false],
  ["zstd", new Uint8Array(zstdCompressSync(CSV)), false],
  ["Parquet", TYPED.get("arrow small groups.parquet")!, false],
  ["Parquet, not packed", TYPED.get("arrow none.parquet")!, false],
  ["Feather", TYPED.get("arrow batches.feather")!, false],
  ["a stream of Arrow", TYPED.get("arrow stream.arrows")!, false],
  ["JSON", bytes(JSON.stringify(CANDLES.map((row) => plain(row).split(",").map(Number)))), false],
  ["lines of JSON", bytes(text(...CANDLES.map((row) => `[${plain(row)}]`))), true],
  ["CSV", bytes(CSV), true],
  ["CSV of an old Mac", bytes(CSV.replaceAll("\n", "\r")), true],
];

for (const [name, content, hasSeams] of CONTAINERS) {
  Deno.test(`${name} that is cut anywhere gives no candle that is not true`, async () => {
    assert.equal(typeof await read(content), "object", "whole, it is read");
    for (let length = STEP; length < content.length; length += STEP) {
      const found = await read(content.subarray(0, length));
      if (typeof found === "string") continue;
      assert.ok(hasSeams, `cut after ${length} of ${content.length} bytes, it is read`);
      for (const row of found) assert.ok(TRUTH.has(row), `cut after ${length} bytes: ${row}`);
    }
  });
}

/** The candles of a file, or why there are none. */
async function read(content: Uint8Array): Promise<readonly string[] | string> {
  const path = await Deno.makeTempFile({ prefix: "titan10-test-" });
  try {
    await Deno.writeFile(path, content);
    const { signal } = new AbortController();
    const found: string[] = [];
    for await (const table of openTables(path, { input: undefined, signal })) {
      try {
        const { rows } = await readCandleFile(table, SERIES);
        for await (const { row, state } of rows()) {
          if (state === "candle") found.push(row.map(Number).join());
        }
      } finally {
        await table.close();
      }
    }
    return found;
  } catch (error) {
    assert.ok(error instanceof Error && /^Cannot /.test(error.message), String(error));
    return error.message;
  } finally {
    await Deno.remove(path);
  }
}

function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}
