/** What a page of a file means for its series: its market, and where the exchange's candles begin. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { isOfOtherMarket } from "../../lib/store/connection/store_error.ts";
import { prepareImportPage } from "../../lib/store/import_page.ts";
import { beginImport, writeImportPage } from "../../lib/store/import_write.ts";
import { seed } from "../support/seeded.ts";
import { DATABASE_KINDS, openAnyTest, openTestDatabase } from "../support/test_database.ts";

const SERIES = {
  exchange: "binance",
  symbol: "BTC/USDT",
  timeframe: parseTimeframe("1m"),
} as const;
const VALUES = { open: "1", high: "1", low: "1", close: "1", volume: "1" };

Deno.test("a file of candles that are stored already does not have the exchange's beginning searched again", async () => {
  const opened = await openAnyTest();
  const { database } = opened;
  try {
    await seed(database, [{
      ...{ exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" },
      ...{ since: "2024-01-01T00:00:00Z", candles: 10 },
    }]);
    await database.sql`update checkpoints set listed_from = first`;
    const { id } = await beginImport(database, SERIES, "again.csv");
    const listedAfter = async (openTimeMs: number): Promise<boolean> => {
      const candles = [{ openTimeMs, ...VALUES }];
      const page = prepareImportPage(SERIES, { candles, rejected: [], replaces: false });
      await writeImportPage(database, page, { id, isNew: false });
      const [row] = await database.sql`select listed_from from checkpoints`;
      return row?.["listed_from"] !== null;
    };
    assert.equal(await listedAfter(Date.UTC(2024, 0, 1)), true);
    assert.equal(await listedAfter(Date.UTC(2023, 11, 31)), false);
  } finally {
    await opened.drop();
  }
});

for (const kind of DATABASE_KINDS) {
  Deno.test(`a published file of a former market is refused, one that a user imports is not: ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const { database } = opened;
    try {
      const { symbol, exchange } = SERIES;
      await seed(database, [{
        ...{ exchange, symbol, timeframe: "1m", since: "2024-01-01T00:00:00Z", candles: 10 },
      }]);
      await database.sql`
        insert into listings (exchange, symbol, market_id, since)
        values (${exchange}, ${symbol}, 'BTCUSDT', '2024-01-01'), (${exchange}, ${symbol}, 'BTC2USDT', '2024-02-01')`;
      const candles = [{ openTimeMs: Date.UTC(2023, 11, 31), ...VALUES }];
      const page = prepareImportPage(SERIES, { candles, rejected: [], replaces: false });
      const { id } = await beginImport(database, SERIES, "BTCUSDT-1m-2023-12.zip", "BTCUSDT");
      for (const isNew of [true, false]) {
        const write = (): Promise<unknown> =>
          writeImportPage(database, page, { id, isNew, marketId: "BTCUSDT" });
        await assert.rejects(write, isOfOtherMarket);
      }
      const count = async (): Promise<unknown> =>
        (await database.sql`select count(*)::int as candles from ohlcv_1m`)[0]?.["candles"];
      assert.equal(await count(), 10);
      for (const marketId of ["BTC2USDT", undefined]) {
        await writeImportPage(database, page, { id, isNew: true, marketId });
        assert.equal(await count(), 11);
      }
    } finally {
      await opened.drop();
    }
  });
}

Deno.test("pages of several files of one series are stored at once, and none waits for another in a circle", async (t) => {
  const opened = await openTestDatabase("postgres");
  if (opened === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const { database } = opened;
  try {
    await seed(database, [{
      ...{ exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" },
      ...{ since: "2024-01-01T00:00:00Z", candles: 10 },
    }]);
    const { exchange, symbol } = SERIES;
    const marketId = "BTCUSDT";
    await database.sql`
      insert into listings (exchange, symbol, market_id, since) values (${exchange}, ${symbol}, ${marketId}, '2020-01-01')`;
    const files = Array.from({ length: 4 }, async (_, file) => {
      const { id } = await beginImport(database, SERIES, `${file}.zip`, marketId);
      for (let day = 0; day < 25; day++) {
        const sinceMs = Date.UTC(2023, file, 1 + day);
        const candles = Array.from(
          { length: 300 },
          (_, at) => ({ openTimeMs: sinceMs + at * 60_000, ...VALUES }),
        );
        const page = prepareImportPage(SERIES, { candles, rejected: [], replaces: false });
        await writeImportPage(database, page, { id, isNew: true, marketId });
      }
    });
    await Promise.all(files);
    const [row] = await database.sql`
      select pg_stat_clear_snapshot()::text, pg_stat_get_db_deadlocks(oid)::int as deadlocks,
             (select candles::int from checkpoints) as candles
      from pg_database where datname = current_database()`;
    assert.deepEqual([row?.["deadlocks"], row?.["candles"]], [0, 10 + 4 * 25 * 300]);
  } finally {
    await opened.drop();
  }
});
