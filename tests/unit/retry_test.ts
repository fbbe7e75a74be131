import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { retry, type RetryEvent, type RetryOptions } from "../../lib/policy/retry.ts";
import { ManualClock } from "../support/manual_clock.ts";

const random = (): number => 0.5;

Deno.test("a first success is returned without a delay", async () => {
  const clock = new ManualClock();
  const value = await retry(({ attempt }) => Promise.resolve(attempt), { clock, random });
  assert.equal(value, 1);
  assert.equal(clock.sleepers, 0);
});

Deno.test("attempts are counted from one and spaced by the backoff", async () => {
  const clock = new ManualClock({ startMs: 0 });
  const tried: [number, number][] = [];
  const result = retry(({ attempt }) => {
    tried.push([attempt, clock.now()]);
    return attempt === 4 ? Promise.resolve("up") : Promise.reject(new Error("down"));
  }, { clock, random });
  await clock.advance(10_000);
  assert.equal(await result, "up");
  assert.deepEqual(tried, [[1, 0], [2, 500], [3, 1_500], [4, 3_500]]);
});

Deno.test("after the last attempt the last error itself is thrown, without another delay", async () => {
  const clock = new ManualClock();
  const errors = [new Error("first"), new Error("second"), new Error("third")];
  const rejected = assert.rejects(
    retry(({ attempt }) => Promise.reject(errors[attempt - 1]), { clock, random, attempts: 3 }),
    (error) => error === errors[2],
  );
  await clock.advance(1_500);
  await rejected;
  assert.equal(clock.sleepers, 0);
});

Deno.test("a delay that was asked for is kept, also above the bound, and a shorter one changes nothing", async () => {
  const clock = new ManualClock({ startMs: 0 });
  const tried: number[] = [];
  const asked = [90_000, 10, undefined];
  const result = retry(({ attempt }) => {
    tried.push(clock.now());
    return attempt === 4 ? Promise.resolve("up") : Promise.reject(new Error(String(attempt)));
  }, {
    clock,
    random,
    maxMs: 60_000,
    delayMsMin: (error) => asked[Number((error as Error).message) - 1],
  });
  await clock.advance(200_000);
  assert.equal(await result, "up");
  assert.deepEqual(tried, [0, 90_000, 91_000, 93_000]);
});

Deno.test("an error that is not retryable is thrown at once", async () => {
  const clock = new ManualClock();
  const seen: unknown[] = [];
  const failure = new Error("bad symbol");
  await assert.rejects(
    retry(() => Promise.reject(failure), {
      clock,
      random,
      isRetryable: (error) => {
        seen.push(error);
        return false;
      },
      onRetry: () => assert.fail("nothing is retried"),
    }),
    (error) => error === failure,
  );
  assert.deepEqual(seen, [failure]);
});

Deno.test("a function that throws instead of rejecting is retried too", async () => {
  const clock = new ManualClock();
  const result = retry<string>(({ attempt }) => {
    if (attempt === 1) throw new Error("thrown");
    return Promise.resolve("up");
  }, { clock, random });
  await clock.advance(500);
  assert.equal(await result, "up");
});

Deno.test("every retry is told before its delay, and no retry is told that never comes", async () => {
  const clock = new ManualClock();
  const events: RetryEvent[] = [];
  const failure = new Error("down");
  const rejected = assert.rejects(
    retry(() => Promise.reject(failure), {
      clock,
      random,
      attempts: 3,
      onRetry: (event) => events.push(event),
    }),
    failure,
  );
  await clock.advance(0);
  assert.deepEqual(events, [{ attempt: 1, error: failure, delayMs: 500 }]);
  await clock.advance(1_500);
  await rejected;
  assert.deepEqual(events.slice(1), [{ attempt: 2, error: failure, delayMs: 1_000 }]);
});

Deno.test("a signal aborted before keeps the first attempt from starting", async () => {
  const reason = new Error("stop");
  await assert.rejects(
    retry(() => assert.fail("no attempt"), {
      clock: new ManualClock(),
      random,
      signal: AbortSignal.abort(reason),
    }),
    (error) => error === reason,
  );
});

Deno.test("an abort during a delay ends it at once with the reason and leaves nothing behind", async () => {
  const clock = new ManualClock();
  const abort = new AbortController();
  let attempts = 0;
  const rejected = assert.rejects(
    retry(() => {
      attempts++;
      return Promise.reject(new Error("down"));
    }, { clock, random, signal: abort.signal }),
    (error) => error === abort.signal.reason,
  );
  await clock.advance(499);
  assert.equal(clock.sleepers, 1);
  abort.abort(new Error("stop"));
  await rejected;
  assert.equal(attempts, 1);
  assert.equal(clock.sleepers, 0);
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
});

Deno.test("an abort during an attempt ends with the reason, and no retry is told", async () => {
  const abort = new AbortController();
  await assert.rejects(
    retry(({ signal }) => {
      assert.equal(signal, abort.signal);
      abort.abort(new Error("stop"));
      return Promise.reject(new Error("down"));
    }, {
      clock: new ManualClock(),
      random,
      signal: abort.signal,
      onRetry: () => assert.fail("nothing is retried"),
    }),
    (error) => error === abort.signal.reason,
  );
});

const refused: Record<string, Partial<RetryOptions>> = {
  "no attempts": { attempts: 0 },
  "half an attempt": { attempts: 1.5 },
  "endless attempts": { attempts: Infinity },
  "a minimum of zero": { minMs: 0 },
  "a minimum that is no number": { minMs: NaN },
  "a maximum below the minimum": { minMs: 10, maxMs: 9 },
  "an endless maximum": { maxMs: Infinity },
};
for (const [name, options] of Object.entries(refused)) {
  Deno.test(`retrying refuses ${name} before the first attempt`, async () => {
    await assert.rejects(
      retry(() => assert.fail("no attempt"), { clock: new ManualClock(), random, ...options }),
      RangeError,
    );
  });
}
