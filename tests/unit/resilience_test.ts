import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { Breaker, BreakerOpenError } from "../../lib/policy/breaker.ts";
import { DeadlineError } from "../../lib/policy/deadline.ts";
import { type ResilienceOptions, withResilience } from "../../lib/policy/resilience.ts";
import { ManualClock } from "../support/manual_clock.ts";

function setUp(options: Partial<ResilienceOptions> & { failures?: number } = {}): {
  clock: ManualClock;
  breaker: Breaker;
  options: ResilienceOptions;
} {
  const { failures = 3, ...others } = options;
  const clock = new ManualClock({ startMs: 0 });
  const breaker = new Breaker({ failures, cooldownMs: 60_000, clock, name: "binance" });
  const random = (): number => 0.5;
  return { clock, breaker, options: { breaker, clock, random, timeoutMs: 1_000, ...others } };
}

async function trip(breaker: Breaker): Promise<void> {
  while (breaker.state.kind === "closed") {
    await breaker.run(() => Promise.reject(new Error("down"))).catch(() => {});
  }
}

Deno.test("each attempt takes its turn, then passes the breaker, then runs under a deadline", async () => {
  const steps: string[] = [];
  const { clock, breaker, options } = setUp({
    before: () => {
      steps.push("turn");
      return Promise.resolve();
    },
  });
  const run = breaker.run.bind(breaker);
  breaker.run = (fn, options) => {
    steps.push("breaker");
    return run(fn, options);
  };
  const result = withResilience(({ attempt, signal }) => {
    steps.push(`attempt ${attempt}, ${clock.sleepers} timer`);
    assert.equal(signal.aborted, false);
    return attempt === 2 ? Promise.resolve("up") : Promise.reject(new Error("down"));
  }, options);
  await clock.advance(500);
  assert.equal(await result, "up");
  assert.deepEqual(steps, [
    ...["turn", "breaker", "attempt 1, 1 timer"],
    ...["turn", "breaker", "attempt 2, 1 timer"],
  ]);
  assert.equal(clock.sleepers, 0);
});

Deno.test("an attempt that takes too long is a failure of the breaker and is retried", async () => {
  const { clock, breaker, options } = setUp({ failures: 2, name: "fetching BTC/USDT" });
  const rejected = assert.rejects(
    withResilience(() => new Promise<never>(() => {}), options),
    (error) =>
      error instanceof DeadlineError &&
      error.message === "Cannot finish fetching BTC/USDT: it took longer than 1000 ms",
  );
  await clock.advance(1_000 + 500 + 1_000);
  await rejected;
  assert.equal(breaker.state.kind, "open");
});

Deno.test("waiting for the turn counts neither against the deadline nor as a failure", async () => {
  const { clock, breaker, options } = setUp({ failures: 1 });
  const result = withResilience(() => Promise.resolve("up"), {
    ...options,
    before: (signal) => clock.sleep(50_000, { signal }),
  });
  await clock.advance(50_000);
  assert.equal(await result, "up");
  assert.equal(breaker.state.kind, "closed");
});

Deno.test("nobody queues for a turn while the breaker is open, and an open breaker is not retried", async () => {
  const { clock, breaker, options } = setUp();
  await trip(breaker);
  await assert.rejects(
    withResilience(() => assert.fail("not called"), {
      ...options,
      before: () => assert.fail("no turn is taken"),
      onRetry: () => assert.fail("not retried"),
    }),
    (error) => error instanceof BreakerOpenError && error.untilMs === 60_000,
  );
  assert.equal(clock.sleepers, 0);
});

Deno.test("a breaker that opens while a call waits for its turn refuses the call", async () => {
  const { clock, breaker, options } = setUp();
  const rejected = assert.rejects(
    withResilience(() => assert.fail("not called"), {
      ...options,
      before: (signal) => clock.sleep(10, { signal }),
      onRetry: () => assert.fail("not retried"),
    }),
    BreakerOpenError,
  );
  await trip(breaker);
  await clock.advance(10);
  await rejected;
});

Deno.test("the failure that opens the breaker is thrown itself, without a useless delay", async () => {
  const { clock, breaker, options } = setUp({ failures: 2 });
  const errors = [new Error("first"), new Error("second")];
  const rejected = assert.rejects(
    withResilience(({ attempt }) => Promise.reject(errors[attempt - 1]), options),
    (error) => error === errors[1],
  );
  await clock.advance(500);
  await rejected;
  assert.equal(breaker.state.kind, "open");
  assert.equal(clock.sleepers, 0);
});

Deno.test("once the cooldown is over a call is the trial", async () => {
  const { clock, breaker, options } = setUp();
  await trip(breaker);
  await clock.advance(60_000);
  assert.equal(await withResilience(() => Promise.resolve("up"), options), "up");
  assert.equal(breaker.state.kind, "closed");
});

Deno.test("an error that is not retryable ends at once", async () => {
  const { options } = setUp({ isRetryable: () => false });
  const failure = new Error("bad symbol");
  let calls = 0;
  await assert.rejects(
    withResilience(() => {
      calls++;
      return Promise.reject(failure);
    }, options),
    (error) => error === failure,
  );
  assert.equal(calls, 1);
});

Deno.test("an abort ends the turn, the attempt and the delay alike and leaves nothing behind", async () => {
  const stages: Record<string, (clock: ManualClock) => Partial<ResilienceOptions>> = {
    turn: (clock) => ({ before: (signal) => clock.sleep(5_000, { signal }) }),
    attempt: () => ({ timeoutMs: 5_000 }),
    delay: () => ({ timeoutMs: 100, minMs: 10_000 }),
  };
  for (const [stage, optionsOf] of Object.entries(stages)) {
    const { clock, breaker, options } = setUp({ failures: 2 });
    const abort = new AbortController();
    const rejected = assert.rejects(
      withResilience(() => new Promise<never>(() => {}), {
        ...options,
        ...optionsOf(clock),
        signal: abort.signal,
      }),
      (error) => error === abort.signal.reason,
      stage,
    );
    await clock.advance(200);
    abort.abort(new Error("stop"));
    await rejected;
    await clock.advance(0);
    assert.equal(clock.sleepers, 0, stage);
    assert.equal(getEventListeners(abort.signal, "abort").length, 0, stage);
    assert.equal(breaker.state.kind, "closed", stage);
  }
});

Deno.test("a bad timeout is refused before anything is called and is no failure", async () => {
  const { breaker, options } = setUp({ failures: 1, timeoutMs: 0 });
  await assert.rejects(withResilience(() => assert.fail("not called"), options), RangeError);
  assert.equal(breaker.state.kind, "closed");
});
