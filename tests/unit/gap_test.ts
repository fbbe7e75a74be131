import assert from "node:assert/strict";
import { type GapAge, isConclusive, isProvable, nextTryMs } from "../../lib/market/gap.ts";

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2024, 0, 10);

const recent = (attempts: number, hours: number): GapAge => ({
  untilMs: NOW_MS - hours * HOUR_MS,
  firstSeenMs: NOW_MS - hours * HOUR_MS,
  nowMs: NOW_MS,
  attempts,
});

const old = (attempts: number): GapAge => ({
  untilMs: NOW_MS - 90 * 24 * HOUR_MS,
  firstSeenMs: NOW_MS - 1,
  nowMs: NOW_MS,
  attempts,
});

Deno.test("a recent gap is not explained before three asks over a day", () => {
  assert.equal(isConclusive(recent(2, 48)), false);
  assert.equal(isConclusive(recent(9, 23)), false);
  assert.equal(isConclusive(recent(3, 24)), true);
});

Deno.test("an old gap is explained after three asks, however soon they come", () => {
  assert.equal(isConclusive(old(2)), false);
  assert.equal(isConclusive(old(3)), true);
});

Deno.test("a recent gap is asked for at growing intervals that add up to a day", () => {
  const delays = [1, 2, 3, 4, 5].map((attempts) => nextTryMs(recent(attempts, 1)) - NOW_MS);
  assert.deepEqual(delays, delays.toSorted((a, b) => a - b));
  assert.equal(delays[3], delays[4]);
  const [first = 0, second = 0, third = 0, fourth = 0] = delays;
  assert(first + second + third + fourth >= 24 * HOUR_MS);
});

Deno.test("an old gap is asked for again within minutes", () => {
  assert(nextTryMs(old(1)) - NOW_MS <= 5 * 60_000);
});

Deno.test("one more ask is enough where something else proves the reason, two for a recent gap", () => {
  assert.equal(isProvable(old(1)), true);
  assert.equal(isProvable(recent(1, 1)), false);
  assert.equal(isProvable(recent(2, 1)), true);
});
