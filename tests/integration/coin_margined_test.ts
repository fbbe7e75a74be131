/** Long timeframes of COIN-M, of which one request may span 200 days: years come whole, of every price. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { withKinds } from "../support/dialects/binance_kinds.ts";
import { openTestArchive } from "../support/local_archive.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const PERPETUAL = "BTC/USD:BTC";
const SYMBOLS = [
  PERPETUAL,
  "BTC/USD:BTC-241227",
  ...["mark", "index", "premium"].map((price) => `${PERPETUAL}@${price}`),
];
const TIMEFRAMES = ["12h", "1d", "1w", "1M"];

Deno.test("years of COIN-M candles come whole, and no request spans more than the exchange allows", async () => {
  const opened = await openAnyTest();
  const clock = new TestClock();
  try {
    await withKinds(async ({ exchange }) => {
      const archive = await openTestArchive(opened.database, {
        EXCHANGES: "binance",
        SYMBOLS: SYMBOLS.join(","),
        TIMEFRAMES: TIMEFRAMES.join(","),
        BACKFILL: TIMEFRAMES.map((timeframe) => `${timeframe}:5y`).join(","),
        EXCHANGE_PROXY_URL: exchange.proxyUrl,
        EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
        FUNDING: "off",
      }, clock);
      const [report] = await backfill(archive, { patient: false });
      assert.deepEqual([report?.left, report?.problems], [0, []]);
      assert(exchange.requests.every(({ status }) => status === 200));
      for (const symbol of SYMBOLS) {
        for (const timeframe of TIMEFRAMES) {
          const rows = await opened.database.sql<{ time: Date; prices: string }[]>`
            select time, concat_ws(' ', open, high, low, close) as prices from ohlcv
            where symbol = ${symbol} and timeframe = ${timeframe} order by time`;
          const window = { sinceMs: 0, untilMs: clock.now() };
          const truth = exchange.truth(symbol, parseTimeframe(timeframe), window);
          assert.deepEqual(
            rows.map(({ time, prices }) => [time.getTime(), ...prices.split(" ").map(Number)]),
            truth.map(({ openTimeMs, open, high, low, close }) => [
              openTimeMs,
              ...[open, high, low, close].map(Number),
            ]),
            `${symbol} ${timeframe}`,
          );
          assert(truth.length > 2);
        }
      }
    }, { clock });
  } finally {
    await opened.drop();
  }
});
