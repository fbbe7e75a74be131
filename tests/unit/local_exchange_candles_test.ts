/** The truth of the local exchange: candles without state that still tell one story. @module */
import assert from "node:assert/strict";
import { addCandles, floorTime, isAligned, parseTimeframe } from "../../lib/market/timeframe.ts";
import { candleAt, type LocalCandle, tickerAt } from "../../lib/local_exchange/price_walk.ts";
import {
  closedCandles,
  formingCandle,
  type History,
  page,
} from "../../lib/local_exchange/history.ts";
import { LOCAL_SYMBOLS, type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A Monday, and the first of a month. */
const START_MS = Date.UTC(2024, 0, 1);

const TIMEFRAMES = ["1s", "1m", "5m", "1h", "4h", "1d", "1w", "1M"];
const [BTC, ETH] = LOCAL_SYMBOLS as readonly [LocalSymbol, LocalSymbol];

Deno.test("the same candle asked twice, in any order, is the same candle", () => {
  const minute = parseTimeframe("1m");
  const forward = series(BTC, "1m", 100);
  const backward = series(BTC, "1m", 100).map((_, index) =>
    candleAt(BTC, minute, START_MS + (99 - index) * MINUTE_MS)
  );
  assert.deepEqual(forward, backward.toReversed());
});

Deno.test("two symbols and two timeframes do not share their candles", () => {
  assert.notDeepEqual(series(BTC, "1m", 10), series(ETH, "1m", 10));
  assert.notEqual(
    candleAt(BTC, parseTimeframe("1m"), START_MS).volume,
    candleAt(BTC, parseTimeframe("5m"), START_MS).volume,
  );
});

Deno.test("every candle is valid: positive, its range around open and close, on the tick", () => {
  for (const symbol of LOCAL_SYMBOLS) {
    for (const text of TIMEFRAMES) {
      for (const candle of series(symbol, text, 200)) {
        assertValid(symbol, candle);
      }
    }
  }
});

Deno.test("prices and volumes are written with eight decimals and never as 7.12e-6", () => {
  const pepe = LOCAL_SYMBOLS.find(({ symbol }) => symbol === "PEPE/USDT");
  assert.ok(pepe !== undefined);
  for (const symbol of [BTC, pepe]) {
    for (const candle of series(symbol, "1h", 50)) {
      const { open, high, low, close, volume, quoteVolume } = candle;
      for (const text of [open, high, low, close, volume, quoteVolume]) {
        assert.match(text, /^\d+\.\d{8}$/);
      }
    }
  }
});

Deno.test("about one candle in seven shorter than a day is flat, and no day is", () => {
  for (const text of ["1m", "1h"]) {
    const candles = series(BTC, text, 5_000);
    const share = candles.filter(isFlat).length / candles.length;
    assert.ok(Math.abs(share - 1 / 7) < 0.02, `${text}: ${share}`);
  }
  assert.deepEqual(series(BTC, "1d", 1_000).filter(isFlat), []);
});

Deno.test("some flat candles have no trades and no volume", () => {
  const flat = series(BTC, "1m", 1_000).filter(isFlat);
  const silent = flat.filter(({ volume }) => volume === "0.00000000");
  assert.ok(silent.length > 0 && silent.length < flat.length);
  assert.ok(silent.every(({ trades, quoteVolume }) => trades === 0 && Number(quoteVolume) === 0));
});

Deno.test("a candle opens where the one before it closed, unless that one was flat", () => {
  for (const text of TIMEFRAMES) {
    const candles = series(BTC, text, 500);
    candles.forEach((candle, index) => {
      const before = candles[index - 1];
      if (before === undefined || isFlat(before)) return;
      assert.equal(candle.open, before.close, `${text} ${candle.openTimeMs}`);
    });
  }
});

Deno.test("a day opens as its first minute does and closes as its last one does", () => {
  const minute = parseTimeframe("1m");
  let compared = 0;
  for (const day of series(ETH, "1d", 50)) {
    assert.equal(day.open, candleAt(ETH, minute, day.openTimeMs).open);
    const last = candleAt(ETH, minute, day.openTimeMs + DAY_MS - MINUTE_MS);
    if (isFlat(last)) continue;
    assert.equal(day.close, last.close);
    compared++;
  }
  assert.ok(compared > 30);
});

Deno.test("a day's range holds the open and the close of all its hours", () => {
  const hour = parseTimeframe("1h");
  for (const day of series(BTC, "1d", 50)) {
    for (
      let openTimeMs = day.openTimeMs;
      openTimeMs < day.openTimeMs + DAY_MS;
      openTimeMs += HOUR_MS
    ) {
      for (
        const price of [candleAt(BTC, hour, openTimeMs).open, candleAt(BTC, hour, openTimeMs).close]
      ) {
        assert.ok(Number(price) <= Number(day.high) && Number(price) >= Number(day.low));
      }
    }
  }
});

Deno.test("a price stays near its scale for decades", () => {
  const month = parseTimeframe("1M");
  for (const symbol of LOCAL_SYMBOLS) {
    for (let index = 0; index < 12 * 60; index++) {
      const { close } = candleAt(symbol, month, Date.UTC(1990, index));
      const ratio = Number(close) / symbol.price;
      assert.ok(ratio > 0.4 && ratio < 2.5, `${symbol.symbol} ${ratio}`);
    }
  }
});

Deno.test("a forming candle keeps its open, grows, and ends as the true one", () => {
  const day = parseTimeframe("1d");
  const truth = candleAt(BTC, day, START_MS);
  const morning = candleAt(BTC, day, START_MS, { nowMs: START_MS + 6 * HOUR_MS });
  const evening = candleAt(BTC, day, START_MS, { nowMs: START_MS + 18 * HOUR_MS });
  assert.equal(morning.open, truth.open);
  assert.ok(Number(morning.volume) < Number(evening.volume));
  assert.ok(Number(evening.volume) < Number(truth.volume));
  assertValid(BTC, morning);
  assert.deepEqual(candleAt(BTC, day, START_MS, { nowMs: START_MS + DAY_MS }), truth);
});

Deno.test("a ticker's last price is the close of the minute before it", () => {
  const ticker = tickerAt(BTC, START_MS);
  assertValid(BTC, ticker);
  assert.equal(ticker.close, candleAt(BTC, parseTimeframe("1m"), START_MS).open);
  assert.equal(ticker.open, candleAt(BTC, parseTimeframe("1m"), START_MS - DAY_MS).open);
});

Deno.test("closed candles end before the forming one and are aligned", () => {
  for (const text of TIMEFRAMES) {
    const nowMs = START_MS + 40 * DAY_MS + 30_500;
    const timeframe = parseTimeframe(text);
    const sinceMs = addCandles(timeframe, floorTime(timeframe, nowMs), -20);
    const candles = closedCandles(history(BTC, text, nowMs), { sinceMs, untilMs: Infinity });
    assert.equal(candles.length, 20);
    assert.ok(candles.every(({ openTimeMs }) => isAligned(timeframe, openTimeMs)));
    assert.equal(candles[0]?.openTimeMs, sinceMs);
  }
});

Deno.test("a candle lying wholly in a hole does not exist, one that reaches out of it does", () => {
  const hole = { sinceMs: START_MS + 90 * MINUTE_MS, untilMs: START_MS + 4 * HOUR_MS };
  const symbol = market("BTC/USDT", { ...BTC, holes: [hole] });
  const window = { sinceMs: START_MS, untilMs: START_MS + 6 * HOUR_MS };
  const hours = closedCandles(history(symbol, "1h", START_MS + DAY_MS), window);
  assert.deepEqual(hours.map(({ openTimeMs }) => (openTimeMs - START_MS) / HOUR_MS), [0, 1, 4, 5]);
  const minutes = closedCandles(history(symbol, "1m", START_MS + DAY_MS), window);
  assert.equal(minutes.length, 6 * 60 - 150);
  assert.equal(minutes[90]?.openTimeMs, hole.untilMs);
});

Deno.test("an exchange that fills silence repeats the last close through a hole, without volume", () => {
  const hole = { sinceMs: START_MS + 2 * MINUTE_MS, untilMs: START_MS + 4 * MINUTE_MS };
  const symbol = market("BTC/USDT", { ...BTC, holes: [hole] });
  const told: History = { ...history(symbol, "1m", START_MS + HOUR_MS), silence: "flat" };
  const rows = closedCandles(told, { sinceMs: START_MS, untilMs: START_MS + 5 * MINUTE_MS });
  assert.equal(rows.length, 5);
  const last = candleAt(symbol, told.timeframe, START_MS + MINUTE_MS).close;
  for (const row of rows.slice(2, 4)) {
    assert.ok(isFlat(row));
    assert.equal(row.close, last);
    assert.equal(row.volume, "0.00000000");
  }
});

Deno.test("history begins with the candle that contains the listing and ends with the delisting", () => {
  const facts = { listedAtMs: START_MS + 90 * MINUTE_MS, delistedAtMs: START_MS + 5 * HOUR_MS };
  const symbol = market("BTC/USDT", { ...BTC, ...facts });
  const told = history(symbol, "1h", START_MS + DAY_MS);
  const hours = closedCandles(told, { sinceMs: 0, untilMs: Infinity });
  assert.deepEqual(
    hours.map(({ openTimeMs }) => (openTimeMs - START_MS) / HOUR_MS),
    [1, 2, 3, 4],
  );
  assert.deepEqual(
    closedCandles({ ...told, nowMs: START_MS }, { sinceMs: 0, untilMs: Infinity }),
    [],
  );
});

Deno.test("an override replaces values of its candle in its timeframe and nowhere else", () => {
  const overrides = [{ timeframe: "1m", openTimeMs: START_MS, values: { high: "99999.00000000" } }];
  const symbol = market("BTC/USDT", { ...BTC, overrides });
  const window = { sinceMs: START_MS, untilMs: START_MS + 2 * HOUR_MS };
  const minutes = closedCandles(history(symbol, "1m", START_MS + DAY_MS), window);
  assert.equal(minutes[0]?.high, "99999.00000000");
  assert.deepEqual(minutes.slice(1), series(BTC, "1m", 120).slice(1));
  const hours = closedCandles(history(symbol, "1h", START_MS + DAY_MS), window);
  assert.deepEqual(hours, series(BTC, "1h", 2));
});

Deno.test("a page keeps the oldest or the newest candles, and crosses holes to fill itself", () => {
  const hole = { sinceMs: START_MS + 2 * MINUTE_MS, untilMs: START_MS + 5 * MINUTE_MS };
  const symbol = market("BTC/USDT", { ...BTC, holes: [hole] });
  const told = history(symbol, "1m", START_MS + 8 * MINUTE_MS + 1);
  const ask = { sinceMs: START_MS + 1, rowsMax: 3, order: "ascending" } as const;
  const minutes = (keep: "oldest" | "newest"): number[] =>
    page(told, { ...ask, keep }).map(({ openTimeMs }) => (openTimeMs - START_MS) / MINUTE_MS);
  assert.deepEqual(minutes("oldest"), [1, 5, 6]);
  assert.deepEqual(minutes("newest"), [6, 7, 8]);
  assert.deepEqual(
    page(told, { ...ask, keep: "newest", rowsMax: 5 }).at(0)?.openTimeMs,
    START_MS + MINUTE_MS,
  );
  assert.equal(page(told, { ...ask, keep: "newest" }).at(-1)?.volume, formingCandle(told).volume);
});

function series(symbol: LocalSymbol, text: string, count: number): LocalCandle[] {
  const timeframe = parseTimeframe(text);
  const firstMs = floorTime(timeframe, START_MS);
  return Array.from(
    { length: count },
    (_, index) => candleAt(symbol, timeframe, addCandles(timeframe, firstMs, index)),
  );
}

function history(symbol: LocalSymbol, text: string, nowMs: number): History {
  return { symbol, timeframe: parseTimeframe(text), silence: "omitted", nowMs };
}

function isFlat({ open, high, low, close }: LocalCandle): boolean {
  return open === high && open === low && open === close;
}

function assertValid(symbol: LocalSymbol, candle: LocalCandle): void {
  const [open = NaN, high = NaN, low = NaN, close = NaN] = [
    candle.open,
    candle.high,
    candle.low,
    candle.close,
  ].map(Number);
  const name = `${symbol.symbol} ${JSON.stringify(candle)}`;
  assert.ok(low > 0 && low <= Math.min(open, close), name);
  assert.ok(Math.max(open, close) <= high && Number.isFinite(high), name);
  assert.ok(Number(candle.volume) >= 0 && Number(candle.quoteVolume) >= 0, name);
  const onTick = new RegExp(`^\\d+\\.\\d{${symbol.tickDecimals}}0*$`);
  for (const price of [candle.open, candle.high, candle.low, candle.close]) {
    assert.match(price, onTick);
  }
}
