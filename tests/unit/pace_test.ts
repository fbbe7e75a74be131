import assert from "node:assert/strict";
import { Pace, type Priority } from "../../lib/exchange/pace.ts";
import { ManualClock } from "../support/manual_clock.ts";

const START_MS = Date.UTC(2024, 0, 1);
const INTERVAL_MS = 100;

interface Setup {
  readonly clock: ManualClock;
  readonly pace: Pace;
  /** Turns given, as `name@ms since the start`. */
  readonly given: readonly string[];
  ask(name: string, priority?: Priority, signal?: AbortSignal): Promise<void>;
}

function setUp(): Setup {
  const clock = new ManualClock({ startMs: START_MS });
  const pace = new Pace({ intervalMs: INTERVAL_MS, clock });
  const given: string[] = [];
  return {
    clock,
    pace,
    given,
    ask: async (name, priority = "live", signal) => {
      await pace.turn(priority, signal);
      given.push(`${name}@${clock.now() - START_MS}`);
    },
  };
}

/** Nothing waits, nothing sleeps. */
function assertIdle({ clock, pace }: Setup): void {
  assert.equal(pace.waiting, 0);
  assert.equal(clock.sleepers, 0);
}

Deno.test("the first turn comes at once, the others one interval apart, in the order of asking", async () => {
  const setup = setUp();
  const asks = ["a", "b", "c", "d"].map((name) => setup.ask(name));
  assert.equal(setup.pace.waiting, 3);
  await setup.clock.advance(3 * INTERVAL_MS);
  await Promise.all(asks);
  assert.deepEqual(setup.given, ["a@0", "b@100", "c@200", "d@300"]);
  assertIdle(setup);
});

Deno.test("a turn is not given a millisecond early", async () => {
  const setup = setUp();
  await setup.ask("a");
  const ask = setup.ask("b");
  await setup.clock.advance(INTERVAL_MS - 1);
  assert.deepEqual(setup.given, ["a@0"]);
  await setup.clock.advance(1);
  await ask;
  assert.deepEqual(setup.given, ["a@0", "b@100"]);
});

Deno.test("turns that nobody took are not saved up", async () => {
  const setup = setUp();
  await setup.ask("a");
  await setup.clock.advance(1_000);
  const asks = [setup.ask("b"), setup.ask("c")];
  await setup.clock.advance(INTERVAL_MS);
  await Promise.all(asks);
  assert.deepEqual(setup.given, ["a@0", "b@1000", "c@1100"]);
  assertIdle(setup);
});

Deno.test("a timer that fires late delays one turn, and not those behind it", async () => {
  const given = await turnsOf({ count: 20, lateMs: 7 });
  assert.equal(given.at(-1), 19 * INTERVAL_MS + 7);
  assert.ok(given.every((ms, turn) => ms >= turn * INTERVAL_MS), "none is early");
});

Deno.test("of a timer that fires very late only 25 ms are made up", async () => {
  const given = await turnsOf({ count: 3, lateMs: 60 });
  assert.deepEqual(given, [0, 160, 295]);
});

/** When turns are given, all asked for at once, by a clock that sleeps too long. Milliseconds since the start. */
async function turnsOf(
  { count, lateMs }: { readonly count: number; readonly lateMs: number },
): Promise<readonly number[]> {
  const clock = new ManualClock({ startMs: START_MS });
  const pace = new Pace({
    intervalMs: INTERVAL_MS,
    clock: {
      now: () => clock.now(),
      sleep: (ms, options) => clock.sleep(ms + lateMs, options),
    },
  });
  const given: number[] = [];
  const asks = Array.from({ length: count }, async () => {
    await pace.turn("live");
    given.push(clock.now() - START_MS);
  });
  await clock.advance(count * (INTERVAL_MS + lateMs));
  await Promise.all(asks);
  return given;
}

Deno.test("live asks go before backfill asks that have waited longer", async () => {
  const setup = setUp();
  const asks = [setup.ask("a", "backfill"), setup.ask("b", "backfill"), setup.ask("c", "backfill")];
  asks.push(setup.ask("x", "live"));
  await setup.clock.advance(INTERVAL_MS + 50);
  // In the middle of a wait that began for a backfill ask.
  asks.push(setup.ask("y", "live"));
  await setup.clock.advance(1_000);
  await Promise.all(asks);
  assert.deepEqual(setup.given, ["a@0", "x@100", "y@200", "b@300", "c@400"]);
  assertIdle(setup);
});

