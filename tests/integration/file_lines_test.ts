/** A file that changes between being judged and being imported. @module */
import assert from "node:assert/strict";
import { readCandleFile } from "../../lib/transfer/candle_file.ts";
import { openTables } from "../../lib/transfer/open_tables.ts";
import { M, PLAIN, plain, text } from "../support/file_candles.ts";

const SERIES = {
  exchange: "kraken",
  symbol: "BTC/USD",
  timeframe: "1m",
  knownExchanges: ["kraken"],
};
const TEXT = text(PLAIN, ...M.map(plain));

/** Times of the rows that a file gives once it was judged and then changed. */
async function timesAfter(change: (path: string) => Promise<void>): Promise<readonly unknown[]> {
  const path = await Deno.makeTempFile({ prefix: "titan10-test-", suffix: ".csv" });
  try {
    await Deno.writeTextFile(path, TEXT);
    const { signal } = new AbortController();
    for await (const file of openTables(path, { input: undefined, signal })) {
      const judged = await readCandleFile(file, SERIES);
      await change(path);
      return (await Array.fromAsync(judged.rows())).map(({ row }) => row[0]);
    }
    return [];
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("a file that grows after it was judged is imported as it was", async () => {
  const more = `${plain({ ...M[59]!, t: M[59]!.t + 60_000 })}\nand so on`;
  const times = await timesAfter((path) => Deno.writeTextFile(path, more, { append: true }));
  assert.deepEqual(times, M.map(({ t }) => t));
});

Deno.test("a file that is changed after it was judged is refused, without a claim that nothing was stored", async () => {
  for (
    const changed of [
      TEXT.replace(String(M[50]!.t), "not a time"),
      TEXT.replace("400.00", "401.00"),
    ]
  ) {
    await assert.rejects(
      timesAfter((path) => Deno.writeTextFile(path, changed)),
      (error: Error) => {
        assert.match(
          error.message,
          /it has changed while it was read, and rows of it may be stored/,
        );
        assert.doesNotMatch(error.message, /Nothing was stored/);
        return true;
      },
    );
  }
});
