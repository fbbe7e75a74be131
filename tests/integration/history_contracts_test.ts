/** Published files of contracts: their own folders, columns and prices. @module */
import assert from "node:assert/strict";
import { LOCAL_CONTRACTS } from "../../lib/local_exchange/contract.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { assertTruth, importsOf, withHistoryScene } from "../support/history_scene.ts";

const SYMBOLS = [
  ["BTC/USDT:USDT", "BTCUSDT"],
  ["BTC/USDT:USDT@mark", "BTCUSDT"],
  ["BTC/USDT:USDT@index", "BTCUSDT"],
  ["BTC/USDT:USDT@premium", "BTCUSDT"],
  ["BTC/USD:BTC", "BTCUSD_PERP"],
  ["BTC/USD:BTC@index", "BTCUSD"],
] as const;

for (const [symbol, id] of SYMBOLS) {
  Deno.test(`files of ${symbol} hold the candles that its API gives`, () =>
    withHistoryScene({ symbols: [...LOCAL_SYMBOLS, ...LOCAL_CONTRACTS] }, async (scene) => {
      const report = await scene.run({ SYMBOLS: symbol, FUNDING: "off" });
      assert.deepEqual([report.left, report.problems], [0, []]);
      await assertTruth(scene, { symbol });
      const months = (await importsOf(scene)).filter((one) =>
        /-5m-(2023-12|2024-01|2024-02)\.zip /.test(one)
      );
      assert.deepEqual(months, [
        `${id}-5m-2023-12.zip 64 8928`,
        `${id}-5m-2024-01.zip 64 8928`,
        `${id}-5m-2024-02.zip 64 8352`,
      ]);
    }));
}

Deno.test("no files are asked for where the settings name another server", () =>
  withHistoryScene({}, async (scene) => {
    const api = { public: `${scene.exchange.url}/api/v3` };
    const report = await scene.run({
      EXCHANGE_BINANCE: JSON.stringify({ urls: { api }, rateLimit: 1 }),
    });
    assert.deepEqual([report.left, report.files, scene.filesAsked()], [0, 0, []]);
  }));
