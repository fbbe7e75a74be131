import assert from "node:assert/strict";
import { coverageCandles, coverageOf, intersect, subtract } from "../../lib/market/coverage.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";

const MINUTE_MS = 60_000;
const MINUTE = parseTimeframe("1m");

/** Minutes are enough to tell windows apart: `[1, 3)` as `w(1, 3)`. */
const w = (since: number, until: number): Window => ({
  sinceMs: since * MINUTE_MS,
  untilMs: until * MINUTE_MS,
});

Deno.test("windows in any order become sorted ones that neither overlap nor touch", () => {
  assert.deepEqual(coverageOf([w(5, 7), w(1, 3), w(2, 4)]), [w(1, 4), w(5, 7)]);
  assert.deepEqual(coverageOf([w(3, 5), w(1, 3)]), [w(1, 5)]);
  assert.deepEqual(coverageOf([w(1, 9), w(2, 3), w(8, 10)]), [w(1, 10)]);
  assert.deepEqual(coverageOf(new Set([w(1, 2), w(1, 2)])), [w(1, 2)]);
});

Deno.test("windows that are empty or end before they begin are no coverage", () => {
  assert.deepEqual(coverageOf([w(4, 4), w(6, 5)]), []);
  assert.deepEqual(coverageOf([w(1, 2), w(2, 2), w(3, 4)]), [w(1, 2), w(3, 4)]);
});

Deno.test("subtracting cuts holes: at either end, in the middle, across, and not where windows only touch", () => {
  const whole = [w(10, 20)];
  assert.deepEqual(subtract(whole, [w(5, 12)]), [w(12, 20)]);
  assert.deepEqual(subtract(whole, [w(18, 25)]), [w(10, 18)]);
  assert.deepEqual(subtract(whole, [w(12, 14), w(16, 18)]), [w(10, 12), w(14, 16), w(18, 20)]);
  assert.deepEqual(subtract([w(1, 5), w(6, 9)], [w(3, 7)]), [w(1, 3), w(7, 9)]);
  assert.deepEqual(subtract(whole, [w(0, 30)]), []);
  assert.deepEqual(subtract(whole, [w(0, 10), w(20, 30)]), whole);
  assert.deepEqual(subtract(whole, []), whole);
  assert.deepEqual(subtract([], whole), []);
});

Deno.test("an intersection is what both have, and nothing where windows only touch", () => {
  assert.deepEqual(intersect([w(1, 5), w(8, 12)], [w(3, 9), w(11, 20)]), [
    w(3, 5),
    w(8, 9),
    w(11, 12),
  ]);
  assert.deepEqual(intersect([w(1, 5)], [w(5, 9)]), []);
  assert.deepEqual(intersect([w(1, 5)], [{ sinceMs: 3 * MINUTE_MS, untilMs: Infinity }]), [
    w(3, 5),
  ]);
  assert.deepEqual(intersect([w(1, 5)], [{ sinceMs: Infinity, untilMs: Infinity }]), []);
});

Deno.test("candles are counted by where they open, also in windows that are not aligned", () => {
  assert.equal(coverageCandles(MINUTE, [w(0, 3), w(10, 11)]), 4);
  assert.equal(coverageCandles(MINUTE, [{ sinceMs: 1, untilMs: MINUTE_MS }]), 0);
  assert.equal(coverageCandles(MINUTE, [{ sinceMs: MINUTE_MS - 1, untilMs: MINUTE_MS + 1 }]), 1);
  const year = { sinceMs: Date.UTC(2023, 11, 31), untilMs: Date.UTC(2024, 11, 31) };
  assert.equal(coverageCandles(parseTimeframe("1M"), [year]), 12);
  assert.equal(coverageCandles(parseTimeframe("1w"), [year]), 53);
});
