import assert from "node:assert/strict";
import { GAP_RECENT_MS, isConclusive, isProvable, nextTryMs } from "../../lib/market/gap.ts";
import { fc } from "../support/property.ts";

const DAY_MS = 24 * 60 * 60_000;
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
