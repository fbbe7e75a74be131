import assert from "node:assert/strict";
import { BAN_MS_MAX, classify } from "../../lib/exchange/classify.ts";
import { backoffMs } from "../../lib/policy/backoff.ts";
import { Breaker, BreakerOpenError, type BreakerVerdict } from "../../lib/policy/breaker.ts";
import { retry } from "../../lib/policy/retry.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { fc } from "../support/property.ts";

const shares = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

Deno.test("a delay is a whole number between zero and the bound of its attempt", () => {
  const bounds = fc.tuple(
    fc.double({ min: 0.1, max: 1e6, noNaN: true }),
    fc.double({ min: 1, max: 1e3, noNaN: true }),
  ).map(([minMs, factor]) => ({ minMs, maxMs: minMs * factor }));
  fc.assert(fc.property(bounds, fc.nat(5_000), shares, ({ minMs, maxMs }, attempt, share) => {
    const delayMs = backoffMs({ attempt, minMs, maxMs, random: () => share });
    assert.ok(Number.isInteger(delayMs) && delayMs >= 0);
    assert.ok(delayMs <= Math.min(maxMs, minMs * 2 ** attempt));
  }));
});

Deno.test("a retry tries as often as it may, no more, and stops at what is not worth trying again", async () => {
  const outcomes = fc.array(fc.constantFrom("passing", "final", "value"), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(outcomes, fc.integer({ min: 1, max: 8 }), shares, async (
      outcomes,
      attempts,
      share,
    ) => {
      const clock = new ManualClock();
      let calls = 0;
      const run = retry(() => {
        const outcome = outcomes[calls++] ?? "value";
        return outcome === "value" ? Promise.resolve(outcome) : Promise.reject(new Error(outcome));
      }, {
        attempts,
        clock,
        random: () => share,
        isRetryable: (error) => error instanceof Error && error.message === "passing",
      }).then(() => "value", (error: Error) => error.message);
      await clock.advance(attempts * 60_000);
      const passing = outcomes.findIndex((outcome) => outcome !== "passing");
      const last = Math.min(attempts, (passing === -1 ? outcomes.length : passing) + 1);
      assert.equal(calls, last);
      assert.equal(await run, outcomes[last - 1] ?? "value");
      assert.equal(clock.sleepers, 0);
    }),
  );
});

interface Model {
  failures: number;
  state: "closed" | "open" | "half_open";
  untilMs: number;
  /** Calls under way, each with the number of changes of state when it began. */
  readonly calls: { readonly era: number; settle(verdict: BreakerVerdict): Promise<void> }[];
  era: number;
}

interface Real {
  readonly clock: ManualClock;
  readonly breaker: Breaker;
}

class Judged extends Error {
  constructor(readonly verdict: BreakerVerdict) {
    super(verdict);
  }
}

const FAILURES = 3;
const COOLDOWN_MS = 1_000;

class Begin implements fc.AsyncCommand<Model, Real> {
  check = (): boolean => true;
  async run(model: Model, { breaker, clock }: Real): Promise<void> {
    const passes = model.state === "closed" ||
      (model.state === "open" && clock.now() >= model.untilMs);
    assert.equal(breaker.passes, passes);
    let isCalled = false;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const run = breaker.run(() => {
      isCalled = true;
      return promise;
    });
    assert.equal(isCalled, passes);
    if (!passes) return await assert.rejects(run, BreakerOpenError);
    if (model.state === "open") enter(model, "half_open");
    model.calls.push({
      era: model.era,
      settle: async (verdict) => {
        if (verdict === "success") resolve();
        else reject(new Judged(verdict));
        await run.catch(() => {});
      },
    });
  }
  toString = (): string => "begin";
}

