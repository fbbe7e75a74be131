/** The queries of docs/sql.md run as they are written, and say what is true of an archive with holes. @module */
import assert from "node:assert/strict";
import { planRollups } from "../../lib/market/rollup.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { arrangeRollups } from "../../lib/store/rollups.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { joinNode } from "../support/joined_node.ts";
import { passagesOf } from "../support/markdown.ts";
import { seed } from "../support/seeded.ts";
import { openAnyTest } from "../support/test_database.ts";

type Row = Readonly<Record<string, unknown>>;

const DAY = { timeframe: "1m", since: "2024-03-01T00:00:00Z", candles: 1440 };

const COOKBOOK = await Deno.readTextFile(new URL("../../docs/sql.md", import.meta.url));

Deno.test("every query of the SQL cookbook runs and answers something", async (t) => {
  const opened = await openAnyTest();
  const { database } = opened;
  try {
    await seedWithHoles(database);
    await joinNode(database, { egress: "db1" });
    const answers = new Map<string, (readonly Row[])[]>();
    for (const { heading, text, language } of passagesOf(COOKBOOK)) {
      if (language !== "sql") continue;
      const rows = await database.sql.unsafe<Row[]>(text);
      assert(rows.length > 0, `under "${heading}" this has no rows:\n${text}`);
      answers.set(heading, [...answers.get(heading) ?? [], rows]);
    }
    const rowsOf = (heading: string, index = 0): readonly Row[] => answers.get(heading)![index]!;

    await t.step("a node has the lead and symbols", () => {
      const counts = rowsOf("Who works on what").map((
        { exchange, symbols },
      ) => [exchange, symbols]);
      assert.deepEqual(counts, [["", "1"], ["binance", "4"]]);
    });
    await t.step("a market without a candle is null, not the price before", () => {
      const at = rowAt(rowsOf("One column a market"), "2024-03-01T00:10:00Z");
      assert.equal(at.binance_btc, null);
      assert.equal(typeof at.kraken_btc, "string");
    });
    await t.step("no return goes over a hole", () => {
      const returns = rowsOf("Returns");
      assert.equal(rowAt(returns, "2024-03-01T00:12:00Z").log_return, null);
      assert.notEqual(rowAt(returns, "2024-03-01T00:13:00Z").log_return, null);
      assert.equal(returns.filter(({ log_return }) => log_return === null).length, 3);
    });
    await t.step("a candle is known when it has closed", () => {
      const [early, late] = rowsOf("Prices as of a time");
      assert.equal(early!.close, null);
      assert.equal(new Date(String(late!.closed_at)).toISOString(), "2024-03-01T06:00:00.000Z");
    });
    await t.step("a revision that came later is not known yet", () => {
      const known = rowsOf("Prices as of a time", 1);
      assert.equal(rowAt(known, "2024-03-01T01:00:00Z").close, "39000");
    });
    await t.step("a coarser candle says how many are missing", () => {
      assert.equal(Number(rowsOf("Coarser candles")[0]!.candles), 13);
      assert.equal(Number(rowsOf("Coarser candles")[2]!.candles), 15);
    });
    await t.step("a close is carried on where nobody traded, and nowhere else", () => {
      const minutes = rowsOf("Every minute a row");
      assert.equal(minutes.length, 1440);
      assert.equal(
        rowAt(minutes, "2024-03-01T00:11:00Z").close,
        rowAt(minutes, "2024-03-01T00:09:00Z").close,
      );
      assert.equal(rowAt(minutes, "2024-03-01T02:00:00Z").close, null);
    });
    await t.step("what came over a stream is marked, and can be left out", () => {
      const [all, hours, final] = [0, 1, 2].map((n) => rowsOf("Without what may still change", n));
      assert.deepEqual(all!.slice(-3).map(({ provisional }) => provisional), [false, false, true]);
      assert.equal(hours!.length, 23);
      assert.equal(final!.length, 58);
    });
    await t.step(
      "a long position pays a rate of the price before it, and gets a negative one",
      () => {
        const [month] = rowsOf("Funding rates");
        assert.deepEqual([Number(month!.paid), Number(month!.payments)], [-12, 2]);
      },
    );
    await t.step("another exchange stands in for a missing candle", () => {
      const sources = rowsOf("Several exchanges as one").map(({ sources }) => sources);
      assert.deepEqual(sources, ["{okx}", "{okx}", "{okx}"]);
    });
  } finally {
    await opened.drop();
  }
});

/** A day of three exchanges. On the first nobody traded for two minutes, and one minute later was rejected. */
async function seedWithHoles(database: Database): Promise<void> {
  await seed(database, [
    { exchange: "binance", symbol: "BTC/USDT", ...DAY },
    { exchange: "okx", symbol: "BTC/USDT", ...DAY },
    { exchange: "kraken", symbol: "BTC/USD", ...DAY },
  ]);
  const { sql } = database;
  const { rollups } = planRollups([parseTimeframe("1h")], [parseTimeframe("1m")]);
  await arrangeRollups(database, rollups);
  // The newest candle came over a stream, the one before it by a poll right after its close.
  await sql`
    update checkpoints set unsettled = '{[2024-03-01 23:58Z,2024-03-02Z)}', streamed = '{[2024-03-01 23:59Z,2024-03-02Z)}'
    where exchange = 'binance'`;
  await sql`
    delete from ohlcv_1m
    where exchange = 'binance'
      and time in ('2024-03-01 00:10Z', '2024-03-01 00:11Z', '2024-03-01 02:00Z')`;
  await sql`
    insert into gaps (exchange, symbol, timeframe, since, until, state, missing)
    values ('binance', 'BTC/USDT', '1m', '2024-03-01 00:10Z', '2024-03-01 00:12Z', 'no_trades', 2),
           ('binance', 'BTC/USDT', '1m', '2024-03-01 02:00Z', '2024-03-01 02:01Z', 'rejected', 1),
           ('okx', 'BTC/USDT', '1m', '2024-03-02 00:00Z', '2024-03-02 00:05Z', 'suspected', 5)`;
  await sql`
    insert into candle_revisions (exchange, symbol, timeframe, time, revised_at, open, high, low, close, volume)
    values ('binance', 'BTC/USDT', '1m', '2024-03-01 01:00Z', '2024-03-06 00:00Z', 39000, 39000, 39000, 39000, 1)`;
  await sql`
    insert into rejected_candles (exchange, symbol, timeframe, answered, reason, time, times)
    values ('binance', 'BTC/USDT', '1m', '[]', 'high_below_low', '2024-03-01 02:00Z', 1)`;
  // The rate of 16:00 is missing.
  await sql`
    insert into ohlcv_1m (time, exchange, symbol, open, high, low, close, volume)
    select time, 'binance', 'BTC/USDT:USDT', 60000, 60000, 60000, 60000, 1
    from unnest(array['2024-03-01 07:59Z', '2024-03-01 23:59Z']::timestamptz[]) as time`;
  await sql`
    insert into funding_rates values ('binance', 'BTC/USDT:USDT', '2024-03-01 08:00:00.003Z', 0.0001),
                                     ('binance', 'BTC/USDT:USDT', '2024-03-02 00:00Z', -0.0003)`;
  await sql`
    insert into funding_holes (exchange, symbol, since, until, missing)
    values ('binance', 'BTC/USDT:USDT', '2024-03-01 08:00:00.004Z', '2024-03-02 00:00Z', 1)`;
}

function rowAt(rows: readonly Row[], time: string): Row {
  const row = rows.find((row) => Date.parse(String(row.time)) === Date.parse(time));
  assert(row !== undefined, `no row at ${time}`);
  return row;
}
