/** At most so many pieces of work at once: who begins when, who is refused, and that no slot is lost. @module */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { NoSlotError, Slots } from "../../lib/policy/slots.ts";

/** Work that ends when it is told to. */
interface Work {
  readonly begun: readonly string[];
  end(name: string): Promise<void>;
  begin(name: string, signal?: AbortSignal): Promise<string>;
}

function workOf(slots: Slots): Work {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    end: async (name: string): Promise<void> => {
      ends.get(name)!();
      await turn();
    },
    begin: async (name: string, signal?: AbortSignal): Promise<string> =>
      await slots.run(async () => {
        begun.push(name);
        await new Promise<void>((resolve) => ends.set(name, resolve));
        return name;
      }, { signal }),
  };
}

Deno.test("so many run at once, and the others follow in the order in which they came", async () => {
  const slots = new Slots({ atOnce: 2 });
  const { begun, begin, end } = workOf(slots);
  const all = ["a", "b", "c", "d"].map((name) => begin(name));
  await turn();
  assert.deepEqual([begun, slots.isFree], [["a", "b"], false]);
  await end("b");
  assert.deepEqual(begun, ["a", "b", "c"]);
  await end("a");
  await end("c");
  await end("d");
  assert.deepEqual(await Promise.all(all), ["a", "b", "c", "d"]);
  assert.equal(slots.isFree, true);
});

Deno.test("what is to be next comes before all that wait, and takes the place of none", async () => {
  const slots = new Slots({ atOnce: 1 });
  const { begun, begin, end } = workOf(slots);
  const [one, two, three] = [begin("one"), begin("two"), begin("three")];
  await turn();
  const next = slots.take({ isNext: true });
  await end("one");
  await next;
  assert.deepEqual(begun, ["one"]);
  slots.giveBack();
  await turn();
  await end("two");
  await end("three");
  assert.deepEqual(await Promise.all([one, two, three]), ["one", "two", "three"]);
  assert.deepEqual([begun, slots.isFree], [["one", "two", "three"], true]);
});

Deno.test("more than may wait are refused at once", async () => {
  const slots = new Slots({ atOnce: 1, waitingMax: 1 });
  const { begin, end } = workOf(slots);
  const [one, two] = [begin("one"), begin("two")];
  await assert.rejects(begin("three"), NoSlotError);
  await end("one");
  await end("two");
  assert.deepEqual(await Promise.all([one, two]), ["one", "two"]);
});

Deno.test("work whose caller has gone while it waited never begins, and its place is free", async () => {
  const slots = new Slots({ atOnce: 1, waitingMax: 1 });
  const { begun, begin, end } = workOf(slots);
  const one = begin("one");
  const leaving = new AbortController();
  const gone = begin("gone", leaving.signal);
  leaving.abort(new Error("gone"));
  await assert.rejects(gone, /gone/);
  await assert.rejects(begin("gone before", leaving.signal), /gone/);
  const next = begin("next");
  await end("one");
  await end("next");
  await Promise.all([one, next]);
  assert.deepEqual(begun, ["one", "next"]);
});

Deno.test("a slot that comes at the moment at which its caller goes is not lost", async () => {
  const slots = new Slots({ atOnce: 1 });
  await slots.take();
  const leaving = new AbortController();
  const gone = slots.take({ signal: leaving.signal });
  slots.giveBack();
  leaving.abort(new Error("gone"));
  await assert.rejects(gone, /gone/);
  assert.equal(slots.isFree, true);
});

Deno.test("work that fails gives its slot back, and what waits can be refused together", async () => {
  const slots = new Slots({ atOnce: 1 });
  await assert.rejects(slots.run(() => Promise.reject(new Error("no"))), /no/);
  const { begun, begin, end } = workOf(slots);
  const one = begin("one");
  const waiting = [begin("two"), begin("three")];
  slots.refuseWaiting(new Error("given up"));
  for (const refused of waiting) await assert.rejects(refused, /given up/);
  await end("one");
  await one;
  assert.deepEqual([begun, slots.isFree], [["one"], true]);
});
