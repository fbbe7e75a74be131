/** What is known of a database's writes from those that were tried. */
import assert from "node:assert/strict";
import { KnownWrites } from "../../lib/store/connection/known_writes.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import { ManualClock } from "../support/manual_clock.ts";

const MINUTE_MS = 60_000;

function scene(): { readonly clock: ManualClock; readonly writes: KnownWrites } {
  const clock = new ManualClock({ startMs: 0 });
  return { clock, writes: new KnownWrites(clock) };
}

/** Fails as a statement does that the server refuses with this code. */
function refusal(code: string): () => Promise<never> {
  const cause = Object.assign(new Error("no"), { code });
  return () => Promise.reject(new StoreError("unavailable", "Cannot write: no", { cause }));
}

const taken = (): Promise<void> => Promise.resolve();

Deno.test("a write that the database refuses is trouble, in words, until one is taken", async () => {
  const { writes } = scene();
  assert.equal(writes.trouble, undefined);
  const words = {
    "25006": "it is read-only",
    "53100": "its disk is full",
    "53200": "it has no memory left",
    "42501": "its user lacks a permission",
    "ECONNREFUSED": "it is away",
    "XX000": "it fails (XX000)",
  };
  for (const [code, why] of Object.entries(words)) {
    await assert.rejects(writes.note("row", refusal(code)));
    assert.equal(writes.trouble, why);
    await writes.note("row", taken);
    assert.equal(writes.trouble, undefined);
  }
});

Deno.test("a page that is refused for what it holds says nothing about the database", async () => {
  const { writes } = scene();
  for (const code of ["TT001", "23505", "22003"]) {
    await assert.rejects(writes.note("page", refusal(code)));
    assert.equal(writes.trouble, undefined, code);
  }
});

Deno.test("a page that is not taken counts although rows are, until a page is taken or ten minutes pass", async () => {
  const { clock, writes } = scene();
  await assert.rejects(writes.note("page", refusal("53100")));
  await writes.note("row", taken);
  assert.equal(writes.trouble, "its disk is full");
  await writes.note("page", taken);
  assert.equal(writes.trouble, undefined);
  await assert.rejects(writes.note("page", refusal("53100")));
  await clock.advance(10 * MINUTE_MS);
  assert.equal(writes.trouble, "its disk is full");
  await clock.advance(1);
  assert.equal(writes.trouble, undefined);
});

Deno.test("one page that waits for a lock is no trouble while others are taken", async () => {
  const { clock, writes } = scene();
  const locked = Promise.withResolvers<void>();
  const waiting = writes.note("page", () => locked.promise);
  await clock.advance(4_000);
  await writes.note("page", taken);
  await clock.advance(MINUTE_MS);
  assert.equal(writes.trouble, undefined);
  locked.reject(new StoreError("unavailable", "late", { cause: { code: "55P03" } }));
  await assert.rejects(waiting);
  assert.equal(writes.trouble, undefined);
});

Deno.test("writes that all wait for over five seconds are trouble, also before they end", async () => {
  const { clock, writes } = scene();
  await writes.note("page", taken);
  const locked = Promise.withResolvers<void>();
  const waiting = ["page", "row"].map((kind) =>
    writes.note(kind as "page" | "row", () => locked.promise)
  );
  await clock.advance(5_000);
  assert.equal(writes.trouble, undefined);
  await clock.advance(1);
  assert.match(writes.trouble ?? "", /^a write has waited for over 5 s, for a lock/);
  locked.resolve();
  await Promise.all(waiting);
  assert.equal(writes.trouble, undefined);
});

Deno.test("the time of the newest write is known, and what is under way", async () => {
  const { clock, writes } = scene();
  await clock.advance(7);
  const end = Promise.withResolvers<void>();
  const written = writes.note("row", () => end.promise);
  assert.deepEqual([writes.isUnderWay("row"), writes.isUnderWay("page")], [true, false]);
  assert.equal(writes.newestMs, -Infinity);
  end.resolve();
  await written;
  assert.deepEqual([writes.isUnderWay("row"), writes.newestMs], [false, 7]);
});
