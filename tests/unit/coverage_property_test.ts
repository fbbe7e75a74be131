import assert from "node:assert/strict";
import {
  type Coverage,
  coverageCandles,
  coverageOf,
  intersect,
  isCovered,
  subtract,
  unite,
} from "../../lib/market/coverage.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { fc } from "../support/property.ts";

const MINUTE_MS = 60_000;
const MINUTE = parseTimeframe("1m");

/** Up to a dozen windows, short and crowded so that they overlap, touch, repeat and vanish. */
const windows: fc.Arbitrary<readonly Window[]> = fc.array(
  fc.tuple(fc.integer({ min: -30, max: 60 }), fc.integer({ min: -2, max: 14 }))
    .map(([since, minutes]) => ({
      sinceMs: since * MINUTE_MS,
      untilMs: (since + minutes) * MINUTE_MS,
    })),
  { maxLength: 12 },
);

Deno.test("coverage of any windows is the set of their minutes, and so is what is done with it", () => {
  fc.assert(fc.property(windows, windows, (as, bs) => {
    const [a, b] = [coverageOf(as), coverageOf(bs)];
    const [inA, inB] = [minutesOf(as), minutesOf(bs)];
    assertIs(a, inA);
    assertIs(unite(a, b), inA.union(inB));
    assertIs(intersect(a, b), inA.intersection(inB));
    assertIs(subtract(a, b), inA.difference(inB));
    assert.equal(coverageCandles(MINUTE, a), inA.size);
    for (let minute = -40; minute <= 80; minute++) {
      assert.equal(isCovered(a, minute * MINUTE_MS), inA.has(minute));
    }
  }));
});

Deno.test("coverage has one form: the order of windows and of operations changes nothing", () => {
  fc.assert(fc.property(windows, windows, windows, (as, bs, cs) => {
    const [a, b, c] = [coverageOf(as), coverageOf(bs), coverageOf(cs)];
    assert.deepEqual(coverageOf(as.toReversed()), a);
    assert.deepEqual(coverageOf(a), a);
    assert.deepEqual(unite(a, unite(b, c)), unite(unite(b, a), c));
    assert.deepEqual(intersect(a, b), intersect(b, a));
    assert.deepEqual(intersect(a, b), subtract(a, subtract(a, b)));
    assert.deepEqual(subtract(subtract(a, b), c), subtract(a, unite(b, c)));
    assert.deepEqual(unite(subtract(a, b), intersect(a, b)), a);
  }));
});

Deno.test("coverage reaches to the ends of time", () => {
  const ends = [fc.constant(-Infinity), fc.integer({ min: -30, max: 60 }), fc.constant(Infinity)];
  fc.assert(fc.property(windows, fc.oneof(...ends), (as, minute) => {
    const a = coverageOf(as);
    const cutMs = minute * MINUTE_MS;
    const older = intersect(a, [{ sinceMs: -Infinity, untilMs: cutMs }]);
    const newer = intersect(a, [{ sinceMs: cutMs, untilMs: Infinity }]);
    assert.deepEqual(unite(older, newer), a);
    assert.deepEqual(subtract(a, older), newer);
  }));
});

/** Asserts that a coverage is in its one normal form and holds exactly these minutes. */
function assertIs(coverage: Coverage, minutes: ReadonlySet<number>): void {
  for (const [index, { sinceMs, untilMs }] of coverage.entries()) {
    assert.ok(sinceMs < untilMs, "an empty window");
    const before = coverage[index - 1];
    assert.ok(before === undefined || before.untilMs < sinceMs, "windows that touch");
  }
  assert.deepEqual([...minutesOf(coverage)], [...minutes].sort((a, b) => a - b));
}

function minutesOf(windows: Iterable<Window>): Set<number> {
  const minutes = new Set<number>();
  for (const { sinceMs, untilMs } of windows) {
    for (let timeMs = sinceMs; timeMs < untilMs; timeMs += MINUTE_MS) {
      minutes.add(timeMs / MINUTE_MS);
    }
  }
  return minutes;
}
