import assert from "node:assert/strict";
import {
  Breaker,
  BreakerOpenError,
  type BreakerOptions,
  type BreakerState,
  type BreakerVerdict,
} from "../../lib/policy/breaker.ts";
import { ManualClock } from "../support/manual_clock.ts";

const START_MS = Date.UTC(2024, 0, 1);

class Judged extends Error {
  constructor(readonly verdict: BreakerVerdict) {
    super(verdict);
  }
}

function setUp(options: Partial<BreakerOptions> = {}): {
  clock: ManualClock;
  breaker: Breaker;
  changes: BreakerState[];
} {
  const clock = new ManualClock({ startMs: START_MS });
  const changes: BreakerState[] = [];
  const breaker = new Breaker({
    failures: 3,
    cooldownMs: 1_000,
    clock,
    judge: (error) => error instanceof Judged ? error.verdict : "failure",
    onChange: (state) => changes.push(state),
    name: "binance",
    ...options,
  });
  return { clock, breaker, changes };
}

async function fail(
  breaker: Breaker,
  times = 1,
  verdict: BreakerVerdict = "failure",
): Promise<void> {
  for (let i = 0; i < times; i++) {
    await assert.rejects(breaker.run(() => Promise.reject(new Judged(verdict))), Judged);
  }
}

const succeed = (breaker: Breaker): Promise<string> => breaker.run(() => Promise.resolve("up"));

Deno.test("a closed breaker passes values and errors through untouched", async () => {
  const { breaker, changes } = setUp();
  assert.equal(await succeed(breaker), "up");
  const failure = new Error("down");
  await assert.rejects(breaker.run(() => Promise.reject(failure)), (error) => error === failure);
  await assert.rejects(
    breaker.run(() => {
      throw failure;
    }),
    (error) => error === failure,
  );
  assert.deepEqual(breaker.state, { kind: "closed" });
  assert.deepEqual(changes, []);
});

Deno.test("failures in a row open the breaker, and it says until when", async () => {
  const { breaker, changes } = setUp();
  await fail(breaker, 2);
  assert.equal(breaker.state.kind, "closed");
  await fail(breaker);
  const open = { kind: "open", untilMs: START_MS + 1_000 };
  assert.deepEqual(breaker.state, open);
  assert.deepEqual(changes, [open]);
});

Deno.test("a success between failures begins the count anew", async () => {
  const { breaker } = setUp();
  await fail(breaker, 2);
  await succeed(breaker);
  await fail(breaker, 2);
  assert.equal(breaker.state.kind, "closed");
});

Deno.test("an error that proves the other side is up begins the count anew", async () => {
  const { breaker } = setUp();
  await fail(breaker, 2);
  await fail(breaker, 1, "success");
  await fail(breaker, 2);
  assert.equal(breaker.state.kind, "closed");
});

Deno.test("an ignored error neither counts nor begins the count anew", async () => {
  const { breaker } = setUp();
  await fail(breaker, 2);
  await fail(breaker, 5, "ignore");
  assert.equal(breaker.state.kind, "closed");
  await fail(breaker);
  assert.equal(breaker.state.kind, "open");
});

Deno.test("an open breaker refuses without calling, until the cooldown is over", async () => {
  const { clock, breaker } = setUp();
  await fail(breaker, 3);
  await clock.advance(999);
  assert.equal(breaker.passes, false);
  assert.throws(() => breaker.check(), BreakerOpenError);
  await assert.rejects(
    breaker.run(() => assert.fail("not called")),
    (error) =>
      error instanceof BreakerOpenError && error.untilMs === START_MS + 1_000 &&
      error.message ===
        "Cannot send a request to binance: its breaker is open until 2024-01-01T00:00:01.000Z",
  );
  await clock.advance(1);
  assert.equal(breaker.passes, true);
  breaker.check();
  assert.equal(breaker.state.kind, "open", "reading takes no turn");
});

Deno.test("a clock that is set back does not keep a breaker open for as long", async () => {
  const { clock, breaker } = setUp();
  await fail(breaker, 3);
  clock.set(-8 * 3_600_000);
  await succeed(breaker);
  assert.equal(breaker.state.kind, "closed");
  await fail(breaker, 3);
  assert.equal(breaker.passes, false, "an outage of the new time is one");
});

Deno.test("a trial that succeeds closes the breaker with a count of zero", async () => {
  const { clock, breaker, changes } = setUp();
  await fail(breaker, 3);
  await clock.advance(1_000);
  await succeed(breaker);
  assert.deepEqual(changes.map(({ kind }) => kind), ["open", "half_open", "closed"]);
  await fail(breaker, 2);
  assert.equal(breaker.state.kind, "closed");
});

Deno.test("a trial answered with an error that proves it is up closes the breaker", async () => {
  const { clock, breaker } = setUp();
  await fail(breaker, 3);
  await clock.advance(1_000);
  await fail(breaker, 1, "success");
  assert.equal(breaker.state.kind, "closed");
});

Deno.test("a trial that fails opens the breaker for a whole cooldown", async () => {
  const { clock, breaker } = setUp();
  await fail(breaker, 3);
  await clock.advance(5_000);
  await fail(breaker);
  assert.deepEqual(breaker.state, { kind: "open", untilMs: START_MS + 6_000 });
});

Deno.test("an ignored trial opens the breaker no longer, and the next trial may start at once", async () => {
  const { clock, breaker } = setUp();
  await fail(breaker, 3);
  await clock.advance(1_500);
  await fail(breaker, 1, "ignore");
  assert.deepEqual(breaker.state, { kind: "open", untilMs: START_MS + 1_000 });
  assert.equal(await succeed(breaker), "up");
  assert.equal(breaker.state.kind, "closed");
});

