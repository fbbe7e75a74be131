/** A series that is forgotten leaves nothing behind, takes nothing of others with it, and does not come back. @module */
import assert from "node:assert/strict";
import { logger } from "../../lib/telemetry/log.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { planRollups } from "../../lib/market/rollup.ts";
import { compressChunks } from "../../lib/store/compression.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readTimescale } from "../../lib/store/connection/timescale.ts";
import { codeOf, StoreError } from "../../lib/store/connection/store_error.ts";
import { forgetSeries, readForgettable } from "../../lib/store/forget.ts";
import { prepareImportPage } from "../../lib/store/import_page.ts";
import { beginImport, writeImportPage } from "../../lib/store/import_write.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { writeStreamed } from "../../lib/store/streamed_write.ts";
import { arrangeRollups, readRollups, refreshRollup } from "../../lib/store/rollups.ts";
import { holdRows, untilWaiting } from "../support/row_locks.ts";
import { seed } from "../support/seeded.ts";
import { DATABASE_KINDS_AND_ROLES, openTestDatabase } from "../support/test_database.ts";

const MINUTE = parseTimeframe("1m");
const SINCE = "2024-01-01T00:00:00Z";
/** Three chunks. */
const CANDLES = 16_000;
const [GONE, KEPT] = ["BTC/USDT", "ETH/USDT"] as const;
const SERIES = { exchange: "binance", symbol: GONE, timeframe: MINUTE };
const ROLLUPS = ["5m", "1h"];

