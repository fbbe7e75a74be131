import assert from "node:assert/strict";
import type { EndReason } from "../../lib/exchange/stream_connection.ts";
import { StreamWatch } from "../../lib/live/stream_state.ts";

const START_MS = Date.UTC(2024, 2, 15, 12);

/** Streams of two connections, looked at by the second. */
class Watched {
  readonly #watch = new StreamWatch(START_MS);
  #nowMs = START_MS;
  #messages = 0;

  /** Lets seconds pass with so many connections open, and messages. */
  pass(seconds: number, up: number, messages = 1): this {
    for (let second = 0; second < seconds; second++) {
      this.#nowMs += 1_000;
      this.#messages += messages;
      this.#watch.count({ connections: 2, up, messages: this.#messages }, this.#nowMs);
    }
    return this;
  }

  /** Sets the clock. */
  set(seconds: number): this {
    this.#nowMs += seconds * 1_000;
    return this;
  }

  end(reason: EndReason): this {
    this.#watch.end({ atMs: this.#nowMs, reason, why: "" });
    return this;
  }

  /** For how many seconds they have been of little use; undefined while they are well. */
  get unsteadySeconds(): number | undefined {
    const counts = { connections: 2, up: 2, messages: this.#messages };
    const { unsteadySinceMs } = this.#watch.state(counts);
    return unsteadySinceMs === undefined ? undefined : (this.#nowMs - unsteadySinceMs) / 1_000;
  }
}

Deno.test("streams are well when all connections have been open and heard for a minute", () => {
  assert.equal(new Watched().pass(30, 2).unsteadySeconds, 30);
  assert.equal(new Watched().pass(61, 2).unsteadySeconds, undefined);
  assert.equal(new Watched().pass(600, 1).unsteadySeconds, 600, "one of two");
  assert.equal(new Watched().pass(600, 2, 0).unsteadySeconds, 600, "open, and silent");
});

Deno.test("streams that are opened again and again, and end soon each time, are not well in between", () => {
  const watched = new Watched().pass(61, 2);
  for (let times = 0; times < 20; times++) watched.end("killed").pass(1, 0).pass(29, 2);
  assert.equal(watched.unsteadySeconds, 600 - 1);
  assert.equal(watched.pass(60, 2).unsteadySeconds, undefined);
});

Deno.test("streams that end a moment before they are looked at again are down since then", () => {
  const watched = new Watched().pass(61, 2);
  for (let times = 0; times < 20; times++) watched.end("silent").pass(50, 2);
  assert.equal(watched.unsteadySeconds, 1_000 - 1);
  const kept = new Watched().pass(61, 2).end("stopped").pass(1, 2);
  assert.equal(kept.unsteadySeconds, undefined, "it has no series any more");
});

Deno.test("streams stay well when the clock is set back", () => {
  const watched = new Watched().pass(600, 2).set(-3_600).pass(600, 2);
  assert.equal(watched.unsteadySeconds, undefined);
  assert.equal(watched.pass(30, 1).unsteadySeconds, 29);
  assert.equal(watched.set(-3_600).pass(30, 1).unsteadySeconds, 29, "down since then, at least");
});

Deno.test("an hourly rotation leaves streams well", () => {
  const watched = new Watched().pass(61, 2);
  for (let times = 0; times < 5; times++) {
    watched.end("rotated").pass(2, 1);
    assert.equal(watched.unsteadySeconds, 1);
    assert.equal(watched.pass(3_600, 2).unsteadySeconds, undefined);
  }
});
