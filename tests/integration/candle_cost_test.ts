/** What a request for candles costs is found out without sending it: compared with what real classes charge. @module */
import assert from "node:assert/strict";
import { openExchange } from "../../lib/exchange/client.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { TESTED_DIALECTS } from "../support/dialects/tested_dialects.ts";
import { binance, perpetualOf } from "../support/local_exchange/binance.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { TestClock } from "../support/test_clock.ts";

const MINUTE_MS = 60_000;
const MINUTE = parseTimeframe("1m");

/** Twenty classes, and one of them with a second kind of market. */
const CASES: readonly { readonly dialect: Dialect; readonly isFuture?: boolean }[] = [
  ...TESTED_DIALECTS.map((dialect) => ({ dialect })),
  { dialect: binance, isFuture: true },
];

Deno.test("what a request for candles is said to cost is what CCXT charges for it", async () => {
  const costs = new Map<string, number>();
  const [market = assert.fail()] = LOCAL_SYMBOLS;
  const clock = new TestClock();
  const untilMs = Math.floor(clock.now() / MINUTE_MS) * MINUTE_MS;
  for (const { dialect, isFuture } of CASES) {
    const sold = isFuture === true ? perpetualOf(market) : market;
    const exchange = await startLocalExchange({ clock, dialect, symbols: [sold] });
    try {
      const client = await openExchange(dialect.exchange, {
        clock,
        config: { proxyUrl: exchange.proxyUrl },
        symbols: [sold.symbol],
      });
      const list = await client.loadMarkets();
      const charged: number[] = [];
      client.onCost = (cost) => void charged.push(cost);
      const series = { exchange: dialect.exchange, symbol: sold.symbol, timeframe: MINUTE };
      for (const candles of [5, 90, 300]) {
        const window = { sinceMs: untilMs - candles * MINUTE_MS, untilMs };
        const [requestMs] = await client.requestMs([{ series, window }], { list });
        assert.deepEqual(charged, [], "finding out costs nothing");
        await client.fetchCandles(series, window, { list });
        const cost = charged.splice(0).reduce((sum, one) => sum + one, 0);
        assert.equal(
          requestMs,
          Math.ceil(cost * client.requestIntervalMs),
          `${dialect.exchange} ${sold.symbol} ${candles}`,
        );
        costs.set(`${dialect.exchange} ${sold.symbol} ${candles}`, cost);
      }
    } finally {
      await exchange.close();
    }
  }
  assert.equal(costs.size, 3 * CASES.length);
  assert(new Set(costs.values()).size > 3, "they differ: 1 would not do for all");
});
