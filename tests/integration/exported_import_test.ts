/** What `titan10 export` writes, `titan10 import` reads: every candle as it was, in every format of one file. @module */
import assert from "node:assert/strict";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { seed } from "../support/seeded.ts";
import { runInProcess } from "../support/shell.ts";

const SERIES = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1h" };
const CANDLES = 2_000;

Deno.test("exported candles are imported as they were", (t) =>
  withAnyArchivePlace(async (from) => {
    await from.withDatabase((database) =>
      seed(database, [{ ...SERIES, since: "2024-01-01T00:00:00Z", candles: CANDLES }])
    );
    const whole = (await runInProcess(["export"], from.env)).stdout;
    for (const name of ["all.csv", "all.csv.gz", "all.csv.zst", "all.parquet"]) {
      await t.step(`from ${name}`, async () => {
        const path = `${from.folder}/${name}`;
        const written = await runInProcess(["export", "-o", path], from.env);
        assert.equal(written.code, 0, written.stderr);
        await withAnyArchivePlace(async ({ env }) => {
          const taken = await runInProcess(["import", path], env);
          assert.equal(taken.code, 0, `${taken.stdout}\n${taken.stderr}`);
          const again = await runInProcess(["export"], env);
          // Doubles of Parquet hold 15 digits, which these candles do not exceed; they have no zeros at the end.
          const plain = (text: string): readonly string[] =>
            text.split("\n").slice(1).map((line) =>
              line.split(",").map((cell) => /^[\d.]+$/.test(cell) ? String(Number(cell)) : cell)
                .join()
            );
          if (name === "all.parquet") assert.deepEqual(plain(again.stdout), plain(whole));
          else assert.equal(again.stdout, whole);
        });
      });
    }
  }));
