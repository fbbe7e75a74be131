/** One run for all who wait: who aborts leaves, and only the last one ends it. @module */
import assert from "node:assert/strict";
import { setImmediate as turnOfTheEventLoop } from "node:timers/promises";
import { SharedRun } from "../../lib/policy/shared_run.ts";

/** Work that ends when the test says so, or with its signal. */
class Work {
  begun = 0;
  signal: AbortSignal | undefined;
  #end = Promise.withResolvers<string>();

  readonly fn = (signal: AbortSignal): Promise<string> => {
    this.begun++;
    this.signal = signal;
    const end = this.#end = Promise.withResolvers<string>();
    signal.addEventListener("abort", () => end.reject(signal.reason), { once: true });
    return end.promise;
  };

  resolve(value: string): void {
    this.#end.resolve(value);
  }

  reject(error: Error): void {
    this.#end.reject(error);
  }
}

const LEFT = new Error("the caller has left");

Deno.test("all who come while a run is under way get its one result, who comes later begins another", async () => {
  const run = new SharedRun<string>();
  const work = new Work();
  const both = [run.join(work.fn), run.join(work.fn, { signal: new AbortController().signal })];
  await turnOfTheEventLoop();
  work.resolve("first");
  assert.deepEqual(await Promise.all(both), ["first", "first"]);
  assert.equal(work.begun, 1);
  assert.equal(work.signal?.aborted, false);
  const third = run.join(work.fn);
  await turnOfTheEventLoop();
  work.resolve("second");
  assert.deepEqual([await third, work.begun], ["second", 2]);
});

Deno.test("a failure is everybody's, and the next caller begins anew", async () => {
  const run = new SharedRun<string>();
  const work = new Work();
  const both = [run.join(work.fn), run.join(work.fn)].map((join) => assert.rejects(join, /down/));
  await turnOfTheEventLoop();
  work.reject(new Error("down"));
  await Promise.all(both);
  const next = run.join(work.fn);
  await turnOfTheEventLoop();
  work.resolve("up");
  assert.deepEqual([await next, work.begun], ["up", 2]);
});

for (const leaver of ["first", "second"] as const) {
  Deno.test(`when the ${leaver} caller aborts, the other still gets the result`, async () => {
    const run = new SharedRun<string>();
    const work = new Work();
    const abort = new AbortController();
    const { signal } = abort;
    const first = run.join(work.fn, leaver === "first" ? { signal } : {});
    const second = run.join(work.fn, leaver === "second" ? { signal } : {});
    await turnOfTheEventLoop();
    const [left, stays] = leaver === "first" ? [first, second] : [second, first];
    abort.abort(LEFT);
    await assert.rejects(left, LEFT);
    assert.equal(work.signal?.aborted, false);
    work.resolve("result");
    assert.deepEqual([await stays, work.begun], ["result", 1]);
  });
}

Deno.test("the run is aborted when the last caller has aborted, who waits for its end", async () => {
  const run = new SharedRun<string>();
  const [one, other] = [new AbortController(), new AbortController()];
  const ended = Promise.withResolvers<void>();
  let aborted = 0;
  // Deaf for a while: the write in hand, say.
  const fn = async (signal: AbortSignal): Promise<string> => {
    signal.addEventListener("abort", () => aborted++, { once: true });
    await ended.promise;
    return "too late";
  };
  let isOver = false;
  const joins = [one, other].map(({ signal }) => run.join(fn, { signal }));
  const first = assert.rejects(joins[0] as Promise<string>, LEFT);
  const last = assert.rejects(joins[1] as Promise<string>, LEFT).then(() => isOver = true);
  await turnOfTheEventLoop();
  one.abort(LEFT);
  await first;
  assert.equal(aborted, 0);
  other.abort(LEFT);
  await turnOfTheEventLoop();
  assert.deepEqual([aborted, isOver], [1, false]);
  ended.resolve();
  await last;
});

Deno.test("who comes while a run is being aborted begins the next one after its end", async () => {
  const run = new SharedRun<string>();
  const work = new Work();
  const abort = new AbortController();
  const ended = Promise.withResolvers<void>();
  const order: string[] = [];
  const left = assert.rejects(
    run.join(async () => {
      await ended.promise;
      order.push("the first has ended");
      return "dropped";
    }, { signal: abort.signal }),
    LEFT,
  );
  await turnOfTheEventLoop();
  abort.abort(LEFT);
  await turnOfTheEventLoop();
  const next = run.join((signal) => {
    order.push("the next begins");
    return work.fn(signal);
  });
  await turnOfTheEventLoop();
  assert.deepEqual(order, []);
  ended.resolve();
  await left;
  await turnOfTheEventLoop();
  assert.deepEqual(order, ["the first has ended", "the next begins"]);
  work.resolve("the next's");
  assert.equal(await next, "the next's");
});

Deno.test("a caller whose signal is aborted already begins nothing", async () => {
  const run = new SharedRun<string>();
  const work = new Work();
  await assert.rejects(run.join(work.fn, { signal: AbortSignal.abort(LEFT) }), LEFT);
  assert.equal(work.begun, 0);
});
