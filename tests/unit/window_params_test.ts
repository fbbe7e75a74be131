import assert from "node:assert/strict";
import { windowParams } from "../../lib/exchange/window_params.ts";

const WINDOW = { sinceMs: Date.UTC(2024, 4, 1), untilMs: Date.UTC(2024, 5, 1) };

Deno.test("where CCXT's start is enough, nothing is added to the request", () => {
  assert.deepEqual(windowParams({ exchange: "binance", symbol: "BTC/USDT" }, WINDOW), {});
  assert.deepEqual(windowParams({ exchange: "constructor", symbol: "BTC/USDT" }, WINDOW), {});
});

Deno.test("an exchange that counts back is told the last moment of the window", () => {
  for (const exchange of ["bingx", "bitvavo", "poloniex"]) {
    assert.deepEqual(windowParams({ exchange, symbol: "BTC/USDT" }, WINDOW), {
      until: WINDOW.untilMs - 1,
    }, exchange);
  }
});

Deno.test("upbit is told the exact end of a window of months", () => {
  assert.deepEqual(windowParams({ exchange: "upbit", symbol: "BTC/USDT" }, WINDOW), {
    to: "2024-06-01T00:00:00.000Z",
  });
});

Deno.test("hitbtc is asked for the oldest rows first", () => {
  assert.deepEqual(windowParams({ exchange: "hitbtc", symbol: "BTC/USDT" }, WINDOW), {
    sort: "ASC",
  });
});

Deno.test("the end is named where it was learned to be needed, but not where the table knows better", () => {
  const told = { isUntilSent: true };
  assert.deepEqual(windowParams({ exchange: "nowhere", symbol: "BTC/USDT" }, WINDOW, told), {
    until: WINDOW.untilMs - 1,
  });
  assert.deepEqual(windowParams({ exchange: "hitbtc", symbol: "BTC/USDT" }, WINDOW, told), {
    sort: "ASC",
  });
});

Deno.test("a class is asked as the one it inherits from", () => {
  for (const exchange of ["bequant", "fmfwio"]) {
    assert.deepEqual(
      windowParams({ exchange, symbol: "BTC/USDT" }, WINDOW),
      { sort: "ASC" },
      exchange,
    );
  }
});

Deno.test("of contracts the end is named where CCXT would ask for all candles that a page can hold", () => {
  for (const exchange of ["htx", "mexc"]) {
    assert.deepEqual(windowParams({ exchange, symbol: "BTC/USDT" }, WINDOW), {}, exchange);
    for (const symbol of ["BTC/USDT:USDT", "BTC/USD:BTC"]) {
      const params = windowParams({ exchange, symbol }, WINDOW);
      assert.deepEqual(params, { until: WINDOW.untilMs - 1 }, `${exchange} ${symbol}`);
    }
  }
});
