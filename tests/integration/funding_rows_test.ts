/** The rows of an answer with funding rates: those that were not asked for show what an exchange did with the request. */
import assert from "node:assert/strict";
import { openExchange } from "../../lib/exchange/client.ts";
import { LOCAL_CONTRACTS } from "../../lib/local_exchange/contract.ts";
import type { Dialect } from "../../lib/local_exchange/dialect.ts";
import { binance } from "../../lib/local_exchange/local_binance.ts";
import { startLocalExchange } from "../../lib/local_exchange/server.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";

const SYMBOL = "BTC/USDT:USDT";
const DAY_MS = 24 * 3_600_000;

/** Binance, if it neglected the start of a window: the newest rates before its end come. */
const WITHOUT_START: Dialect = {
  ...binance,
  read: (request) => {
    const query = new URLSearchParams(request.query);
    if (request.path.endsWith("/fundingRate")) query.delete("startTime");
    return binance.read({ ...request, query });
  },
};

Deno.test("rates from before the window reach the judge, where CCXT would leave them out", async () => {
  const clock = new TestClock();
  const exchange = await startLocalExchange({
    clock,
    dialect: WITHOUT_START,
    symbols: LOCAL_CONTRACTS,
  });
  try {
    const client = await openExchange("binance", {
      clock,
      proxyUrl: exchange.proxyUrl,
      symbols: [SYMBOL],
    });
    const list = await client.loadMarkets();
    const window = { sinceMs: START_MS - 2 * DAY_MS, untilMs: START_MS - DAY_MS };
    const { rows, isSinceSent, isUntilSent } = await client.fetchFunding(
      { symbol: SYMBOL, window },
      { list },
    );
    const before = { sinceMs: START_MS - 1_000 * DAY_MS, untilMs: window.untilMs };
    assert.deepEqual(
      rows.map((row) => (row as { readonly fundingRate: string }).fundingRate),
      exchange.funding(SYMBOL, before).slice(-1_000).map(({ rate }) => rate),
    );
    assert.deepEqual([isSinceSent, isUntilSent], [true, true]);
  } finally {
    await exchange.close();
  }
});
