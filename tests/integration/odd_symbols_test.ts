/** Symbols with spaces, quotes and letters of any script: from the exchange to every door of the archive. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { takeStock } from "../../lib/gap/account.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { LOCAL_SYMBOLS, market } from "../../lib/local_exchange/local_symbol.ts";
import { closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { readCandlesDocument } from "../../lib/serve/chart_answer.ts";
import { csvWriter } from "../../lib/transfer/candle_csv.ts";
import { exportPages } from "../../lib/transfer/candle_export.ts";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import {
  assertSameCandles,
  binanceAt,
  emptyDatabase,
  openTestArchive,
} from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { runInProcess } from "../support/shell.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const HOUR = parseTimeframe("1h");
const HOUR_MS = 3_600_000;

/** As CCXT makes them of the base: in capitals. */
const QUOTED = 'SAY "HI"/USDT';
const SYMBOLS = [
  "FOO BAR/USDT",
  "O'NEIL/USDT",
  QUOTED,
  "BACK\\SLASH/USDT",
  "{A}/USDT",
  "'; DROP TABLE OHLCV_1H;--/USDT",
  "%41&B=C#?/USDT",
  "<B>X/USDT",
  "ВТС/USDT",
  "币安人生/USDT",
  "🐸/USDT",
];

Deno.test("symbols that read oddly are archived when they are named, and read everywhere", async () => {
  const opened = await openAnyTest();
  const clock = new TestClock();
  const [{ base: _base, quote: _quote, symbol: _symbol, ...facts }] = LOCAL_SYMBOLS as [
    typeof LOCAL_SYMBOLS[number],
  ];
  const exchange = await startLocalExchange({
    clock,
    symbols: [...LOCAL_SYMBOLS, ...SYMBOLS.map((symbol) => market(symbol, facts))],
  });
  try {
    await emptyDatabase(opened.database);
    const archive = await openTestArchive(opened.database, {
      EXCHANGES: "binance",
      SYMBOLS: SYMBOLS.join(","),
      TIMEFRAMES: "1h",
      BACKFILL: "1h:20h",
      EXCHANGE_BINANCE: binanceAt(exchange),
    }, clock);
    const [report] = await backfill(archive, { patient: false });
    assert.deepEqual([report?.problems, report?.left, report?.added], [[], 0, 20 * SYMBOLS.length]);
    await repairGaps(archive);
    await takeStock(archive);
    const untilMs = closedUntil(HOUR, START_MS);
    const metrics = await archive.metrics.text();
    for (const symbol of SYMBOLS) {
      const window = { sinceMs: untilMs - 20 * HOUR_MS, untilMs };
      await assertSameCandles(opened.database, exchange, { symbol, timeframe: "1h", window });
      const query = new URLSearchParams(
        String(new URLSearchParams({ exchange: "binance", symbol, timeframe: "1h" })),
      );
      const { candles } = await readCandlesDocument(opened.database, query, { nowMs: START_MS });
      assert.equal(candles.length, 20, symbol);
      // The exposition format's escapes: backslash, quote and line feed.
      const label = `symbol="${symbol.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
      assert(metrics.includes(`titan10_candles_owed{exchange="binance",${label}`), label);
    }

    const everything = {
      ...{
        exchanges: [],
        symbols: [],
        timeframes: [],
        merge: null,
        isFinalOnly: false,
        isMarked: false,
      },
      ...{ sinceMs: null, untilMs: null },
    };
    let csv = "";
    const write = (bytes: Uint8Array): Promise<void> => {
      csv += new TextDecoder().decode(bytes);
      return Promise.resolve();
    };
    const writer = csvWriter({ write } as Parameters<typeof csvWriter>[0], {
      isMerged: false,
      isMarked: false,
    });
    for await (const page of exportPages(opened.database, everything)) await writer.write(page);
    await writer.finish();
    await withAnyArchivePlace(async ({ folder, env }) => {
      await Deno.writeTextFile(`${folder}/candles.csv`, csv);
      const args = ["import", `${folder}/candles.csv`, "--symbol", QUOTED];
      const { code, stdout, stderr } = await runInProcess(args, env);
      assert.equal(code, 0, `${stdout} ${stderr}`);
      const exported = await runInProcess(["export"], env);
      const own = csv.trim().split("\n").filter((line) => line.includes('"SAY ""HI""/USDT"'));
      assert.deepEqual(exported.stdout.trim().split("\n").slice(1), own);
      assert.equal(own.length, 20);
    });
  } finally {
    await exchange.close();
    await opened.drop();
  }
});
