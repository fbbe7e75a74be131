/** Exchanges that answer otherwise than CCXT's class of them assumes: what is archived is the truth all the same. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { readAccounts } from "../../lib/gap/account.ts";
import { newestCandlesMax } from "../../lib/exchange/limits.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { binance } from "../support/local_exchange/binance.ts";
import { bitrue } from "../support/dialects/bitrue.ts";
import { digifinex } from "../support/dialects/digifinex.ts";
import { ndax } from "../support/dialects/ndax.ts";
import { assertSameCandles, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import type { Dialect, PageRow } from "../support/local_exchange/dialect.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

/** CCXT reads the time of day itself: some classes choose an endpoint by it. */
Date.now = () => testClock.now();

const DIALECTS: Readonly<Record<string, Dialect>> = {
  "ndax: rows begin with the candle's end": ndax,
  "bitrue: the newest rows before an end, without an end those before now": bitrue,
};

/** Hours fit into one page, minutes do not. */
const REACHES = { "1m": 3 * 24 * 60, "1h": 120 };

Deno.test("a backfill has every candle at its time, and a second one asks for the newest alone", async (t) => {
  const opened = await openAnyTest();
  try {
    for (const [name, dialect] of Object.entries(DIALECTS)) {
      await t.step(name, async () => {
        await emptyDatabase(opened.database);
        testClock.restart();
        const exchange = await startLocalExchange({ clock: testClock, dialect });
        try {
          const archive = await openTestArchive(opened.database, {
            EXCHANGES: dialect.exchange,
            SYMBOLS: "BTC/USDT",
            TIMEFRAMES: Object.keys(REACHES).join(),
            BACKFILL: "1m:3d,1h:5d",
            EXCHANGE_PROXY_URL: exchange.proxyUrl,
            [`EXCHANGE_${dialect.exchange.toUpperCase()}`]: JSON.stringify({ rateLimit: 1 }),
          });
          const [report] = await backfill(archive, { patient: false });
          assert.deepEqual([report?.left, report?.problems], [0, []]);
          for (const [text, candles] of Object.entries(REACHES)) {
            const timeframe = parseTimeframe(text);
            const untilMs = closedUntil(timeframe, testClock.now());
            const window = { sinceMs: addCandles(timeframe, untilMs, -candles), untilMs };
            await assertSameCandles(opened.database, exchange, {
              exchange: dialect.exchange,
              symbol: "BTC/USDT",
              timeframe: text,
              window,
            });
          }
          const before = exchange.requests.length;
          await backfill(archive, { patient: false });
          const again = exchange.requests.slice(before).filter(({ path }) =>
            !/instruments|exchangeInfo/i.test(path)
          );
          // The newest minutes were not final.
          assert.ok(again.length <= 1, JSON.stringify(again));
        } finally {
          await exchange.close();
        }
      });
    }
  } finally {
    await opened.drop();
  }
});

Deno.test("digifinex: perpetuals, of which only the newest rows come, are not judged by spot's answers", async () => {
  const opened = await openAnyTest();
  testClock.restart();
  const exchange = await startLocalExchange({ clock: testClock, dialect: digifinex });
  try {
    const archive = await openTestArchive(opened.database, {
      EXCHANGES: "digifinex",
      SYMBOLS: "BTC/USDT,BTC/USDT:USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "1m:1d",
      EXCHANGE_PROXY_URL: exchange.proxyUrl,
      EXCHANGE_DIGIFINEX: JSON.stringify({ rateLimit: 1 }),
    });
    const [report] = await backfill(archive, { patient: false });
    assert.deepEqual([report?.left, report?.problems], [0, []]);
    const nowMs = testClock.now();
    const accounts = await readAccounts(opened.database, {
      config: archive.config,
      nowMs,
      newestCandlesMax,
    });
    const told = accounts.map(({ series, candles, reasons, missing }) => [
      series.symbol,
      { candles, reasons, missing },
    ]);
    // Of a hundred rows one is the candle that is forming.
    assert.deepEqual(Object.fromEntries(told), {
      "BTC/USDT": { candles: 1_440, reasons: {}, missing: 0 },
      "BTC/USDT:USDT": { candles: 99, reasons: { retention: 1_440 - 99 }, missing: 0 },
    });
  } finally {
    await exchange.close();
    await opened.drop();
  }
});

/** Binance, if it changed the unit of its times. */
function inUnit(perMs: number): Dialect {
  return {
    ...binance,
    read: (request) => {
      const ask = binance.read(request);
      if (ask?.about !== "candles") return ask;
      const changed = (row: PageRow): PageRow => ({ ...row, openTimeMs: row.openTimeMs * perMs });
      return { ...ask, render: (rows: readonly PageRow[]) => ask.render(rows.map(changed)) };
    },
  };
}

for (const [unit, perMs] of [["seconds", 1 / 1_000], ["microseconds", 1_000]] as const) {
  Deno.test(`times that come in ${unit} answer for no window: all of it stays owed`, async () => {
    const opened = await openAnyTest();
    testClock.restart();
    const exchange = await startLocalExchange({ clock: testClock, dialect: inUnit(perMs) });
    try {
      const archive = await openTestArchive(opened.database, {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1m",
        BACKFILL: "1m:3d",
        EXCHANGE_PROXY_URL: exchange.proxyUrl,
        EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
      });
      const [report] = await backfill(archive, { patient: false });
      // The newest two may still change.
      assert.equal(report?.left, 3 * 24 * 60 - 2);
      assert.deepEqual((await readCheckpoints(opened.database)).map(({ covered }) => covered), [
        [],
      ]);
    } finally {
      await exchange.close();
      await opened.drop();
    }
  });
}
