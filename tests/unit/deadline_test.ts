import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { DeadlineError, withDeadline } from "../../lib/policy/deadline.ts";
import { ManualClock } from "../support/manual_clock.ts";

const forever = new Promise<never>(() => {});

Deno.test("work in time gives its value and leaves no timer or listener behind", async () => {
  const clock = new ManualClock();
  const { signal } = new AbortController();
  const result = withDeadline(100, async () => {
    await clock.sleep(99);
    return "done";
  }, { clock, signal });
  await clock.advance(99);
  assert.equal(await result, "done");
  assert.equal(clock.sleepers, 0);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

Deno.test("work that fails gives its own error and leaves no timer or listener behind", async () => {
  const clock = new ManualClock();
  const { signal } = new AbortController();
  const failure = new Error("no");
  await assert.rejects(
    withDeadline(100, () => Promise.reject(failure), { clock, signal }),
    (error) => error === failure,
  );
  await assert.rejects(
    withDeadline(100, () => {
      throw failure;
    }, { clock, signal }),
    (error) => error === failure,
  );
  await clock.advance(0);
  assert.equal(clock.sleepers, 0);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

Deno.test("a deadline ends work that ignores its signal, at its very moment", async () => {
  const clock = new ManualClock();
  const { signal } = new AbortController();
  let inner: AbortSignal | undefined;
  const endings: unknown[] = [];
  withDeadline(100, (signal) => {
    inner = signal;
    return forever;
  }, { clock, signal, name: "fetching binance" }).catch((error) => endings.push(error));

  await clock.advance(99);
  assert.equal(endings.length, 0);
  assert.equal(inner?.aborted, false);
  await clock.advance(1);
  const [ended] = endings;
  assert(ended instanceof DeadlineError);
  assert.equal(ended.timeoutMs, 100);
  assert.equal(ended.message, "Cannot finish fetching binance: it took longer than 100 ms");
  assert.equal(inner?.reason, ended);
  assert.equal(clock.sleepers, 0);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

Deno.test("a deadline's error wins over the error work makes of its abort", async () => {
  const clock = new ManualClock();
  const result = withDeadline(100, (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("my own words")));
    }), { clock });
  const rejected = assert.rejects(result, DeadlineError);
  await clock.advance(100);
  await rejected;
});

Deno.test("an outer abort passes its reason to the work and to the caller", async () => {
  const clock = new ManualClock();
  const abort = new AbortController();
  let inner: AbortSignal | undefined;
  const result = withDeadline(100, (signal) => {
    inner = signal;
    return forever;
  }, { clock, signal: abort.signal });
  const reason = new Error("shutting down");
  abort.abort(reason);
  await assert.rejects(result, (error) => error === reason);
  assert.equal(inner?.reason, reason);
  await clock.advance(0);
  assert.equal(clock.sleepers, 0);
});

Deno.test("a signal aborted before keeps the work from starting", async () => {
  const clock = new ManualClock();
  const reason = new Error("too late");
  let started = false;
  await assert.rejects(
    withDeadline(100, () => {
      started = true;
      return forever;
    }, { clock, signal: AbortSignal.abort(reason) }),
    (error) => error === reason,
  );
  assert.equal(started, false);
  assert.equal(clock.sleepers, 0);
});

Deno.test("a rejection after the deadline is nobody's unhandled rejection", async () => {
  const clock = new ManualClock();
  const rejected = assert.rejects(
    withDeadline(100, async () => {
      await clock.sleep(200);
      throw new Error("late");
    }, { clock }),
    DeadlineError,
  );
  await clock.advance(300);
  await rejected;
});

for (const timeoutMs of [0, -1, NaN, Infinity]) {
  Deno.test(`a deadline of ${timeoutMs} ms is refused`, async () => {
    const clock = new ManualClock();
    await assert.rejects(withDeadline(timeoutMs, () => forever, { clock }), RangeError);
    assert.equal(clock.sleepers, 0);
  });
}
