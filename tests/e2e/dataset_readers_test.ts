/**
 * Programs that people use read a dataset, and find in it what the archive has. TITAN10_PYTHON names a Python that has the
 * packages of .ci/python.txt; ClickHouse and Spark are tried where it has chdb and pyspark.
 * @module
 */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { CHANGED_FILE, proveDataset } from "../support/dataset_proof.ts";
import {
  hasReader,
  PYTHON,
  READER_NAMES,
  type Total,
  totalsBy,
  WITHOUT_PYTHON,
} from "../support/dataset_readers.ts";
import { LARGE_EXCHANGES, largeSymbol, makeLargeArchive } from "../support/large_archive.ts";
import { openPostgres } from "../support/test_database.ts";

const CANDLES = 300_000;

Deno.test({
  name: `readers find in a dataset what the archive has${WITHOUT_PYTHON}`,
  ignore: PYTHON === "",
  async fn(t): Promise<void> {
    const server = await openPostgres();
    if (server === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const root = await Deno.makeTempDir({ prefix: "titan10-dataset-" });
    const folder = `${root}/data set`;
    const database = await openDatabase({
      url: server.url,
      dataDir: "",
      poolMax: 2,
      clock: systemClock,
    });
    try {
      await makeLargeArchive(database, { candles: CANDLES, exchanges: 2, symbols: 4 });
      await t.step(
        "each candle is there, and one that changes has one file written again",
        async () => {
          const { files, changed, first, second } = await proveDataset(server.url, {
            folder,
            scratch: root,
          });
          assert.ok(files >= 2);
          assert.deepEqual(changed, [CHANGED_FILE]);
          for (const { rows, ...differing } of [first, second]) {
            assert.deepEqual(differing, { only_archive: 0, only_dataset: 0, rest: 0 });
            assert.ok(rows > CANDLES * 0.99);
          }
        },
      );
      const part = {
        exchange: LARGE_EXCHANGES[1],
        timeframe: "1m",
        symbol: largeSymbol(0),
        since: "2020-01-15T00:00:00+00:00",
      };
      const [stored] = await database.sql<{ whole: Total; part: Total }[]>`
        select json_build_array(count(*), sum(volume)::float8) as whole,
               (select json_build_array(count(*), sum(volume)::float8) from ohlcv_1m
                where exchange = ${part.exchange} and symbol = ${part.symbol} and time >= ${part.since}) as part
        from ohlcv_1m`;
      for (const reader of READER_NAMES) {
        const isThere = await hasReader(reader);
        await t.step({
          name: `${reader} reads all of it, and a part${isThere ? "" : " (not installed)"}`,
          ignore: !isThere,
          fn: async () => {
            const found = await totalsBy(reader, { folder, ...part });
            for (const which of ["whole", "part"] as const) {
              const [[rows, volume], [storedRows, storedVolume]] = [found[which], stored![which]];
              assert.equal(rows, storedRows);
              // Added in another order.
              assert.ok(
                Math.abs(volume / storedVolume - 1) < 1e-9,
                `${volume} is not ${storedVolume}`,
              );
            }
          },
        });
      }
    } finally {
      await database.close();
      await server.stop();
      await Deno.remove(root, { recursive: true });
    }
  },
});
