/** Parts of a Parquet file, and files that change while they are read. @module */
import assert from "node:assert/strict";
import { openTables } from "../../lib/transfer/open_tables.ts";
import { openParquet } from "../../lib/transfer/parquet_table.ts";
import { RandomFile } from "../../lib/transfer/random_file.ts";
import { unzipFixture } from "../support/zip_files.ts";

const TYPED = await unzipFixture("typed_tables.zip");

async function withFile(name: string, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "titan10-test-" });
  try {
    await Deno.writeFile(path, TYPED.get(name)!);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

for (const name of ["arrow small pages.parquet", "arrow small groups.parquet"]) {
  Deno.test(`${name} has the same rows, however many are read at a time`, async () => {
    await withFile(name, async (path) => {
      using file = new RandomFile(path);
      const rows = async (count: number): Promise<readonly string[]> => {
        const { slices } = await openParquet(file, count);
        const found: string[] = [];
        for await (const columns of slices()) {
          assert.ok(columns[0]!.length <= count);
          for (const at of columns[0]!.keys()) found.push(columns.map((one) => one[at]).join());
        }
        return found;
      };
      const all = await rows(1_000);
      assert.equal(all.length, 20);
      assert.equal(all[0], "1709251200000,400,400.5,398,398.75,1.125");
      for (const count of [1, 2, 3, 7, 19]) assert.deepEqual(await rows(count), all);
    });
  });
}

Deno.test("a Parquet file that is changed between two readings is refused", async () => {
  await withFile("arrow none.parquet", async (path) => {
    const { signal } = new AbortController();
    for await (const table of openTables(path, { input: undefined, signal })) {
      const first = await Array.fromAsync(table.lines());
      assert.deepEqual(await Array.fromAsync(table.lines()), first);
      const changed = await Deno.readFile(path);
      changed[100]! ^= 1;
      await Deno.writeFile(path, changed);
      await assert.rejects(Array.fromAsync(table.lines()), /it has changed while it was read/);
      await table.close();
    }
  });
});
