import assert from "node:assert/strict";
import { NewestWrite } from "../../lib/policy/newest_write.ts";

/** A store that takes its time: each write ends when the test says so. */
function slowStore(): {
  readonly begun: readonly string[];
  readonly write: (value: string) => Promise<void>;
  readonly finish: () => Promise<void>;
} {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    write: (value) => {
      begun.push(value);
      return new Promise((resolve) => ends.push(resolve));
    },
    finish: async () => {
      ends.shift()?.();
      await new Promise<void>((resolve) => setImmediate(resolve));
    },
  };
}

Deno.test("of values that come during a write only the newest is written, after it", async () => {
  const { begun, write, finish } = slowStore();
  const state = new NewestWrite(write);
  const written = ["open", "half_open", "closed"].map((value) => state.set(value));
  assert.deepEqual(begun, ["open"]);
  await finish();
  assert.deepEqual(begun, ["open", "closed"]);
  await finish();
  await Promise.all(written);
  assert.deepEqual(begun, ["open", "closed"]);
});

Deno.test("a value that comes after a pause is written at once", async () => {
  const { begun, write, finish } = slowStore();
  const state = new NewestWrite(write);
  for (const value of ["open", "closed"]) {
    const written = state.set(value);
    assert.equal(begun.at(-1), value);
    await finish();
    await written;
  }
  assert.deepEqual(begun, ["open", "closed"]);
});

Deno.test("who sets a value waits until the newest one is written", async () => {
  const { write, finish } = slowStore();
  const state = new NewestWrite(write);
  let isWritten = false;
  const written = state.set("open").then(() => isWritten = true);
  void state.set("closed");
  await finish();
  assert.equal(isWritten, false);
  await finish();
  await written;
});