Deno.test("an aborted ask rejects with the signal's reason, and its turn goes to the next", async () => {
  const setup = setUp();
  const reason = new Error("enough");
  const abort = new AbortController();
  await setup.ask("a");
  const aborted = setup.ask("b", "live", abort.signal);
  const next = setup.ask("c");
  await setup.clock.advance(40);
  abort.abort(reason);
  await assert.rejects(aborted, reason);
  assert.equal(setup.pace.waiting, 1);
  await setup.clock.advance(60);
  await next;
  assert.deepEqual(setup.given, ["a@0", "c@100"]);
  assertIdle(setup);
});

Deno.test("when the last ask is aborted nothing sleeps on, and the pace is kept for the one after", async () => {
  const setup = setUp();
  const abort = new AbortController();
  await setup.ask("a");
  const aborted = setup.ask("b", "backfill", abort.signal);
  await setup.clock.advance(40);
  assert.equal(setup.clock.sleepers, 1);
  abort.abort(new Error("enough"));
  await assert.rejects(aborted);
  assertIdle(setup);
  const ask = setup.ask("c");
  await setup.clock.advance(60);
  await ask;
  assert.deepEqual(setup.given, ["a@0", "c@100"]);
  assertIdle(setup);
});

Deno.test("an ask made in the moment of another's abort gets its turn", async () => {
  const setup = setUp();
  const abort = new AbortController();
  await setup.ask("a");
  const aborted = setup.ask("b", "live", abort.signal);
  await setup.clock.advance(10);
  abort.abort(new Error("enough"));
  const ask = setup.ask("c");
  await assert.rejects(aborted);
  await setup.clock.advance(90);
  await ask;
  assert.deepEqual(setup.given, ["a@0", "c@100"]);
  assertIdle(setup);
});

Deno.test("an ask with an aborted signal is refused and takes no turn", async () => {
  const setup = setUp();
  const reason = new Error("too late");
  await assert.rejects(setup.ask("a", "live", AbortSignal.abort(reason)), reason);
  await setup.ask("b");
  assert.deepEqual(setup.given, ["b@0"]);
  assertIdle(setup);
});

Deno.test("an abort after the turn was given changes nothing", async () => {
  const setup = setUp();
  const abort = new AbortController();
  await setup.ask("a", "live", abort.signal);
  const ask = setup.ask("b");
  abort.abort(new Error("too late"));
  await setup.clock.advance(INTERVAL_MS);
  await ask;
  assert.deepEqual(setup.given, ["a@0", "b@100"]);
  assertIdle(setup);
});

Deno.test("a signal that outlives its asks, as a daemon's does, keeps nothing of them", async () => {
  const setup = setUp();
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  signal.addEventListener = (_type: string, listener: unknown) => void listeners.add(listener);
  signal.removeEventListener = (_type: string, listener: unknown) =>
    void listeners.delete(listener);
  const asks = [setup.ask("a", "live", signal), setup.ask("b", "backfill", signal)];
  assert.equal(listeners.size, 1);
  await setup.clock.advance(INTERVAL_MS);
  await Promise.all(asks);
  assert.deepEqual([...listeners], []);
});

Deno.test("a request that costs more delays the turns behind it, one that costs less brings them forward", async () => {
  const setup = setUp();
  await setup.ask("a");
  setup.pace.charge(4);
  const b = setup.ask("b");
  await setup.clock.advance(499);
  assert.deepEqual(setup.given, ["a@0"]);
  await setup.clock.advance(1);
  await b;
  setup.pace.charge(-0.6);
  const c = setup.ask("c");
  await setup.clock.advance(40);
  await c;
  assert.deepEqual(setup.given, ["a@0", "b@500", "c@540"]);
  assertIdle(setup);
});

Deno.test("a charge while an ask is already waiting is waited out as well", async () => {
  const setup = setUp();
  await setup.ask("a");
  const ask = setup.ask("b");
  setup.pace.charge(2);
  await setup.clock.advance(299);
  assert.deepEqual(setup.given, ["a@0"]);
  await setup.clock.advance(1);
  await ask;
  assert.deepEqual(setup.given, ["a@0", "b@300"]);
  assertIdle(setup);
});

