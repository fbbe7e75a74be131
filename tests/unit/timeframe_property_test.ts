import assert from "node:assert/strict";
import { gridWindow, queuePages } from "../../lib/fetch/page_queue.ts";
import { type Coverage, coverageOf } from "../../lib/market/coverage.ts";
import {
  addCandles,
  ceilTime,
  closedUntil,
  countCandles,
  floorTime,
  isAligned,
  parseTimeframe,
} from "../../lib/market/timeframe.ts";
import { halves, type Window, windowCandles } from "../../lib/market/window.ts";
import { fc, timeframes, times } from "../support/property.ts";

const counts = fc.integer({ min: -1_000, max: 1_000 });

/** Before the epoch, too, and at the very moments at which candles open. */
const anyTimes = fc.integer({ min: -Date.UTC(2000, 0), max: Date.UTC(2200, 0) });

Deno.test("floor, ceil, add and count agree with each other at any time of any timeframe", () => {
  fc.assert(fc.property(timeframes, anyTimes, counts, (timeframe, timeMs, count) => {
    const openMs = floorTime(timeframe, timeMs);
    const nextMs = addCandles(timeframe, openMs, 1);
    assert.ok(openMs <= timeMs && timeMs < nextMs);
    assert.ok(isAligned(timeframe, openMs) && isAligned(timeframe, nextMs));
    assert.equal(ceilTime(timeframe, timeMs), openMs === timeMs ? openMs : nextMs);
    assert.equal(ceilTime(timeframe, openMs), openMs);
    assert.equal(isAligned(timeframe, timeMs), timeMs === openMs);
    const thereMs = addCandles(timeframe, openMs, count);
    assert.equal(addCandles(timeframe, thereMs, -count), openMs);
    assert.equal(countCandles(timeframe, openMs, thereMs), Math.max(0, count));
    assert.equal(countCandles(timeframe, thereMs, openMs), Math.max(0, -count));
  }));
});

Deno.test("at any time exactly those candles are closed that have ended", () => {
  fc.assert(fc.property(timeframes, anyTimes, counts, (timeframe, nowMs, count) => {
    const openMs = addCandles(timeframe, floorTime(timeframe, nowMs), count);
    const hasEnded = addCandles(timeframe, openMs, 1) <= nowMs;
    assert.equal(openMs < closedUntil(timeframe, nowMs), hasEnded);
  }));
});

Deno.test("weeks open on Mondays, months and years on the first of one, all at midnight", () => {
  fc.assert(
    fc.property(fc.constantFrom("1w", "2w", "1M", "3M", "1y"), anyTimes, (text, timeMs) => {
      const open = new Date(floorTime(parseTimeframe(text), timeMs));
      assert.match(open.toISOString(), /T00:00:00\.000Z$/);
      if (text.endsWith("w")) assert.equal(open.getUTCDay(), 1);
      else assert.equal(open.getUTCDate(), 1);
      if (text === "1y") assert.equal(open.getUTCMonth(), 0);
      if (text === "3M") assert.equal(open.getUTCMonth() % 3, 0);
    }),
  );
});

Deno.test("halves of any window are aligned, touch, are the whole, and the older is no longer", () => {
  const sizes = fc.integer({ min: 2, max: 5_000 });
  fc.assert(fc.property(timeframes, times, sizes, (timeframe, timeMs, candles) => {
    const sinceMs = floorTime(timeframe, timeMs);
    const window = { sinceMs, untilMs: addCandles(timeframe, sinceMs, candles) };
    const [older, newer] = halves(timeframe, window);
    assert.deepEqual([older.sinceMs, newer.untilMs], [window.sinceMs, window.untilMs]);
    assert.equal(older.untilMs, newer.sinceMs);
    assert.ok(isAligned(timeframe, newer.sinceMs));
    assert.equal(windowCandles(timeframe, older), Math.floor(candles / 2));
    assert.equal(windowCandles(timeframe, newer), Math.ceil(candles / 2));
  }));
});

Deno.test("the grid of windows has room for no more than a page, and no place between its windows", () => {
  const rowsMax = fc.integer({ min: 1, max: 2_000 });
  fc.assert(fc.property(timeframes, times, rowsMax, (timeframe, timeMs, rowsMax) => {
    const untilMs = ceilTime(timeframe, timeMs);
    const window = gridWindow(timeframe, untilMs, rowsMax);
    assert.ok(window.sinceMs < untilMs && untilMs <= window.untilMs);
    assert.ok(windowCandles(timeframe, window) <= rowsMax);
    assert.ok(isAligned(timeframe, window.sinceMs) && isAligned(timeframe, window.untilMs));
    const older = gridWindow(timeframe, window.sinceMs, rowsMax);
    assert.ok(older.sinceMs < window.sinceMs);
    assert.ok(older.untilMs >= window.sinceMs);
  }));
});

Deno.test("the pages of what is owed are together what is owed, each candle once, none too long", () => {
  const spans = fc.array(fc.tuple(fc.nat(400), fc.nat(80)), { minLength: 1, maxLength: 5 });
  const owedOfTwo = fc.tuple(spans, spans);
  fc.assert(
    fc.property(timeframes, times, fc.integer({ min: 1, max: 100 }), owedOfTwo, (
      timeframe,
      timeMs,
      rowsMax,
      both,
    ) => {
      const baseMs = floorTime(timeframe, timeMs);
      const owed = both.map((spans, index) => ({
        series: { exchange: "binance", symbol: `${index}`, timeframe },
        owed: coverageOf(spans.map(([from, candles]): Window => ({
          sinceMs: addCandles(timeframe, baseMs, from),
          untilMs: addCandles(timeframe, baseMs, from + candles),
        }))),
      })).filter(({ owed }) => owed.length > 0);
      const pages = [...queuePages(owed, () => rowsMax)];
      for (const { series, owed: wanted } of owed) {
        const own = pages.filter((page) => page.series.symbol === series.symbol);
        for (const { window, owed } of own) {
          assert.ok(windowCandles(timeframe, window) <= rowsMax);
          assert.deepEqual(coverageOf([window, ...owed]), [window]);
        }
        const parts = own.flatMap(({ owed }) => owed);
        assert.deepEqual(coverageOf(parts), wanted);
        assert.equal(candlesOf(parts), candlesOf(wanted), "a candle is asked for twice");
        const windows = own.map(({ window }) => window);
        const apart = coverageOf(windows).reduce(
          (sum, { sinceMs, untilMs }) => sum + untilMs - sinceMs,
          0,
        );
        const together = windows.reduce((sum, { sinceMs, untilMs }) => sum + untilMs - sinceMs, 0);
        assert.equal(together, apart, "two pages overlap");
      }
      function candlesOf(windows: Coverage): number {
        return windows.reduce((sum, window) => sum + windowCandles(timeframe, window), 0);
      }
    }),
  );
});