class Settle implements fc.AsyncCommand<Model, Real> {
  constructor(readonly which: number, readonly verdict: BreakerVerdict) {}
  check = ({ calls }: Readonly<Model>): boolean => calls.length > 0;
  async run(model: Model, { breaker, clock }: Real): Promise<void> {
    const [call] = model.calls.splice(this.which % model.calls.length, 1);
    await call?.settle(this.verdict);
    if (call?.era === model.era) this.#learn(model, clock.now());
    assert.equal(breaker.state.kind, model.state);
    if (breaker.state.kind !== "closed") assert.equal(breaker.state.untilMs, model.untilMs);
  }
  #learn(model: Model, nowMs: number): void {
    if (this.verdict === "ignore") {
      if (model.state === "half_open") enter(model, "open");
    } else if (this.verdict === "success") {
      model.failures = 0;
      if (model.state === "half_open") enter(model, "closed");
    } else if (++model.failures >= FAILURES || model.state === "half_open") {
      model.untilMs = nowMs + COOLDOWN_MS;
      enter(model, "open");
    }
  }
  toString = (): string => `settle(${this.which}, ${this.verdict})`;
}

class Wait implements fc.AsyncCommand<Model, Real> {
  constructor(readonly ms: number) {}
  check = (): boolean => true;
  async run(_model: Model, { clock }: Real): Promise<void> {
    await clock.advance(this.ms);
  }
  toString = (): string => `wait(${this.ms})`;
}

function enter(model: Model, state: Model["state"]): void {
  model.state = state;
  model.era++;
}

Deno.test("a breaker is the state machine it says it is, whatever begins, ends and waits in whatever order", async () => {
  const commands = fc.commands([
    fc.constant(new Begin()),
    fc.tuple(fc.nat(9), fc.constantFrom<BreakerVerdict>("failure", "failure", "success", "ignore"))
      .map(([which, verdict]) => new Settle(which, verdict)),
    fc.constantFrom(1, 500, 999, 1_000).map((ms) => new Wait(ms)),
  ], { maxCommands: 40, size: "max" });
  await fc.assert(fc.asyncProperty(commands, async (commands) => {
    const clock = new ManualClock();
    const breaker = new Breaker({
      failures: FAILURES,
      cooldownMs: COOLDOWN_MS,
      clock,
      judge: (error) => error instanceof Judged ? error.verdict : "failure",
    });
    const model: Model = { failures: 0, state: "closed", untilMs: 0, calls: [], era: 0 };
    await fc.asyncModelRun(() => ({ model, real: { clock, breaker } }), commands);
  }));
});

const NOW_MS = Date.UTC(2024, 5, 1, 12);
const BAN_DEFAULT_MS = 60_000;

Deno.test("whatever Retry-After says beside whatever error, a ban ends after now and within a week", () => {
  const headers = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(..."0123456789.,-+e: GMT") }),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  );
  const statuses = fc.option(fc.integer({ min: 100, max: 599 }), { nil: undefined });
  const texts = fc.oneof(
    fc.string(),
    fc.stringMatching(/^(?:banned until|retry after|unblocked after) ?\d{10,16}$/),
  );
  fc.assert(
    fc.property(headers, statuses, texts, fc.anything(), (retryAfter, status, text, json) => {
      const { kind, untilMs } = classify(new Error(text), {
        classes: [],
        action: "test",
        answer: { status, retryAfter, json },
        nowMs: NOW_MS,
        banDefaultMs: BAN_DEFAULT_MS,
      });
      assert.equal(kind === "rate_limited", untilMs !== undefined);
      if (untilMs === undefined) return;
      assert.ok(untilMs > NOW_MS && untilMs <= NOW_MS + BAN_MS_MAX);
    }),
  );
});

Deno.test("a Retry-After that is neither seconds nor a date of HTTP bans nobody for longer than the default", () => {
  const words = fc.tuple(
    fc.stringMatching(/^[a-z]{1,8}$/),
    fc.nat(9_999),
    fc.stringMatching(/^[a-z]{0,8}$/),
  )
    .map(([before, number, after]) => `${before} ${number}${after}`);
  const units = fc.tuple(fc.nat(9_999), fc.stringMatching(/^ ?[a-zA-Z]{1,8}$/))
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(words, units), (retryAfter) => {
      const { untilMs } = classify(new Error("refused"), {
        classes: [],
        action: "test",
        answer: { status: 429, retryAfter },
        nowMs: NOW_MS,
        banDefaultMs: BAN_DEFAULT_MS,
      });
      assert.equal(untilMs, NOW_MS + BAN_DEFAULT_MS);
    }),
    { examples: [["a 2025"], ["retry in 2030"]] },
  );
});
