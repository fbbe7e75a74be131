/** The oracle of the fault schedules sees what it is there to see. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { judgeSeries, SOUND, type Verdict } from "../faults/oracle.ts";
import { binanceAt, openTestArchive } from "../support/local_archive.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const SYMBOL = "BTC/USDT";

Deno.test("the oracle counts what is lost, wrong, invented and without a reason", async (t) => {
  const exchange = await startLocalExchange({ clock: testClock });
  const { database, drop } = await openAnyTest();
  try {
    const untilMs = Math.floor(testClock.now() / MINUTE_MS) * MINUTE_MS - 5 * MINUTE_MS;
    const window = { sinceMs: untilMs - 60 * MINUTE_MS, untilMs };
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: SYMBOL,
      TIMEFRAMES: "1m",
      BACKFILL: "1m:2h",
      EXCHANGE_BINANCE: binanceAt(exchange),
    });
    await backfill(archive, { patient: false });
    const judged = async (): Promise<Omit<Verdict, "findings">> => {
      const { findings: _, ...counts } = await judgeSeries(database, exchange, {
        symbol: SYMBOL,
        timeframe: "1m",
        window,
      });
      return counts;
    };
    const { findings: _, ...sound } = SOUND;
    const at = new Date(window.sinceMs);

    await t.step("nothing, of what is as it should be", async () => {
      assert.deepEqual(await judged(), sound);
    });
    await t.step("a value that differs in its last digit", async () => {
      await database.sql`update ohlcv_1m set volume = volume + 0.00000001 where time = ${at}`;
      assert.deepEqual(await judged(), { ...sound, wrong: 1 });
      await database.sql`update ohlcv_1m set volume = volume - 0.00000001 where time = ${at}`;
    });
    await t.step("a candle that is gone, and that nobody explains", async () => {
      await database.sql`delete from ohlcv_1m where time = ${at}`;
      assert.deepEqual(await judged(), { ...sound, lost: 1, unexplained: 1 });
    });
    await t.step("a candle that is gone, with a reason that is not true", async () => {
      await database
        .sql`insert into gaps (exchange, symbol, timeframe, since, until, missing, state)
        values ('binance', ${SYMBOL}, '1m', ${at}, ${new Date(+at + MINUTE_MS)}, 1, 'no_trades')`;
      assert.deepEqual(await judged(), { ...sound, lost: 1 });
    });
    await t.step("a candle that the exchange does not have", async () => {
      const [symbol] = exchange.symbols.all();
      assert(symbol !== undefined);
      exchange.symbols.list({ ...symbol, holes: [window] });
      assert.deepEqual(await judged(), { ...sound, wrong: 59 });
    });
  } finally {
    await drop();
    await exchange.close();
  }
});
