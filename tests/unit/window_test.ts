import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { halves, type Window, windowCandles, windowName } from "../../lib/market/window.ts";

const MINUTE_MS = 60_000;
const MINUTE = parseTimeframe("1m");
const MONTH = parseTimeframe("1M");

Deno.test("a window holds the candles that open inside it, by the calendar", () => {
  const year: Window = { sinceMs: Date.UTC(2024, 0), untilMs: Date.UTC(2025, 0) };
  assert.equal(windowCandles(MONTH, year), 12);
  assert.equal(windowCandles(parseTimeframe("1d"), year), 366);
  assert.equal(windowCandles(MINUTE, { sinceMs: 0, untilMs: 0 }), 0);
});

Deno.test("a window is named by its two moments, the second excluded", () => {
  assert.equal(
    windowName({ sinceMs: Date.UTC(2024, 0, 1), untilMs: Date.UTC(2024, 0, 2) }),
    "[2024-01-01T00:00:00.000Z, 2024-01-02T00:00:00.000Z)",
  );
});

Deno.test("halves are aligned, touch, are the whole, and the older one comes first", () => {
  for (let candles = 2; candles <= 1_001; candles++) {
    const window = { sinceMs: 7 * MINUTE_MS, untilMs: (7 + candles) * MINUTE_MS };
    const [older, newer] = halves(MINUTE, window);
    assert.equal(older.sinceMs, window.sinceMs);
    assert.equal(older.untilMs, newer.sinceMs);
    assert.equal(newer.untilMs, window.untilMs);
    const sizes = [windowCandles(MINUTE, older), windowCandles(MINUTE, newer)];
    assert.deepEqual(sizes, [Math.floor(candles / 2), Math.ceil(candles / 2)]);
  }
});

Deno.test("halves of months are cut where a month begins", () => {
  const [older, newer] = halves(MONTH, { sinceMs: Date.UTC(2024, 0), untilMs: Date.UTC(2024, 3) });
  assert.deepEqual(older, { sinceMs: Date.UTC(2024, 0), untilMs: Date.UTC(2024, 1) });
  assert.deepEqual(newer, { sinceMs: Date.UTC(2024, 1), untilMs: Date.UTC(2024, 3) });
});

Deno.test("halving again and again ends in every candle once, newest first", () => {
  const opened: number[] = [];
  const visit = (window: Window): void => {
    if (windowCandles(MINUTE, window) === 1) return void opened.push(window.sinceMs / MINUTE_MS);
    const [older, newer] = halves(MINUTE, window);
    visit(newer);
    visit(older);
  };
  visit({ sinceMs: 0, untilMs: 37 * MINUTE_MS });
  assert.deepEqual(opened, Array.from({ length: 37 }, (_, index) => 36 - index));
});