Deno.test("a refund while an ask is already waiting brings its turn forward", async () => {
  const setup = setUp();
  const asks = ["a", "b", "c"].map((name) => setup.ask(name));
  // As when a's request turns out to cost 0.4, while b already sleeps towards its turn.
  await setup.clock.advance(0);
  setup.pace.charge(-0.6);
  await setup.clock.advance(40);
  assert.deepEqual(setup.given, ["a@0", "b@40"]);
  await setup.clock.advance(INTERVAL_MS);
  await Promise.all(asks);
  assert.deepEqual(setup.given, ["a@0", "b@40", "c@140"]);
  assertIdle(setup);
});

Deno.test("a charge after idleness counts from now, not from when the exchange was last asked", async () => {
  const setup = setUp();
  await setup.ask("a");
  await setup.clock.advance(1_000);
  setup.pace.charge(2);
  const ask = setup.ask("b");
  await setup.clock.advance(200);
  await ask;
  assert.deepEqual(setup.given, ["a@0", "b@1200"]);
});

Deno.test("a clock that is set back, by seconds or hours, costs an interval and no more", async (t) => {
  for (const backMs of [3_000, 90_000, 3_600_000]) {
    await t.step(`${backMs / 1000} s`, async () => {
      const clock = new ManualClock({ startMs: START_MS });
      const pace = new Pace({ intervalMs: INTERVAL_MS, clock });
      await pace.turn("live");
      clock.set(-backMs);
      let isGiven = false;
      const second = pace.turn("live").then(() => isGiven = true);
      await clock.advance(INTERVAL_MS - 1);
      assert.equal(isGiven, false, "how much of the interval has passed is not known");
      await clock.advance(1);
      await second;
      // Also when somebody is in the middle of a wait.
      const third = pace.turn("live");
      await clock.advance(INTERVAL_MS / 2);
      clock.set(-backMs);
      await clock.advance(3 * INTERVAL_MS / 2);
      await third;
      assert.equal(clock.sleepers, 0);
    });
  }
});

Deno.test("an interval that is no whole number of milliseconds is waited out once, not for ever", async () => {
  for (const perSecond of [3, 6, 7, 15, 30, 300]) {
    const clock = new ManualClock({ startMs: START_MS });
    const intervalMs = 1_000 / perSecond;
    const pace = new Pace({ intervalMs, clock });
    const turns = Array.from({ length: 100 }, async () => {
      await pace.turn("live");
      return clock.now() - START_MS;
    });
    await clock.advance(100 * Math.ceil(intervalMs));
    const givenMs = await Promise.all(turns);
    for (const [turn, ms] of givenMs.entries()) {
      const lateMs = ms - turn * intervalMs;
      assert.ok(-1e-6 < lateMs && lateMs < 1 + 1e-6, `${perSecond}/s: turn ${turn} at ${ms}`);
    }
  }
});

Deno.test("however asks come and go, turns are an interval apart, and live ones never wait for others", async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = lcg(seed);
    const setup = setUp();
    const asks: Promise<void>[] = [];
    const aborts: AbortController[] = [];
    for (let i = 0; i < 40; i++) {
      const priority = random() < 0.3 ? "live" : "backfill";
      const abort = new AbortController();
      aborts.push(abort);
      asks.push(setup.ask(priority, priority, abort.signal).catch(() => {}));
      if (random() < 0.3) aborts[Math.floor(random() * aborts.length)]?.abort(new Error("enough"));
      await setup.clock.advance(Math.floor(random() * 90));
    }
    // All live asks are in: from here on the remaining ones come before every backfill ask.
    const before = setup.given.length;
    await setup.clock.advance(40 * INTERVAL_MS);
    await Promise.all(asks);
    const after = setup.given.slice(before).map((turn) => turn.split("@")[0]);
    assert.deepEqual(after, after.toSorted().reverse(), `seed ${seed}`);
    const times = setup.given.map((turn) => Number(turn.split("@")[1]));
    for (const [index, timeMs] of times.entries()) {
      assert.ok(
        index === 0 || timeMs - (times[index - 1] ?? 0) >= INTERVAL_MS,
        `seed ${seed}: ${times}`,
      );
    }
    assert.ok(times.length > 10, `seed ${seed}: only ${times.length} turns`);
    assertIdle(setup);
  }
});

/** Numerical Recipes' generator: the same numbers in every run. */
function lcg(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
