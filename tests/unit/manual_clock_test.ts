import assert from "node:assert/strict";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("a manual clock wakes sleepers in due order, each at its own moment", async () => {
  const clock = new ManualClock({ startMs: 1_000 });
  const woken: [string, number][] = [];
  for (const [name, ms] of [["c", 30], ["a", 10], ["b", 10]] as const) {
    clock.sleep(ms).then(() => woken.push([name, clock.now()]));
  }
  await clock.advance(29);
  assert.deepEqual(woken, [["a", 1_010], ["b", 1_010]]);
  assert.equal(clock.now(), 1_029);
  await clock.advance(1);
  assert.deepEqual(woken.at(-1), ["c", 1_030]);
  assert.equal(clock.sleepers, 0);
});

Deno.test("a manual clock wakes within one advance the sleeps that wakers begin", async () => {
  const clock = new ManualClock({ startMs: 0 });
  const ticks: number[] = [];
  const loop = (async () => {
    for (let i = 0; i < 3; i++) {
      await clock.sleep(10);
      // A long chain of microtasks must have run before the next sleeper is looked for.
      for (let j = 0; j < 500; j++) await Promise.resolve();
      ticks.push(clock.now());
    }
  })();
  await clock.advance(100);
  await loop;
  assert.deepEqual(ticks, [10, 20, 30]);
});

Deno.test("a manual clock's sleep rejects with the signal's reason, before and during the wait", async () => {
  const clock = new ManualClock();
  const reason = new Error("enough");
  await assert.rejects(clock.sleep(5, { signal: AbortSignal.abort(reason) }), reason);
  const abort = new AbortController();
  const sleep = clock.sleep(5, { signal: abort.signal });
  assert.equal(clock.sleepers, 1);
  abort.abort(reason);
  await assert.rejects(sleep, reason);
  assert.equal(clock.sleepers, 0);
});

Deno.test("a manual clock refuses to go backwards", async () => {
  await assert.rejects(new ManualClock().advance(-1), RangeError);
});