Deno.test("of many calls at once exactly one is the trial and the others are refused", async () => {
  const { clock, breaker } = setUp();
  await fail(breaker, 3);
  await clock.advance(1_000);
  const trial = Promise.withResolvers<string>();
  let calls = 0;
  const results = Array.from({ length: 10 }, () =>
    breaker.run(() => {
      calls++;
      return trial.promise;
    }));
  assert.equal(breaker.state.kind, "half_open");
  assert.equal(breaker.passes, false);
  const refused = await Promise.allSettled(results.slice(1));
  assert(refused.every((r) => r.status === "rejected" && r.reason instanceof BreakerOpenError));
  assert.equal(calls, 1);
  trial.resolve("up");
  assert.equal(await results[0], "up");
  assert.equal(breaker.state.kind, "closed");
});

Deno.test("a call that began before the breaker opened does not move it", async () => {
  const { clock, breaker } = setUp();
  const calls = [Promise.withResolvers<string>(), Promise.withResolvers<string>()] as const;
  const late = calls.map(({ promise }) => breaker.run(() => promise));
  await fail(breaker, 3);
  const open = breaker.state;
  calls[0].resolve("late");
  assert.equal(await late[0], "late");
  assert.deepEqual(breaker.state, open, "a late success must not close it");
  await clock.advance(500);
  calls[1].reject(new Error("late"));
  await assert.rejects(late[1]!);
  assert.deepEqual(breaker.state, open, "a late failure must not lengthen it");
});

Deno.test("a failure from before an outage does not count after it", async () => {
  const { clock, breaker } = setUp();
  const call = Promise.withResolvers<string>();
  const late = breaker.run(() => call.promise);
  await fail(breaker, 3);
  await clock.advance(1_000);
  await succeed(breaker);
  await fail(breaker, 2);
  call.reject(new Error("late"));
  await assert.rejects(late);
  assert.equal(breaker.state.kind, "closed");
});

Deno.test("a call the caller aborted teaches the breaker nothing", async () => {
  const { breaker } = setUp({ failures: 1 });
  const abort = new AbortController();
  const run = breaker.run(() => {
    abort.abort(new Error("stop"));
    return Promise.reject(new Error("down"));
  }, { signal: abort.signal });
  await assert.rejects(run);
  assert.equal(breaker.state.kind, "closed");
});

Deno.test("without a judge every error is a failure", async () => {
  const breaker = new Breaker({ clock: new ManualClock() });
  await fail(breaker, 4, "ignore");
  assert.equal(breaker.state.kind, "closed");
  await fail(breaker, 1, "success");
  assert.equal(breaker.state.kind, "open");
});

Deno.test("a judge that throws does not leave the trial under way for ever", async () => {
  const bug = new Error("bug in the judge");
  const { clock, breaker } = setUp({
    failures: 1,
    judge: () => {
      throw bug;
    },
  });
  await assert.rejects(breaker.run(() => Promise.reject(new Error("down"))), bug);
  await clock.advance(1_000);
  await assert.rejects(breaker.run(() => Promise.reject(new Error("down"))), bug);
  await clock.advance(1_000);
  assert.equal(await succeed(breaker), "up");
});

Deno.test("a subject that always fails leaves the next trial to others, and opens the breaker no more", async () => {
  const { breaker, clock } = setUp();
  const ask = (subject: string, isUp: boolean): Promise<void> =>
    breaker.run(() => isUp ? Promise.resolve() : Promise.reject(new Judged("failure")), {
      subject,
    });
  await assert.rejects(ask("bad", false), Judged);
  await fail(breaker, 2);
  await clock.advance(1_000);
  await assert.rejects(ask("bad", false), Judged);
  await clock.advance(1_000);
  await assert.rejects(ask("bad", false), Judged, "the only one leaves its trial to no other");
  await assert.rejects(ask("good", true), BreakerOpenError);
  await clock.advance(1_000);
  await assert.rejects(ask("bad", false), BreakerOpenError);
  await ask("good", true);
  for (let times = 0; times < 9; times++) await assert.rejects(ask("bad", false), Judged);
  assert.equal(breaker.state.kind, "closed");
  await ask("bad", true);
  for (let times = 0; times < 3; times++) await assert.rejects(ask("bad", false), Judged);
  assert.equal(breaker.state.kind, "open", "it was answered: its failures count again");
});

const refused: Record<string, Partial<BreakerOptions>> = {
  "no failures": { failures: 0 },
  "half a failure": { failures: 2.5 },
  "a cooldown of zero": { cooldownMs: 0 },
  "an endless cooldown": { cooldownMs: Infinity },
  "a cooldown that is no number": { cooldownMs: NaN },
};
for (const [name, options] of Object.entries(refused)) {
  Deno.test(`a breaker refuses ${name}`, () => {
    assert.throws(() => setUp(options), RangeError);
  });
}

Deno.test("a breaker says since when it has not been closed, whatever its trials came to", async () => {
  const { breaker, clock } = setUp();
  assert.equal(breaker.troubledSinceMs, undefined);
  await fail(breaker, 3);
  assert.equal(breaker.troubledSinceMs, START_MS);
  await clock.advance(1_000);
  const trial = Promise.withResolvers<never>();
  const run = breaker.run(() => trial.promise);
  assert.equal(breaker.state.kind, "half_open");
  assert.equal(breaker.troubledSinceMs, START_MS);
  trial.reject(new Judged("failure"));
  await assert.rejects(run, Judged);
  assert.equal(breaker.troubledSinceMs, START_MS);
  await clock.advance(1_000);
  await succeed(breaker);
  assert.equal(breaker.troubledSinceMs, undefined);
  await fail(breaker, 3);
  assert.equal(breaker.troubledSinceMs, START_MS + 2_000);
});
