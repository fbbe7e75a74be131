import assert from "node:assert/strict";
import { backoffMs } from "../../lib/policy/backoff.ts";

const bounds = { minMs: 1_000, maxMs: 60_000 };
const almostOne = 1 - Number.EPSILON;

Deno.test("the upper bound of a delay doubles with each attempt until it meets the maximum", () => {
  const upper = [0, 1, 2, 3, 4, 5, 6, 7].map((attempt) =>
    backoffMs({ ...bounds, attempt, random: () => 1 })
  );
  assert.deepEqual(upper, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
});

Deno.test("the lower bound of every delay is zero: the jitter is full", () => {
  for (const attempt of [0, 3, 50]) {
    assert.equal(backoffMs({ ...bounds, attempt, random: () => 0 }), 0);
  }
});

Deno.test("delays are spread evenly between their bounds", () => {
  const delays = [0, 0.25, 0.5, 0.75, almostOne].map((share) =>
    backoffMs({ ...bounds, attempt: 2, random: () => share })
  );
  assert.deepEqual(delays, [0, 1_000, 2_000, 3_000, 3_999]);
});

Deno.test("a delay stays a whole number within its bounds for any share and any attempt", () => {
  for (let attempt = 0; attempt < 2_000; attempt += 7) {
    for (const share of [0, 0.1234567, 0.999, almostOne, 1]) {
      const delayMs = backoffMs({ ...bounds, attempt, random: () => share });
      assert(Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= 60_000, `${delayMs}`);
    }
  }
});

const refused: Record<string, Partial<Parameters<typeof backoffMs>[0]>> = {
  "a negative attempt": { attempt: -1 },
  "half an attempt": { attempt: 0.5 },
  "an attempt that is no number": { attempt: NaN },
  "a minimum of zero": { minMs: 0 },
  "a negative minimum": { minMs: -1 },
  "an endless maximum": { maxMs: Infinity },
  "a maximum below the minimum": { maxMs: 999 },
  "a maximum that is no number": { maxMs: NaN },
  "a random share above one": { random: () => 1.5 },
  "a random share below zero": { random: () => -0.1 },
  "a random share that is no number": { random: () => NaN },
};
for (const [name, options] of Object.entries(refused)) {
  Deno.test(`backing off refuses ${name}`, () => {
    assert.throws(
      () => backoffMs({ ...bounds, attempt: 0, random: () => 0.5, ...options }),
      RangeError,
    );
  });
}
