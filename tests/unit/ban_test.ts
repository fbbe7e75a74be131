import assert from "node:assert/strict";
import { Ban } from "../../lib/exchange/ban.ts";
import { FetchError } from "../../lib/exchange/fetch_error.ts";

const NOW_MS = Date.UTC(2024, 0, 1);
const MINUTE_MS = 60_000;

/** "Too many requests", as the client notes it: until a named time, or for the default length. */
function refuse(ban: Ban, nowMs: number, untilMs = nowMs + ban.defaultMs(nowMs)): boolean {
  return ban.note(new FetchError("rate_limited", `refused at ${nowMs}`, { untilMs }), nowMs);
}

Deno.test("refusals of requests that were on their way when a ban began are the same ban", () => {
  const ban = new Ban();
  assert.equal(refuse(ban, NOW_MS), true);
  for (const laterMs of [1, 50, 20_000]) assert.equal(refuse(ban, NOW_MS + laterMs), false);
  assert.equal(refuse(ban, NOW_MS + 500, NOW_MS + 500 + MINUTE_MS), false, "Retry-After: 60");
  assert.deepEqual([ban.untilMs, ban.reason], [NOW_MS + MINUTE_MS, `refused at ${NOW_MS}`]);
});

Deno.test("a refusal during a ban that names a longer one is news", () => {
  const ban = new Ban();
  refuse(ban, NOW_MS);
  assert.equal(refuse(ban, NOW_MS + 50, NOW_MS + 3 * 24 * 60 * MINUTE_MS), true);
  assert.equal(ban.untilMs, NOW_MS + 3 * 24 * 60 * MINUTE_MS);
});

Deno.test("bans in a row without an answer between them double, up to an hour", () => {
  const ban = new Ban();
  const lengths: number[] = [];
  for (let nowMs = NOW_MS; lengths.length < 8; nowMs = ban.untilMs) {
    assert.equal(refuse(ban, nowMs), true);
    assert.equal(refuse(ban, nowMs + 10), false);
    lengths.push((ban.untilMs - nowMs) / MINUTE_MS);
  }
  assert.deepEqual(lengths, [1, 2, 4, 8, 16, 32, 60, 60]);
  ban.answered(ban.untilMs);
  assert.equal(ban.defaultMs(ban.untilMs), MINUTE_MS);
});

Deno.test("the first answer after a ban ends it, also one from before a restart; answers within it do not", () => {
  const ban = new Ban();
  assert.equal(ban.answered(NOW_MS), false);
  refuse(ban, NOW_MS);
  assert.equal(ban.answered(ban.untilMs - 1), false);
  assert.equal(ban.answered(ban.untilMs), true);
  assert.equal(ban.answered(ban.untilMs + 1), false);
  ban.restore(ban.untilMs + 5_000, "before the restart");
  assert.equal(ban.answered(ban.untilMs), true);
});

Deno.test("a ban that is restored replaces a shorter one with its reason, and not a longer one", () => {
  const ban = new Ban();
  ban.restore(NOW_MS + 30_000, "Way too many requests");
  ban.restore(NOW_MS + 10_000, "an older one");
  assert.deepEqual([ban.untilMs, ban.reason], [NOW_MS + 30_000, "Way too many requests"]);
  ban.restore(NOW_MS + 40_000, "a newer one");
  assert.deepEqual([ban.untilMs, ban.reason], [NOW_MS + 40_000, "a newer one"]);
});