for (const kind of DATABASE_KINDS_AND_ROLES) {
  Deno.test(`a series can be forgotten in a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    try {
      await steps(t, opened.database);
    } finally {
      await opened.drop();
    }
  });
}

async function steps(t: Deno.TestContext, database: Database): Promise<void> {
  await fill(database);
  const tables = await tablesOfSeries(database);
  await t.step("there are rows of it in every table that has rows of series", async () => {
    // A new table is found here: give it a row in `fill`, and let titan10_forget delete that.
    for (const table of tables) {
      const rows = await rowsOf(database, table);
      assert.notEqual(rows[GONE].length, 0, `${table} has no row of ${GONE} in this test`);
      assert.notEqual(rows[KEPT].length, 0, `${table} has no row of ${KEPT} in this test`);
    }
    assert(tables.length >= 11 && tables.includes("ohlcv_1m"), tables.join());
  });
  await t.step("all of it goes, and nothing of another symbol", async () => {
    const before = await Promise.all(tables.map((table) => rowsOf(database, table)));
    assert.deepEqual(
      (await readForgettable(database, SERIES)).map(({ series, candles }) => [
        series.timeframe.text,
        candles,
      ]),
      [["1m", CANDLES], ["1d", 10]],
    );
    const streamed = await rowsOf(database, "streamed_candles");
    assert.deepEqual([streamed[GONE].length, streamed[KEPT].length], [1, 1]);
    assert.equal(await forgetSeries(database, SERIES), CANDLES);
    assert.deepEqual(await rowsOf(database, "streamed_candles"), { ...streamed, [GONE]: [] });
    const listings = await rowsOf(database, "listings");
    assert.notEqual(
      listings[GONE].length,
      0,
      "what is known of the market goes with its last series",
    );
    const day = { ...SERIES, timeframe: parseTimeframe("1d") };
    assert.equal(await forgetSeries(database, day), 10);
    for (const [at, table] of tables.entries()) {
      const rows = await rowsOf(database, table);
      assert.deepEqual(rows[GONE], [], table);
      assert.deepEqual(rows[KEPT], before[at]![KEPT], table);
    }
    assert.equal(await forgetSeries(database, SERIES), 0);
  });
  await t.step("rollups show it no more, and of others what they did", async () => {
    for (const rollup of await readRollups(database)) {
      const rows = await rowsOf(database, `ohlcv_rollup_${rollup.timeframe.text}`);
      assert.deepEqual(rows[GONE], []);
      const minutes = rollup.timeframe.text === "5m" ? 5 : 60;
      assert.equal(rows[KEPT].length, Math.ceil(CANDLES / minutes));
    }
  });
  await t.step("a page that was asked for before does not bring it back", async () => {
    for (const isNew of [true, false]) {
      await assert.rejects(() => writePage(database, SERIES, page({ isNew })), isForgotten);
    }
    const [candle] = page({ isNew: true }).candles;
    const streamed = [{ series: SERIES, candle: candle!, marketId: "BTCUSDT" }];
    assert.deepEqual(await writeStreamed(database, streamed), ["left"], "nor does a stream");
    await assertGone(database);
    // Archived again on purpose, it begins anew.
    await register(database);
    assert.equal((await writePage(database, SERIES, page({ isNew: true }))).added, 1);
    await forgetSeries(database, SERIES);
  });
  await t.step(
    "nor does a file that the exchange publishes, whether it had begun before or not",
    async () => {
      const { candles } = page({ isNew: true });
      const prepared = prepareImportPage(SERIES, { candles, rejected: [], replaces: false });
      await register(database);
      const begun = await beginImport(database, SERIES, "BTCUSDT-1m.zip", "BTCUSDT");
      await forgetSeries(database, SERIES);
      const begin = beginImport(database, SERIES, "BTCUSDT-1m.zip", "BTCUSDT");
      await assert.rejects(begin, isForgotten);
      for (const isNew of [true, false]) {
        const options = { ...begun, isNew, marketId: "BTCUSDT" };
        await assert.rejects(() => writeImportPage(database, prepared, options), isForgotten);
      }
      await assertGone(database);
    },
  );
  if (database.kind === "embedded") return;
  for (const isNew of [true, false]) {
    const name = isNew ? "new candles" : "candles asked for again";
    await t.step(`a page of ${name} that waits while it is forgotten is refused`, async () => {
      await register(database);
      const holder = await holdRows(database, "checkpoints");
      const forgotten = forgetSeries(database, SERIES);
      await untilWaiting(database, 1);
      const written = writePage(database, SERIES, page({ isNew })).catch((error) => error);
      await untilWaiting(database, 2);
      await holder.release();
      await forgotten;
      assert(isForgotten(await written), String(await written));
      await assertGone(database);
    });
    await t.step(`a page of ${name} that is stored first is forgotten, too`, async () => {
      await register(database);
      const holder = await holdRows(database, "checkpoints");
      const written = writePage(database, SERIES, page({ isNew }));
      await untilWaiting(database, 1);
      const forgotten = forgetSeries(database, SERIES);
      await untilWaiting(database, 2);
      await holder.release();
      assert.equal((await written).added, 1);
      assert.equal(await forgotten, 1);
      await assertGone(database);
    });
  }
}

function isForgotten(error: unknown): boolean {
  return error instanceof StoreError && codeOf(error.cause) === "TT003" &&
    /binance BTC\/USDT 1m was forgotten while it was asked for/.test(error.message);
}

function page({ isNew }: { readonly isNew: boolean }): Parameters<typeof writePage>[2] {
  const openTimeMs = Date.parse(SINCE);
  const value = { open: "1", high: "1", low: "1", close: "1", volume: "1" };
  return {
    candles: [{ openTimeMs, ...value }],
    rejected: [],
    answered: { sinceMs: openTimeMs, untilMs: openTimeMs + 60_000 },
    reachFromMs: undefined,
    isNew,
    knownPage: 1_000_000,
    marketId: "BTCUSDT",
  };
}

async function register({ sql }: Database): Promise<void> {
  await sql`insert into checkpoints (exchange, symbol, timeframe) values ('binance', ${GONE}, '1m')`;
}

async function assertGone(database: Database): Promise<void> {
  for (const table of await tablesOfSeries(database)) {
    assert.deepEqual((await rowsOf(database, table))[GONE], [], table);
  }
}

/**
 * All tables of the archive whose rows are of series or symbols, as the database knows them. A lease is a node's, and its epoch
 * only rises: a page of an older one must not come into a series that is archived anew.
 */
async function tablesOfSeries({ sql }: Database): Promise<readonly string[]> {
  const rows = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and relname <> 'leases'
      and (select count(*) from pg_attribute where attrelid = pg_class.oid and attname in ('exchange', 'symbol')) = 2
    order by relname`;
  return rows.map(({ name }) => name);
}

async function rowsOf(
  { sql }: Database,
  table: string,
): Promise<Readonly<Record<typeof GONE | typeof KEPT, readonly string[]>>> {
  const of = async (symbol: string): Promise<readonly string[]> => {
    const rows = await sql.unsafe<{ row: string }[]>(
      `select row_to_json(entry)::text as row from ${table} as entry where symbol = $1 order by 1`,
      [symbol],
    );
    return rows.map(({ row }) => row);
  };
  return { [GONE]: await of(GONE), [KEPT]: await of(KEPT) };
}

/** Two series of each symbol, with rows in all tables; of candles the older ones compressed, and rolled up. */
async function fill(database: Database): Promise<void> {
  const { sql } = database;
  for (const symbol of [GONE, KEPT]) {
    await seed(database, [
      { exchange: "binance", symbol, timeframe: "1m", since: SINCE, candles: CANDLES },
      { exchange: "binance", symbol, timeframe: "1d", since: SINCE, candles: 10 },
    ]);
    // The newest came over a stream.
    await sql`
      update checkpoints set unsettled = tstzmultirange(tstzrange(last, null)), streamed = tstzmultirange(tstzrange(last, last + interval '1 minute')),
                             covered = covered - tstzmultirange(tstzrange(last, null))
      where symbol = ${symbol} and timeframe = '1m'`;
    const [file] = await sql<{ id: string }[]>`
      insert into imports (file, exchange, symbol, timeframe) values ('a.csv', 'binance', ${symbol}, '1m') returning id`;
    const id = file!.id;
    await sql`
      insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume, import_id)
      values ('binance', ${symbol}, '1m', ${SINCE}, 1, 1, 1, 1, 1, ${id})`;
    await sql`
      insert into rejected_candles (exchange, symbol, timeframe, answered, reason, import_id)
      values ('binance', ${symbol}, '1m', '[]', 'not_six_values', ${id})`;
    await sql`
      insert into import_conflicts (exchange, symbol, timeframe, time, import_id, open, high, low, close, volume)
      values ('binance', ${symbol}, '1m', ${SINCE}, ${id}, 1, 1, 1, 1, 1)`;
    await sql`
      insert into gaps (exchange, symbol, timeframe, since, until, missing)
      values ('binance', ${symbol}, '1m', '2023-12-31', ${SINCE}, 1440)`;
    await sql`
      insert into alerts (alert, exchange, symbol, timeframe, value, threshold, summary, began)
      values ('stale', 'binance', ${symbol}, '1m', 1, 1, 'late', now()),
             ('listing_changed', 'binance', ${symbol}, null, 1, 1, 'another market', now())`;
    await sql`
      insert into events (kind, exchange, symbol, timeframe, time, since, times, text)
      values ('imported', 'binance', ${symbol}, '1m', now(), now(), 1, 'a file'),
             ('relisted', 'binance', ${symbol}, null, now(), now(), 1, 'again')`;
    await sql`
      insert into listings (exchange, symbol, since, market_id)
      values ('binance', ${symbol}, '2020-01-01', ${symbol.replace("/", "")})`;
    await sql`
      insert into funding_checkpoints (exchange, symbol, rates, covered)
      values ('binance', ${symbol}, 1, tstzmultirange(tstzrange(${SINCE}, '2024-01-02')))`;
    await sql`insert into funding_rates values ('binance', ${symbol}, ${SINCE}, 0.0001)`;
    await sql`
      insert into funding_revisions (exchange, symbol, time, rate) values ('binance', ${symbol}, ${SINCE}, 0.0002)`;
    await sql`
      insert into funding_holes (exchange, symbol, since, until, missing)
      values ('binance', ${symbol}, ${SINCE}, '2024-01-02', 2)`;
    await sql`
      insert into recent_pages (exchange, symbol, timeframe, number, first_time, last_time)
      values ('binance', ${symbol}, '1m', 1, ${SINCE}, ${SINCE})`;
    await sql`
      insert into copied_series (exchange, symbol, timeframe, state) values ('binance', ${symbol}, '1m', '')`;
  }
  await arrangeRollups(database, planRollups(ROLLUPS.map(parseTimeframe), [MINUTE]).rollups);
  if (await readTimescale(database) === undefined) return;
  const window = { sinceMs: Date.parse(SINCE), untilMs: Date.parse("2024-01-12T00:00:00Z") };
  for (const rollup of await readRollups(database)) await refreshRollup(database, rollup, window);
  const { compressed } = await compressChunks(database, {
    hypertable: "ohlcv_1m",
    beforeMs: Date.parse("2024-01-09T00:00:00Z"),
    log: logger("test"),
  });
  assert(compressed > 0);
}
