import assert from "node:assert/strict";
import {
  boundSpans,
  type GapAge,
  isConclusive,
  isProvable,
  nextTryMs,
  type SeriesBounds,
  unconfirmedEdge,
} from "../../lib/market/gap.ts";

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

/** Spans as `state from-until`, in days. */
const DAY_MS = 24 * HOUR_MS;
const days = (sinceDay: number, untilDay: number): { sinceMs: number; untilMs: number } => ({
  sinceMs: sinceDay * DAY_MS,
  untilMs: untilDay * DAY_MS,
});
const spansOf = (bounds: Partial<SeriesBounds>): string[] =>
  boundSpans({
    wanted: days(0, 100),
    covered: [],
    firstMs: undefined,
    isFirstConfirmed: true,
    listedFromMs: undefined,
    reachFromMs: undefined,
    ...bounds,
  }).map(({ state, window }) => `${state} ${window.sinceMs / DAY_MS}-${window.untilMs / DAY_MS}`);

Deno.test("empty answers down to where nothing is owed lie before the listing", () => {
  assert.deepEqual(spansOf({ covered: [days(0, 100)], firstMs: 40 * DAY_MS }), [
    "before_listing 0-40",
  ]);
});

Deno.test("empty answers say nothing as long as older time is owed", () => {
  assert.deepEqual(spansOf({ covered: [days(30, 100)], firstMs: 40 * DAY_MS }), []);
  assert.deepEqual(spansOf({ covered: [days(0, 10), days(30, 100)], firstMs: 40 * DAY_MS }), []);
});

Deno.test("time before a known listing needs no answer", () => {
  const bounds = { covered: [days(41, 100)], firstMs: 41 * DAY_MS, listedFromMs: 40 * DAY_MS };
  assert.deepEqual(spansOf(bounds), ["before_listing 0-40"]);
  assert.deepEqual(spansOf({ ...bounds, covered: [days(40, 100)] }), ["before_listing 0-41"]);
});

Deno.test("what the exchange no longer keeps was lost to retention, what was answered before was not", () => {
  const bounds = { covered: [days(60, 70), days(90, 100)], firstMs: 60 * DAY_MS };
  assert.deepEqual(spansOf({ ...bounds, reachFromMs: 90 * DAY_MS }), [
    "retention 0-60",
    "retention 70-90",
  ]);
});

Deno.test("silence at the edge of what the exchange keeps is its retention, not a listing", () => {
  const bounds = { covered: [days(90, 100)], firstMs: 91 * DAY_MS, reachFromMs: 90 * DAY_MS };
  assert.deepEqual(spansOf(bounds), ["retention 0-91"]);
});

Deno.test("a symbol whose fine candles begin days after its listing lost the older ones to retention", () => {
  const bounds = { covered: [days(40, 100)], firstMs: 80 * DAY_MS, listedFromMs: 40 * DAY_MS };
  assert.deepEqual(spansOf(bounds), ["before_listing 0-40", "retention 40-80"]);
});

Deno.test("a symbol that came back is not owed the time of its absence, nor what its first listing lacked", () => {
  const bounds = {
    covered: [days(20, 50), days(80, 100)],
    firstMs: 20 * DAY_MS,
    listedFromMs: 80 * DAY_MS,
  };
  assert.deepEqual(spansOf(bounds), ["before_listing 0-20", "before_listing 50-80"]);
});

Deno.test("a market without any candle was not listed yet as far as it was answered for", () => {
  assert.deepEqual(spansOf({ covered: [days(0, 99)] }), ["before_listing 0-99"]);
  assert.deepEqual(spansOf({}), []);
});

Deno.test("empty time before the first candle has no reason until a second ask has confirmed it", () => {
  const bounds: SeriesBounds = {
    wanted: days(0, 100),
    covered: [days(0, 100)],
    firstMs: 40 * DAY_MS,
    isFirstConfirmed: false,
    listedFromMs: undefined,
    reachFromMs: undefined,
  };
  assert.deepEqual(boundSpans(bounds), []);
  assert.deepEqual(unconfirmedEdge(bounds), days(0, 40));
  assert.equal(unconfirmedEdge({ ...bounds, isFirstConfirmed: true }), undefined);
  assert.equal(
    unconfirmedEdge({ ...bounds, covered: [days(10, 100)] }),
    undefined,
    "older is owed",
  );
  assert.equal(unconfirmedEdge({ ...bounds, firstMs: 0 }), undefined, "nothing lies before");
  assert.equal(unconfirmedEdge({ ...bounds, firstMs: undefined }), undefined);
});
