import assert from "node:assert/strict";
import { lossMs, nearLossMs } from "../../lib/market/loss.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const CLOSED_MS = Date.UTC(2024, 0, 2);
const OPTIONS = { nowMs: CLOSED_MS + 12_345, newestCandlesMax: 720 };

/** `[from, to)` minutes before the last close. */
function ago(from: number, to: number): Window {
  return { sinceMs: CLOSED_MS - from * MINUTE_MS, untilMs: CLOSED_MS - to * MINUTE_MS };
}

Deno.test("the time left is that of the oldest owed candle", () => {
  assert.equal(lossMs(MINUTE, [ago(700, 690), ago(10, 0)], OPTIONS), 20 * MINUTE_MS);
  assert.equal(lossMs(MINUTE, [ago(10, 0)], OPTIONS), 710 * MINUTE_MS);
});

Deno.test("no time is left for the oldest candle that the exchange keeps", () => {
  assert.equal(lossMs(MINUTE, [ago(720, 719)], OPTIONS), 0);
});

Deno.test("what is gone already is no loss to come", () => {
  assert.equal(lossMs(MINUTE, [ago(800, 720)], OPTIONS), undefined);
  assert.equal(lossMs(MINUTE, [ago(800, 720), ago(100, 99)], OPTIONS), 620 * MINUTE_MS);
  assert.equal(lossMs(MINUTE, [ago(800, 99)], OPTIONS), 0);
});

Deno.test("nothing owed, nothing lost", () => {
  assert.equal(lossMs(MINUTE, [], OPTIONS), undefined);
});

Deno.test("owed time before the given start does not count", () => {
  const owed = [ago(720, 700), ago(100, 90)];
  const sinceMs = CLOSED_MS - 700 * MINUTE_MS;
  assert.equal(lossMs(MINUTE, owed, { ...OPTIONS, sinceMs }), 620 * MINUTE_MS);
  assert.equal(lossMs(MINUTE, owed.slice(0, 1), { ...OPTIONS, sinceMs }), undefined);
});

Deno.test("the calendar counts for months", () => {
  const month = parseTimeframe("1M");
  const owed = [{ sinceMs: Date.UTC(2023, 10, 1), untilMs: Date.UTC(2023, 11, 1) }];
  const options = { nowMs: Date.UTC(2024, 0, 15), newestCandlesMax: 3 };
  // Kept from October on; November is owed.
  assert.equal(lossMs(month, owed, options), Date.UTC(2023, 10, 1) - Date.UTC(2023, 9, 1));
});

Deno.test("a loss is near an hour before, or a tenth of what the exchange keeps where that is less", () => {
  assert.equal(nearLossMs(MINUTE, 720), 60 * MINUTE_MS);
  assert.equal(nearLossMs(MINUTE, 100), 10 * MINUTE_MS);
});
