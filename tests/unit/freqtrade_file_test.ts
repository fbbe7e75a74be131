/** Names of freqtrade's files, as its own `_pair_data_filename` makes them. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { candleFile, fundingFile, sharedFile } from "../../lib/transfer/freqtrade_file.ts";

function fileOf(exchange: string, symbol: string, timeframe: string): string {
  return candleFile({ exchange, symbol, timeframe: parseTimeframe(timeframe) });
}

Deno.test("a file is named as freqtrade names it, and no name leads out of the folder", () => {
  const named = [
    [fileOf("binance", "BTC/USDT", "1m"), "binance/BTC_USDT-1m.feather"],
    [fileOf("binance", "BTC/USDT", "1M"), "binance/BTC_USDT-1Mo.feather"],
    [fileOf("okx", "A.B$+C@x D/USDT", "1h"), "okx/A_B__C_x_D_USDT-1h.feather"],
    [fileOf("bybit", "BTC/USDT:USDT", "5m"), "bybit/futures/BTC_USDT_USDT-5m-futures.feather"],
    [
      fileOf("bybit", "BTC/USD:BTC-241227@mark", "1h"),
      "bybit/futures/BTC_USD_BTC-241227-1h-mark.feather",
    ],
    [
      fundingFile({ exchange: "okx", symbol: "BTC/USDT:USDT" }),
      "okx/futures/BTC_USDT_USDT-1h-funding_rate.feather",
    ],
    [fileOf("../etc", "../../x/USDT", "1h"), "___etc/______x_USDT-1h.feather"],
  ] as const;
  for (const [file, expected] of named) assert.equal(file, expected);
});

Deno.test("files are shared that a file system may not distinguish", () => {
  const [one, other, third] = ["a/B-1m.feather", "a/b-1m.feather", "c/B-1m.feather"]
    .map((file) => ({ file }));
  assert.deepEqual(sharedFile([one!, third!, other!]), [one, other]);
  assert.equal(sharedFile([one!, third!]), undefined);
});
