/** The oracle of the fault schedules sees what it is there to see. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { classesOf } from "../../lib/exchange/ancestry.ts";
import { openCcxt } from "../../lib/exchange/ccxt.ts";
import { ALIASES, BINANCE, dialectOf } from "../faults/exchange_class.ts";
import { secondOf } from "../faults/local_markets.ts";
import { judgeSeries, judgeStreamed, judgeViews, SOUND, type Verdict } from "../faults/oracle.ts";
import { busyAnswers } from "../faults/refusing_answers.ts";
import { scheduleOf } from "../faults/schedule.ts";
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
    const judged = async (): Promise<Omit<Verdict, "findings" | "disagreeing">> => {
      const { findings: _, disagreeing: __, ...counts } = await judgeSeries(database, exchange, {
        exchange: "binance",
        symbol: SYMBOL,
        timeframe: "1m",
        window,
      });
      return counts;
    };
    const { findings: _, disagreeing: __, ...sound } = SOUND;
    const at = new Date(window.sinceMs);

    await t.step("nothing, of what is as it should be", async () => {
      assert.deepEqual(await judged(), sound);
    });
    await t.step("what the views say differently, and only then", async () => {
      assert.equal((await judgeViews(archive)).disagreeing, 0);
      await database.sql`update checkpoints set candles = candles + 1`;
      const { findings } = await judgeViews(archive);
      assert.match(findings.join(), /status: candles 121, ohlcv_explained has 120/);
      await database.sql`update checkpoints set candles = candles - 1`;
    });
    await t.step("a candle of a stream that no answer has told of", async () => {
      assert.deepEqual(await judgeStreamed(database, untilMs), SOUND);
      const before = await database.sql`
        update checkpoints as known set unsettled = tstzmultirange(range), streamed = tstzmultirange(range)
        from (select tstzrange(${at}, ${new Date(+at + MINUTE_MS)}) as range) as given
        returning 1`;
      assert.equal(before.length, 1);
      const { unexplained, findings } = await judgeStreamed(database, untilMs);
      assert.equal(unexplained, 1);
      assert.match(
        findings.join(),
        /^1 candles of streams are not confirmed, the first BTC\/USDT 1m/,
      );
      await database.sql`update checkpoints set unsettled = '{}', streamed = '{}'`;
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

Deno.test("the oracle counts candles of a second market under one symbol", async (t) => {
  const exchange = await startLocalExchange({ clock: testClock });
  const { database, drop } = await openAnyTest();
  try {
    const { sql } = database;
    const first = exchange.symbols.all().find(({ symbol }) => symbol === SYMBOL);
    assert(first !== undefined);
    const second = secondOf(first);
    const untilMs = Math.floor(testClock.now() / MINUTE_MS) * MINUTE_MS;
    const replacedAtMs = untilMs - 10 * MINUTE_MS;
    // What is archived from now on is the second market's, from beginning to end.
    exchange.symbols.delist(SYMBOL, { forget: true });
    exchange.symbols.list(second);
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: SYMBOL,
      TIMEFRAMES: "1m",
      BACKFILL: "1m:2h",
      EXCHANGE_BINANCE: binanceAt(exchange),
    });
    await backfill(archive, { patient: false });
    const judged = async (
      ids: readonly (string | undefined)[],
      ended: { readonly replacedAtMs?: number },
    ): Promise<readonly number[]> => {
      await sql`delete from listings`;
      for (const [n, id] of ids.entries()) {
        await sql`insert into listings (exchange, symbol, since, market_id)
          values ('binance', ${SYMBOL}, ${new Date(replacedAtMs + n)}, ${id ?? null})`;
      }
      const { lost, wrong } = await judgeSeries(database, exchange, {
        exchange: "binance",
        symbol: SYMBOL,
        timeframe: "1m",
        window: { sinceMs: untilMs - 60 * MINUTE_MS, untilMs },
        second: { first, second, replacedAtMs: ended.replacedAtMs },
      });
      return [lost, wrong];
    };
    const firstId = "BTCUSDT";

    await t.step("none, where the second was the first to be listed", async () => {
      assert.deepEqual(await judged([second.id], {}), [0, 0]);
    });
    await t.step("all, where both are traded and the first was archived", async () => {
      assert.deepEqual(await judged([firstId], {}), [0, 60]);
    });
    await t.step("those before the first one was replaced", async () => {
      assert.deepEqual(await judged([firstId, second.id], { replacedAtMs }), [0, 50]);
    });
    await t.step("all, where no listing says that another market has begun", async () => {
      assert.deepEqual(await judged([firstId], { replacedAtMs }), [0, 60]);
    });
  } finally {
    await drop();
    await exchange.close();
  }
});

for (const [alias, { exchange: id }] of Object.entries(ALIASES)) {
  Deno.test(`${alias} inherits from the class of ${id}, whose dialect it is tried with`, async () => {
    const ccxt = await openCcxt(alias, { config: {}, spotOnly: true, onCost: () => {} });
    assert.ok(classesOf(ccxt.id).slice(1).includes(id));
    assert.equal(ALIASES[alias], dialectOf(alias));
    assert.ok(busyAnswers(id).length > 2, id);
  });
}

Deno.test("a seed gives the same schedule each time, of wanted faults only", () => {
  const options = { floors: ["exchange"], databases: ["server"] } as const;
  const seeds = Array.from({ length: 200 }, (_, seed) => seed);
  const all = seeds.map((seed) => scheduleOf(seed, options));
  assert.deepEqual(all, seeds.map((seed) => scheduleOf(seed, options)));
  const isWanted = (name: string): boolean => name === "late final";
  const faults = new Set(
    seeds.flatMap((seed) => scheduleOf(seed, { ...options, isWanted }).steps).map(({ fault }) =>
      fault
    ),
  );
  assert.deepEqual([...faults], ["late final"]);
  const exchanges = new Set(all.map(({ exchange }) => exchange));
  assert.deepEqual([...exchanges].sort(), [BINANCE, ...Object.keys(ALIASES)].sort());
});
