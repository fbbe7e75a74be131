import assert from "node:assert/strict";
import { coverageOf, intersect, subtract } from "../../lib/market/coverage.ts";
import {
  boundSpans,
  GAP_RECENT_MS,
  isConclusive,
  isProvable,
  nextTryMs,
  type SeriesBounds,
  unconfirmedEdge,
} from "../../lib/market/gap.ts";
import { fc } from "../support/property.ts";

const DAY_MS = 24 * 60 * 60_000;
const day = fc.integer({ min: 0, max: 40 });
const maybeDayMs = fc.option(day.map((day) => day * DAY_MS), { nil: undefined });

/** Bounds in whole days; the first candle, where there is one, lies inside coverage. */
const bounds: fc.Arbitrary<SeriesBounds> = fc.record({
  wanted: fc.tuple(day, day).map(([a, b]) => ({
    sinceMs: Math.min(a, b) * DAY_MS,
    untilMs: (Math.max(a, b) + 1) * DAY_MS,
  })),
  covered: fc.array(fc.tuple(day, fc.integer({ min: 1, max: 12 })), { maxLength: 5 }).map((spans) =>
    coverageOf(spans.map(([since, days]) => ({
      sinceMs: since * DAY_MS,
      untilMs: (since + days) * DAY_MS,
    })))
  ),
  first: fc.option(fc.nat(100), { nil: undefined }),
  isFirstConfirmed: fc.boolean(),
  listedFromMs: maybeDayMs,
  reachFromMs: maybeDayMs,
}).map(({ first, ...rest }) => {
  const days = rest.covered.flatMap(({ sinceMs, untilMs }) =>
    Array.from({ length: (untilMs - sinceMs) / DAY_MS }, (_, index) => sinceMs + index * DAY_MS)
  );
  return { ...rest, firstMs: first === undefined ? undefined : days[first % days.length] };
});

Deno.test("whatever the bounds of a series, spans with a reason lie apart, in what is wanted, and hold no candle", () => {
  fc.assert(fc.property(bounds, (bounds) => {
    const spans = boundSpans(bounds).map(({ window }) => window);
    assert.deepEqual(subtract(coverageOf(spans), [bounds.wanted]), []);
    for (const [index, { sinceMs, untilMs }] of spans.entries()) {
      assert.ok(sinceMs < untilMs);
      assert.ok((spans[index - 1]?.untilMs ?? -Infinity) <= sinceMs, "two reasons for one time");
    }
    const { firstMs, covered } = bounds;
    if (firstMs === undefined) return;
    const held = intersect(covered, [{ sinceMs: firstMs, untilMs: Infinity }]);
    assert.deepEqual(intersect(coverageOf(spans), held), [], "explains time that holds candles");
  }));
});

Deno.test("whatever the bounds of a series, what nobody has answered for has a reason only from its listing or reach", () => {
  fc.assert(fc.property(bounds, (bounds) => {
    const { covered, listedFromMs = -Infinity, reachFromMs = -Infinity } = bounds;
    const boundedMs = Math.max(listedFromMs, reachFromMs);
    for (const { window, state } of boundSpans(bounds)) {
      for (const { untilMs } of subtract([window], covered)) {
        assert.ok(untilMs <= boundedMs, `${state} of time that is still owed`);
      }
    }
  }));
});

Deno.test("what was answered for and empty before the first candle has no reason while older time is owed", () => {
  fc.assert(fc.property(bounds, (bounds) => {
    const { wanted, covered, firstMs, listedFromMs = -Infinity, reachFromMs = -Infinity } = bounds;
    if (firstMs === undefined) return;
    const boundedMs = Math.max(listedFromMs, reachFromMs);
    const owed = subtract([wanted], covered).some(({ sinceMs, untilMs }) =>
      Math.max(sinceMs, boundedMs) < Math.min(untilMs, firstMs)
    );
    if (!owed) return;
    for (const { window } of boundSpans(bounds)) assert.ok(window.untilMs <= boundedMs);
  }));
});

Deno.test("what is asked for to confirm a first candle lies right before it, answered for or before the listing", () => {
  fc.assert(fc.property(bounds, (bounds) => {
    const edge = unconfirmedEdge(bounds);
    if (edge === undefined) return;
    assert.equal(edge.untilMs, bounds.firstMs);
    const unlisted = { sinceMs: -Infinity, untilMs: bounds.listedFromMs ?? -Infinity };
    assert.deepEqual(subtract(subtract([edge], bounds.covered), [unlisted]), []);
    assert.equal(bounds.isFirstConfirmed, false);
    const confirmed = boundSpans({ ...bounds, isFirstConfirmed: true });
    const reasons = confirmed.filter(({ window }) => intersect([window], [edge]).length > 0);
    assert.ok(reasons.length > 0, "once confirmed it has a reason");
  }));
});

Deno.test("every hole is asked for again later, and settled after a few asks", () => {
  const ages = fc.record({
    untilMs: fc.integer({ min: 0, max: 400 * DAY_MS }),
    waitedMs: fc.integer({ min: 0, max: 400 * DAY_MS }),
    delays: fc.array(fc.integer({ min: 0, max: 10 * 60_000 }), { minLength: 10, maxLength: 10 }),
  });
  fc.assert(fc.property(ages, ({ untilMs, waitedMs, delays }) => {
    const firstSeenMs = untilMs + waitedMs;
    let nowMs = firstSeenMs;
    let attempts = 0;
    let wasProvable = false;
    for (const delayMs of delays) {
      attempts++;
      const age = { untilMs, firstSeenMs, nowMs, attempts };
      assert.ok(nextTryMs(age) > nowMs && nextTryMs(age) <= nowMs + DAY_MS);
      assert.ok(isProvable(age) || !wasProvable, "what was provable stays so");
      wasProvable = isProvable(age);
      if (isConclusive(age)) {
        assert.ok(isProvable(age), "what needs no proof could be proved");
        if (waitedMs < GAP_RECENT_MS) assert.ok(nowMs - firstSeenMs >= GAP_RECENT_MS);
        assert.ok(attempts >= 3);
        return;
      }
      // Asked at its time or somewhat later, as the schedule allows.
      nowMs = nextTryMs(age) + delayMs;
    }
    assert.fail("never settled");
  }));
});
